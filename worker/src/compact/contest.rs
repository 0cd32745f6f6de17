//! Which contested rows differ: a duplicate that is equal to its zone row in all user columns changes nothing (F25).

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use gristmill_core::compact::{ContenderReader, Contest, Origin, RowDigests, Side, Versions};
use gristmill_core::log::LiveFile;

use super::gate::Gate;
use super::groups::{Files, SelectedBatch};
use super::marks::Marks;
use super::ranges::Ranges;
use super::selection::Selection;
use super::settling::each_range;
use super::{Compaction, Error};
use crate::zone::ZoneReader;

/// Rows that stand against each other, on both sides.
pub(super) struct Contested {
    pub(super) delta: Marks,
    pub(super) zone: Marks,
}

/// What the threads share.
struct Comparison {
    rows: SchemaRef,
    /// Where the user's columns are in them: a row's first.
    user: Vec<usize>,
    digests: RowDigests,
    versions: Arc<Ranges<Versions>>,
    reader: Arc<ContenderReader>,
}

/// Tells `differs` the contests whose two rows differ in a user column.
pub(super) async fn unequal(
    compaction: &Compaction<'_>,
    zone: &ZoneReader,
    reader: Arc<ContenderReader>,
    contested: Contested,
    differs: impl FnMut(Vec<Contest>),
) -> Result<(), Error> {
    let count = usize::try_from(contested.delta.count()).unwrap_or(usize::MAX);
    if count == 0 {
        return Ok(());
    }
    let (options, run) = (compaction.options, compaction.run);
    let user_columns = compaction.layout.user_columns();
    let digests = RowDigests::try_new(&user_columns).map_err(|source| Error::Arrow { act: "compare rows", source })?;
    let expected = count.saturating_mul(2 * Versions::BYTES);
    let range_memory = options.budget.settling / options.threads;
    let versions = Arc::new(Ranges::new(expected, options.budget.keys, range_memory, Arc::clone(&compaction.spill)));
    let rows = Arc::clone(compaction.layout.rows());
    let user = (0..user_columns.fields().len()).collect();
    let comparison = Arc::new(Comparison { rows, user, digests, versions, reader });
    let gate = options.budget.gate_of_reading();

    for (side, zone, files, marks) in
        [(Side::Delta, compaction.raw, &run.delta, contested.delta), (Side::Zone, zone, &run.zone, contested.zone)]
    {
        let side = Reading { zone, files, side, threads: options.threads };
        side.digest(&comparison, marks, &gate).await?;
    }
    each_range(&comparison.versions, options, Versions::differing, differs).await
}

/// The contested rows of one side.
struct Reading<'r> {
    zone: &'r ZoneReader,
    files: &'r [LiveFile],
    side: Side,
    threads: usize,
}

impl Reading<'_> {
    async fn digest(&self, comparison: &Arc<Comparison>, marks: Marks, gate: &Gate) -> Result<(), Error> {
        let marked: BTreeMap<u32, Selection> =
            marks.into_files().into_iter().map(|(file, marks)| (file, Selection::of(marks))).collect();
        Files { zone: self.zone, files: self.files, numbers: marked.keys().copied() }
            .for_each_group(self.threads, |group| async {
                let (group, side) = (group, self.side);
                let mut rows = group.select(&marked[&group.file], &comparison.rows, gate).await?;
                loop {
                    let (comparison, file) = (Arc::clone(comparison), group.file);
                    let digest = move |batch: SelectedBatch| {
                        let origin = Origin { side, file, first_row: batch.first_row };
                        comparison.digest(&batch, origin)
                    };
                    if rows.next(digest).await?.is_none() {
                        return Ok(());
                    }
                }
            })
            .await
    }
}

impl Comparison {
    fn digest(&self, batch: &SelectedBatch, origin: Origin) -> Result<(), Error> {
        let SelectedBatch { batch, selection, first_row: _, live } = batch;
        let rows = &selection.take(batch)?;
        let act = |source| Error::Arrow { act: "compare rows", source };
        let keys =
            self.reader.hashes(rows).map_err(|source| Error::Column { path: live.file.path.to_string(), source })?;
        let contents = self.digests.of(&rows.project(&self.user).map_err(act)?).map_err(act)?;
        let mut versions = Versions::default();
        for ((row, key), content) in selection.rows().zip(keys).zip(contents) {
            versions.push(key, origin.side, origin.address(row), content);
        }
        self.versions.add(&versions).map_err(Error::Spill)
    }
}
