//! Rows that come too late. All are counted; under `policy: Reject` they take no part in the contest, and stand as reject
//! records beside the zone, in files of the same entry.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::SchemaRef;
use gristmill_core::compact::{Conflict, LateRule, Origin, late_rejects};
use gristmill_core::log::{FileEntry, FileZone, Genesis, LogTime, layout};
use gristmill_core::raw::{reject_schema, schema_id};
use gristmill_crds::LatePolicy;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

use super::fullness::Fullness;
use super::groups::{Files, SelectedBatch};
use super::marks::Marks;
use super::output::{LEAST_OUTPUT, chunk_bytes};
use super::row_bytes::RowBytes;
use super::selection::Selection;
use super::{Compaction, Error};
use crate::blocking::blocking;
use crate::parquet_file::{ClosedFile, Layout, ParquetFile};
use crate::zone::Zone;

/// The late rows of a run, as pass 1 finds them.
pub(super) struct LateRows {
    rule: Option<LateRule>,
    /// What becomes of them; none where no row can be late.
    policy: LatePolicy,
    count: AtomicU64,
    /// Those that are rejected.
    rejected: Mutex<Marks>,
}

impl LateRows {
    pub(super) fn of(compaction: &Compaction<'_>) -> Self {
        let policy = compaction.plan.lateness.as_ref().map_or(LatePolicy::Merge, |lateness| lateness.policy);
        let rejected = Mutex::new(Marks::of(&compaction.run.delta));
        Self { rule: compaction.late_rule(), policy, count: AtomicU64::new(0), rejected }
    }

    /// The column that tells which rows are late.
    pub(super) fn column(&self) -> Option<&str> {
        self.rule.as_ref().map(LateRule::column)
    }

    /// Which rows of a batch of the delta are late; none if no row is.
    pub(super) fn find(&self, rows: &RecordBatch) -> Result<Option<BooleanArray>, Conflict> {
        let Some(rule) = &self.rule else { return Ok(None) };
        let late = rule.late(rows)?;
        Ok((late.true_count() > 0).then_some(late))
    }

    /// Takes the late rows of a batch that belong to the run; gives those that are to take no part.
    pub(super) fn take(&self, late: BooleanBuffer, origin: Origin) -> Option<BooleanBuffer> {
        let count = late.count_set_bits();
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        if count == 0 || self.policy == LatePolicy::Merge {
            return None;
        }
        let mut rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        late.set_indices().for_each(|row| rejected.set(origin.address(row)));
        drop(rejected);
        Some(late)
    }

    /// How many rows were late, and those of them that are rejected.
    pub(super) fn finish(&self) -> (u64, Marks) {
        let mut rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        (self.count.load(Ordering::Relaxed), std::mem::replace(&mut rejected, Marks::of(&[])))
    }
}

/// Writes rows of the delta as reject records; the entries of the files, which belong to no bucket and no directory of
/// values.
pub(super) async fn reject(
    compaction: &Compaction<'_>,
    zone: &mut Zone,
    rejected: Marks,
    start: LogTime,
) -> Result<Vec<FileEntry>, Error> {
    let Some(rule) = compaction.late_rule().filter(|_| rejected.count() > 0) else { return Ok(Vec::new()) };
    let Genesis::Raw(genesis) = compaction.raw.fold().genesis() else {
        unreachable!("a run of another zone is refused")
    };
    let selected: BTreeMap<u32, Selection> =
        rejected.into_files().into_iter().map(|(file, rows)| (file, Selection::of(rows))).collect();
    let records = Records {
        rows: Arc::clone(compaction.layout.rows()),
        user_columns: compaction.layout.user_columns().fields().len(),
        topic: genesis.topic.clone(),
        rule,
    };
    let gate = compaction.options.budget.gate_of_reading();
    let output = AsyncMutex::new(Output::new(compaction, zone, start));
    let delta = Files { zone: compaction.raw, files: &compaction.run.delta, numbers: selected.keys().copied() };
    delta
        .for_each_group(1, |group| async {
            let group = group;
            let mut rows = group.select(&selected[&group.file], &records.rows, &gate).await?;
            let mut output = output.lock().await;
            while let Some(batch) = rows.next(Ok).await? {
                write_batch(batch, &records, &mut output).await?;
            }
            Ok(())
        })
        .await?;
    output.into_inner().finish().await
}

