//! What a zone needs from outside: a store, a place in it, time and ids.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::store::{Store, ZoneUrl};

/// How long an unavailable store is waited for, by default: a NameNode fails over or restarts within it.
pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(600);

/// What a zone needs from outside.
#[derive(Clone)]
pub struct Surroundings {
    /// The store that the zone lies in.
    pub store: Arc<dyn Store>,
    /// The zone's directory.
    pub url: ZoneUrl,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Random ids.
    pub ids: Arc<dyn Ids>,
    /// How long one operation waits for an unavailable store, in sum.
    pub patience: Duration,
}

impl Surroundings {
    /// The surroundings of a process: its own clock and randomness.
    pub fn of_process(store: Arc<dyn Store>, url: ZoneUrl) -> Self {
        Self { store, url, clock: Arc::new(SystemClock), ids: Arc::new(RandomIds), patience: DEFAULT_PATIENCE }
    }

    /// Waits for an unavailable store for so long.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }
}

/// Time, as a zone sees it.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> DateTime<Utc>;

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
