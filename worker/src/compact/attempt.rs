//! One try of a run: everything up to its entry, and the entry.

use std::sync::Arc;

use arrow::datatypes::FieldRef;
use gristmill_core::compact::{Bucket, LateRule, Layout, RunPlan, Superseded, complete_through};
use gristmill_core::log::{
    BucketRange, Data, FileEntry, FileZone, LiveFile, LogTime, ProcessedData, RemovedFile, RunFiles, RunKind, RunRows,
    RunSummary,
};
use gristmill_crds::plan::CompactionPlan;
use tracing::info;

use super::marks::Marks;
use super::report::Outcome;
use super::spill::Spill;
use super::usage::Usage;
use super::{Error, Options, Phase, ProcessUse, compatible, late, rewrite, settling};
use crate::zone::{Appended, Zone, ZoneReader};

/// What became of one try.
pub(super) enum Attempt {
    Committed(Outcome),
    /// Another run moved the zone on: positions or files are not those that this try began with.
    Overtaken,
}

pub(super) async fn attempt(
    plan: &CompactionPlan,
    run: &RunPlan,
    raw: &ZoneReader,
    zone: &mut Zone,
    options: &Options,
) -> Result<Attempt, Error> {
    let start = zone.reader().surroundings().now();
    let compaction = Compaction::new(plan, run, raw, options);
    let data = match compaction.produce(zone, start).await {
        Ok(data) => data,
        Err(error) => {
            // Best effort: what stays is garbage that no entry names.
            drop(zone.discard_staged().await);
            // Another run may have retired a file while it was read here; retention may have taken one that it consumed.
            let is_overtaken = error.is_lost_file() && zone.refresh().await.is_ok() && !run.stands(zone.fold());
            return if is_overtaken { Ok(Attempt::Overtaken) } else { Err(error) };
        }
    };
    let summary = data.run.clone();
    match zone.append(Data::Processed(data)).await.map_err(Error::Zone)? {
        Appended::Won(sequence) => {
            zone.publish(sequence).await.map_err(Error::Zone)?;
            let RunRows { read, duplicate_in_delta, duplicate_in_zone, written, late, rejected } = summary.rows;
            let processed_through = run.through.map(tracing::field::display);
            let watermark = complete_through(raw.fold()).map(tracing::field::display);
            info!(
                %sequence,
                read,
                duplicate_in_delta,
                duplicate_in_zone,
                late,
                rejected,
                written,
                processed_through,
                watermark,
                "committed run"
            );
            Ok(Attempt::Committed(Outcome::Committed { sequence, from: run.from(), to: run.to, summary }))
        }
        Appended::Lost(_) => {
            zone.discard_staged().await.map_err(Error::Zone)?;
            if zone.fold().is_fenced(zone.incarnation()) {
                // It slept so long that another took it for dead; under its old incarnation it would lose for ever.
                zone.renew_incarnation().map_err(Error::Zone)?;
            }
            Ok(Attempt::Overtaken)
        }
    }
}

/// One try of a run: its facts.
pub(super) struct Compaction<'r> {
    pub(super) plan: &'r CompactionPlan,
    pub(super) run: &'r RunPlan,
    pub(super) raw: &'r ZoneReader,
    pub(super) layout: Layout,
    pub(super) options: &'r Options,
    pub(super) spill: Arc<Spill>,
}

impl<'r> Compaction<'r> {
    pub(super) fn new(plan: &'r CompactionPlan, run: &'r RunPlan, raw: &'r ZoneReader, options: &'r Options) -> Self {
        let layout = Layout::new(&plan.columns, &plan.partition_by);
        Self { plan, run, raw, layout, options, spill: Arc::new(Spill::new(&options.spill_directory)) }
    }

