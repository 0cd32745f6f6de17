//! What a resource says of HDFS, with the files that the client reads: configuration, keytab, `krb5.conf`.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use gristmill_crds::plan::{ConfigMapKey, HadoopIdentity, HadoopPlan, SecretKey};

use super::{Error, Holder, Reference, Secrets};
use crate::exit::{Exit, Failure};
use crate::store::{HadoopAccess, Kerberos, Umask};

/// Keys of a ConfigMap that the client reads.
const CONFIGURATION: [&str; 2] = ["core-site.xml", "hdfs-site.xml"];
/// The one setting that libkrb5 takes from the environment alone.
const KRB5_CONFIG: &str = "KRB5_CONFIG";
/// Says that `KRB5_CONFIG` is what the resource wants.
const KRB5_CONFIG_IS_OURS: &str = "GRISTMILL_KRB5_CONFIG_IS_SET";

/// How HDFS is reached by a resource. Without a `hadoop` block it is the environment's: `HADOOP_CONF_DIR`,
/// `HADOOP_USER_NAME`, `KRB5_CONFIG` and the ticket cache.
///
/// A `krb5.conf` of the resource makes the process start itself anew with it in the environment, once.
///
/// # Errors
/// A referenced value is missing, or a file can't be written.
pub fn hadoop(plan: Option<&HadoopPlan>, secrets: &Secrets) -> Result<HadoopAccess, Failure> {
    let Some(HadoopPlan { config_map, umask, proxy_user, identity }) = plan else {
        return Ok(HadoopAccess::default());
    };
    let configuration = match config_map {
        Some(name) => Some(secrets.folder("spec.hadoop.configMapRef", Holder::ConfigMap, name, &CONFIGURATION)?),
        None => None,
    };
    let (user, kerberos) = match identity {
        HadoopIdentity::Simple { user } => (Some(user.clone()), None),
        HadoopIdentity::Kerberos { principal, keytab, krb5_config } => {
            // First, so that a process that starts anew leaves no keytab behind.
            if let Some(ConfigMapKey { config_map, key }) = krb5_config {
                let field = "spec.hadoop.kerberos.krb5ConfigMapKeyRef";
                adopt_krb5_config(&secrets.file(Reference::config_map(field, config_map, key))?)?;
            }
            (None, Some(kerberos(principal, keytab, secrets)?))
        }
    };
    Ok(HadoopAccess {
        user: proxy_user.clone().or(user),
        kerberos,
        configuration,
        umask: umask.map_or_else(Umask::default, |umask| Umask(u32::from(umask))),
    })
}

fn kerberos(principal: &str, keytab: &SecretKey, secrets: &Secrets) -> Result<Kerberos, Error> {
    let SecretKey { secret, key } = keytab;
    let keytab = secrets.file(Reference::secret("spec.hadoop.kerberos.keytabSecretKeyRef", secret, key))?;
    Ok(Kerberos { principal: principal.to_owned(), keytab })
}

/// Starts this program anew with `KRB5_CONFIG`, unless it was.
fn adopt_krb5_config(path: &Path) -> Result<(), Failure> {
    if std::env::var_os(KRB5_CONFIG_IS_OURS).is_some() {
        return Ok(());
    }
    let failed = |error: std::io::Error| Failure {
        exit: Exit::Bug,
        reason: "Internal",
        message: format!("cannot start anew with KRB5_CONFIG={}: {error}; set it and start again", path.display()),
    };
    let program = std::env::current_exe().map_err(failed)?;
    let arguments = std::env::args_os().skip(1);
    Err(failed(Command::new(program).args(arguments).env(KRB5_CONFIG, path).env(KRB5_CONFIG_IS_OURS, "1").exec()))
}

#[cfg(test)]
mod tests {
    use super::super::Values;
    use super::*;

    fn plan(identity: HadoopIdentity) -> HadoopPlan {
        HadoopPlan { config_map: None, umask: None, proxy_user: None, identity }
    }

    fn simple() -> HadoopIdentity {
        HadoopIdentity::Simple { user: "etl".to_owned() }
    }

    fn values(key: &str) -> Values {
        Values::from([(key.to_owned(), b"content".to_vec())])
    }

    #[test]
    fn without_a_block_it_is_the_environment_that_counts() {
        assert_eq!(hadoop(None, &Secrets::default()).expect("nothing is asked for"), HadoopAccess::default());
    }

    #[test]
    fn configuration_umask_and_proxy_user_reach_the_client() {
        let secrets = Secrets::default().with_document(Holder::ConfigMap, "hadoop", values("hdfs-site.xml"));
        let plan = HadoopPlan {
            config_map: Some("hadoop".to_owned()),
            umask: Some(0o027),
            proxy_user: Some("books".to_owned()),
            ..plan(simple())
        };
        let access = hadoop(Some(&plan), &secrets).expect("everything is given");
        assert_eq!((access.user.as_deref(), access.umask), (Some("books"), Umask(0o027)));
        let folder = access.configuration.expect("the block names one");
        assert_eq!(std::fs::read(folder.join("hdfs-site.xml")).expect("it is there"), b"content");
    }

    #[test]
    fn keytab_is_a_file_that_the_client_reads_when_it_needs_a_ticket() {
        let secrets = Secrets::default().with_document(Holder::Secret, "books-keytab", values("keytab"));
        let identity = HadoopIdentity::Kerberos {
            principal: "books@EXAMPLE.COM".to_owned(),
            keytab: SecretKey { secret: "books-keytab".to_owned(), key: "keytab".to_owned() },
            krb5_config: None,
        };
        let access = hadoop(Some(&plan(identity)), &secrets).expect("everything is given");
        let Kerberos { principal, keytab } = access.kerberos.expect("the block names one");
        assert_eq!((principal.as_str(), access.user), ("books@EXAMPLE.COM", None));
        assert_eq!(std::fs::read(keytab).expect("it is there"), b"content");
    }

    #[test]
    fn missing_configuration_is_told_with_the_next_act() {
        let plan = HadoopPlan { config_map: Some("hadoop".to_owned()), ..plan(simple()) };
        let failure = hadoop(Some(&plan), &Secrets::default()).expect_err("it is not given");
        assert_eq!((failure.exit, failure.reason), (Exit::Usage, "ConfigMapNotFound"));
        assert!(failure.message.starts_with("spec.hadoop.configMapRef: ConfigMap \"hadoop\""), "{failure}");
    }
}
