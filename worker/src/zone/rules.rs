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