    /// Everything up to the commit.
    async fn produce(&self, zone: &mut Zone, start_time: LogTime) -> Result<ProcessedData, Error> {
        let usage = Usage::begin().filter(|_| self.options.process == ProcessUse::Alone);
        let folded = zone.fold().head();
        let dropped = self.dropped(zone.reader()).await?;
        let mut decided = settling::decide(self, zone.reader()).await?;
        let rows = decided.rows;
        let rejected = std::mem::replace(&mut decided.rejected, Marks::of(&[]));
        let (mut added, removed) = rewrite::rewrite(self, zone, decided, &dropped).await?;
        let files = self.files(&added, &removed);
        added.extend(late::reject(self, zone, rejected, start_time).await?);
        self.options.progress.begin(Phase::Committing, 0);
        let completion_time = zone.reader().surroundings().now();
        let late_before = self.late_rule().map(|rule| rule.limit());
        let delta_bytes = self.run.delta.iter().map(|live| live.file.bytes).sum();
        let cost = usage.and_then(|usage| usage.cost(delta_bytes));
        let kind = if self.run.rebuild.is_some() { RunKind::Rebuild } else { RunKind::Increment };
        let (through, buckets) = (self.run.through, self.run.span(self.plan.buckets));
        let summary =
            RunSummary { start_time, completion_time, rows, files, late_before, cost, kind, through, buckets };
        zone.refresh().await.map_err(Error::Zone)?;
        if zone.fold().head() > folded {
            // A run of other buckets has committed, maybe under other documents.
            self.dropped(zone.reader()).await?;
        }
        Ok(self.entry(added, removed, summary))
    }

    /// Columns that only files of the zone have. A run that replaces all of them has no use for them, whatever their types.
    pub(super) async fn dropped(&self, zone: &ZoneReader) -> Result<Vec<FieldRef>, Error> {
        match self.run.rebuild {
            Some(_) => Ok(Vec::new()),
            None => compatible::check(&self.layout, zone).await,
        }
    }

    /// Live files of the run's buckets before it; rejects do not count.
    pub(super) fn files_before(&self) -> impl Iterator<Item = &LiveFile> {
        let replaced = self.run.rebuild.iter().flat_map(|rebuild| &rebuild.replaced);
        self.run.zone.iter().chain(replaced.filter(|live| live.file.zone == FileZone::Processed))
    }

    fn files(&self, added: &[FileEntry], removed: &[FileEntry]) -> RunFiles {
        let bytes = |files: &[FileEntry]| files.iter().map(|file| file.bytes).sum::<u64>();
        let before = self.files_before().count() as u64;
        let bytes_before = self.files_before().map(|live| live.file.bytes).sum::<u64>();
        let (kept, bytes_kept) = match self.run.rebuild {
            Some(_) => (0, 0),
            None => (before - removed.len() as u64, bytes_before - bytes(removed)),
        };
        let (after, bytes_after) = (kept + added.len() as u64, bytes_kept + bytes(added));
        RunFiles { before, after, bytes_before, bytes_after }
    }

    /// Which rows a run leaves out that computes the zone anew.
    pub(super) fn superseded(&self) -> Superseded {
        if self.run.rebuild.is_some() { Superseded::of(self.raw.fold()) } else { Superseded::default() }
    }

    /// Which rows are late in this run.
    pub(super) fn late_rule(&self) -> Option<LateRule> {
        LateRule::of(self.plan.lateness.as_ref(), self.run.processed_through)
    }

    fn entry(&self, added: Vec<FileEntry>, removed: Vec<FileEntry>, run: RunSummary) -> ProcessedData {
        let RunPlan { raw_zone, buckets, to, delta: _, zone: _, processed_through: _, through, rebuild } = self.run;
        let (positions, replaced) = match rebuild {
            Some(rebuild) => (&rebuild.positions, rebuild.replaced.as_slice()),
            None => (buckets, [].as_slice()),
        };
        let range = |(Bucket(bucket), from): (&Bucket, &i64)| BucketRange {
            bucket: *bucket,
            from_seq: *from,
            to_seq: *to,
            processed_through: *through,
        };
        let removed = removed.into_iter().chain(replaced.iter().map(|live| live.file.clone()));
        let removed = removed.map(|file| RemovedFile { zone: file.zone, path: file.path });
        ProcessedData {
            raw_zone_id: *raw_zone,
            buckets: positions.iter().map(range).collect(),
            added,
            removed: removed.collect(),
            run,
        }
    }
}
