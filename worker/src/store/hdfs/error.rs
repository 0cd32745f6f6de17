//! What an error of the HDFS client means, in our words.
//!
//! The client tells of a login that fails what GSSAPI says, and of a NameNode that hangs up nothing. Both depend on who we
//! said that we are, so that the words come from there.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::LazyLock;

use hdfs_native::HdfsError;
use regex::Regex;

use super::super::{HadoopAccess, Kerberos, StoreError, StoreErrorKind, StorePath};

/// What the client says when the NameNode closes the connection in place of an answer.
const HUNG_UP: &str = "RPC listener disconnected";

/// What the client says when no replica of a block can be read, before all that it knows of each DataNode.
const ALL_FAILED: &str = "All DataNodes failed";

/// An error of an operation on a path, of a client that came by this access.
pub(super) fn store_error(error: &HdfsError, act: &'static str, path: &StorePath, access: &HadoopAccess) -> StoreError {
    let message = match error {
        HdfsError::GSSAPIError(_, _, text) | HdfsError::SASLError(text) => login_failed(text, access),
        HdfsError::NoSASLMechanism => login_failed("the NameNode offers no way to log in that this client has", access),
        HdfsError::IOError(error) if error.to_string() == HUNG_UP => hung_up(access),
        HdfsError::DataTransferError(text) if text.starts_with(ALL_FAILED) => all_failed(text),
        other => first_line(&other.to_string()),
    };
    StoreError::new(kind_of(error), act, path, message)
}

/// A name without a port that no configuration has; `environment` is HADOOP_CONF_DIR.
pub(super) fn unknown_name_service(name: &str, access: &HadoopAccess, environment: Option<&OsStr>) -> String {
    let folder = match (&access.configuration, environment) {
        (Some(folder), _) => format!("the Hadoop configuration in {}", folder.display()),
        (None, Some(folder)) => format!("HADOOP_CONF_DIR ({})", Path::new(folder).display()),
        (None, None) => "HADOOP_CONF_DIR, which is not set".to_owned(),
    };
    format!(
        "{name} has no port and is no nameservice of {folder}; write hdfs://HOST:PORT, or give the folder of an \
         hdfs-site.xml that has it, by HADOOP_CONF_DIR or by spec.hadoop.configMapRef"
    )
}

/// What failed, for whom, and what to look at.
fn login_failed(text: &str, access: &HadoopAccess) -> String {
    let why = match first_line(text) {
        text if text.is_empty() => "GSSAPI says no more".to_owned(),
        text => text,
    };
    match &access.kerberos {
        Some(Kerberos { principal, keytab }) => format!(
            "the Kerberos login of {principal} with keytab {} failed: {why}; see to the principal, to the keytab \
             (klist -k shows whose keys it has) and to krb5.conf",
            keytab.display()
        ),
        None => format!(
            "the Kerberos login failed: {why}; set spec.hadoop.kerberos, or run kinit where there is no resource, and see \
             to krb5.conf"
        ),
    }
}

/// A NameNode that goes down hangs up too, so that this is a guess at the second cause.
fn hung_up(access: &HadoopAccess) -> String {
    let HadoopAccess { user, kerberos, configuration: _, umask: _ } = access;
    let look_at = match (kerberos, user) {
        (None, None) => "if it wants Kerberos, set spec.hadoop.kerberos, or HADOOP_CONF_DIR and run kinit".to_owned(),
        (None, Some(user)) => format!(
            "if it wants Kerberos, set spec.hadoop.kerberos, or HADOOP_CONF_DIR and run kinit; then {user} of --user, \
             spec.hadoop.proxyUser or HADOOP_USER_NAME is whom to act for, which HDFS has to allow (hadoop.proxyuser.*)"
        ),
        (Some(Kerberos { principal, .. }), None) => format!("see whether HDFS lets {principal} in"),
        (Some(Kerberos { principal, .. }), Some(user)) => format!(
            "see whether HDFS lets {principal} act for {user} (hadoop.proxyuser.*), or change spec.hadoop.proxyUser"
        ),
    };
    format!("the NameNode has hung up without an answer: it goes down, or it refuses this client; {look_at}")
}

