//! Data of a Processed zone (rule 9).

use gristmill_crds::PartitionField;

use super::super::entry::{BucketRange, FileEntry, FileZone, ProcessedData, ProcessedGenesis, RemovedFile, RunKind};
use super::super::fold::Fold;
use super::super::names::Incarnation;
use super::files::{valid_added, valid_removed};
use super::{Refusal, distinct};

pub(super) fn valid_data(
    fold: &Fold,
    genesis: &ProcessedGenesis,
    data: &ProcessedData,
    writer: Incarnation,
) -> Result<(), Refusal> {
    let ProcessedData { raw_zone_id, buckets, added, removed, run } = data;
    if *raw_zone_id != genesis.raw_zone_id {
        return Err(Refusal::OtherRawZone { found: *raw_zone_id, expected: genesis.raw_zone_id });
    }
    distinct(buckets.iter().map(|range| range.bucket), |bucket| format!("bucket {bucket}"))?;
    for range in buckets {
        valid_position(fold, range)?;
    }
    if run.kind == RunKind::Rebuild {
        valid_rebuild(fold, buckets, removed)?;
    }
    valid_removed(fold, removed)?;
    valid_added(fold, added, writer, |file| {
        let (bucket, partition) = match file {
            FileEntry { zone: FileZone::Processed, bucket: Some(bucket), partition: Some(partition), .. } => {
                (bucket, partition)
            }
            // Late rows belong to no directory of values, and are no rows of a bucket.
            FileEntry { zone: FileZone::Rejected, bucket: None, partition: None, .. } => return Ok(()),
            _ => return Err("a file of a Processed zone is Processed with bucket and partition, or Rejected without"),
        };
        if *bucket >= genesis.buckets {
            return Err("its bucket does not exist");
        }
        let columns = genesis.partition_by.iter().map(PartitionField::directory_column);
        if !columns.eq(partition.iter().map(|value| value.column.clone())) {
            return Err("its partition values are not those of partitionBy");
        }
        Ok(())
    })
}

/// A run that computes the zone anew replaces all of it, and moves every bucket on: what was planned from the files before
/// it would be valid afterwards if it left a position where it was.
fn valid_rebuild(fold: &Fold, buckets: &[BucketRange], removed: &[RemovedFile]) -> Result<(), Refusal> {
    let moves_on = |range: &&BucketRange| range.to_seq > range.from_seq;
    if buckets.iter().filter(moves_on).count() == fold.positions().len() && removed.len() == fold.live().len() {
        Ok(())
    } else {
        Err(Refusal::PartialRebuild)
    }
}

fn valid_position(fold: &Fold, range: &BucketRange) -> Result<(), Refusal> {
    let BucketRange { bucket, from_seq, to_seq, processed_through: _ } = *range;
    let expected = *fold.positions().get(&bucket).ok_or(Refusal::NoSuchBucket(bucket))?;
    if from_seq != expected {
        return Err(Refusal::NotAtPosition { bucket, found: from_seq, expected });
    }
    if to_seq < from_seq {
        return Err(Refusal::PositionGoesBack { bucket, from: from_seq, to: to_seq });
    }
    Ok(())
}
