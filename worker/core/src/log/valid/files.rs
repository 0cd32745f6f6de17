//! Files of an entry, of either kind of zone.

use super::super::entry::{FileEntry, RemovedFile};
use super::super::fold::{FileKey, Fold};
use super::super::layout;
use super::super::names::Incarnation;
use super::{Refusal, distinct};

/// Added files are new, in their zone, staged by the writer itself, and where readers look for data.
///
/// What another writer staged may be swept at any moment: only that writer's own fence would be seen here.
pub(super) fn valid_added(
    fold: &Fold,
    added: &[FileEntry],
    writer: Incarnation,
    belongs: impl Fn(&FileEntry) -> Result<(), &'static str>,
) -> Result<(), Refusal> {
    // By name alone: `_retired` holds RAW and rejected files side by side.
    distinct(added.iter().map(|file| file.path.name()), |name| name.to_owned())?;
    distinct(added.iter().map(|file| &file.staged), |path| path.to_string())?;
    for file in added {
        let misplaced = |why| Refusal::Misplaced { path: file.path.to_string(), why };
        belongs(file).map_err(misplaced)?;
        if !file.path.is_data() {
            return Err(misplaced("that is no name of a data file"));
        }
        if !file.staged.is_staged() {
            return Err(misplaced("its staged name is none"));
        }
        if !layout::is_staged_by(&file.staged, writer) {
            return Err(misplaced("another writer has staged it"));
        }
        if fold.live().contains_key(&FileKey { zone: file.zone, path: file.path.clone() }) {
            return Err(Refusal::AddedIsLive(file.path.to_string()));
        }
    }
    Ok(())
}

/// Removed files are live, and each is named once.
pub(super) fn valid_removed(fold: &Fold, removed: &[RemovedFile]) -> Result<(), Refusal> {
    distinct(removed.iter().map(|file| (file.zone, &file.path)), |(_, path)| path.to_string())?;
    for RemovedFile { zone, path } in removed {
        if !fold.live().contains_key(&FileKey { zone: *zone, path: path.clone() }) {
            return Err(Refusal::RemovedIsNotLive(path.to_string()));
        }
    }
    Ok(())
}