/// Whom to look at. The client lists the DataNodes as Rust writes a value, a dozen fields each.
fn all_failed(text: &str) -> String {
    static DATANODE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"ip_addr: "([^"]*)"[^}]*xfer_port: ([0-9]+)"#).expect("the pattern is written correctly")
    });
    let addresses: Vec<_> = DATANODE.captures_iter(text).map(|found| format!("{}:{}", &found[1], &found[2])).collect();
    match addresses.as_slice() {
        [] => "the NameNode knows of no DataNode that has a block of it".to_owned(),
        [one] => format!("the one DataNode that has a block of it can't be read from: {one}"),
        all => format!("no DataNode that has a block of it can be read from: {}", all.join(", ")),
    }
}

fn kind_of(error: &HdfsError) -> StoreErrorKind {
    match error {
        HdfsError::FileNotFound(_) => StoreErrorKind::NotFound,
        HdfsError::AlreadyExists(_) => StoreErrorKind::AlreadyExists,
        // The connection, whichever way it failed: the NameNode or DataNode may be back soon.
        HdfsError::IOError(_) | HdfsError::DataTransferError(_) | HdfsError::InvalidRPCResponse(_) => {
            StoreErrorKind::Unavailable
        }
        // Too few DataNodes live, or too few have confirmed their blocks.
        HdfsError::RPCError(_, text) if text.contains("could only be written to") => StoreErrorKind::Unavailable,
        HdfsError::OperationFailed(text) if text.starts_with("Failed to complete") => StoreErrorKind::Unavailable,
        HdfsError::RPCError(class, _) | HdfsError::FatalRPCError(class, _) => kind_of_exception(class),
        HdfsError::SASLError(_) | HdfsError::GSSAPIError(..) | HdfsError::NoSASLMechanism => {
            StoreErrorKind::LoginFailed
        }
        HdfsError::ChecksumError
        | HdfsError::InvalidPath(_)
        | HdfsError::InvalidArgument(_)
        | HdfsError::UrlParseError(_)
        | HdfsError::OperationFailed(_)
        | HdfsError::BlocksNotFound(_)
        | HdfsError::IsADirectoryError(_)
        | HdfsError::TrashNotEnabled
        | HdfsError::UnsupportedErasureCodingPolicy(_)
        | HdfsError::ErasureCodingError(_)
        | HdfsError::UnsupportedFeature(_)
        | HdfsError::InternalError(_)
        | HdfsError::XmlParseError(_) => StoreErrorKind::Other,
    }
}

/// By the Java class that the NameNode names; the client converts only those of names that exist.
fn kind_of_exception(class: &str) -> StoreErrorKind {
    match class.rsplit('.').next().unwrap_or(class) {
        "FileNotFoundException" | "ParentNotDirectoryException" => StoreErrorKind::NotFound,
        "FileAlreadyExistsException" | "AlreadyBeingCreatedException" => StoreErrorKind::AlreadyExists,
        "SafeModeException"
        | "RetriableException"
        | "StandbyException"
        | "ObserverRetryOnActiveException"
        | "RetryStartFileException"
        | "NotReplicatedYetException"
        | "ServerTooBusyException" => StoreErrorKind::Unavailable,
        "AccessControlException"
        | "AuthorizationException"
        | "QuotaExceededException"
        | "NSQuotaExceededException"
        | "DSQuotaExceededException"
        | "QuotaByStorageTypeExceededException"
        | "InvalidToken"
        | "SaslException"
        | "GSSException" => StoreErrorKind::Denied,
        _ => StoreErrorKind::Other,
    }
}

