//! What can go wrong in a store, by what to do about it.

use super::StorePath;

/// A store operation that did not succeed; for a mutation that is not to say that it did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {act} {path}: {message}")]
pub struct StoreError {
    /// What to do about it.
    pub kind: StoreErrorKind,
    /// The operation, as a verb.
    pub act: &'static str,
    /// Its object.
    pub path: String,
    /// The store's own words, on one line.
    pub message: String,
}

/// What to do about an error of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// There is no such file, or no directory for it.
    NotFound,
    /// The name is taken.
    AlreadyExists,
    /// The store does not answer or does not serve now (safe mode, standby, refused, deadline): wait and try again.
    Unavailable,
    /// Permission or quota: somebody must change it.
    Denied,
    /// Kerberos gives no ticket, or HDFS does not take it: principal, keytab or krb5.conf.
    LoginFailed,
    /// Everything else.
    Other,
}

impl StoreError {
    /// An error of an operation on a path.
    pub fn new(kind: StoreErrorKind, act: &'static str, path: &StorePath, message: impl Into<String>) -> Self {
        Self { kind, act, path: path.to_string(), message: message.into() }
    }

    /// Whether to wait and try again.
    pub fn is_unavailable(&self) -> bool {
        self.kind == StoreErrorKind::Unavailable
    }
}
