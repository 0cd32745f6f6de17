//! The slots of one zone's log: reading them, and taking one.

use bytes::Bytes;
use chrono::TimeDelta;
use gristmill_core::log::{
    AfterAttempt, CommitId, Entry, Kind, Sequence, Unreadable, ZoneId, after_attempt, decode_entry, decode_zone_file,
    encode_entry, layout,
};
use uuid::Uuid;

use super::rules::Rule;
use super::surroundings::Pauses;
use super::{Surroundings, ZoneError};
use crate::store::{StoreError, StoreErrorKind, StorePath};

/// The log of the zone with this id in this place.
#[derive(Clone)]
pub(super) struct Slots {
    pub(super) surroundings: Surroundings,
    pub(super) zone_id: ZoneId,
}

/// A clock that differs more than this from the store's commits nothing.
const LARGEST_SKEW: TimeDelta = TimeDelta::minutes(5);

/// Who has a slot after we have tried to take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// We.
    Ours,
    /// Another.
    Theirs,
    /// Nobody, and our body is gone: it was in a slot that a checkpoint has covered since, or the zone is another one.
    Nowhere,
}

/// Whether the body of an entry is still where it was prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    There,
    Gone,
}

/// The id in `_log/zone.json`, `None` where there is no zone.
pub(super) async fn zone_id_in_place(surroundings: &Surroundings) -> Result<Option<ZoneId>, ZoneError> {
    let path = surroundings.path(&layout::zone_file());
    match surroundings.patiently(|| surroundings.store.read(&path)).await {
        Ok(bytes) => decode_zone_file(&bytes).map(Some).map_err(|why| unreadable(surroundings, &path, why)),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
        Err(error) => Err(surroundings.failed(error)),
    }
}

pub(super) fn unreadable(surroundings: &Surroundings, path: &StorePath, source: Unreadable) -> ZoneError {
    let path = surroundings.url.url_of(path);
    match source {
        Unreadable::Format(_) | Unreadable::Kind(_) | Unreadable::Unknown(_) => ZoneError::NewerFormat { path, source },
        Unreadable::NotAnObject | Unreadable::Field(_) => ZoneError::CorruptFile { path, source },
    }
}

/// Writes a small file as a whole.
pub(super) async fn write_file(surroundings: &Surroundings, path: &StorePath, bytes: Bytes) -> Result<(), StoreError> {
    let mut writer = surroundings.store.create(path).await?;
    writer.write(bytes).await?;
    writer.close().await
}

impl Slots {
    /// The entry of a slot, `None` if nobody has taken it.
    pub(super) async fn read(&self, sequence: Sequence) -> Result<Option<Entry>, ZoneError> {
        let surroundings = &self.surroundings;
        let path = surroundings.path(&layout::slot(self.directory_id(), sequence));
        match surroundings.patiently(|| surroundings.store.read(&path)).await {
            Ok(bytes) => decode_entry(&bytes).map(Some).map_err(|why| unreadable(surroundings, &path, why)),
            Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
            Err(error) => Err(surroundings.failed(error)),
        }
    }

    /// The greatest slot that a listing shows; later ones are found by probing.
    pub(super) async fn last_listed(&self) -> Result<Option<Sequence>, ZoneError> {
        Ok(self.listed().await?.into_iter().max())
    }

    /// Every slot that a listing shows.
    pub(super) async fn listed(&self) -> Result<Vec<Sequence>, ZoneError> {
        let surroundings = &self.surroundings;
        let directory = surroundings.path(&layout::slots(self.directory_id()));
        let listed = surroundings.patiently(|| surroundings.store.list(&directory)).await;
        let listed = listed.map_err(|error| surroundings.failed(error))?;
        Ok(listed.iter().filter_map(|element| layout::slot_sequence(&element.name)).collect())
    }

    /// The directory of the log: each zone that ever was in this place has its own, so that what an old one's process
    /// still does misses.
    pub(super) fn directory_id(&self) -> ZoneId {
        if self.surroundings.rules.hold(Rule::DirectoryPerZone) { self.zone_id } else { ZoneId::new(Uuid::nil()) }
    }

    /// Writes the body of an entry where only this writer looks.
    ///
    /// A write that fails burns the name, so each try is another commit: none of them has touched a slot yet.
    pub(super) async fn prepare(&self, mut entry: Entry) -> Result<Entry, ZoneError> {
        let mut pauses = Pauses::new(&self.surroundings);
        loop {
            let body = self.body(&entry);
            match write_file(&self.surroundings, &body, encode_entry(&entry).into()).await {
                Ok(()) => break,
                Err(error) if error.is_unavailable() => {
                    pauses.pause(error).await.map_err(|error| self.surroundings.failed(error))?;
                    entry.commit_id = CommitId::new(self.surroundings.ids.draw());
                }
                Err(error) => return Err(self.surroundings.failed_on_own(error)),
            }
        }
        self.refuse_skew(&entry).await?;
        Ok(entry)
    }

    /// Compares our clock with that of the store, by the body that was just written (F20).
    ///
    /// Time of the log decides whom to suspect and what is old enough to go: a clock that is far off commits nothing.
    async fn refuse_skew(&self, entry: &Entry) -> Result<(), ZoneError> {
        let surroundings = &self.surroundings;
        let body = self.body(entry);
        let modified = surroundings.patiently(|| surroundings.store.modified(&body)).await;
        let Some(modified) = modified.map_err(|error| surroundings.failed(error))? else {
            // Swept under us: the append will find out.
            return Ok(());
        };
        // It was written between the time in the entry and now, however long that took.
        let (began, ended) = (entry.time.utc(), surroundings.clock.now());
        let skew = if modified < began { began - modified } else { (modified - ended).max(TimeDelta::zero()) };
        if skew <= LARGEST_SKEW || !surroundings.rules.hold(Rule::SkewIsRefused) {
            return Ok(());
        }
        self.drop_body(entry).await;
        Err(ZoneError::ClockSkew { zone: surroundings.url.to_string(), seconds: skew.num_seconds() })
    }

