//! Which files of the zone are put together with the rows of the run.

use std::collections::{BTreeMap, HashSet};

use gristmill_core::compact::{Directory, FileSize, FileSizes, RunPlan};
use gristmill_crds::plan::CompactionPlan;

use super::places::Place;

/// Numbers of the files that are put together; those that the run rewrites anyway are not asked for.
pub(super) fn merged(
    plan: &CompactionPlan,
    run: &RunPlan,
    is_rewritten: impl Fn(u32) -> bool,
    written: &HashSet<Place>,
) -> Vec<u32> {
    let sizes = FileSizes { target: plan.target_size, small: plan.merge_below, max_rows: plan.max_records };
    let mut places: BTreeMap<Place, Vec<(u32, FileSize)>> = BTreeMap::new();
    for (number, live) in (0..).zip(&run.zone) {
        if !is_rewritten(number) {
            let values = live.file.partition.clone().unwrap_or_default();
            let place = Place { bucket: live.file.bucket.unwrap_or(0), values };
            places.entry(place).or_default().push((number, FileSize { bytes: live.file.bytes, rows: live.file.rows }));
        }
    }
    let mut merged = Vec::new();
    for (place, files) in places {
        let directory = if written.contains(&place) { Directory::Written } else { Directory::Untouched };
        let of_place: Vec<FileSize> = files.iter().map(|(_, size)| *size).collect();
        merged.extend(sizes.merged(&of_place, directory).into_iter().map(|index| files[index].0));
    }
    merged.sort_unstable();
    merged
}
