//! The open file: rows and rejects of all partitions since the last commit, and the Parquet files that they go to.
//!
//! A Parquet file is begun only when there are rows for it, so a commit of tombstones writes none.

use std::future::Future;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use gristmill_core::log::{FileEntry, FileSchema, FileZone, layout};
use gristmill_core::raw::{Message, MessageDecoder, Verdict};
use gristmill_crds::plan::IngestPlan;
use gristmill_crds::report::RejectReason;

use super::budget::Budget;
use super::decoding::{BatchLimits, Decoding, Gathered};
use super::reasons::Reasons;
use crate::parquet_file::{Error as ParquetError, Layout, ParquetFile};
use crate::zone::{Clock, Zone};

/// What becomes one commit.
pub(super) struct OpenFile {
    clock: Arc<dyn Clock>,
    decoding: Decoding,
    rows: Option<ParquetFile>,
    rejects: Option<ParquetFile>,
    opened: Option<Opened>,
    messages: u64,
    reasons: Reasons,
    decoded_limit: usize,
    row_layout: Layout,
    reject_layout: Layout,
    /// Time in which the store was waited for, until somebody asks.
    waited: Duration,
}

/// When the first advance since the last commit was made.
#[derive(Debug, Clone, Copy)]
struct Opened {
    /// Clock of the worker: it names the directory (F20).
    at: DateTime<Utc>,
    /// Its age, whatever becomes of the clock.
    since: Duration,
}

/// Rows and reject records of a commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) rows: u64,
    pub(super) rejects: u64,
    pub(super) bytes: u64,
}

impl OpenFile {
    pub(super) fn new(plan: &IngestPlan, budget: &Budget, clock: Arc<dyn Clock>) -> Self {
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let layout =
            |bytes: u64| Layout { row_group_bytes: size(bytes), compression: plan.compression, ..Layout::default() };
        Self {
            clock,
            decoding: Decoding::new(plan),
            rows: None,
            rejects: None,
            opened: None,
            messages: 0,
            reasons: Reasons::default(),
            // A file can't be closed at its size before its rows are encoded.
            decoded_limit: size(budget.decoded.min(plan.target_size)),
            row_layout: layout(budget.row_group),
            reject_layout: layout(budget.reject_row_group),
            waited: Duration::ZERO,
        }
    }

    /// Notes the time of the first advance since the last commit.
    pub(super) fn note_advance(&mut self) {
        let clock = &self.clock;
        self.opened.get_or_insert_with(|| Opened { at: clock.now(), since: clock.uptime() });
    }

    /// Time since the first advance since the last commit.
    pub(super) fn age(&self) -> Duration {
        self.opened.map_or(Duration::ZERO, |opened| self.clock.uptime().saturating_sub(opened.since))
    }

    /// Whether there is anything since the last commit.
    pub(super) fn is_begun(&self) -> bool {
        self.opened.is_some()
    }

    /// Decodes by so many threads from now on.
    pub(super) fn set_threads(&mut self, threads: NonZero<usize>) {
        self.decoding.set_threads(threads);
    }

    /// Threads that decode.
    pub(super) fn threads(&self) -> NonZero<usize> {
        self.decoding.threads()
    }

    pub(super) fn decode(&mut self, message: &Message<'_>) -> Verdict {
        self.messages += 1;
        self.decoding.decode_one(message)
    }

    /// How large a batch may be that is decoded at a time; none if messages are to be decoded one by one.
    pub(super) fn batch_limits(&self) -> Option<BatchLimits> {
        self.decoding.batch_limits(self.room())
    }

    /// Decodes messages of these lengths by several threads; the verdicts are those of its first messages, one at the
    /// least, and the others are to be decoded again.
    pub(super) fn decode_batch<M: Sync>(
        &mut self,
        batch: &[M],
        lengths: &[usize],
        decode: impl Fn(&mut MessageDecoder, &M) -> Verdict + Sync,
    ) -> Vec<Verdict> {
        let verdicts = self.decoding.decode(batch, lengths, self.room(), decode);
        self.messages += verdicts.len() as u64;
        verdicts
    }

    /// Bytes of decoded rows that there is memory for.
    fn room(&self) -> usize {
        self.decoded_limit.saturating_sub(self.decoding.memory_size())
    }

    /// Messages since the last commit.
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    /// The most frequent reasons of rejects within the window, each with a place.
    pub(super) fn reasons(&self, topic: &str) -> String {
        self.reasons.top(topic)
    }

    /// Every reason of rejects within the window, with a place of it.
    pub(super) fn all_reasons(&self, topic: &str) -> Vec<RejectReason> {
        self.reasons.all(topic)
    }

