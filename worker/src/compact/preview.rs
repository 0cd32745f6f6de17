//! What a run would do: planned, and decided by a first pass that only reads. Nothing is made, registered or written but
//! what is spilled to local disk.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use gristmill_core::compact::{ContenderReader, Plan, RunPlan, directory};
use gristmill_core::log::{BucketSpan, FileZone, LiveFile, LogTime, RunKind, RunRows};
use gristmill_crds::plan::CompactionPlan;

use super::attempt::Compaction;
use super::groups::{Files, SelectedBatch};
use super::merging::merged;
use super::places::{Place, Places};
use super::selection::Selection;
use super::settling::{self, Decided};
use super::{Error, Options, Phase, Zones, expected, planned};
use crate::zone::{Zone, ZoneReader};

/// Files, and what is in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// How many.
    pub files: u64,
    /// Their rows.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Size {
    fn of<'l>(files: impl IntoIterator<Item = &'l LiveFile>) -> Self {
        let add = |Self { files, rows, bytes }, live: &LiveFile| Self {
            files: files + 1,
            rows: rows + live.file.rows,
            bytes: bytes + live.file.bytes,
        };
        files.into_iter().fold(Self::default(), add)
    }
}

/// A directory that new rows go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The bucket.
    pub bucket: u32,
    /// The directory below the zone's; empty if no column names directories.
    pub directory: String,
    /// New rows, or new versions of rows.
    pub rows: u64,
}

/// What a run would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// URL of the RAW zone.
    pub raw: String,
    /// URL of the Processed zone.
    pub processed: String,
    /// Whether it would take what is new, or compute the zone anew.
    pub kind: RunKind,
    /// The buckets that it would be for; none if for all.
    pub buckets: Option<BucketSpan>,
    /// RAW's position before.
    pub from: i64,
    /// RAW's position after.
    pub to: i64,
    /// RAW files that it reads.
    pub delta: Size,
    /// Live files of the zone now; rejects do not count.
    pub zone: Size,
    /// Rows by what would become of them.
    pub rows: RunRows,
    /// Rows whose time lies before it are late; none if no row can be.
    pub late_before: Option<LogTime>,
    /// Every message before it is in the zone now.
    pub processed_through: Option<LogTime>,
    /// Every message before it would be, of the buckets of the run.
    pub through: Option<LogTime>,
    /// Directories that new rows go to, by bucket and value.
    pub parts: Vec<Part>,
    /// Files that hold rows that are replaced.
    pub rewritten: Size,
    /// Small files that are put together beside them.
    pub merged: Size,
}

/// Says what [`super::run`] would do with the same options.
///
/// # Errors
/// As the run itself, as far as it would come without writing.
pub async fn preview(plan: &CompactionPlan, zones: &Zones, options: &Options) -> Result<Preview, Error> {
    let part = options.work.part(plan.buckets).map_err(Error::Refused)?;
    let mut raw = ZoneReader::open(zones.raw.clone()).await.map_err(Error::Zone)?;
    let zone = Zone::read_or_imagine(zones.processed.clone(), &expected(plan, &raw)).await.map_err(Error::Zone)?;
    raw.refresh().await.map_err(Error::Zone)?;
    let through = zone.fold().all_processed_through();
    let nothing = |position| Preview {
        raw: zones.raw.url().to_string(),
        processed: zones.processed.url().to_string(),
        kind: options.work.kind(),
        buckets: part,
        from: position,
        to: position,
        delta: Size::default(),
        zone: Size::of(zone.fold().live().values().filter(|live| live.file.zone == FileZone::Processed)),
        rows: RunRows::default(),
        late_before: None,
        processed_through: through,
        through,
        parts: Vec::new(),
        rewritten: Size::default(),
        merged: Size::default(),
    };
    match planned(plan, raw.fold(), zone.fold(), options.work).map_err(Error::Refused)? {
        Plan::NothingNew { position } => Ok(nothing(position)),
        Plan::Run(run) => {
            let compaction = Compaction::new(plan, &run, &raw, options);
            let preview = Preview { to: run.to, through: run.through, ..nothing(run.from()) };
            decided(preview, &compaction, &zone).await
        }
    }
}

