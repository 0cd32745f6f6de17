//! A state: what the store holds, where each process stands, and which faults are left.
//!
//! It is small and without pointers, since millions are kept. Fields that mean nothing at a place are zero, so that states
//! which differ in nothing that matters are equal.

use crate::entries::EntryId;
use crate::history::FoldId;

pub(crate) const PROCESSES: usize = 3;
/// Starts of one process: each is another incarnation.
pub(crate) const STARTS: usize = 4;
pub(crate) const INCARNATIONS: usize = PROCESSES * STARTS;
pub(crate) const SLOTS: usize = 10;
pub(crate) const FILES: usize = 6;
pub(crate) const CHECKPOINTS: usize = 3;
pub(crate) const HUNG: usize = 2;

/// Everything that decides what can happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct State {
    /// Which zone `zone.json` names.
    pub(crate) zone: u8,
    pub(crate) slots: [EntryId; SLOTS],
    /// Ascending; none at the end.
    pub(crate) checkpoints: [FoldId; CHECKPOINTS],
    /// Entries as they were created at the true head: what really happened.
    pub(crate) truth: FoldId,
    /// The body that each incarnation has prepared and not yet renamed.
    pub(crate) bodies: [EntryId; INCARNATIONS + 1],
    /// By entry; none at the end.
    pub(crate) files: [File; FILES],
    pub(crate) hung: [Hung; HUNG],
    pub(crate) processes: [Process; PROCESSES],
    /// Sequences of the true log whose files the consumer has read.
    pub(crate) consumed: u16,
    pub(crate) left: Budget,
}

/// A data file, by the entry that names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct File {
    pub(crate) entry: EntryId,
    /// Bits of [`Place`].
    pub(crate) places: u8,
}

/// Where a file lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Staged = 1,
    Published = 2,
    Retired = 4,
}

/// A rename whose caller has given up waiting. It may still be done, at any time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Hung {
    pub(crate) rename: Rename,
    pub(crate) entry: EntryId,
    pub(crate) slot: u8,
    pub(crate) zone: u8,
    pub(crate) log: FoldId,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Rename {
    #[default]
    None,
    /// Body to slot.
    Create,
    /// Staged to published.
    Publish,
    /// Published to retired.
    RetirePublished,
    /// Staged to retired.
    RetireStaged,
    /// Body to checkpoint.
    Checkpoint,
}

/// What is left of everything that a case allows a limited number of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    pub(crate) crashes: u8,
    pub(crate) late: u8,
    pub(crate) lost_replies: u8,
    pub(crate) fences: u8,
    pub(crate) checkpoints: u8,
    pub(crate) rewinds: u8,
    pub(crate) removals: u8,
    pub(crate) deltas: u8,
    pub(crate) runs: u8,
    pub(crate) revocations: u8,
    pub(crate) replacements: u8,
}

/// One process: its memory, and where its program stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    /// Its incarnation, 0 while it does not run.
    pub(crate) incarnation: u8,
    /// How often it was started.
    pub(crate) starts: u8,
    pub(crate) at: At,
    /// What the fold is read for.
    pub(crate) because: Because,
    pub(crate) fold: FoldId,
    /// The head at which no greater checkpoint was listed after reading.
    pub(crate) verified: u8,
    /// Folded entries that are not known to be published.
    pub(crate) unpublished: u16,
    /// The entry whose append has begun and is not decided; while it publishes, a file that is nowhere.
    pub(crate) ours: EntryId,
    /// An entry whose file is closed, behind the one in flight.
    pub(crate) queued: EntryId,
    /// What the last attempt reported.
    pub(crate) report: Report,
    /// Whether `ours` has met another's entry.
    pub(crate) defeated: bool,
    /// Sequences that are still to be published.
    pub(crate) due: u16,
    /// The sequence that is published, and which of its files.
    pub(crate) publishing: u8,
    pub(crate) file: u8,
    /// What comes after publishing.
    pub(crate) then: Then,
    /// Incarnation that is swept, sequence that is consumed up to, or checkpoint that covers what is deleted.
    pub(crate) target: u8,
}