    /// The file is committed; reasons from before the window are forgotten.
    pub(super) fn committed(&mut self, window: Duration, told: impl FnMut(&str, u64)) {
        self.reasons.commit(self.clock.uptime(), window, told);
    }

    /// The schemas of rows and rejects.
    pub(super) fn schemas(&self) -> [FileSchema; 2] {
        let decoder = self.decoding.schemas();
        [FileSchema::of(&decoder.row_schema()), FileSchema::of(&decoder.reject_schema())]
    }

    /// Whether decoded rows have used up their share of the memory.
    pub(super) fn is_full(&self) -> bool {
        self.decoding.memory_size() >= self.decoded_limit
    }

    /// Bytes of decoded rows and rejects, and of the row groups in progress.
    pub(super) fn memory(&self) -> u64 {
        let encoder = |file: &Option<ParquetFile>| file.as_ref().map_or(0, ParquetFile::memory);
        (self.decoding.memory_size() + encoder(&self.rows) + encoder(&self.rejects)) as u64
    }

    /// Encodes what is decoded; row groups that are complete go to the store.
    pub(super) async fn flush(&mut self, zone: &mut Zone) -> Result<(), ParquetError> {
        let Gathered { rows, rejects } = self.decoding.take();
        for batch in &rejects {
            self.reasons.count(batch);
        }
        let Self { clock, waited, row_layout, reject_layout, .. } = self;
        let files = [(&mut self.rows, rows, &*row_layout), (&mut self.rejects, rejects, &*reject_layout)];
        for (file, batches, layout) in files {
            // The layout follows from a sample of the rows.
            let Some(sample) = batches.iter().max_by_key(|batch| batch.num_rows()) else { continue };
            let file = waiting(waited, &**clock, begin(file, zone, sample, layout)).await?;
            for batch in batches {
                file.encode(&batch)?;
                waiting(waited, &**clock, file.hand_over()).await?;
            }
        }
        Ok(())
    }

    /// Time in which the store was waited for since this was asked.
    pub(super) fn take_waited(&mut self) -> Duration {
        std::mem::take(&mut self.waited)
    }

    /// Length of the longer file if it were closed now.
    pub(super) fn bytes(&self) -> u64 {
        let length = |file: &Option<ParquetFile>| file.as_ref().map_or(0, ParquetFile::bytes);
        length(&self.rows).max(length(&self.rejects))
    }

    /// Completes the files; afterwards the next one is open, and empty.
    pub(super) async fn close(&mut self, zone: &mut Zone) -> Result<(Vec<FileEntry>, Written), ParquetError> {
        self.flush(zone).await?;
        self.messages = 0;
        let opened = self.opened.take().map_or_else(|| self.clock.now(), |opened| opened.at);
        let directory = layout::hour(opened);
        let mut files = Vec::new();
        let mut written = Written::default();
        let kinds = [
            (FileZone::Raw, self.rows.take(), self.decoding.schemas().row_schema_id()),
            (FileZone::Rejected, self.rejects.take(), self.decoding.schemas().reject_schema_id()),
        ];
        for (kind, file, schema) in kinds {
            let Some(mut file) = file else { continue };
            file.complete()?;
            let closed = waiting(&mut self.waited, &*self.clock, file.close_completed()).await?;
            match kind {
                FileZone::Rejected => written.rejects += closed.rows,
                FileZone::Raw | FileZone::Processed => written.rows += closed.rows,
            }
            written.bytes += closed.staged.bytes();
            let named = closed.staged.into_raw(kind, &directory, closed.rows, schema);
            files.push(named.expect("a date and an hour are plain names"));
        }
        Ok((files, written))
    }

    /// Drops everything since the last commit. The staged names are the zone's to discard.
    pub(super) fn drop_whole(&mut self) {
        self.waited = Duration::ZERO;
        drop(self.decoding.take());
        self.rows = None;
        self.rejects = None;
        self.opened = None;
        self.messages = 0;
        self.reasons.forget_open();
    }
}

async fn begin<'f>(
    file: &'f mut Option<ParquetFile>,
    zone: &mut Zone,
    first: &RecordBatch,
    layout: &Layout,
) -> Result<&'f mut ParquetFile, ParquetError> {
    match file {
        Some(file) => Ok(file),
        None => {
            let staged = zone.stage().await.map_err(ParquetError::Zone)?;
            Ok(file.insert(ParquetFile::create(staged, first.schema(), &layout.beginning_with(first))?))
        }
    }
}

/// Waits for the store, and adds up for how long.
async fn waiting<T>(waited: &mut Duration, clock: &dyn Clock, work: impl Future<Output = T>) -> T {
    let began = clock.uptime();
    let outcome = work.await;
    *waited += clock.uptime() - began;
    outcome
}
