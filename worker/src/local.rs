//! `--local DIR`: the zones of a plan in a folder, and a consumer group of their own.
//!
//! The documents stay as they are, so the first try on a laptop touches neither the shared zones nor the shared group.

use std::io;
use std::path::{Component, Path, PathBuf};

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

/// The one absolute spelling of a folder that may not exist yet: without `..`, and without links as far as it exists.
///
/// A zone belongs to the consumer group that its folder gives it, so that two spellings would be two groups.
///
/// # Errors
/// The path is empty, or there is no current folder.
pub fn folder(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    for ancestor in absolute.ancestors() {
        let Ok(mut folder) = ancestor.canonicalize() else { continue };
        // What does not exist has no links, so that `..` is what it looks like.
        for step in absolute.strip_prefix(ancestor).into_iter().flat_map(Path::components) {
            match step {
                Component::ParentDir => drop(folder.pop()),
                step => folder.push(step),
            }
        }
        return Ok(folder);
    }
    Ok(absolute)
}

fn absolute(directory: &Path) -> Result<String, Failure> {
    let invalid = |message: String| Failure { exit: Exit::Usage, reason: "Invalid", message };
    let path = folder(directory)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_has_one_spelling() {
        let kept = tempfile::tempdir().expect("a temporary directory");
        let root = kept.path().canonicalize().expect("it exists");
        std::fs::create_dir_all(root.join("there/deeper")).expect("there is room");
        std::os::unix::fs::symlink(root.join("there/deeper"), root.join("link")).expect("there is room");
        let wanted = root.join("there/new/zones");
        for spelling in
            ["there/new/zones", "there/deeper/../new/./zones", "there/other/../new/zones", "link/../new/zones"]
        {
            assert_eq!(folder(&root.join(spelling)).expect("it has a spelling"), wanted, "{spelling}");
        }
        assert!(folder(Path::new("")).is_err());
    }
}