/// Where a program stands: the operation that it does next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum At {
    /// Not running: not started, or crashed.
    #[default]
    Down,
    /// Ended with an error that only a restart gets past.
    Stopped,
    /// Between two activities.
    Idle,
    /// Writes the body of `ours`.
    Prepare,
    /// Reads the slot after head.
    Probe,
    /// Lists the checkpoints.
    List,
    /// Lists the checkpoints after an entry that the fold refuses.
    ListRefused,
    /// Renames the body to the slot after head.
    Create,
    /// Reads the slot that it tried to take.
    ReadSlot,
    /// Looks whether its body is still there.
    LookBody,
    /// Reads the slot once more, the body being gone.
    ReadSlotAgain,
    /// Reads `zone.json` before it repeats.
    ConfirmRepeat,
    /// Reads `zone.json`, the slot being its own.
    ConfirmZone,
    /// Lists the checkpoints, the slot being its own.
    ConfirmSlot,
    /// Reads `zone.json`, its entry being in the fold.
    ConfirmThere,
    /// Reads `zone.json` before it asks a checkpoint for its entry.
    AskZone,
    /// Reads the newest checkpoint.
    Restart,
    /// Deletes body and staged file of what was lost.
    Discard,
    /// Publishes a file: is it at its published name?
    LookPublished,
    /// Is it at its staged name?
    LookStaged,
    /// Renames it.
    RenamePublish,
    /// Is it at its published name by now?
    LookPublishedAgain,
    /// Retires a file: is it at its published name?
    LookToRetire,
    /// Is it at its staged name?
    LookStagedToRetire,
    /// Is it at its published name by now?
    LookToRetireAgain,
    /// Renames it from its published name.
    RetirePublished,
    /// Renames it from its staged name.
    RetireStaged,
    /// Deletes the staging directory of `target`.
    DeleteStaging,
    /// Reads `zone.json` before it writes a checkpoint.
    ConfirmCheckpoint,
    /// Renames the body of a checkpoint to its name.
    WriteCheckpoint,
    /// Deletes what the checkpoint `target` covers, one by one.
    Truncate,
    /// Reads the files of a delta.
    ReadDelta,
}

/// What a fold is brought up to date for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum Because {
    #[default]
    Nothing,
    /// To know more.
    Refresh,
    /// To publish what an opener finds.
    Open,
    /// To decide an append.
    Append,
    /// A checkpoint may hold an entry whose slot is gone.
    Ask,
    /// A file of an entry is nowhere.
    Missing,
    /// A delta is to be taken.
    Delta,
    /// The broken rule has a consumer advance to the head that it finds when it advances.
    Advance,
}

/// What an attempt to create a slot reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum Report {
    #[default]
    Nothing,
    Done,
    AlreadyExists,
    /// Said of a missing body and of a missing directory alike.
    NotFound,
    /// A lost reply, or a deadline.
    Unknown,
}

/// What comes after publishing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum Then {
    #[default]
    Idle,
    /// The staging directory of `target` is deleted.
    DeleteStaging,
    /// A checkpoint is written.
    Checkpoint,
}

impl Process {
    pub(crate) fn runs(&self) -> bool {
        !matches!(self.at, At::Down | At::Stopped)
    }

    /// Ends what it did, and keeps what a process knows between two activities.
    pub(crate) fn rest(&mut self) {
        let Self { incarnation, starts, fold, verified, unpublished, .. } = *self;
        *self = Self { incarnation, starts, fold, verified, unpublished, at: At::Idle, ..Self::default() };
    }

    /// Forgets everything.
    pub(crate) fn end(&mut self, at: At) {
        *self = Self { starts: self.starts, at, ..Self::default() };
    }
}

impl State {
    pub(crate) fn places(&self, file: EntryId) -> u8 {
        self.files.iter().find(|found| found.entry == file).map_or(0, |found| found.places)
    }

    pub(crate) fn is_at(&self, file: EntryId, place: Place) -> bool {
        self.places(file) & place as u8 != 0
    }

    /// Puts a file into places; one that is nowhere is forgotten.
    pub(crate) fn put(&mut self, file: EntryId, places: u8) {
        match self.files.iter_mut().find(|found| found.entry == file) {
            Some(found) => found.places = places,
            None if places == 0 => return,
            None => {
                let free = self.files.iter_mut().find(|found| !found.entry.is_some());
                *free.expect("the case has room for its files") = File { entry: file, places };
            }
        }
        for found in &mut self.files {
            if found.places == 0 {
                *found = File::default();
            }
        }
        // None is greater than every entry here, so that it stands at the end.
        self.files.sort_unstable_by_key(|found| if found.entry.is_some() { found.entry.0 } else { u16::MAX });
    }

    pub(crate) fn rename_file(&mut self, file: EntryId, from: Place, to: Place) {
        let places = self.places(file);
        self.put(file, places & !(from as u8) | to as u8);
    }

    /// Removes a hung rename.
    pub(crate) fn end_hung(&mut self, index: usize) {
        self.hung[index] = Hung::default();
        self.hung.sort_unstable_by(|a, b| b.cmp(a));
    }

    /// Keeps a rename for later; whether there was room.
    pub(crate) fn hang(&mut self, hung: Hung) -> bool {
        let Some(free) = self.hung.iter_mut().find(|hung| hung.rename == Rename::None) else {
            return false;
        };
        *free = hung;
        self.hung.sort_unstable_by(|a, b| b.cmp(a));
        true
    }

    pub(crate) fn has_room_for_a_file(&self) -> bool {
        self.files.iter().any(|file| !file.entry.is_some())
    }
}
