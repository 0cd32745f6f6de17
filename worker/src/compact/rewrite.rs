//! Pass 2: the rows that win and the rest of the files that they replace rows of, put in order and written.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{FieldRef, SchemaRef};
use gristmill_core::log::FileEntry;
use tokio::sync::Mutex;

use super::dropped::DroppedColumns;
use super::gate::Gate;
use super::groups::{Files, Group, SelectedBatch};
use super::merging::merged;
use super::order::Order;
use super::output::Outputs;
use super::places::Places;
use super::selection::{Selection, conformed};
use super::settling::Decided;
use super::sorting::Sorter;
use super::{Compaction, Error, Phase};
use crate::zone::Zone;

/// Files added and files removed.
pub(super) type Rewritten = (Vec<FileEntry>, Vec<FileEntry>);

/// Rows of some files of a side, by the number of the file.
type Selected = BTreeMap<u32, Selection>;

/// Writes the outputs; the files added and those removed. `dropped` are columns that only files have.
pub(super) async fn rewrite(
    compaction: &Compaction<'_>,
    zone: &mut Zone,
    decided: Decided,
    dropped: &[FieldRef],
) -> Result<Rewritten, Error> {
    let Compaction { run, options, plan, .. } = compaction;
    let layout = compaction.layout.with_dropped(dropped);
    let winners: Selected =
        decided.winners.into_files().into_iter().map(|(file, rows)| (file, Selection::of(rows))).collect();
    let remaining: Selected =
        decided.replaced.into_files().into_iter().map(|(file, rows)| (file, Selection::without(&rows))).collect();
    let rows = winners.values().chain(remaining.values()).map(|rows| rows.count() as u64).sum();
    options.progress.begin(Phase::Rows, rows);

    let places = Places::try_new(&plan.partition_by, layout.rows(), &decided.reader, plan.buckets)?;
    let order = Arc::new(Order::try_new(&layout, places, plan.sort_by.iter().chain(&plan.key))?);
    let budget = &options.budget;
    let sorter = Sorter::new(Arc::clone(&order), Arc::clone(&compaction.spill), options.threads, *budget, rows);
    let reading = Reading {
        compaction,
        rows: Arc::clone(layout.rows()),
        dropped: Arc::new(DroppedColumns::of(&layout)),
        order: Arc::clone(&order),
        sorter: Mutex::new(sorter),
        gate: budget.gate_of_reading(),
    };
    let threads = options.threads;
    // Of the delta nothing is taken that the resource does not name.
    let sides = [
        (compaction.raw, &run.delta, &winners, compaction.layout.rows()),
        (zone.reader(), &run.zone, &remaining, layout.rows()),
    ];
    for (zone, files, selected, columns) in sides {
        Files { zone, files, numbers: selected.keys().copied() }
            .for_each_group(threads, |group| {
                let rows = &selected[&group.file];
                reading.read(group, rows, columns)
            })
            .await?;
    }
    let merged = merged(plan, run, |file| remaining.contains_key(&file), &order.places().into_iter().collect());
    let merged_rows = merged.iter().map(|file| run.zone[*file as usize].file.rows).sum();
    reading.sorter.lock().await.expect(merged_rows);
    options.progress.expect(merged_rows);
    Files { zone: zone.reader(), files: &run.zone, numbers: merged.iter().copied() }
        .for_each_group(threads, async |group| {
            let whole = Selection::all(group.rows.end);
            reading.read(group, &whole, layout.rows()).await
        })
        .await?;
    let left = remaining.keys().chain(&merged);
    let removed = left.map(|file| run.zone[*file as usize].file.clone()).collect();
    let places = reading.sorter.into_inner().finish().await?;
    let dropped = Arc::into_inner(reading.dropped).expect("the threads that read rows are done");
    let columns = dropped.finish(&order.places());
    options.progress.begin(Phase::Writing, rows + merged_rows);
    Ok((Outputs::new(compaction, columns, zone).write(places, &order).await?, removed))
}

/// What the readers share.
struct Reading<'c> {
    compaction: &'c Compaction<'c>,
    /// Whole rows as they are written.
    rows: SchemaRef,
    dropped: Arc<DroppedColumns>,
    order: Arc<Order>,
    sorter: Mutex<Sorter>,
    gate: Gate,
}

impl Reading<'_> {
    /// Reads these columns of rows of a row group, others are null; a group without any of the rows is not fetched.
    async fn read(&self, group: Group<'_>, selected: &Selection, columns: &SchemaRef) -> Result<(), Error> {
        let mut rows = group.select(selected, columns, &self.gate).await?;
        let (order, dropped, whole) = (Arc::clone(&self.order), Arc::clone(&self.dropped), Arc::clone(&self.rows));
        let ordered = move |SelectedBatch { batch, selection, live, first_row: _ }: SelectedBatch| {
            let (rows, selection) = selection.without_most(batch)?;
            let piece = order.piece(&conformed(&rows, &whole, &live.file)?, &selection)?;
            dropped.look(&piece);
            Ok(piece)
        };
        while let Some(piece) = rows.next(ordered.clone()).await? {
            self.compaction.options.progress.add(piece.rows());
            self.sorter.lock().await.push(piece).await?;
        }
        Ok(())
    }
}
