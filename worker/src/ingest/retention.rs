//! Retention beside the ingest: what is old leaves by an entry now and then, and copies are made while messages flow.
//!
//! Any worker may do it, and several at once do no harm: an entry decides. Only the copies of an archive are work, so each
//! worker waits a little longer than the age says, by its id, and the one that waits the least does them all.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use chrono::TimeDelta;
use gristmill_core::log::{Expiry, Holder, Incarnation, LiveFile, RetentionAges};
use tokio::sync::watch;

use super::interruption::Step;
use super::put_off::PutOff;
use super::worker::{Worker, attend};
use crate::kafka::Source;
use crate::zone::{Archive, Archived, Removal, Retention};

/// How often the zone is looked at for files whose time has come.
const EVERY: Duration = Duration::from_secs(60);
/// Files that are copied before they are taken off the zone: a worker that ends begins with these again.
const COPIED_AT_ONCE: usize = 100;
/// The longest that a worker leaves copying to others.
const LONGEST_TURN: TimeDelta = TimeDelta::minutes(10);

type Copying = Pin<Box<dyn Future<Output = Archived> + Send>>;

/// Compactions that are yet to enter RAW's register of consumers. While there are any no rows leave the zone: who is not
/// registered holds nothing.
#[derive(Debug, Clone, Default)]
pub struct Awaited(Option<watch::Receiver<Vec<String>>>);

impl Awaited {
    /// Those that somebody registers, who takes each off the list when it is done.
    pub fn of(names: watch::Receiver<Vec<String>>) -> Self {
        Self(Some(names))
    }

    fn names(&self) -> Vec<String> {
        self.0.as_ref().map(|names| names.borrow().clone()).unwrap_or_default()
    }
}

/// What one worker knows of retention.
pub(super) struct Retaining {
    retention: Retention,
    awaited: Awaited,
    look_at: Duration,
    copying: Option<Copying>,
    put_off: PutOff,
    /// What held files when that was last said.
    held_by: Vec<String>,
}

impl Retaining {
    pub(super) fn new(retention: Retention, awaited: Awaited) -> Self {
        let (put_off, held_by) = (PutOff::default(), Vec::new());
        Self { retention, awaited, look_at: Duration::ZERO, copying: None, put_off, held_by }
    }

    /// Returns when the copies that are being made are made; never if there are none. It may be dropped and called again.
    pub(super) async fn copied(&mut self) -> Archived {
        let Some(copying) = &mut self.copying else { return std::future::pending().await };
        let archived = copying.await;
        self.copying = None;
        archived
    }

    /// What holds files whose time has come: for a person, in the order of who can do something about it.
    ///
    /// One log line when a consumer holds files that did not before; a warning if it is silent. Files that are not
    /// archived were told when they were tried.
    fn held_by(&mut self, holder: Option<&Holder>) -> String {
        let mut held_by: Vec<String> = holder.map(Holder::describe).into_iter().collect();
        let awaited = self.awaited.names();
        if !awaited.is_empty() && self.retention.ages.raw.is_some() {
            held_by.push(format!("{}, not yet registered in RAW's log", awaited.join(", ")));
        }
        held_by.extend(self.put_off.describe());
        if held_by != self.held_by {
            match holder {
                Some(Holder { name, position, advanced_at, is_silent: true, files, bytes }) => tracing::warn!(
                    consumer = name,
                    position,
                    %advanced_at,
                    files,
                    bytes,
                    "retention waits for a consumer that is silent; if it is gone for good, `gristmill consumers rm` it"
                ),
                Some(Holder { name, position, advanced_at: _, is_silent: false, files, bytes }) => {
                    tracing::info!(consumer = name, position, files, bytes, "retention waits for a consumer");
                }
                None => tracing::info!(held_by = held_by.join("; "), "what retention waits for has changed"),
            }
            self.held_by.clone_from(&held_by);
        }
        held_by.join("; ")
    }

