//! What a resource may ask for and a run does not do yet: it is refused rather than left out in silence.

use gristmill_crds::plan::CompactionPlan;
use gristmill_crds::{Compression, PartitionTransform};

use super::{Error, TARGET_BYTES};

/// Refuses a plan that asks for more than a run does.
pub(super) fn refuse(plan: &CompactionPlan) -> Result<(), Error> {
    let transformed = plan.partition_by.iter().any(|field| field.transform != PartitionTransform::Identity);
    let asked = [
        ("processed.partitionBy with another transform than Identity", transformed),
        ("processed.sortBy", !plan.sort_by.is_empty()),
        ("processed.files.targetSize", plan.target_size != TARGET_BYTES),
        ("processed.files.mergeBelow", plan.merge_below != plan.target_size / 4),
        ("processed.files.maxRecords", plan.max_records.is_some()),
        ("processed.compression", plan.compression != Compression::Zstd),
        ("processed.buckets", plan.buckets != 1),
        ("lateness", plan.lateness.is_some()),
    ];
    match asked.into_iter().find(|(_, asked)| *asked) {
        Some((field, _)) => Err(Error::Unsupported { field }),
        None => Ok(()),
    }
}
