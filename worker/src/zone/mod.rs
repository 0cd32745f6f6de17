//! A zone: the log of `gristmill-core` over a store.
//!
//! ```text
//! ZoneReader   fold, refresh, locate, read                   inspect, and the compaction's RAW side; writes nothing
//!   └─ Zone    stage, append, decide, publish, discard       one writer, one incarnation
//!              rewind, hold, resume, register, advance,      entries that steer: each an append
//!              leave, remove, fence
//!              renew_incarnation                             after its own was fenced
//!              expiry, remove_expired                        retention, behind every consumer; Archive keeps copies
//!              maintain                                      every few seconds: publish for others, fence and sweep,
//!                                                            delete what was retired, checkpoint and truncate
//! ```
//!
//! A writer's loop: `stage` files, `append` the entry that names them, `publish` what was won. `Lost` means that others
//! have moved the zone on: discard, go on from the fold; if it is lost to a fence ([`Appended::is_fenced`]),
//! `renew_incarnation` first. So it is with a staged file that cannot be written or closed because it was swept
//! ([`ZoneError::is_swept`]). An error of an append leaves it undecided: `decide` until it is not, before anything else.
//!
//! Time and random ids come in at construction, so that the simulation runs this very code.

mod append;
mod archive;
mod checkpoint_file;
mod checkpoints;
mod control;
mod error;
mod maintain;
mod open;
mod outage;
mod publish;
mod reader;
mod retention;
mod rules;
mod slots;
mod staging;
mod surroundings;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use gristmill_core::log::{Digest, Entry, Fold, Incarnation, LogTime, Publication, Refusal, Sequence};

pub use archive::{Archive, ArchiveError, Archived, NotArchived};
pub use control::Rewound;
pub use error::{GenesisFact, ZoneError, ZoneFault};
pub use maintain::Upkeep;
pub use open::{EmptyZone, Expected, Opened};
pub use reader::ZoneReader;
pub use retention::{Removal, Removed, Retention};
pub use staging::{StagedFile, StagedWriter};
pub use surroundings::{Clock, DEFAULT_PATIENCE, DEFAULT_READER_GRACE, Ids, RandomIds, Surroundings, SystemClock};

/// A zone that is open for writing, by one process.
///
/// # Guarantees
/// At most one append is in flight: while the outcome of one is unknown no other begins and nothing staged is deleted.
pub struct Zone {
    reader: ZoneReader,
    writer: Writer,
    /// Entries that were folded and not seen published.
    unpublished: BTreeMap<Sequence, Unpublished>,
    staged_count: u64,
    /// Staged files that no entry names.
    uncommitted: BTreeSet<u64>,
    /// The entry whose append has begun and is not decided.
    undecided: Option<Entry>,
    /// When suspects and retired files were last looked for.
    looked_at: Option<LogTime>,
}

/// Who writes, and by which resource.
struct Writer {
    incarnation: Incarnation,
    spec_digest: Digest,
}

struct Unpublished {
    publication: Publication,
    folded_at: LogTime,
}

/// What became of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a lost append leaves files to discard and offsets to seek"]
pub enum Appended {
    /// The entry stands at this slot, for good.
    Won(Sequence),
    /// The entry can never stand: others have moved the zone on. Discard what it was for and go on from the fold.
    Lost(Refusal),
}

impl Appended {
    /// Whether it was lost because the writer was put out: it takes a new incarnation before it goes on.
    pub fn is_fenced(&self) -> bool {
        matches!(self, Self::Lost(Refusal::Fenced(_)))
    }
}

impl Zone {
    /// What the log says, as far as it was read.
    pub fn fold(&self) -> &Fold {
        self.reader.fold()
    }

    /// The time now, as an entry would have it.
    pub fn now(&self) -> LogTime {
        self.surroundings().now()
    }

    /// The reading side.
    pub fn reader(&self) -> &ZoneReader {
        &self.reader
    }

    /// This writer's incarnation.
    pub fn incarnation(&self) -> Incarnation {
        self.writer.incarnation
    }

    fn surroundings(&self) -> &Surroundings {
        self.reader.surroundings()
    }

    /// Takes over what the reading side has folded and verified.
    fn remember(&mut self) {
        let reader::News { restarted_at, folded } = self.reader.take_news();
        // What a checkpoint covers is published. What came after it was folded anew, and waits as long as before.
        let before = if restarted_at.is_some() { std::mem::take(&mut self.unpublished) } else { BTreeMap::new() };
        let now = self.surroundings().now();
        for (sequence, publication) in folded.into_iter().filter(|(_, publication)| !publication.is_empty()) {
            let folded_at = before.get(&sequence).map_or(now, |unpublished| unpublished.folded_at);
            self.unpublished.insert(sequence, Unpublished { publication, folded_at });
        }
    }
}
