//! How HDFS is reached, and as whom.

use std::path::PathBuf;

/// How HDFS is reached, and as whom. The default is what a Hadoop client on a laptop does: `HADOOP_CONF_DIR`,
/// `HADOOP_USER_NAME` or the name of the process's user, and the ticket cache if the cluster wants Kerberos.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HadoopAccess {
    /// Name that HDFS is told without Kerberos; with it, the user that the principal acts for.
    pub user: Option<String>,
    /// Proof of who we are.
    pub kerberos: Option<Kerberos>,
    /// Folder of `core-site.xml` and `hdfs-site.xml`; `HADOOP_CONF_DIR` counts without one.
    pub configuration: Option<PathBuf>,
    /// Permissions that new files and directories lack.
    pub umask: Umask,
}

/// A principal and the file of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kerberos {
    /// The principal, with its realm.
    pub principal: String,
    /// Its keytab; it is read whenever a ticket is needed, so that a new one takes effect.
    pub keytab: PathBuf,
}

/// Permissions that new files and directories lack, as `umask(1)` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Umask(pub u32);

impl Default for Umask {
    /// Hadoop's own default: the owner writes, all read.
    fn default() -> Self {
        Self(0o022)
    }
}

impl Umask {
    /// Permissions of a new file.
    pub fn file(self) -> u32 {
        0o666 & !self.0
    }

    /// Permissions of a new directory.
    pub fn directory(self) -> u32 {
        0o777 & !self.0
    }
}

impl HadoopAccess {
    /// The name that HDFS is told; with Kerberos, the user to act for.
    pub fn as_user(name: impl Into<String>) -> Self {
        Self { user: Some(name.into()), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case(Umask::default(), 0o644, 0o755)]
    #[case(Umask(0o027), 0o640, 0o750)]
    #[case(Umask(0o077), 0o600, 0o700)]
    fn umask_takes_permissions_away(#[case] umask: Umask, #[case] file: u32, #[case] directory: u32) {
        assert_eq!((umask.file(), umask.directory()), (file, directory));
    }
}
