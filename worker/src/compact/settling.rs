//! Pass 1, its end: who wins, range by range.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use gristmill_core::compact::{ContenderReader, Contenders, KeyHasher, Settled};
use gristmill_core::log::RunRows;
use gristmill_crds::plan::CompactionPlan;

use super::contest::{self, Contested};
use super::gate::Gate;
use super::marks::Marks;
use super::ranges::{Ranges, Records};
use super::scan::scan;
use super::{Compaction, Error, Options, Phase};
use crate::blocking::blocking;
use crate::zone::ZoneReader;

/// What is written and what is replaced.
pub(super) struct Decided {
    /// Rows of the delta that are written.
    pub(super) winners: Marks,
    /// Rows of the zone that they replace.
    pub(super) replaced: Marks,
    /// Late rows of the delta that are written beside the zone.
    pub(super) rejected: Marks,
    pub(super) rows: RunRows,
    /// What identifies rows.
    pub(super) reader: Arc<ContenderReader>,
}

/// Decides which rows of the delta are written, and which of the zone leave.
pub(super) async fn decide(compaction: &Compaction<'_>, zone: &ZoneReader) -> Result<Decided, Error> {
    let hasher = KeyHasher::new(zone.fold().zone_id());
    let CompactionPlan { key, order_by, keep, .. } = compaction.plan;
    let reader = ContenderReader::try_new(hasher, key, order_by, compaction.layout.rows())
        .map_err(|source| Error::Column { path: zone.surroundings().url().to_string(), source })?;
    let reader = Arc::new(reader);
    let scanned = scan(compaction, Arc::clone(&reader), zone).await?;
    let (run, options) = (compaction.run, compaction.options);
    let mut decided = Decided {
        winners: Marks::of(&run.delta),
        replaced: Marks::of(&run.zone),
        rejected: Marks::of(&[]),
        rows: RunRows::default(),
        reader: Arc::clone(&reader),
    };
    let mut contested = Contested { delta: Marks::of(&run.delta), zone: Marks::of(&run.zone) };
    decided.rejected = scanned.rejected;
    let mut rows = RunRows {
        read: scanned.read,
        duplicate_in_delta: scanned.superseded,
        late: scanned.late,
        rejected: decided.rejected.count(),
        ..RunRows::default()
    };

    options.progress.begin(Phase::Deciding, 0);
    let topics = Arc::clone(&scanned.topics);
    let keep = *keep;
    let settle = move |contenders: &mut Contenders| contenders.settle(&topics, keep);
    each_range(&scanned.contenders, options, settle, |settled| {
        let Settled { new, contested: against, duplicate_in_delta, duplicate_in_zone } = settled;
        new.into_iter().for_each(|row| decided.winners.set(row));
        for pair in against {
            contested.delta.set(pair.delta);
            contested.zone.set(pair.zone);
        }
        rows.duplicate_in_delta += duplicate_in_delta;
        rows.duplicate_in_zone += duplicate_in_zone;
    })
    .await?;
    drop(scanned.contenders);

    let pairs = contested.delta.count();
    contest::unequal(compaction, zone, reader, contested, |differing| {
        for pair in differing {
            decided.winners.set(pair.delta);
            decided.replaced.set(pair.zone);
        }
    })
    .await?;
    rows.duplicate_in_zone += pairs - decided.replaced.count();
    rows.written = decided.winners.count();
    Ok(Decided { rows, ..decided })
}

/// Gives `taken` what `work` makes of each range, several at a time as far as there is memory for them.
pub(super) async fn each_range<R: Records, T: Send + 'static>(
    ranges: &Arc<Ranges<R>>,
    options: &Options,
    work: impl Fn(&mut R) -> T + Clone + Send + 'static,
    mut taken: impl FnMut(T),
) -> Result<(), Error> {
    let gate = Gate::new(options.budget.settling, options.budget.to_settle());
    let all = Arc::clone(ranges);
    blocking(move || all.complete()).await.map_err(Error::Spill)?;
    let made = stream::iter(0..ranges.count()).map(|range| {
        let (ranges, gate, work) = (Arc::clone(ranges), &gate, work.clone());
        async move {
            let bytes = ranges.memory(range);
            let _entered = gate.enter(bytes, || "what decides between rows of similar keys".to_owned()).await?;
            blocking(move || {
                let mut records = ranges.take(range).map_err(Error::Spill)?;
                Ok::<_, Error>(work(&mut records))
            })
            .await
        }
    });
    let mut made = made.buffer_unordered(options.threads);
    while let Some(made) = made.try_next().await? {
        taken(made);
    }
    Ok(())
}