async fn decided(preview: Preview, compaction: &Compaction<'_>, zone: &ZoneReader) -> Result<Preview, Error> {
    let (run, plan) = (compaction.run, compaction.plan);
    compaction.dropped(zone).await?;
    let Decided { winners, replaced, rejected: _, rows, reader } = settling::decide(compaction, zone).await?;
    let winners: Selected = winners.into_files().into_iter().map(|(file, rows)| (file, Selection::of(rows))).collect();
    // How many rows of each file stay.
    let left = |(file, gone): (u32, arrow::buffer::BooleanBuffer)| (file, gone.len() - gone.count_set_bits());
    let left: BTreeMap<u32, usize> = replaced.into_files().into_iter().map(left).collect();

    let places = places(compaction, &winners, reader).await?;
    let stays = left.iter().filter(|(_, rows)| **rows > 0).map(|(file, _)| place(run, *file));
    let written: HashSet<Place> = places.keys().cloned().chain(stays).collect();
    let merged = merged(plan, run, |file| left.contains_key(&file), &written);
    let part = |(place, rows): (Place, u64)| {
        let directory = directory(&place.values).map_err(Error::Directory)?;
        Ok(Part { bucket: place.bucket, directory, rows })
    };
    let live = |file: &u32| &run.zone[*file as usize];
    let rewritten = match run.rebuild {
        Some(_) => Size::of(compaction.files_before()),
        None => Size::of(left.keys().map(live)),
    };
    Ok(Preview {
        delta: Size::of(&run.delta),
        rows,
        late_before: compaction.late_rule().map(|rule| rule.limit()),
        parts: places.into_iter().map(part).collect::<Result<_, Error>>()?,
        rewritten,
        merged: Size::of(merged.iter().map(live)),
        ..preview
    })
}

/// Rows of some files of the delta, by the number of the file.
type Selected = BTreeMap<u32, Selection>;

/// Where a file of the zone lies.
fn place(run: &RunPlan, file: u32) -> Place {
    let file = &run.zone[file as usize].file;
    Place { bucket: file.bucket.unwrap_or(0), values: file.partition.clone().unwrap_or_default() }
}

/// Where rows of the delta go, by reading the columns that tell.
async fn places(
    compaction: &Compaction<'_>,
    selected: &Selected,
    reader: Arc<ContenderReader>,
) -> Result<BTreeMap<Place, u64>, Error> {
    let Compaction { run, raw, plan, options, layout, .. } = compaction;
    let mut columns = reader.columns();
    for field in &plan.partition_by {
        if !columns.contains(&field.column.as_str()) {
            columns.push(&field.column);
        }
    }
    let rows = layout.select(&columns).map_err(|source| Error::Column { path: plan.processed_path.clone(), source })?;
    let count = selected.values().map(|rows| rows.count() as u64).sum();
    options.progress.begin(Phase::Rows, count);
    let counting = Counting {
        rows,
        places: Places::try_new(&plan.partition_by, layout.rows(), &reader, plan.buckets)?,
        counts: Mutex::default(),
    };
    let (counting, gate) = (Arc::new(counting), options.budget.gate_of_reading());
    Files { zone: raw, files: &run.delta, numbers: selected.keys().copied() }
        .for_each_group(options.threads, |group| async {
            let group = group;
            let mut rows = group.select(&selected[&group.file], &counting.rows, &gate).await?;
            loop {
                let counting = Arc::clone(&counting);
                if rows.next(move |batch| counting.count(&batch)).await?.is_none() {
                    return Ok(());
                }
            }
        })
        .await?;
    let counts = counting.counts.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(counting.places.known().into_iter().zip(counts.iter().copied()).collect())
}

/// What the threads share.
struct Counting {
    rows: arrow::datatypes::SchemaRef,
    places: Places,
    /// Rows of each place, by its number.
    counts: Mutex<Vec<u64>>,
}

impl Counting {
    fn count(&self, rows: &SelectedBatch) -> Result<(), Error> {
        let numbers = self.places.of(&rows.batch, &rows.selection)?;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for number in numbers {
            let number = number as usize;
            if counts.len() <= number {
                counts.resize(number + 1, 0);
            }
            counts[number] += 1;
        }
        Ok(())
    }
}
