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

use super::gate::Gate;
use super::groups::{Files, Group};
use super::marks::Marks;
use super::selection::{Selection, conformed};
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
    let output = tokio::sync::Mutex::new(Output::new(compaction, zone, start));
    let delta = Files { zone: compaction.raw, files: &compaction.run.delta, numbers: selected.keys().copied() };
    delta
        .for_each_group(1, |group| async {
            let selection = selected[&group.file].slice(group.rows.start, group.rows.len());
            if selection.is_empty() {
                return Ok(());
            }
            write_group(group, selection, &records, &gate, &mut *output.lock().await).await
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

async fn write_group(
    group: Group<'_>,
    selection: Selection,
    records: &Records,
    gate: &Gate,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let columns: Vec<&str> = records.rows.fields().iter().map(|field| field.name().as_str()).collect();
    let (mut batches, _entered) = group.batches(&columns, gate).await?;
    let mut first = 0;
    loop {
        let (records, selection, file) = (records.clone(), selection.clone(), group.live.file.clone());
        let read = batches.next_with(move |batch| {
            let rows = selection.slice(first, batch.num_rows()).take(&batch)?;
            let Records { rows: target, user_columns, topic, rule } = records;
            let rows = conformed(&rows, &target, &file)?;
            let rejects = late_rejects(&rows, user_columns, &topic, &rule);
            let rejects = rejects.map_err(|source| Error::Column { path: file.path.to_string(), source })?;
            Ok::<_, Error>((batch.num_rows(), rejects))
        });
        let Some(read) = read.await.map_err(Error::File)? else { return Ok(()) };
        let (rows, rejects) = read?;
        first += rows;
        output.write(rejects).await?;
    }
}

/// Files of reject records, one after the other.
struct Output<'z> {
    zone: &'z mut Zone,
    layout: Layout,
    directory: String,
    target: u64,
    open: Option<ParquetFile>,
    files: Vec<FileEntry>,
}

impl<'z> Output<'z> {
    fn new(compaction: &Compaction<'_>, zone: &'z mut Zone, start: LogTime) -> Self {
        let Compaction { plan, options, .. } = compaction;
        let layout = Layout {
            row_group_bytes: options.row_group_bytes.min(options.budget.writing.max(super::output::LEAST_OUTPUT)),
            compression: plan.compression,
            ..Layout::default()
        };
        let directory = layout::hour(start.utc());
        Self { zone, layout, directory, target: plan.target_size, open: None, files: Vec::new() }
    }

    async fn write(&mut self, rejects: RecordBatch) -> Result<(), Error> {
        if rejects.num_rows() == 0 {
            return Ok(());
        }
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
        if file.bytes() >= self.target {
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
