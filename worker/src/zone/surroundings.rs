//! What a zone needs from outside: a store, a place in it, time and ids; and how it waits for them.

use std::future::Future;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use gristmill_core::log::{CHECKPOINT_EVERY, ENTRIES_KEPT, FileEntry, FileZone, LogTime, Sequence, ZonePath};
use tracing::warn;
use uuid::Uuid;

use super::ZoneError;
use super::outage::Outage;
use super::rules::Rules;
use crate::store::{Store, StoreError, StoreErrorKind, StorePath, ZoneUrl};

/// How long an unavailable store is waited for, by default: a NameNode fails over or restarts within it.
pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(600);
/// How long a file that was replaced or removed stays for those who read it, by default.
pub const DEFAULT_READER_GRACE: Duration = Duration::from_secs(3600);
/// First pause before an operation is repeated; it doubles from there.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause: short beside the minute that a NameNode takes to leave safe mode.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Pauses that are made before patience is at its end, however late it is.
const PAUSES_AT_LEAST: u32 = 2;

/// What a zone needs from outside.
#[derive(Clone)]
pub struct Surroundings {
    pub(super) store: Arc<dyn Store>,
    pub(super) url: ZoneUrl,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn Ids>,
    pub(super) patience: Duration,
    pub(super) reader_grace: Duration,
    /// Smaller in the simulation, which cannot wait for 256 entries.
    pub(super) checkpoint_every: u64,
    pub(super) entries_kept: u64,
    pub(super) rules: Rules,
    /// What was told of a store that is away.
    pub(super) outage: Outage,
}

impl Surroundings {
    /// Surroundings with a clock and ids of the caller's choice.
    pub fn new(store: Arc<dyn Store>, url: ZoneUrl, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self {
            store,
            url,
            clock,
            ids,
            patience: DEFAULT_PATIENCE,
            reader_grace: DEFAULT_READER_GRACE,
            checkpoint_every: CHECKPOINT_EVERY,
            entries_kept: ENTRIES_KEPT,
            rules: Rules::all(),
            outage: Outage::default(),
        }
    }

    /// The surroundings of a process: its own clock and randomness.
    pub fn of_process(store: Arc<dyn Store>, url: ZoneUrl) -> Self {
        Self::new(store, url, Arc::new(SystemClock), Arc::new(RandomIds))
    }

    /// Waits so long for an unavailable store, for each operation of a zone.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Keeps retired files so long for scans that have them open.
    #[must_use]
    pub fn with_reader_grace(self, reader_grace: Duration) -> Self {
        Self { reader_grace, ..self }
    }

    /// The zone's directory.
    pub fn url(&self) -> &ZoneUrl {
        &self.url
    }

    /// A path below the log's zone.
    pub(super) fn path(&self, path: &ZonePath) -> StorePath {
        self.url.join(path)
    }

    /// The published place of a file: rejected files have a directory of their own.
    pub(super) fn published(&self, zone: FileZone, path: &ZonePath) -> StorePath {
        self.published_root(zone).join(path.as_str())
    }

    /// The directory that published files of this kind lie below.
    pub(super) fn published_root(&self, zone: FileZone) -> StorePath {
        match zone {
            FileZone::Raw | FileZone::Processed => self.url.directory().clone(),
            FileZone::Rejected => self.url.rejected().directory().clone(),
        }
    }

    /// The time now, as an entry would have it.
    pub fn now(&self) -> LogTime {
        LogTime::new(self.clock.now())
    }

    /// An operation on a file that this writer alone has in hand: only a sweeper deletes it.
    pub(super) fn failed_on_own(&self, source: StoreError) -> ZoneError {
        if source.kind == StoreErrorKind::NotFound {
            ZoneError::Swept { zone: self.url.to_string(), path: source.path }
        } else {
            self.failed(source)
        }
    }

    /// The error for a file of an entry that is not what was committed, with all that it takes to restore it.
    pub(super) fn lost(&self, file: &FileEntry, sequence: Sequence, why: &str) -> ZoneError {
        ZoneError::LostFile {
            zone: self.url.to_string(),
            path: self.url.url_of(&self.published(file.zone, &file.path)),
            sequence,
            why: format!("{why}; what was committed has {} bytes and the digest {}", file.bytes, file.digest),
        }
    }

    pub(super) fn failed(&self, source: StoreError) -> ZoneError {
        ZoneError::Store { zone: self.url.to_string(), source }
    }

    /// Repeats an operation that may be repeated freely for as long as the store is unavailable.
    pub(super) async fn patiently<T, F>(&self, mut operation: impl FnMut() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut pauses = Pauses::new(self);
        loop {
            match operation().await {
                Err(error) if error.is_unavailable() => pauses.pause(error).await?,
                decided => return decided,
            }
        }
    }
}

/// The pauses between the repetitions of one operation, within the patience of the surroundings.
pub(super) struct Pauses<'a> {
    surroundings: &'a Surroundings,
    since: DateTime<Utc>,
    next: Duration,
    made: u32,
    /// Patience came to its end, or has not been through the last pause.
    is_away: bool,
}

impl Drop for Pauses<'_> {
    /// Whoever needs no further pause has had an answer.
    fn drop(&mut self) {
        if self.made > 0 && !self.is_away {
            self.surroundings.outage.end();
        }
    }
}

impl<'a> Pauses<'a> {
    pub(super) fn new(surroundings: &'a Surroundings) -> Self {
        Self { surroundings, since: surroundings.clock.now(), next: FIRST_PAUSE, made: 0, is_away: false }
    }

    /// Waits, or gives the error back when patience is at its end.
    pub(super) async fn pause(&mut self, error: StoreError) -> Result<(), StoreError> {
        self.is_away = true;
        let clock = &self.surroundings.clock;
        let waited = (clock.now() - self.since).to_std().unwrap_or_default();
        let patience = self.surroundings.patience;
        // A process that was stopped for hours has not waited for hours: it tries again before it gives up.
        if waited >= patience && (patience.is_zero() || self.made >= PAUSES_AT_LEAST) {
            return Err(error);
        }
        self.made += 1;
        if error.is_unavailable() {
            self.surroundings.outage.tell(&self.surroundings.url, &error, &**clock);
        } else {
            warn!(zone = %self.surroundings.url, %error, "store operation is repeated");
        }
        clock.sleep(self.next).await;
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        self.is_away = false;
        Ok(())
    }
}

/// Time, as a zone sees it.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> DateTime<Utc>;

    /// Time since an arbitrary moment, whatever becomes of the clock: what ages and waits are measured by.
    fn uptime(&self) -> Duration;

    /// Returns after a while.
    async fn sleep(&self, duration: Duration);
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn uptime(&self) -> Duration {
        static SINCE: LazyLock<Instant> = LazyLock::new(Instant::now);
        SINCE.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A source of ids that no other process draws.
pub trait Ids: Send + Sync {
    /// A new id.
    fn draw(&self) -> Uuid;
}

/// UUIDs of version 4.
#[derive(Debug, Clone, Copy)]
pub struct RandomIds;

impl Ids for RandomIds {
    fn draw(&self) -> Uuid {
        Uuid::new_v4()
    }
}
