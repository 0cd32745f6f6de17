//! Pass 1: key, order and coordinates of the delta's rows, and of the zone's rows that may have one of their keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, SchemaRef};
use gristmill_core::compact::{
    Bucket, ContenderReader, Contenders, KeyHash, Origin, RunPlan, Side, Superseded, Topics,
};
use gristmill_core::log::{LiveFile, Sequence};
use tracing::info;

use super::filter::DeltaKeys;
use super::gate::Gate;
use super::groups::{Files, Group};
use super::known::{CompleteKeys, KnownKeys};
use super::late::LateRows;
use super::marks::Marks;
use super::ranges::Ranges;
use super::selection::conformed;
use super::{Compaction, Error, Phase};
use crate::zone::ZoneReader;

/// Bytes that an order of unknown length is taken to have.
const USUAL_ORDER: usize = 24;

/// What the threads of pass 1 share.
struct Scan {
    reader: Arc<ContenderReader>,
    /// The columns that decide.
    columns: SchemaRef,
    /// Those of the key among them.
    key_columns: SchemaRef,
    topics: Arc<Topics>,
    contenders: Arc<Ranges<Contenders>>,
    late: LateRows,
    superseded: Superseded,
    buckets: u32,
    read: AtomicU64,
    /// Rows of the delta whose message was read again later.
    old: AtomicU64,
    zone: Found,
}

/// Row groups of the zone, by how much of them was read.
#[derive(Default)]
struct Found {
    all: AtomicU64,
    keys_read: AtomicU64,
    rows_read: AtomicU64,
}

/// The rows that take part.
pub(super) struct Scanned {
    /// By ranges of their key.
    pub(super) contenders: Arc<Ranges<Contenders>>,
    /// What the numbers of topic ids stand for.
    pub(super) topics: Arc<Topics>,
    /// Rows of the delta.
    pub(super) read: u64,
    /// Those of them whose message was read again later: they take no part when the zone is computed anew.
    pub(super) superseded: u64,
    /// Those of them that are late.
    pub(super) late: u64,
    /// Those of the late rows that are rejected: they are not among the contenders.
    pub(super) rejected: Marks,
}

/// Reads every row of the delta, and of the zone those that may have a key of the delta.
pub(super) async fn scan(
    compaction: &Compaction<'_>,
    reader: Arc<ContenderReader>,
    zone: &ZoneReader,
) -> Result<Scanned, Error> {
    let Compaction { run, raw, options, .. } = compaction;
    let in_rows = |source| Error::Column { path: compaction.plan.processed_path.clone(), source };
    let late = LateRows::of(compaction);
    let mut columns = reader.columns();
    columns.extend(late.column().filter(|column| !reader.columns().contains(column)));
    let columns = compaction.layout.select(&columns).map_err(in_rows)?;
    let key: Vec<&str> = reader.key().iter().map(String::as_str).collect();
    let key_columns = compaction.layout.select(&key).map_err(in_rows)?;
    let rows: u64 = run.delta.iter().map(|live| live.file.rows).sum();
    let rows = usize::try_from(rows).unwrap_or(usize::MAX);
    let expected = rows.saturating_mul(Contenders::bytes_of_one(order_bytes(&columns, &compaction.plan.order_by)));
    let budget = &options.budget;
    let range_memory = budget.settling / options.threads;
    let contenders = Arc::new(Ranges::new(expected, budget.keys, range_memory, Arc::clone(&compaction.spill)));
    let scan = Arc::new(Scan {
        reader,
        columns,
        key_columns,
        topics: Arc::default(),
        contenders,
        late,
        superseded: compaction.superseded(),
        buckets: compaction.plan.buckets,
        read: AtomicU64::new(0),
        old: AtomicU64::new(0),
        zone: Found::default(),
    });
    let gate = budget.gate_of_reading();
    let asked_for = if run.zone.is_empty() { 0 } else { rows };
    let known = Arc::new(KnownKeys::new(asked_for, budget.filter));
    let keys = Arc::new(DeltaKeys::new(&compaction.plan.key));
    let keep = (!run.zone.is_empty()).then_some((&keys, &known));

    let progress = &options.progress;
    progress.begin(Phase::Keys, rows as u64);
    Files { zone: raw, files: &run.delta, numbers: 0..count(&run.delta) }
        .for_each_group(options.threads, |group| async {
            let (taken, rows) = (scan.taken(run, group.live.sequence), group.rows.len());
            read_delta(&scan, group, taken, keep, &gate).await?;
            progress.add(rows);
            Ok(())
        })
        .await?;
    if !run.zone.is_empty() {
        let known = Arc::into_inner(known).expect("the threads that added keys are done").complete();
        let known = Arc::new(known);
        progress.begin(Phase::Zone, run.zone.iter().map(|live| live.file.rows).sum());
        Files { zone, files: &run.zone, numbers: 0..count(&run.zone) }
            .for_each_group(options.threads, |group| async {
                let rows = group.rows.len();
                read_zone(&scan, group, &keys, &known, &gate).await?;
                progress.add(rows);
                Ok(())
            })
            .await?;
        let [row_groups, keys_read, rows_read] =
            [&scan.zone.all, &scan.zone.keys_read, &scan.zone.rows_read].map(|count| count.load(Ordering::Relaxed));
        info!(row_groups, keys_read, rows_read, "looked in the zone for keys of the delta");
    }
    let Scan { topics, contenders, read, old, late, .. } = &*scan;
    let [read, superseded] = [read, old].map(|count| count.load(Ordering::Relaxed));
    let (late, rejected) = late.finish();
    let (contenders, topics) = (Arc::clone(contenders), Arc::clone(topics));
    Ok(Scanned { contenders, topics, read, superseded, late, rejected })
}

