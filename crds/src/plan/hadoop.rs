//! How a process finds HDFS and who it is to it.

use super::Problems;
use super::reference::{self, ConfigMapKey, SecretKey};
use crate::hadoop::{Hadoop, KerberosAuthentication, SimpleAuthentication};

/// How a process finds HDFS and who it is to it. It holds names of secrets, never secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HadoopPlan {
    /// ConfigMap with core-site.xml and hdfs-site.xml.
    pub config_map: Option<String>,
    /// Permissions that new files and directories lack; None is HDFS' default, 022.
    pub umask: Option<u16>,
    /// User that HDFS acts for.
    pub proxy_user: Option<String>,
    /// Who the process is.
    pub identity: HadoopIdentity,
}

/// Who a process is to HDFS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HadoopIdentity {
    /// A name that is believed.
    Simple {
        /// The name.
        user: String,
    },
    /// A principal that is proved.
    Kerberos {
        /// Name and realm.
        principal: String,
        /// Its key.
        keytab: SecretKey,
        /// krb5.conf.
        krb5_config: Option<ConfigMapKey>,
    },
}

impl HadoopPlan {
    /// The name that HDFS believes, with simple authentication.
    pub fn simple_user(&self) -> Option<&str> {
        match &self.identity {
            HadoopIdentity::Simple { user } => Some(user),
            HadoopIdentity::Kerberos { .. } => None,
        }
    }

    pub(super) fn read(at: &str, hadoop: Option<&Hadoop>, problems: &mut Problems) -> Option<Self> {
        let Hadoop { config_map_ref, umask, proxy_user, simple, kerberos } = hadoop?;
        let config_map =
            config_map_ref.as_ref().map(|map| reference::name(&format!("{at}.configMapRef"), &map.name, problems));
        let umask = umask.as_deref().and_then(|umask| read_umask(&format!("{at}.umask"), umask, problems));
        if let Some(user) = proxy_user {
            check_user(&format!("{at}.proxyUser"), user, problems);
        }
        let identity = match (simple, kerberos) {
            (Some(SimpleAuthentication { user }), None) => {
                check_user(&format!("{at}.simple.user"), user, problems);
                HadoopIdentity::Simple { user: user.clone() }
            }
            (None, Some(kerberos)) => read_kerberos(&format!("{at}.kerberos"), kerberos, problems),
            (Some(_), Some(_)) => {
                problems.add(at, "has both simple and kerberos; remove one of them");
                return None;
            }
            (None, None) => {
                problems.add(at, "has neither simple nor kerberos; write simple: {user: etl}, or kerberos with its principal and keytab");
                return None;
            }
        };
        Some(Self { config_map, umask, proxy_user: proxy_user.clone(), identity })
    }
}

fn read_umask(at: &str, umask: &str, problems: &mut Problems) -> Option<u16> {
    let digits = umask.len() == 3 || umask.len() == 4 && umask.starts_with('0');
    let read = digits.then(|| u16::from_str_radix(umask, 8).ok()).flatten();
    match read {
        // The owner must be able to write and read what it makes.
        Some(read) if read & 0o700 == 0 => Some(read),
        Some(_) => {
            problems.add(
                at,
                format!("{umask:?} takes permissions from the owner itself; write \"0\" as its first of three digits"),
            );
            None
        }
        None => {
            problems.add(at, format!("{umask:?} is not a umask; write three octal digits in quotes, such as \"027\""));
            None
        }
    }
}

fn check_user(at: &str, user: &str, problems: &mut Problems) {
    let mut characters = user.chars();
    let valid = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        && user.len() <= 64;
    if !valid {
        problems.add(at, format!("{user:?} is not a user name; write letters, digits, \".\", \"_\" and \"-\""));
    }
}

fn read_kerberos(at: &str, kerberos: &KerberosAuthentication, problems: &mut Problems) -> HadoopIdentity {
    let KerberosAuthentication { principal, keytab_secret_key_ref, krb5_config_map_key_ref } = kerberos;
    if !is_principal(principal) {
        let message = format!("{principal:?} is not a principal; write name@REALM or name/host@REALM");
        problems.add(format!("{at}.principal"), message);
    }
    HadoopIdentity::Kerberos {
        principal: principal.clone(),
        keytab: reference::secret_key(&format!("{at}.keytabSecretKeyRef"), keytab_secret_key_ref, problems),
        krb5_config: krb5_config_map_key_ref
            .as_ref()
            .map(|key| reference::config_map_key(&format!("{at}.krb5ConfigMapKeyRef"), key, problems)),
    }
}

/// The letters are few on purpose: a principal ends up in arguments of Kerberos' own tools.
fn is_principal(principal: &str) -> bool {
    let part = |text: &str, others: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
    };
    let Some((name, realm)) = principal.split_once('@') else { return false };
    let (primary, instance) =
        name.split_once('/').map_or((name, None), |(primary, instance)| (primary, Some(instance)));
    principal.len() <= 256
        && part(primary, "._-")
        && instance.is_none_or(|instance| part(instance, "._-"))
        && part(realm, ".-")
}
