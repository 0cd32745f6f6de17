//! Retention beside the ingest: what is old leaves by an entry now and then, and copies are made while messages flow.
//!
//! Any worker may do it, and several at once do no harm: an entry decides. Only the copies of an archive are work, so each
//! worker waits a little longer than the age says, by its id, and the one that waits the least does them all.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use chrono::TimeDelta;
use gristmill_core::log::{Expiry, Holder, Incarnation, LiveFile, RetentionAges};

use super::interruption::Step;
use super::worker::{Worker, attend};
use crate::exit::{Exit, Failure};
use crate::kafka::Source;
use crate::zone::{Archive, Archived, Removed, Retention};

/// How often the zone is looked at for files whose time has come.
const EVERY: Duration = Duration::from_secs(60);
/// Files that are copied before they are taken off the zone: a worker that ends begins with these again.
const COPIED_AT_ONCE: usize = 100;
/// The longest that a worker leaves copying to others.
const LONGEST_TURN: TimeDelta = TimeDelta::minutes(10);

type Copying = Pin<Box<dyn Future<Output = Archived> + Send>>;

/// What one worker knows of retention.
pub(super) struct Retaining {
    retention: Retention,
    look_at: Duration,
    copying: Option<Copying>,
    /// Who held files when that was last said.
    held_by: Option<String>,
}

impl Retaining {
    pub(super) fn new(retention: Retention) -> Self {
        Self { retention, look_at: Duration::ZERO, copying: None, held_by: None }
    }

    /// Returns when the copies that are being made are made; never if there are none. It may be dropped and called again.
    pub(super) async fn copied(&mut self) -> Archived {
        let Some(copying) = &mut self.copying else { return std::future::pending().await };
        let archived = copying.await;
        self.copying = None;
        archived
    }

    /// One line when another consumer holds files than before; a warning if it is silent.
    fn tell(&mut self, holder: Option<&Holder>) {
        let held_by = holder.map(Holder::describe);
        if held_by == self.held_by {
            return;
        }
        if let Some(Holder { name, position, advanced_at, is_silent, files, bytes }) = holder {
            if *is_silent {
                tracing::warn!(
                    consumer = name,
                    position,
                    %advanced_at,
                    files,
                    bytes,
                    "retention waits for a consumer that is silent; if it is gone for good, `gristmill consumers rm` it"
                );
            } else {
                tracing::info!(consumer = name, position, files, bytes, "retention waits for a consumer");
            }
        }
        self.held_by = held_by;
    }

    fn ages_of(&self, writer: Incarnation) -> RetentionAges {
        let RetentionAges { raw, rejected } = self.retention.ages;
        let turn = |after: TimeDelta| {
            let share = i32::from(writer.as_bytes()[0]);
            after.checked_add(&((after / 10).min(LONGEST_TURN) * share / 256)).unwrap_or(after)
        };
        RetentionAges { raw: if self.retention.archive.is_some() { raw.map(turn) } else { raw }, rejected }
    }
}

impl<S: Source> Worker<'_, S> {
    /// Takes off the zone what is due, and begins to copy what must be copied first.
    pub(super) async fn retain(&mut self) -> Step {
        let now = self.clock.uptime();
        if now < self.retaining.look_at || self.retaining.copying.is_some() || self.retaining.retention.keeps_all() {
            return Ok(());
        }
        self.retaining.look_at = now + EVERY;
        let (zone, writer) = (&self.zone, self.zone.incarnation());
        let Expiry { due, later, held } = zone.expiry(&self.retaining.ages_of(writer));
        self.patience.board.retention(zone.fold(), held.as_ref());
        self.retaining.tell(held.as_ref());
        let (mut to_copy, to_go) = self.retaining.retention.split(due);
        let went = self.take_off(to_go, None).await?;
        to_copy.truncate(COPIED_AT_ONCE);
        match &self.retaining.retention.archive {
            Some(archive) if !to_copy.is_empty() => {
                let fenced = self.zone.fold().fenced().keys().copied().collect();
                let surroundings = self.zone.reader().surroundings().clone();
                self.retaining.copying = Some(Box::pin(archive.clone().keep(surroundings, writer, fenced, to_copy)));
            }
            Some(_) | None if went && later > 0 => self.retaining.look_at = now,
            Some(_) | None => {}
        }
        Ok(())
    }

    /// Takes off the zone what has its copy now.
    pub(super) async fn take_off_copied(&mut self, Archived { kept, failed }: Archived) -> Step {
        for error in &failed {
            tracing::warn!(error = Failure::new(Exit::Store, "ArchiveFailed", error).message, "file stays in RAW");
        }
        let archive = self.retaining.retention.archive.clone();
        let went = self.take_off(kept, archive).await?;
        if went && failed.is_empty() {
            // There may be more than were copied at once.
            self.retaining.look_at = self.clock.uptime();
        }
        Ok(())
    }

    /// Whether the files went; what did not is looked at again after a pause.
    async fn take_off(&mut self, files: Vec<LiveFile>, archive: Option<Archive>) -> Step<bool> {
        if files.is_empty() {
            return Ok(false);
        }
        let zone = &mut self.zone;
        match attend(&mut self.feed, self.grace, zone.remove_expired(&files, archive.as_ref())).await? {
            Ok(Removed { is_fenced: true, .. }) => {
                self.start_over().await?;
                Ok(false)
            }
            Ok(Removed { sequence: Some(sequence), files, bytes, is_fenced: _ }) => {
                let held = self.zone.expiry(&self.retaining.retention.ages).held;
                self.patience.board.zone(self.zone.fold());
                self.patience.board.retention(self.zone.fold(), held.as_ref());
                tracing::info!(sequence = sequence.0, files, bytes, archived = archive.is_some(), "retention");
                Ok(true)
            }
            Ok(Removed { sequence: None, .. }) => Ok(false),
            Err(error) => {
                tracing::debug!(%error, "retention is tried again");
                self.patience.bear(&error)?;
                Ok(false)
            }
        }
    }
}