    /// Tries to take a slot with a prepared entry until somebody has it (rule 6).
    ///
    /// No outcome of an attempt is believed: each is followed by a look at the slot, and while that is empty only
    /// repeating on this very slot can end what was begun.
    pub(super) async fn take(&self, sequence: Sequence, entry: &Entry) -> Result<Taken, ZoneError> {
        let surroundings = &self.surroundings;
        let (body, slot) = (self.body(entry), surroundings.path(&layout::slot(self.directory_id(), sequence)));
        let mut pauses = Pauses::new(surroundings);
        loop {
            let outcome = surroundings.store.rename(&body, &slot).await;
            let found = self.read(sequence).await?.map(|found| self.recognised(found, entry, &outcome));
            match after_attempt(entry.commit_id, found.as_ref()) {
                AfterAttempt::CheckStillOurZone => return Ok(Taken::Ours),
                AfterAttempt::FoldThenDecideAgain => return Ok(Taken::Theirs),
                AfterAttempt::RepeatSameSlot => {}
            }
            if self.before_repeating(&body, outcome, &mut pauses).await? == Body::Gone {
                // A rename that hung may have landed between the look at the slot and the look at the body.
                let found = self.read(sequence).await?;
                return Ok(match after_attempt(entry.commit_id, found.as_ref()) {
                    AfterAttempt::CheckStillOurZone => Taken::Ours,
                    AfterAttempt::FoldThenDecideAgain => Taken::Theirs,
                    AfterAttempt::RepeatSameSlot => Taken::Nowhere,
                });
            }
        }
    }

    /// Our entry as the log has it; a test may have a failed attempt's entry look like another's.
    fn recognised(&self, found: Entry, ours: &Entry, outcome: &Result<(), StoreError>) -> Entry {
        let is_known = outcome.is_ok() || found.commit_id != ours.commit_id;
        if is_known || self.surroundings.rules.hold(Rule::CommitIdIsReadAgain) {
            return found;
        }
        Entry { commit_id: CommitId::new(self.surroundings.ids.draw()), ..found }
    }

    /// Finds out whether repeating can succeed, mends what can be mended, and waits where that helps.
    async fn before_repeating(
        &self,
        body: &StorePath,
        outcome: Result<(), StoreError>,
        pauses: &mut Pauses<'_>,
    ) -> Result<Body, ZoneError> {
        let surroundings = &self.surroundings;
        let failed = |error| surroundings.failed(error);
        match outcome {
            Err(error)
                if matches!(
                    error.kind,
                    StoreErrorKind::Denied | StoreErrorKind::LoginFailed | StoreErrorKind::Other
                ) =>
            {
                Err(failed(error))
            }
            Err(error) if error.is_unavailable() => pauses.pause(error).await.map(|()| Body::There).map_err(failed),
            // "Not found" is said of a missing body and of a missing directory alike; the body decides.
            outcome => {
                let length = surroundings.patiently(|| surroundings.store.length(body)).await.map_err(failed)?;
                if length.is_none() {
                    return Ok(Body::Gone);
                }
                self.confirm_zone().await?;
                let directory = surroundings.path(&layout::slots(self.directory_id()));
                let made = surroundings.patiently(|| surroundings.store.create_directories(&directory)).await;
                made.map_err(failed)?;
                // What takes the name without being a file, a directory for one, is not mended by this.
                let unmended = outcome.err().unwrap_or_else(|| {
                    let message = "it was reported as done, and the slot is empty";
                    StoreError::new(StoreErrorKind::Unavailable, "rename", body, message)
                });
                pauses.pause(unmended).await.map(|()| Body::There).map_err(failed)
            }
        }
    }

    /// Whether the place is still our zone's: only then does a won slot count (rule 7).
    pub(super) async fn confirm_zone(&self) -> Result<(), ZoneError> {
        if !self.surroundings.rules.hold(Rule::ZoneIsStillOurs) {
            return Ok(());
        }
        if zone_id_in_place(&self.surroundings).await? == Some(self.zone_id) { Ok(()) } else { Err(self.replaced()) }
    }

    /// Deletes the body of an entry that lost. One that cannot be deleted is garbage like what a crash leaves.
    pub(super) async fn drop_body(&self, entry: &Entry) {
        drop(self.surroundings.store.delete(&self.body(entry)).await);
    }

    /// A new entry of this writer.
    pub(super) fn entry(&self, writer: &super::Writer, kind: Kind) -> Entry {
        Entry {
            commit_id: CommitId::new(self.surroundings.ids.draw()),
            incarnation: writer.incarnation,
            time: self.surroundings.now(),
            spec_digest: writer.spec_digest.clone(),
            kind,
        }
    }

    fn body(&self, entry: &Entry) -> StorePath {
        self.surroundings.path(&layout::prepared(entry.incarnation, entry.commit_id))
    }

    pub(super) fn replaced(&self) -> ZoneError {
        ZoneError::Replaced { zone: self.surroundings.url.to_string() }
    }
}
