//! The open file: rows and rejects of all partitions since the last commit, and the Parquet files that they go to.
//!
//! A Parquet file is begun only when there are rows for it, so a commit of tombstones writes none.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use gristmill_core::log::{FileEntry, FileSchema, FileZone, layout};
use gristmill_core::raw::{Message, MessageDecoder, Verdict};
use gristmill_crds::plan::IngestPlan;
use gristmill_crds::report::RejectReason;

use super::budget::Budget;
use super::reasons::Reasons;
use crate::parquet_file::{Error as ParquetError, Layout, ParquetFile};
use crate::zone::{Clock, Zone};

/// What becomes one commit.
pub(super) struct OpenFile {
    clock: Arc<dyn Clock>,
    decoder: MessageDecoder,
    rows: Option<ParquetFile>,
    rejects: Option<ParquetFile>,
    opened: Option<Opened>,
    messages: u64,
    reasons: Reasons,
    decoded_limit: usize,
    row_layout: Layout,
    reject_layout: Layout,
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
            decoder: MessageDecoder::new(plan),
            rows: None,
            rejects: None,
            opened: None,
            messages: 0,
            reasons: Reasons::default(),
            // A file can't be closed at its size before its rows are encoded.
            decoded_limit: size(budget.decoded.min(plan.target_size)),
            row_layout: layout(budget.row_group),
            reject_layout: layout(budget.reject_row_group),
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

    pub(super) fn decode(&mut self, message: &Message<'_>) -> Verdict {
        self.messages += 1;
        self.decoder.decode(message)
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
        [FileSchema::of(&self.decoder.row_schema()), FileSchema::of(&self.decoder.reject_schema())]
    }

    /// Whether decoded rows have used up their share of the memory.
    pub(super) fn is_full(&self) -> bool {
        self.decoder.memory_size() >= self.decoded_limit
    }

    /// Bytes of decoded rows and rejects, and of the row groups in progress.
    pub(super) fn memory(&self) -> u64 {
        let encoder = |file: &Option<ParquetFile>| file.as_ref().map_or(0, ParquetFile::memory);
        (self.decoder.memory_size() + encoder(&self.rows) + encoder(&self.rejects)) as u64
    }

    /// Encodes what is decoded; row groups that are complete go to the store.
    pub(super) async fn flush(&mut self, zone: &mut Zone) -> Result<(), ParquetError> {
        if let Some(batch) = self.decoder.take_rows() {
            let file = begin(&mut self.rows, zone, &batch, &self.row_layout).await?;
            file.write(&batch).await?;
        }
        if let Some(batch) = self.decoder.take_rejects() {
            self.reasons.count(&batch);
            let file = begin(&mut self.rejects, zone, &batch, &self.reject_layout).await?;
            file.write(&batch).await?;
        }
        Ok(())
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
            (FileZone::Raw, self.rows.take(), self.decoder.row_schema_id()),
            (FileZone::Rejected, self.rejects.take(), self.decoder.reject_schema_id()),
        ];
        for (kind, file, schema) in kinds {
            let Some(file) = file else { continue };
            let closed = file.close().await?;
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
        self.decoder.take_rows();
        self.decoder.take_rejects();
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