fn count(files: &[LiveFile]) -> u32 {
    u32::try_from(files.len()).expect("a zone has fewer files")
}

/// Bytes of the order of a row, as far as its types tell.
fn order_bytes(columns: &SchemaRef, order_by: &[String]) -> usize {
    let of = |name: &String| match columns.field_with_name(name).map(|field| field.data_type()) {
        Ok(DataType::Boolean) => 2,
        Ok(DataType::Int32 | DataType::Date32) => 5,
        Ok(DataType::Int64 | DataType::Float64 | DataType::Timestamp(..)) => 9,
        Ok(DataType::Decimal128(..)) => 17,
        Ok(_) | Err(_) => USUAL_ORDER,
    };
    order_by.iter().map(of).sum()
}

fn names(schema: &SchemaRef) -> Vec<&str> {
    schema.fields().iter().map(|field| field.name().as_str()).collect()
}

async fn read_delta(
    scan: &Arc<Scan>,
    group: Group<'_>,
    taken: Option<Arc<[bool]>>,
    keep: Option<(&Arc<DeltaKeys>, &Arc<KnownKeys>)>,
    gate: &Gate,
) -> Result<(), Error> {
    let (mut batches, _entered) = group.batches(&names(&scan.columns), gate).await?;
    let (live, mut origin) = (Arc::new(group.live.clone()), origin(&group, Side::Delta));
    loop {
        let (scan, live, taken) = (Arc::clone(scan), Arc::clone(&live), taken.clone());
        let keep = keep.map(|(keys, known)| (Arc::clone(keys), Arc::clone(known)));
        let read = batches.next_with(move |batch| {
            let is_taken = |key| taken.as_ref().is_none_or(|taken| taken[Bucket::of(key, scan.buckets).0 as usize]);
            let (rows, contenders) = scan.contenders_of_delta(&batch, origin, is_taken, &live)?;
            if let Some((keys, known)) = keep {
                keys.add(&rows);
                known.add((0..contenders.len()).map(|index| contenders.key(index)));
            }
            scan.contenders.add(&contenders).map_err(Error::Spill)?;
            Ok::<_, Error>(batch.num_rows())
        });
        match read.await.map_err(Error::File)? {
            Some(rows) => origin.first_row += u32::try_from(rows?).expect("a batch is short"),
            None => return Ok(()),
        }
    }
}

/// Reads the key columns first: of most row groups no row has a key of the delta, and of the others the rest is read too.
async fn read_zone(
    scan: &Arc<Scan>,
    group: Group<'_>,
    keys: &Arc<DeltaKeys>,
    known: &Arc<CompleteKeys>,
    gate: &Gate,
) -> Result<(), Error> {
    let one_more = |count: &AtomicU64| count.fetch_add(1, Ordering::Relaxed);
    one_more(&scan.zone.all);
    if !keys.may_be_in(&group.reader, group.number).await? {
        return Ok(());
    }
    one_more(&scan.zone.keys_read);
    if !has_known(scan, &group, keys, known, gate).await? {
        return Ok(());
    }
    one_more(&scan.zone.rows_read);
    let (mut batches, _entered) = group.batches(&names(&scan.columns), gate).await?;
    let (live, mut origin) = (Arc::new(group.live.clone()), origin(&group, Side::Zone));
    loop {
        let (scan, live, known) = (Arc::clone(scan), Arc::clone(&live), Arc::clone(known));
        let read = batches.next_with(move |batch| {
            let contenders = scan.contenders_of(&batch, origin, |key| known.may_have(key), &live)?;
            scan.contenders.add(&contenders).map_err(Error::Spill)?;
            Ok::<_, Error>(batch.num_rows())
        });
        match read.await.map_err(Error::File)? {
            Some(rows) => origin.first_row += u32::try_from(rows?).expect("a batch is short"),
            None => return Ok(()),
        }
    }
}

