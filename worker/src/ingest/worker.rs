//! The loop: take what the group tells, decode, and commit when a file is due.
//!
//! Whatever goes wrong with a file ends in one place, [`Worker::start_over`]: the open file is dropped whole, and all
//! partitions are read again from where the log stands (rule 15).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use gristmill_core::log::{Data, FileEntry, RawData, Refusal, Sequence};
use gristmill_core::raw::{Header, Message};
use gristmill_crds::plan::IngestPlan;
use gristmill_crds::report::IngestPhase;
use rdkafka::Timestamp;
use rdkafka::message::{BorrowedMessage, Message as _};
use tokio::sync::watch;

use super::Summary;
use super::open_file::{OpenFile, Written};
use super::opening::{same_topic, still_held};
use super::patience::{Passing, Patience, Trouble, Waited};
use super::progress::{Admission, Origin, Progress};
use super::watch::Look;
use crate::exit::Failure;
use crate::kafka::{Feed, GroupMember, SourceEvent, TopicFacts, TopicProbe, leader_epoch, message_headers};
use crate::zone::{Appended, Zone, ZoneError};

/// How often the age of the open file is looked at.
const TICK: Duration = Duration::from_millis(200);

/// Everything that one ingest works with.
pub(super) struct Worker<'c> {
    pub(super) plan: &'c IngestPlan,
    pub(super) zone: Zone,
    pub(super) facts: TopicFacts,
    pub(super) probe: TopicProbe,
    pub(super) member: &'c GroupMember,
    pub(super) feed: Feed<'c>,
    pub(super) progress: Progress,
    pub(super) open: OpenFile,
    /// Offsets at which the work is done; none to work until a signal.
    pub(super) targets: Option<BTreeMap<i32, i64>>,
    pub(super) ends: BTreeMap<i32, i64>,
    pub(super) patience: Patience,
    /// Files that could not be written, since the last entry that was decided.
    pub(super) trouble: Trouble,
    pub(super) summary: Summary,
}

/// Whether the loop goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    On,
    /// A signal came.
    Drain,
}

