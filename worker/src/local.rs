//! `--local DIR`: the zones of a plan in a folder, and a consumer group of their own.
//!
//! The documents stay as they are, so the first try on a laptop touches neither the shared zones nor the shared group.

use std::io;
use std::path::{Component, Path, PathBuf};

use gristmill_core::log::Genesis;
use gristmill_crds::plan::{CompactionPlan, FileEnd, IngestPlan, RetentionPlan};
use sha2::{Digest, Sha256};

use crate::exit::{Exit, Failure};
use crate::store::{self, HadoopAccess, ZoneUrl};
use crate::termination::in_pod;
use crate::zone::{Surroundings, ZoneReader};

/// What the consumer groups of folders begin with.
const GROUPS: &str = "gristmill.local.";

/// Moves an ingest to `DIR/<name>/raw`, and its archive to `DIR/<name>/archive`.
///
/// # Errors
/// The folder has no absolute path in UTF-8.
pub async fn local_ingest(plan: IngestPlan, directory: &Path) -> Result<IngestPlan, Failure> {
    let place = Place::of(directory)?;
    let raw = place.zone(&plan.name, "raw");
    let archive = place.zone(&plan.name, "archive");
    let group = place.group(&raw).await;
    let mut plan = plan.with_raw_path(raw, group);
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
pub async fn local_compaction(plan: CompactionPlan, directory: &Path) -> Result<CompactionPlan, Failure> {
    let place = Place::of(directory)?;
    let raw = place.zone(&plan.ingest.name, "raw");
    let processed = place.zone(&plan.name, "processed");
    let group = place.group(&raw).await;
    Ok(plan.with_paths(raw, group, processed))
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

/// Whether a consumer group is that of a folder.
pub fn is_of_folder(group: &str) -> bool {
    group.starts_with(GROUPS)
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

/// The folder of `--local`.
struct Place {
    folder: String,
    /// As it was written, made absolute: zones that were begun before folders had one spelling have the group of theirs.
    written: String,
}

impl Place {
    fn of(directory: &Path) -> Result<Self, Failure> {
        let invalid = |message: String| Failure { exit: Exit::Usage, reason: "Invalid", message };
        let failed = |error| invalid(format!("--local {}: {error}; name a folder", directory.display()));
        let text = |path: PathBuf| {
            let text = path.to_str().map(|text| text.trim_end_matches('/').to_owned());
            text.ok_or_else(|| {
                invalid(format!("--local {}: the path is not UTF-8; choose another", directory.display()))
            })
        };
        let folder = text(folder(directory).map_err(failed)?)?;
        let written = text(std::path::absolute(directory).map_err(failed)?)?;
        Ok(Self { folder, written })
    }

    fn zone(&self, name: &str, kind: &str) -> String {
        format!("file://{}/{name}/{kind}", self.folder)
    }

    /// The group of the folder, or that of its written path where the zone was begun with it: a zone keeps its group.
    ///
    /// No other group of a zone is taken. The copy of a folder has the zone id of the original, and in one group neither
    /// would notice that the other one reads some of the partitions.
    async fn group(&self, raw: &str) -> String {
        let of_written = group(&self.written);
        // Mostly there is one spelling, and the zone need not be opened to tell.
        if self.written != self.folder && group_of_zone(raw).await.is_some_and(|theirs| theirs == of_written) {
            of_written
        } else {
            group(&self.folder)
        }
    }
}

/// The group that a zone was begun with; none where there is no zone yet. One that can't be read is told of by whoever opens
/// it.
async fn group_of_zone(raw: &str) -> Option<String> {
    let url: ZoneUrl = raw.parse().ok()?;
    let store = store::open(&url, &HadoopAccess::default()).ok()?;
    let zone = ZoneReader::open(Surroundings::of_process(store, url)).await.ok()?;
    match zone.fold().genesis() {
        Genesis::Raw(genesis) => Some(genesis.group.clone()),
        Genesis::Processed(_) => None,
    }
}

fn group(directory: &str) -> String {
    let digest = Sha256::digest(directory.as_bytes());
    let hash: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{GROUPS}{hash}")
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
