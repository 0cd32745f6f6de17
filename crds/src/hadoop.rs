//! How the pods find HDFS and who they are to it.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::reference::{ConfigMapKeyRef, ConfigMapRef, SecretKeyRef};

/// How the pods find HDFS and who they are to it.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("has(self.simple) != has(self.kerberos)")
    .message("hadoop has exactly one of simple and kerberos"))]
pub struct Hadoop {
    /// ConfigMap with core-site.xml and hdfs-site.xml. Needed for a nameservice such as hdfs://nameservice1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<ConfigMapRef>,
    /// Permissions that files and directories lack, in octal and quoted. Default "022": all may read.
    ///
    /// Readers in Hive or Spark must be able to read: "027" restricts them to the group of the directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 4), regex(pattern = "^0?[0-7]{3}$"))]
    pub umask: Option<String>,
    /// User that HDFS is to act for, if it allows the own user to do so (hadoop.proxyuser.*). Default: the own user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z_][A-Za-z0-9._-]*$"))]
    pub proxy_user: Option<String>,
    /// Simple authentication: HDFS believes the name it is given. It is no security boundary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simple: Option<SimpleAuthentication>,
    /// Kerberos: a keytab proves who the pods are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kerberos: Option<KerberosAuthentication>,
}

/// A user name that HDFS believes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SimpleAuthentication {
    /// Name of the HDFS user that owns the files, for example etl.
    ///
    /// Ingest and compaction of one zone should be the same user: by default files are created with mode 0644.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z_][A-Za-z0-9._-]*$"))]
    pub user: String,
}

/// A Kerberos principal and its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KerberosAuthentication {
    /// The principal with its realm, for example books@EXAMPLE.COM or books/host.example.com@EXAMPLE.COM.
    #[schemars(length(min = 3, max = 256), regex(pattern = r"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)?@[A-Za-z0-9.-]+$"))]
    pub principal: String,
    /// The keytab of the principal.
    pub keytab_secret_key_ref: SecretKeyRef,
    /// krb5.conf: realms and their KDCs. Default: the one of the image, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub krb5_config_map_key_ref: Option<ConfigMapKeyRef>,
}
