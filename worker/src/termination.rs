//! The termination message of a pod: what its operator reads after the process has ended.

use std::path::{Path, PathBuf};

use clap::Args;
use gristmill_crds::report::FailureReport;
use serde::Serialize;

use crate::exit::Failure;

/// Where the kubelet looks by default.
const POD_PATH: &str = "/dev/termination-log";
/// What the kubelet keeps of it.
const LIMIT: usize = 4096;

/// Where the termination message goes.
#[derive(Debug, Clone, Args)]
pub struct TerminationLog {
    /// File for the termination message. In a pod /dev/termination-log, elsewhere none.
    #[arg(long = "termination-log", env = "GRISTMILL_TERMINATION_LOG", value_name = "FILE")]
    path: Option<PathBuf>,
}

impl TerminationLog {
    /// Writes why the process fails.
    pub fn failed(&self, failure: &Failure) {
        self.write(&bounded(failure));
    }

    /// Writes what the process says at its end. Nobody waits for it, so a failure to write is only logged.
    pub fn write<T: Serialize>(&self, report: &T) {
        let Some(path) = self.path.as_deref().or_else(|| in_pod().then_some(Path::new(POD_PATH))) else { return };
        let text = serde_json::to_string(report).expect("reports have string keys only");
        if let Err(error) = std::fs::write(path, text) {
            tracing::warn!(%error, path = %path.display(), "termination message not written");
        }
    }
}

/// Whether this process runs in a pod.
pub fn in_pod() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

/// The report of a failure, its message cut so that the JSON fits.
fn bounded(failure: &Failure) -> FailureReport {
    let mut report = FailureReport { reason: failure.reason.to_owned(), message: failure.message.clone() };
    let length = |report: &FailureReport| serde_json::to_string(report).map_or(0, |text| text.len());
    while length(&report) > LIMIT {
        let excess = length(&report) - LIMIT;
        // A character may take 6 bytes of JSON, so that what is cut first is never too much.
        let keep = report.message.len().saturating_sub(excess.div_ceil(6));
        report.message.truncate(report.message.floor_char_boundary(keep));
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn report_of(message: String) -> FailureReport {
        bounded(&Failure { exit: Exit::Bug, reason: "Internal", message })
    }

    #[rstest::rstest]
    #[case("a")]
    #[case("\"")]
    #[case("\u{1}")]
    #[case("ü")]
    fn long_message_is_cut_to_what_the_kubelet_keeps(#[case] character: &str) {
        let text = serde_json::to_string(&report_of(character.repeat(5000))).unwrap();
        assert!((LIMIT - 12..=LIMIT).contains(&text.len()), "{} bytes", text.len());
    }

    #[test]
    fn short_message_is_kept_whole() {
        assert_eq!(report_of("no such topic".into()).message, "no such topic");
    }
}