/// The message without the NameNode's Java stack, which follows on lines of its own.
fn first_line(text: &str) -> String {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_java_stack_is_cut_from_the_message() {
        let text = "Name node is in safe mode.\nIt was turned on manually.\n\tat org.apache.hadoop.hdfs.server.Foo(Foo.java:1)";
        let class = "org.apache.hadoop.hdfs.server.namenode.SafeModeException";
        let error = HdfsError::RPCError(class.to_owned(), text.to_owned());
        assert_eq!(kind_of(&error), StoreErrorKind::Unavailable);
        assert_eq!(first_line(&error.to_string()), format!("RPC error: {class} Name node is in safe mode."));
    }

    #[test]
    fn datanodes_that_fail_are_named_by_their_address() {
        let node = |address: &str| {
            format!(
                "DatanodeInfoProto {{ id: DatanodeIdProto {{ ip_addr: \"{address}\", host_name: \"node\", datanode_uuid: \
                 \"b9d7\", xfer_port: 9866, info_port: 9864, ipc_port: 9867, info_secure_port: Some(0) }}, capacity: Some(1) }}"
            )
        };
        let message = |nodes: &str| {
            told(&HdfsError::DataTransferError(format!("All DataNodes failed: [{nodes}]")), &HadoopAccess::default())
                .to_string()
        };
        let two = message(&format!("{}, {}", node("10.0.0.1"), node("10.0.0.2")));
        assert!(
            two.ends_with("no DataNode that has a block of it can be read from: 10.0.0.1:9866, 10.0.0.2:9866"),
            "{two}"
        );
        assert!(message(&node("10.0.0.1")).ends_with("can't be read from: 10.0.0.1:9866"));
        assert!(message("").ends_with("no DataNode that has a block of it"));
    }

    #[test]
    fn a_missing_source_and_a_taken_name_are_told_apart() {
        let missing = HdfsError::RPCError("java.io.FileNotFoundException".to_owned(), "rename source".to_owned());
        assert_eq!(kind_of(&missing), StoreErrorKind::NotFound);
        assert_eq!(kind_of(&HdfsError::AlreadyExists("x".to_owned())), StoreErrorKind::AlreadyExists);
    }

    #[test]
    fn a_quota_is_for_somebody_to_raise_and_not_to_wait_for() {
        let class = "org.apache.hadoop.hdfs.protocol.DSQuotaExceededException";
        assert_eq!(kind_of(&HdfsError::RPCError(class.to_owned(), String::new())), StoreErrorKind::Denied);
    }

    fn told(error: &HdfsError, access: &HadoopAccess) -> StoreError {
        let url: crate::store::ZoneUrl = "hdfs://namenode/raw".parse().expect("it is a URL");
        store_error(error, "read", url.directory(), access)
    }

    fn with_keytab(user: Option<&str>) -> HadoopAccess {
        let kerberos = Kerberos { principal: "books@EXAMPLE.COM".to_owned(), keytab: "/secrets/keytab".into() };
        HadoopAccess { user: user.map(str::to_owned), kerberos: Some(kerberos), ..HadoopAccess::default() }
    }

    #[test]
    fn login_that_fails_is_told_with_principal_keytab_and_reason() {
        let error = HdfsError::SASLError("No key table entry found for books@EXAMPLE.COM".to_owned());
        let StoreError { kind, message, .. } = told(&error, &with_keytab(None));
        assert_eq!(kind, StoreErrorKind::LoginFailed);
        insta::assert_snapshot!(message, @"the Kerberos login of books@EXAMPLE.COM with keytab /secrets/keytab failed: No key table entry found for books@EXAMPLE.COM; see to the principal, to the keytab (klist -k shows whose keys it has) and to krb5.conf");
        let StoreError { message, .. } = told(&HdfsError::NoSASLMechanism, &HadoopAccess::default());
        insta::assert_snapshot!(message, @"the Kerberos login failed: the NameNode offers no way to log in that this client has; set spec.hadoop.kerberos, or run kinit where there is no resource, and see to krb5.conf");
        assert!(login_failed("", &with_keytab(None)).contains("GSSAPI says no more"));
    }

    #[rstest::rstest]
    #[case(HadoopAccess::default(), &["spec.hadoop.kerberos", "kinit"])]
    #[case(HadoopAccess::as_user("etl"), &["spec.hadoop.kerberos", "--user", "spec.hadoop.proxyUser", "etl"])]
    #[case(with_keytab(None), &["lets books@EXAMPLE.COM in"])]
    #[case(with_keytab(Some("ann")), &["lets books@EXAMPLE.COM act for ann", "spec.hadoop.proxyUser"])]
    fn namenode_that_hangs_up_is_waited_for_and_says_what_to_look_at(
        #[case] access: HadoopAccess,
        #[case] parts: &[&str],
    ) {
        let aborted = std::io::Error::new(std::io::ErrorKind::ConnectionAborted, HUNG_UP);
        let StoreError { kind, message, .. } = told(&HdfsError::IOError(aborted), &access);
        assert_eq!(kind, StoreErrorKind::Unavailable, "it may as well go down");
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }

    #[test]
    fn other_failures_of_a_connection_keep_their_words() {
        let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused");
        let StoreError { message, .. } = told(&HdfsError::IOError(refused), &HadoopAccess::default());
        assert!(message.ends_with("connection refused"), "{message}");
    }
}
