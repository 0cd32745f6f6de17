//! Appending an entry (rules 5 to 7): the only way to change a zone.

use gristmill_core::log::{BeforeAttempt, Entry, Kind, before_attempt, layout};

use super::rules::Rule;
use super::{Appended, Zone, ZoneError};

impl Zone {
    /// Reads the entries that came since.
    ///
    /// # Errors
    /// The log is corrupt or of another version, or the store fails.
    pub async fn refresh(&mut self) -> Result<(), ZoneError> {
        // Each is remembered as soon as it is folded: this future may fail or be dropped before the last.
        while let Some(entry) = self.reader.slots.read(self.fold().head().next()).await? {
            let folded = self.reader.fold_one(&entry)?;
            self.remember(vec![folded]);
        }
        Ok(())
    }

    /// Appends an entry. Returns when it is decided, unless the store fails for longer than patience lasts.
    ///
    /// # Errors
    /// `Undecided` if an earlier append is not decided. The store fails: [`Self::decide`] goes on where this stopped, and
    /// so it must if this future is dropped. `Replaced` if the zone is no longer ours.
    pub async fn append(&mut self, kind: impl Into<Kind>) -> Result<Appended, ZoneError> {
        if self.undecided.is_some() {
            return Err(self.is_undecided());
        }
        let slots = &self.reader.slots;
        let entry = slots.prepare(slots.entry(&self.writer, kind.into())).await?;
        self.undecided = Some(entry);
        Ok(self.decide().await?.expect("an entry was just prepared"))
    }

    /// Goes on with an append whose outcome is unknown; `None` if there is none.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn decide(&mut self) -> Result<Option<Appended>, ZoneError> {
        let Some(entry) = self.undecided.clone() else {
            return Ok(None);
        };
        let appended = loop {
            self.refresh().await?;
            match self.before_attempt(&entry) {
                BeforeAttempt::AlreadyThere(sequence) => {
                    self.reader.slots.confirm_zone().await?;
                    break Appended::Won(sequence);
                }
                BeforeAttempt::Lost(refusal) => break Appended::Lost(refusal),
                BeforeAttempt::Take(slot) => {
                    let found = self.reader.slots.take(slot, &entry).await?;
                    let folded = self.reader.fold_one(&found)?;
                    self.remember(vec![folded]);
                }
            }
        };
        self.undecided = None;
        match &appended {
            Appended::Won(_) => self.forget_committed(&entry),
            Appended::Lost(_) => self.reader.slots.drop_body(&entry).await,
        }
        Ok(Some(appended))
    }

    fn before_attempt(&self, entry: &Entry) -> BeforeAttempt {
        let rules = self.surroundings().rules;
        match before_attempt(self.fold(), entry) {
            BeforeAttempt::Lost(_) if !rules.hold(Rule::ValidBeforeEveryAttempt) => {
                BeforeAttempt::Take(self.fold().head().next())
            }
            decision => decision,
        }
    }

    fn forget_committed(&mut self, entry: &Entry) {
        let added = entry.kind.added();
        let incarnation = self.incarnation();
        self.uncommitted.retain(|number| {
            let staged = layout::staged(incarnation, *number);
            !added.iter().any(|file| file.staged == staged)
        });
    }

    pub(super) fn is_undecided(&self) -> ZoneError {
        ZoneError::Undecided { zone: self.surroundings().url.to_string() }
    }
}
