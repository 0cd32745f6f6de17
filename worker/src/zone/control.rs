//! Entries that steer: rewind, hold and resume, consumers, fences; and a writer that goes on under a new name.
//!
//! Each is one append with its outcome, so all that is said there of an undecided append holds here.

use gristmill_core::log::{
    AppliedRewind, Consumer, Fence, Hold, Incarnation, Refusal, Remove, Resume, RewindPlan, Sequence, ZoneId,
    rewind_entry,
};

use super::{Appended, Zone, ZoneError};

/// What became of a rewind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rewound {
    /// It stands at this entry: all go on from the fold.
    Applied(Sequence),
    /// Its nonce was applied before, by whomever: nothing was done.
    Before(AppliedRewind),
    /// The writer was put out: it takes a new incarnation and asks again.
    Fenced,
}

impl Zone {
    /// Applies a rewind once, whoever else does it at the same time.
    ///
    /// # Errors
    /// As [`Zone::append`]; after an error [`Zone::decide`] first, then ask again.
    pub async fn rewind(&mut self, plan: &RewindPlan) -> Result<Rewound, ZoneError> {
        loop {
            self.refresh().await?;
            let Some(rewind) = rewind_entry(self.fold(), plan) else {
                return Ok(Rewound::Before(self.fold().rewinds()[&plan.nonce].clone()));
            };
            match self.append(rewind).await? {
                Appended::Won(sequence) => return Ok(Rewound::Applied(sequence)),
                Appended::Lost(Refusal::Fenced(_)) => return Ok(Rewound::Fenced),
                // The zone has moved on between the fold and the slot: the entry is made anew.
                Appended::Lost(_) => {}
            }
        }
    }

    /// Stops consumption for every worker, if nobody has resumed since it was judged.
    ///
    /// # Errors
    /// As [`Zone::append`].
    pub async fn hold(&mut self, hold: Hold) -> Result<Appended, ZoneError> {
        self.append(hold).await
    }

    /// Ends a hold: by a token of a user, used once, or without one because this writer's resource is another one.
    ///
    /// # Errors
    /// As [`Zone::append`].
    pub async fn resume(&mut self, token: Option<String>) -> Result<Appended, ZoneError> {
        self.append(Resume { token }).await
    }

    /// Registers a consumer of this RAW zone: from here on nothing is removed that it has not passed.
    ///
    /// # Errors
    /// As [`Zone::append`].
    pub async fn register(&mut self, id: ZoneId, name: String) -> Result<Appended, ZoneError> {
        self.append(Consumer::Register { id, name }).await
    }

    /// Tells how far a consumer has come; after the commit that it stands for, since lagging is safe.
    ///
    /// # Errors
    /// As [`Zone::append`].
    pub async fn advance(&mut self, id: ZoneId, position: i64) -> Result<Appended, ZoneError> {
        self.append(Consumer::Advance { id, position }).await
    }

    /// Takes a consumer off the register: it holds nothing any more.
    ///
    /// # Errors
    /// As [`Zone::append`].
    pub async fn leave(&mut self, id: ZoneId) -> Result<Appended, ZoneError> {
        self.append(Consumer::Leave { id }).await
    }

    /// Takes files off a RAW zone, once every consumer has passed them. Publishing the entry retires them.
    ///
    /// # Errors
    /// As [`Zone::append`].
    pub async fn remove(&mut self, remove: Remove) -> Result<Appended, ZoneError> {
        self.append(remove).await
    }

    /// Puts another writer out: it can never commit again, so what it has staged may go.
    ///
    /// # Errors
    /// As [`Zone::append`].
    pub async fn fence(&mut self, incarnation: Incarnation) -> Result<Appended, ZoneError> {
        self.append(Fence { incarnation }).await
    }

    /// Goes on under a new incarnation, after this one was fenced. What it has staged is left to whoever sweeps it.
    ///
    /// # Errors
    /// `Undecided` while an append is.
    pub fn renew_incarnation(&mut self) -> Result<Incarnation, ZoneError> {
        if self.undecided.is_some() {
            return Err(self.is_undecided());
        }
        self.writer.incarnation = Incarnation::new(self.surroundings().ids.draw());
        self.staged_count = 0;
        self.uncommitted.clear();
        Ok(self.writer.incarnation)
    }
}
