//! The rules that the simulation breaks one at a time, to show that its checker finds what each prevents.
//!
//! Outside of tests every rule holds and this type is empty.

/// A rule of the protocol that can be broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// An attempt ends by reading the slot and comparing commit ids (F1).
    CommitIdIsReadAgain,
    /// `valid()` is asked before every attempt, not only after a defeat (F4).
    ValidBeforeEveryAttempt,
    /// Nothing staged is deleted while an append is undecided (F1).
    NoDiscardWhileUndecided,
    /// Replaced files are retired before new ones are published (F16).
    RetiredBeforePublished,
    /// Where entries remove files, they are published in the order of the log (rule 16).
    PublishedInSequence,
    /// A file of another length than the recorded one is not published (F14).
    RecordedLength,
    /// A won slot counts only if `zone.json` still names our zone (rule 7).
    ZoneIsStillOurs,
    /// A staged name that link and unlink left behind is removed (rule 17).
    LeftoverIsRemoved,
    /// A fold counts once a later listing of checkpoints shows nothing that it does not know (rule 5).
    FoldIsVerified,
    /// A won slot counts only if no checkpoint covers it without our commit (rule 7).
    WonSlotIsConfirmed,
    /// Each zone that ever was in a place has a log directory of its own (rule 1).
    DirectoryPerZone,
    /// A fenced writer's entries are not valid (rule 8).
    FencedAppendsNothing,
    /// Staging is deleted of fenced writers only, whatever its age (rule 19).
    FencedBeforeSwept,
    /// What a fenced writer has committed is published before its staging is deleted (rule 19).
    PublishedBeforeSwept,
    /// A checkpoint is written once everything up to it is published (rule 4).
    PublishedBeforeCheckpoint,
    /// Only what a checkpoint covers is deleted, and the checkpoint stands (rule 4).
    TruncatedBehindCheckpointOnly,
    /// A clock that is far off commits nothing (F20).
    SkewIsRefused,
}

/// Which rules hold: all of them.
#[cfg(not(test))]
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules;

#[cfg(not(test))]
impl Rules {
    pub(super) fn all() -> Self {
        Self
    }

    pub(super) fn hold(self, _rule: Rule) -> bool {
        true
    }
}

/// Which rules hold: all, or all but one.
#[cfg(test)]
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    broken: Option<Rule>,
}

#[cfg(test)]
impl Rules {
    pub(super) fn all() -> Self {
        Self { broken: None }
    }

    pub(super) fn all_but(rule: Rule) -> Self {
        Self { broken: Some(rule) }
    }

    pub(super) fn hold(self, rule: Rule) -> bool {
        self.broken != Some(rule)
    }
}
