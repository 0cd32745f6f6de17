//! Exit codes, and the error that carries one to the end of the process.

use std::process::ExitCode;

/// Why a command ends without success. The numbers are part of the CLI's contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 1: our own fault.
    Bug,
    /// 2: usage, or an invalid document.
    Usage,
    /// 3: consumption is held by the rejected budget; a reject under `decode --fail-on-reject`.
    Rejected,
    /// 4: Kafka is unavailable beyond `--wait`.
    Kafka,
    /// 5: the store is unavailable beyond `--wait`.
    Store,
    /// 6: the zone refuses: another zone, group, key, or a newer format, a lost file, a corrupt log.
    Zone,
    /// 7: messages were lost before they were read.
    DataLoss,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Exit::Bug => 1,
            Exit::Usage => 2,
            Exit::Rejected => 3,
            Exit::Kafka => 4,
            Exit::Store => 5,
            Exit::Zone => 6,
            Exit::DataLoss => 7,
        }
    }
}

/// The error of a command: what a person reads, a stable reason for machines, and the exit code.
///
/// Errors of the modules convert into it by `From`, each knowing whose fault it is.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Whose fault it is.
    pub exit: Exit,
    /// PascalCase, for example `TopicReplaced`; it becomes a condition's reason.
    pub reason: &'static str,
    /// What, where, and the next act, with the causes in one line.
    pub message: String,
}

impl Failure {
    /// A failure with the causes of `error` joined by ": "; one that was said by the error above it is left out.
    pub fn new(exit: Exit, reason: &'static str, error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_message = cause.to_string();
            if !message.ends_with(&cause_message) {
                message.push_str(": ");
                message.push_str(&cause_message);
            }
            source = cause.source();
        }
        Self { exit, reason, message }
    }
}

impl From<gristmill_crds::plan::Invalid> for Failure {
    fn from(error: gristmill_crds::plan::Invalid) -> Self {
        Self::new(Exit::Usage, "Invalid", &error)
    }
}

impl From<crate::documents::Error> for Failure {
    fn from(error: crate::documents::Error) -> Self {
        Self::new(Exit::Usage, "Invalid", &error)
    }
}

impl From<&Failure> for ExitCode {
    fn from(failure: &Failure) -> Self {
        ExitCode::from(failure.exit.code())
    }
}

impl crate::zone::ZoneError {
    /// How a process ends with it.
    pub fn exit(&self) -> Exit {
        use crate::zone::ZoneFault;
        match self.fault() {
            ZoneFault::StoreUnavailable | ZoneFault::StoreRefuses => Exit::Store,
            ZoneFault::ZoneRefuses => Exit::Zone,
            ZoneFault::Ours => Exit::Bug,
        }
    }
}

impl From<crate::zone::ZoneError> for Failure {
    fn from(error: crate::zone::ZoneError) -> Self {
        Self::new(error.exit(), error.reason(), &error)
    }
}

impl From<crate::store::StoreError> for Failure {
    fn from(error: crate::store::StoreError) -> Self {
        Self::new(Exit::Store, "StoreUnavailable", &error)
    }
}

impl From<crate::store::InvalidZoneUrl> for Failure {
    fn from(error: crate::store::InvalidZoneUrl) -> Self {
        Self::new(Exit::Usage, "Invalid", &error)
    }
}