/// How rows become reject records.
#[derive(Clone)]
struct Records {
    rows: SchemaRef,
    user_columns: usize,
    topic: String,
    rule: LateRule,
}

/// Writes the records of some rows. Each holds its row a second time, so that a few are made at a time.
async fn write_batch(batch: SelectedBatch, records: &Records, output: &mut Output<'_>) -> Result<(), Error> {
    let SelectedBatch { batch, selection, first_row: _, live } = batch;
    let rows = selection.take(&batch)?;
    for range in RowBytes::of(&rows).ranges(output.chunk_bytes) {
        let (rows, live, records) = (rows.slice(range.start, range.len()), Arc::clone(&live), records.clone());
        let rejects = blocking(move || {
            let Records { rows: _, user_columns, topic, rule } = records;
            let rejects = late_rejects(&rows, user_columns, &topic, &rule);
            rejects.map_err(|source| Error::Column { path: live.file.path.to_string(), source })
        });
        output.write(rejects.await?).await?;
    }
    Ok(())
}

/// Files of reject records, one after the other.
struct Output<'z> {
    zone: &'z mut Zone,
    layout: Layout,
    directory: String,
    /// Bytes of rows that are written at a time.
    chunk_bytes: usize,
    fullness: Fullness,
    /// Records are written by one thread.
    processor: Semaphore,
    open: Option<ParquetFile>,
    files: Vec<FileEntry>,
}

impl<'z> Output<'z> {
    fn new(compaction: &Compaction<'_>, zone: &'z mut Zone, start: LogTime) -> Self {
        let Compaction { plan, options, .. } = compaction;
        let layout = Layout {
            row_group_bytes: options.row_group_bytes.min(options.budget.writing.max(LEAST_OUTPUT)),
            compression: plan.compression,
            ..Layout::default()
        };
        let directory = layout::hour(start.utc());
        Self {
            zone,
            layout,
            directory,
            chunk_bytes: chunk_bytes(plan.target_size),
            fullness: Fullness::of(plan.target_size, None),
            processor: Semaphore::new(1),
            open: None,
            files: Vec::new(),
        }
    }

    async fn write(&mut self, rejects: RecordBatch) -> Result<(), Error> {
        let mut file = match self.open.take() {
            Some(file) => file,
            None => {
                let staged = self.zone.stage().await.map_err(Error::Zone)?;
                ParquetFile::create(staged, reject_schema(), &self.layout).map_err(Error::File)?
            }
        };
        let (mut file, encoded) = blocking(move || {
            let encoded = file.encode(&rejects);
            (file, encoded)
        })
        .await;
        encoded.map_err(Error::File)?;
        file.hand_over().await.map_err(Error::File)?;
        let (file, is_full) = self.fullness.judge(file, &self.processor).await?;
        if is_full {
            return self.close(file).await;
        }
        self.open = Some(file);
        Ok(())
    }

    async fn close(&mut self, file: ParquetFile) -> Result<(), Error> {
        let ClosedFile { staged, rows } = file.close().await.map_err(Error::File)?;
        let entry = staged.into_raw(FileZone::Rejected, &self.directory, rows, schema_id(&reject_schema()));
        self.files.push(entry.expect("an hour's directory is a path"));
        Ok(())
    }

    async fn finish(mut self) -> Result<Vec<FileEntry>, Error> {
        if let Some(file) = self.open.take() {
            self.close(file).await?;
        }
        Ok(self.files)
    }
}
