//! `--local DIR`: the zones of a plan in a folder, and a consumer group of their own.
//!
//! The documents stay as they are, so the first try on a laptop touches neither the shared zones nor the shared group.

use std::path::Path;

use gristmill_crds::plan::{CompactionPlan, FileEnd, IngestPlan, RetentionPlan};
use sha2::{Digest, Sha256};

use crate::exit::{Exit, Failure};
use crate::termination::in_pod;

/// Moves an ingest to `DIR/<name>/raw`, and its archive to `DIR/<name>/archive`.
///
/// # Errors
/// The folder has no absolute path in UTF-8.
pub fn local_ingest(plan: IngestPlan, directory: &Path) -> Result<IngestPlan, Failure> {
    let directory = absolute(directory)?;
    let raw = zone(&directory, &plan.name, "raw");
    let archive = zone(&directory, &plan.name, "archive");
    let mut plan = plan.with_raw_path(raw, group(&directory));
    // Rows of a first try do not get into the archive that others rely on.
    if let Some(RetentionPlan { end: FileEnd::Archive(url), after: _ }) = &mut plan.retention {
        *url = archive;
    }
    Ok(plan)
}

/// Moves a compaction to `DIR/<name>/processed`, and its ingest as [`local_ingest`] does.
///
/// # Errors
/// The folder has no absolute path in UTF-8.
pub fn local_compaction(plan: CompactionPlan, directory: &Path) -> Result<CompactionPlan, Failure> {
    let directory = absolute(directory)?;
    let raw = zone(&directory, &plan.ingest.name, "raw");
    let processed = zone(&directory, &plan.name, "processed");
    Ok(plan.with_paths(raw, group(&directory), processed))
}

/// Outside a pod a zone that others share is opened only by those who say so.
///
/// # Errors
/// The zone is not in a local folder.
pub fn refuse_shared_zone(path: &str) -> Result<(), Failure> {
    if path.starts_with("file://") || in_pod() {
        return Ok(());
    }
    Err(Failure {
        exit: Exit::Usage,
        reason: "SharedZone",
        message: format!(
            "{path} may be the zone of a running resource; add --local DIR to work in a folder of your own, or \
             --attach to join it"
        ),
    })
}

fn absolute(directory: &Path) -> Result<String, Failure> {
    let invalid = |message: String| Failure { exit: Exit::Usage, reason: "Invalid", message };
    let path = std::path::absolute(directory)
        .map_err(|error| invalid(format!("--local {}: {error}; name a folder", directory.display())))?;
    let text = path.to_str().map(|text| text.trim_end_matches('/').to_owned());
    text.ok_or_else(|| invalid(format!("--local {}: the path is not UTF-8; choose another", directory.display())))
}

fn zone(directory: &str, name: &str, kind: &str) -> String {
    format!("file://{directory}/{name}/{kind}")
}

fn group(directory: &str) -> String {
    let digest = Sha256::digest(directory.as_bytes());
    let hash: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("gristmill.local.{hash}")
}