impl Worker<'_> {
    /// Works until the targets are reached or a signal comes; what was read is committed then.
    pub(super) async fn work(mut self, looks: &mut watch::Receiver<Look>) -> Result<Summary, Failure> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !self.is_done() {
            let turn = tokio::select! {
                biased;
                () = self.patience.cancel.cancelled() => Turn::Drain,
                _ = tick.tick() => Turn::On,
                Ok(()) = looks.changed() => self.observe(looks).await?,
                event = self.feed.next() => self.handle(event).await?,
            };
            self.patience.board.turn();
            if turn == Turn::Drain {
                self.patience.board.phase(IngestPhase::Draining, "commits what was read and leaves the group");
                self.commit().await?;
                break;
            }
            if self.is_due() {
                self.commit().await?;
            }
        }
        Ok(self.summary)
    }

    async fn handle(&mut self, event: SourceEvent<'_>) -> Result<Turn, Failure> {
        match event {
            SourceEvent::Message(message) => self.take(&message).await,
            SourceEvent::EndOfPartition(partition) => {
                self.progress.reach_end(partition);
                if self.progress.advanced() {
                    self.open.note_advance();
                }
                Ok(Turn::On)
            }
            SourceEvent::Assigned(partitions) => self.adopt(&partitions).await,
            SourceEvent::Revoked(partitions) => {
                tracing::info!(?partitions, "partitions revoked");
                self.progress.release(&partitions);
                self.start_over().await
            }
            SourceEvent::OutOfRange => self.check_held().await,
            SourceEvent::Disturbed(fault) => {
                tracing::debug!(error = %fault, "consumer disturbed");
                if fault.is_permanent() { Err(fault.into_failure()) } else { Ok(Turn::On) }
            }
        }
    }

    /// Takes assigned partitions where the log stands, after the topic was asked whether it still reaches there.
    async fn adopt(&mut self, partitions: &[i32]) -> Result<Turn, Failure> {
        if self.refresh().await? == Turn::Drain {
            return Ok(Turn::Drain);
        }
        let probe = &self.probe;
        let ask = self.patience.repeat(async || probe.ranges(partitions.to_vec()).await);
        let Waited::Done(ranges) = self.feed.attend(ask).await.map_err(Passing::into_failure)?? else {
            return Ok(Turn::Drain);
        };
        let mut offsets = Vec::new();
        for (partition, range) in &ranges {
            let next = self.zone.fold().next(*partition);
            still_held(self.plan, *partition, next, *range)?;
            offsets.push((*partition, next));
        }
        self.feed.assign(&offsets).map_err(Passing::into_failure)?;
        for (partition, next) in offsets {
            self.progress.begin(partition, next, ranges[&partition].high);
        }
        self.patience.board.joined();
        self.ingesting();
        tracing::info!(?partitions, "partitions assigned");
        Ok(Turn::On)
    }

    async fn take(&mut self, message: &BorrowedMessage<'_>) -> Result<Turn, Failure> {
        let (partition, offset) = (message.partition(), message.offset());
        if self.progress.admit(partition, offset) == Admission::Known {
            return Ok(Turn::On);
        }
        let headers = message_headers(message);
        let headers: Vec<_> = headers.iter().map(|(key, value)| Header { key, value: *value }).collect();
        let timestamp = match message.timestamp() {
            Timestamp::CreateTime(time) | Timestamp::LogAppendTime(time) => Some(time),
            Timestamp::NotAvailable => None,
        };
        self.open.note_advance();
        let verdict = self.open.decode(&Message {
            topic: &self.plan.topic,
            topic_id: &self.facts.topic_id,
            partition,
            offset,
            generation: self.zone.fold().generation(),
            timestamp_micros: timestamp.and_then(|time| time.checked_mul(1000)),
            key: message.key(),
            payload: message.payload(),
            headers: &headers,
        });
        let origin = Origin { partition, offset, timestamp, leader_epoch: leader_epoch(message) };
        self.progress.record(&origin, verdict);
        self.patience.board.read();
        if !self.open.is_full() {
            return Ok(Turn::On);
        }
        match self.feed.attend(self.open.flush(&mut self.zone)).await.map_err(Passing::into_failure)? {
            Ok(()) => Ok(Turn::On),
            Err(error) => self.recover(error).await,
        }
    }

    /// Seals the open file, appends its entry, publishes it and mirrors the offsets. Nothing is done if nothing was read.
    async fn commit(&mut self) -> Result<Turn, Failure> {
        if !self.progress.advanced() {
            return Ok(Turn::On);
        }
        let sealed = self.feed.attend(self.open.close(&mut self.zone)).await.map_err(Passing::into_failure)?;
        let (files, written) = match sealed {
            Ok(sealed) => sealed,
            Err(error) => return self.recover(error).await,
        };
        let count = files.len();
        let appended = self.append(files).await?;
        self.trouble = Trouble::default();
        match appended {
            Appended::Won(sequence) => self.won(sequence, written, count).await,
            Appended::Lost(refusal) => self.lost(&refusal).await,
        }
    }

    /// Appends one entry and waits until it is decided, however long the store is away.
    async fn append(&mut self, added: Vec<FileEntry>) -> Result<Appended, Failure> {
        let partitions = self.progress.ranges(&self.facts.topic_id, self.zone.fold().generation());
        let data = Data::Raw(RawData { partitions, added, removed: Vec::new(), schemas: Vec::new() });
        let (zone, patience) = (&mut self.zone, &self.patience);
        let work = async {
            let began = Instant::now();
            loop {
                // An append that could not even be prepared is not undecided: it begins anew.
                let attempt = async {
                    match zone.decide().await? {
                        Some(appended) => Ok(appended),
                        None => zone.append(data.clone()).await,
                    }
                };
                match attempt.await {
                    Ok(appended) => return Ok(appended),
                    Err(error) => patience.endure::<ZoneError>(error, began.elapsed())?,
                }
            }
        };
        self.feed.attend(work).await.map_err(Passing::into_failure)?
    }

    async fn won(&mut self, sequence: Sequence, written: Written, files: usize) -> Result<Turn, Failure> {
        let ranges = self.progress.ranges(&self.facts.topic_id, 0);
        self.progress.commit();
        self.publish(sequence).await?;
        self.member.mirror(&self.progress.positions());
        let messages = ranges.iter().map(|range| range.accepted + range.rejected + range.tombstones).sum::<u64>();
        let absent = ranges.iter().map(|range| range.absent).sum::<u64>();
        let Written { rows, rejects, bytes } = written;
        self.summary.count(sequence, messages, &written, files);
        self.patience.board.zone(self.zone.fold());
        let lag = self.tell_lag();
        tracing::info!(
            sequence = sequence.0,
            rows,
            rejected = rejects,
            messages,
            absent,
            files,
            bytes,
            lag,
            "committed"
        );
        self.ingesting();
        Ok(Turn::On)
    }

    async fn publish(&mut self, sequence: Sequence) -> Result<(), Failure> {
        let (zone, patience) = (&mut self.zone, &self.patience);
        let work = async {
            let began = Instant::now();
            while let Err(error) = zone.publish(sequence).await {
                patience.endure(error, began.elapsed())?;
            }
            Ok(())
        };
        self.feed.attend(work).await.map_err(Passing::into_failure)?
    }

    async fn lost(&mut self, refusal: &Refusal) -> Result<Turn, Failure> {
        tracing::warn!(%refusal, "another writer has moved the zone on; what was read is dropped and read again");
        self.start_over().await
    }

    /// A file could not be written. Its name is burned, so its messages are read again once the store is back.
    async fn recover<E: Passing>(&mut self, error: E) -> Result<Turn, Failure> {
        let wait = self.patience.endure_again(error, &mut self.trouble);
        self.feed.attend(wait).await.map_err(Passing::into_failure)??;
        let turn = self.start_over().await?;
        self.ingesting();
        Ok(turn)
    }

    /// Drops the open file whole and reads all partitions again from where the log stands.
    async fn start_over(&mut self) -> Result<Turn, Failure> {
        self.forget();
        if self.refresh().await? == Turn::Drain {
            return Ok(Turn::Drain);
        }
        self.forget();
        self.feed.seek(&self.progress.positions()).await.map_err(Passing::into_failure)?;
        let (zone, patience) = (&mut self.zone, &self.patience);
        // What cannot be deleted now is garbage that a later sweep finds; it is never committed.
        let discard = async {
            if let Err(error) = zone.discard_staged().await {
                tracing::debug!(%error, "staged files not deleted");
            }
            patience.board.turn();
        };
        self.feed.attend(discard).await.map_err(Passing::into_failure)?;
        Ok(Turn::On)
    }

    /// Rows and offsets go together, always: offsets without their rows must never be committed.
    fn forget(&mut self) {
        self.open.drop_whole();
        let fold = self.zone.fold();
        self.progress.restart(|partition| fold.next(partition));
    }

    async fn refresh(&mut self) -> Result<Turn, Failure> {
        let (zone, patience) = (&mut self.zone, &self.patience);
        let work = patience.repeat(async || zone.refresh().await);
        match self.feed.attend(work).await.map_err(Passing::into_failure)?? {
            Waited::Done(()) => {}
            Waited::Cancelled => return Ok(Turn::Drain),
        }
        self.patience.board.zone(self.zone.fold());
        Ok(Turn::On)
    }

    /// The broker refused an offset: messages are lost, or it was a leader that had just changed.
    async fn check_held(&mut self) -> Result<Turn, Failure> {
        let positions = self.progress.positions();
        let partitions: Vec<i32> = positions.iter().map(|(partition, _)| *partition).collect();
        let probe = &self.probe;
        let ask = self.patience.repeat(async || probe.ranges(partitions.clone()).await);
        let Waited::Done(ranges) = self.feed.attend(ask).await.map_err(Passing::into_failure)?? else {
            return Ok(Turn::Drain);
        };
        for (partition, next) in &positions {
            let held = still_held(self.plan, *partition, *next, ranges[partition]);
            if held.is_err() {
                // What was read before the loss may be lost to the next start as well: it is kept.
                self.commit().await?;
            }
            held?;
        }
        self.feed.seek(&positions).await.map_err(Passing::into_failure)?;
        Ok(Turn::On)
    }

    async fn observe(&mut self, looks: &mut watch::Receiver<Look>) -> Result<Turn, Failure> {
        let stalled = match &*looks.borrow_and_update() {
            Look::None => Vec::new(),
            Look::Seen { facts, ends } => {
                same_topic(self.plan, &self.facts, facts)?;
                self.ends.clone_from(ends);
                self.progress.stalled(ends)
            }
            Look::Blind { since, fault } => {
                self.blind(since.elapsed(), fault)?;
                return Ok(Turn::On);
            }
        };
        self.tell_lag();
        if self.patience.board.report().phase == IngestPhase::SourceUnavailable {
            self.ingesting();
        }
        if !stalled.is_empty() {
            self.feed.seek(&stalled).await.map_err(Passing::into_failure)?;
        }
        Ok(Turn::On)
    }

    fn blind(&self, elapsed: Duration, fault: &crate::kafka::KafkaFault) -> Result<(), Failure> {
        let failure = Failure::new(crate::exit::Exit::Kafka, fault.reason(), fault);
        if fault.is_permanent() || self.patience.limit.is_some_and(|limit| elapsed >= limit) {
            return Err(failure);
        }
        self.patience.board.phase(IngestPhase::SourceUnavailable, format!("{failure}; it is tried again"));
        Ok(())
    }

    fn ingesting(&self) {
        let board = &self.patience.board;
        if board.is_ready() && !self.patience.cancel.is_cancelled() {
            let partitions = self.progress.positions().len();
            board
                .phase(IngestPhase::Ingesting, format!("reads {partitions} partitions of topic {:?}", self.plan.topic));
        }
    }

    /// What is not committed yet of what the topic was last seen to hold.
    fn tell_lag(&self) -> i64 {
        let fold = self.zone.fold();
        let lag = self.ends.iter().map(|(partition, end)| (end - fold.next(*partition)).max(0)).sum();
        if !self.ends.is_empty() {
            self.patience.board.lag(self.ends.len(), lag);
        }
        lag
    }

    fn is_due(&self) -> bool {
        if !self.progress.advanced() {
            return false;
        }
        self.open.age() >= self.plan.max_age || self.open.bytes() >= self.plan.target_size || self.reaches_targets()
    }

    /// Everything up to the targets was read.
    fn reaches_targets(&self) -> bool {
        let next = |partition| self.progress.next(partition).unwrap_or_else(|| self.zone.fold().next(partition));
        self.targets.as_ref().is_some_and(|targets| targets.iter().all(|(partition, end)| next(*partition) >= *end))
    }

    /// Everything up to the targets is committed.
    fn is_done(&self) -> bool {
        self.targets.as_ref().is_some_and(|targets| covers(&self.zone, targets))
    }
}

/// Whether the zone holds everything below these offsets.
pub(super) fn covers(zone: &Zone, targets: &BTreeMap<i32, i64>) -> bool {
    targets.iter().all(|(partition, end)| zone.fold().next(*partition) >= *end)
}
