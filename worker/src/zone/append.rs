//! Appending an entry (rules 5 to 7): the only way to change a zone.

use gristmill_core::log::{
    AfterWin, BeforeAttempt, Entry, Kind, Refusal, Sequence, after_win, before_attempt, layout, valid,
};

use super::rules::Rule;
use super::slots::Taken;
use super::{Appended, Zone, ZoneError};

impl Zone {
    /// Reads the entries that came since.
    ///
    /// # Errors
    /// The log is corrupt or of another version, or the store fails.
    pub async fn refresh(&mut self) -> Result<(), ZoneError> {
        self.reader.catch_up().await?;
        self.remember();
        Ok(())
    }

    /// Appends an entry. Returns when it is decided, unless the store fails for longer than patience lasts.
    ///
    /// # Errors
    /// `Undecided` if an earlier append is not decided. The store fails: [`Self::decide`] goes on where this stopped, and
    /// so it must if this future is dropped. `Replaced` if the zone is no longer ours. `ClockSkew` if our clock is far
    /// off the store's.
    pub async fn append(&mut self, kind: impl Into<Kind>) -> Result<Appended, ZoneError> {
        let kind = kind.into();
        self.decide_upkeep().await?;
        if self.undecided.is_some() {
            return Err(self.is_undecided());
        }
        let slots = &self.reader.slots;
        let entry = match slots.prepare(slots.entry(&self.writer, kind)).await {
            Err(swept @ ZoneError::Swept { .. }) => {
                self.refresh().await?;
                let own = self.incarnation();
                return if self.fold().is_fenced(own) { Ok(Appended::Lost(Refusal::Fenced(own))) } else { Err(swept) };
            }
            prepared => prepared?,
        };
        self.undecided = Some(entry.clone());
        self.go_on(entry).await
    }

    /// Goes on with an append of the caller's whose outcome is unknown; `None` if there is none.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn decide(&mut self) -> Result<Option<Appended>, ZoneError> {
        self.decide_upkeep().await?;
        match self.undecided.clone() {
            Some(entry) => self.go_on(entry).await.map(Some),
            None => Ok(None),
        }
    }

    /// Decides a fence or a removal that upkeep has left undecided. Its outcome is nobody's: a caller that asks what became
    /// of its own entry must not be told of this one.
    pub(super) async fn decide_upkeep(&mut self) -> Result<(), ZoneError> {
        match self.undecided.clone() {
            Some(entry) if matches!(entry.kind, Kind::Fence(_) | Kind::Remove(_)) => self.go_on(entry).await.map(drop),
            Some(_) | None => Ok(()),
        }
    }

    async fn go_on(&mut self, entry: Entry) -> Result<Appended, ZoneError> {
        let appended = loop {
            self.refresh().await?;
            match self.before_attempt(&entry) {
                BeforeAttempt::AlreadyThere(sequence) => {
                    self.reader.slots.confirm_zone().await?;
                    break Appended::Won(sequence);
                }
                BeforeAttempt::Lost(refusal) => break Appended::Lost(refusal),
                BeforeAttempt::Take(slot) => match self.reader.slots.take(slot, &entry).await? {
                    Taken::Ours => break Appended::Won(self.confirm(slot, &entry).await?),
                    Taken::Theirs => {}
                    Taken::Nowhere => break Appended::Won(self.ask_checkpoint(&entry).await?),
                },
            }
        };
        self.undecided = None;
        match &appended {
            Appended::Won(_) => self.forget_committed(&entry),
            Appended::Lost(_) => self.reader.slots.drop_body(&entry).await,
        }
        Ok(appended)
    }

    /// Whether a slot that we have won counts (rule 7).
    async fn confirm(&mut self, won: Sequence, entry: &Entry) -> Result<Sequence, ZoneError> {
        let rules = self.surroundings().rules;
        let slots = &self.reader.slots;
        slots.confirm_zone().await?;
        let newest = slots.newest_checkpoint().await?.filter(|_| rules.hold(Rule::WonSlotIsConfirmed));
        match after_win(won, true, newest) {
            AfterWin::Won => {
                self.reader.take_own(entry)?;
                self.remember();
                Ok(won)
            }
            AfterWin::AskCheckpoint(_) => self.ask_checkpoint(entry).await,
            AfterWin::Replaced => Err(self.reader.slots.replaced()),
        }
    }

    /// Others may have folded our commit into a checkpoint while we slept; otherwise the zone has gone on without it.
    async fn ask_checkpoint(&mut self, entry: &Entry) -> Result<Sequence, ZoneError> {
        self.reader.slots.confirm_zone().await?;
        self.reader.restart().await?;
        self.remember();
        match self.fold().last_commit(entry.incarnation) {
            Some((sequence, commit_id)) if commit_id == entry.commit_id => Ok(sequence),
            Some(_) | None => Err(self.reader.slots.replaced()),
        }
    }

    fn before_attempt(&self, entry: &Entry) -> BeforeAttempt {
        let rules = self.surroundings().rules;
        match before_attempt(self.fold(), entry) {
            BeforeAttempt::AlreadyThere(_) if !rules.hold(Rule::CommitIdIsReadAgain) => {
                let refusal = valid(self.fold(), entry).err();
                refusal.map_or_else(|| BeforeAttempt::Take(self.fold().head().next()), BeforeAttempt::Lost)
            }
            BeforeAttempt::Lost(_) if !rules.hold(Rule::ValidBeforeEveryAttempt) => {
                BeforeAttempt::Take(self.fold().head().next())
            }
            BeforeAttempt::Lost(Refusal::Fenced(_)) if !rules.hold(Rule::FencedAppendsNothing) => {
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
