//! The renames that make an entry visible, and their order.

use super::entry::FileZone;
use super::layout::ZonePath;
use super::names::Sequence;

/// What publishing one entry means: everything of `retire` first, then everything of `publish` (F16).
///
/// In the other order a plain listing would show rows of a replaced file beside those of the new one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Publication {
    /// Files that leave, each from its published or its staged name, whichever exists.
    pub retire: Vec<Retire>,
    /// Files that come.
    pub publish: Vec<Publish>,
}

impl Publication {
    /// Whether there is anything to rename.
    pub fn is_empty(&self) -> bool {
        self.retire.is_empty() && self.publish.is_empty()
    }
}

/// A file that leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retire {
    /// Whose directory `path` is relative to.
    pub zone: FileZone,
    /// Its published name.
    pub path: ZonePath,
    /// Its staged name, where it still lies if its own entry was never published.
    pub staged: ZonePath,
    /// Its retired name, relative to the log's zone.
    pub retired: ZonePath,
}

/// A file that comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Whose directory `path` is relative to.
    pub zone: FileZone,
    /// Its published name.
    pub path: ZonePath,
    /// Its staged name.
    pub staged: ZonePath,
    /// Its recorded length.
    pub bytes: u64,
}

/// Which unpublished entries must be published, in this order, so that `wanted` is visible (rule 16).
///
/// An entry that only adds stands alone. Once an entry removes files, all before it come first: whoever publishes the
/// entry that added a removed file later than that would show old rows beside new ones.
pub fn due<'a>(unpublished: impl Iterator<Item = (Sequence, &'a Publication)>, wanted: Sequence) -> Vec<Sequence> {
    let up_to: Vec<_> = unpublished.filter(|(sequence, _)| *sequence <= wanted).collect();
    let removes = up_to.iter().any(|(_, publication)| !publication.retire.is_empty());
    let mut due: Vec<_> =
        up_to.into_iter().map(|(sequence, _)| sequence).filter(|sequence| removes || *sequence == wanted).collect();
    due.sort_unstable();
    due
}