/// Whether a row of a row group of the zone may have a key of the delta.
async fn has_known(
    scan: &Arc<Scan>,
    group: &Group<'_>,
    keys: &Arc<DeltaKeys>,
    known: &Arc<CompleteKeys>,
    gate: &Gate,
) -> Result<bool, Error> {
    let columns = names(&scan.key_columns);
    if columns.iter().all(|column| group.reader.schema().index_of(column).is_err()) {
        // Its directory names the whole key: there is no column to decode, and one row to count on.
        return Ok(true);
    }
    let (mut batches, _entered) = group.batches(&columns, gate).await?;
    let (live, nulls) = (Arc::new(group.live.clone()), keys.null_keys());
    loop {
        let (scan, live, known) = (Arc::clone(scan), Arc::clone(&live), Arc::clone(known));
        let any = batches.next_with(move |batch| {
            let rows = conformed(&batch, &scan.key_columns, &live.file)?;
            let any = scan.reader.any_known(&rows, |key| known.may_have(key), nulls);
            any.map_err(|source| Error::Column { path: live.file.path.to_string(), source })
        });
        let Some(any) = any.await.map_err(Error::File)? else { return Ok(false) };
        if any? {
            return Ok(true);
        }
    }
}

fn origin(group: &Group<'_>, side: Side) -> Origin {
    Origin { side, file: group.file, first_row: u32::try_from(group.rows.start).expect("a file's rows fit a u32") }
}

impl Scan {
    /// Which buckets a file of the delta is new to, if not to all.
    fn taken(&self, run: &RunPlan, sequence: Sequence) -> Option<Arc<[bool]>> {
        let taken: Arc<[bool]> = (0..self.buckets).map(|bucket| run.takes(Bucket(bucket), sequence)).collect();
        if taken.iter().all(|taken| *taken) { None } else { Some(taken) }
    }

    /// Counts the rows of the delta and gives those that take part: late ones that are rejected do not.
    fn contenders_of_delta(
        &self,
        batch: &RecordBatch,
        origin: Origin,
        is_taken: impl Fn(KeyHash) -> bool,
        live: &LiveFile,
    ) -> Result<(RecordBatch, Contenders), Error> {
        let in_file = |source| Error::Column { path: live.file.path.to_string(), source };
        let rows = conformed(batch, &self.columns, &live.file)?;
        let mut left_out = None;
        if let Some(late) = self.late.find(&rows).map_err(in_file)? {
            let keys = self.reader.hashes(&rows).map_err(in_file)?;
            let late = BooleanBuffer::collect_bool(keys.len(), |row| late.value(row) && is_taken(keys[row]));
            left_out = self.late.take(late, origin);
        }
        if let Some(old) = self.superseded.find(&rows).map_err(in_file)? {
            // A run that computes the zone anew takes all buckets, and calls no row late.
            self.old.fetch_add(old.count_set_bits() as u64, Ordering::Relaxed);
            left_out = Some(old);
        }
        let mut contenders = Contenders::default();
        let takes_part = left_out.as_ref().map_or_else(|| BooleanBuffer::new_set(rows.num_rows()), |out| !out);
        for (start, end) in takes_part.set_slices() {
            // The rows between those that are left out: each keeps its address.
            let first_row = origin.first_row + u32::try_from(start).expect("a batch is short");
            let (part, origin) = (rows.slice(start, end - start), Origin { first_row, ..origin });
            self.reader.read(&part, origin, &is_taken, &self.topics, &mut contenders).map_err(in_file)?;
        }
        let out = left_out.map_or(0, |out| out.count_set_bits());
        self.read.fetch_add((contenders.len() + out) as u64, Ordering::Relaxed);
        Ok((rows, contenders))
    }

    fn contenders_of(
        &self,
        batch: &RecordBatch,
        origin: Origin,
        takes_part: impl Fn(KeyHash) -> bool,
        live: &LiveFile,
    ) -> Result<Contenders, Error> {
        let rows = conformed(batch, &self.columns, &live.file)?;
        let mut contenders = Contenders::default();
        self.reader
            .read(&rows, origin, takes_part, &self.topics, &mut contenders)
            .map_err(|source| Error::Column { path: live.file.path.to_string(), source })?;
        Ok(contenders)
    }
}