    /// The ages that files are chosen by now.
    fn ages_of(&self, writer: Incarnation) -> RetentionAges {
        let RetentionAges { raw, rejected } = self.retention.ages;
        let turn = |after: TimeDelta| {
            let share = i32::from(writer.as_bytes()[0]);
            after.checked_add(&((after / 10).min(LONGEST_TURN) * share / 256)).unwrap_or(after)
        };
        let raw = if self.retention.archive.is_some() { raw.map(turn) } else { raw };
        // Rejects have no consumer that could miss them.
        RetentionAges { raw: raw.filter(|_| self.awaited.names().is_empty()), rejected }
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
        self.retaining.put_off.keep_live(zone.fold());
        let Expiry { due, later, held } = zone.expiry(&self.retaining.ages_of(writer), &self.retaining.put_off.at(now));
        self.tell_retention(held.as_ref());
        let (mut to_copy, to_go) = self.retaining.retention.split(due);
        let went = self.take_off(to_go, None).await?;
        to_copy.truncate(if self.retaining.put_off.stops_all(now) { 0 } else { COPIED_AT_ONCE });
        match &self.retaining.retention.archive {
            Some(archive) if !to_copy.is_empty() => {
                let surroundings = self.zone.reader().surroundings().clone();
                self.retaining.copying = Some(Box::pin(archive.clone().keep(surroundings, self.zone.signs(), to_copy)));
            }
            Some(_) | None if went && later > 0 => self.retaining.look_at = now,
            Some(_) | None => {}
        }
        Ok(())
    }

    /// Takes off the zone what has its copy now.
    pub(super) async fn take_off_copied(&mut self, archived: Archived) -> Step {
        let Archived { kept, failed } =
            match attend(&mut self.feed, self.grace, self.zone.judge_archived(archived)).await? {
                Ok(archived) => archived,
                Err(error) => {
                    tracing::debug!(%error, "copies are looked at by the next pass");
                    return Ok(self.patience.bear(&error)?);
                }
            };
        self.retaining.put_off.note(&kept, &failed, self.clock.uptime());
        let archive = self.retaining.retention.archive.clone();
        let went = self.take_off(kept, archive).await?;
        if went || !failed.is_empty() {
            // There may be more than were copied at once, and what failed is put off.
            self.retaining.look_at = self.clock.uptime();
        }
        Ok(())
    }

    fn tell_retention(&mut self, holder: Option<&Holder>) {
        let held_by = self.retaining.held_by(holder);
        self.patience.board.retention(self.zone.fold(), held_by);
    }

    /// Whether the files went; what did not is looked at again after a pause.
    async fn take_off(&mut self, files: Vec<LiveFile>, archive: Option<Archive>) -> Step<bool> {
        if files.is_empty() {
            return Ok(false);
        }
        let (zone, ages) = (&mut self.zone, self.retaining.retention.ages);
        match attend(&mut self.feed, self.grace, zone.remove_expired(&ages, &files, archive.as_ref())).await? {
            Ok(Removal::Fenced) => {
                self.start_over().await?;
                Ok(false)
            }
            Ok(Removal::Done(removed)) => {
                let held = self.zone.expiry(&ages, &Default::default()).held;
                self.patience.board.zone(self.zone.fold());
                self.tell_retention(held.as_ref());
                let (sequence, files, bytes) = (removed.sequence.0, removed.files.len(), removed.bytes());
                tracing::info!(sequence, files, bytes, archived = archive.is_some(), "retention");
                Ok(true)
            }
            Ok(Removal::Overtaken(refusal)) => {
                tracing::debug!(%refusal, "removal is decided anew");
                Ok(false)
            }
            Ok(Removal::Nothing) => Ok(false),
            Err(error) => {
                tracing::debug!(%error, "retention is tried again");
                self.patience.bear(&error)?;
                Ok(false)
            }
        }
    }
}
