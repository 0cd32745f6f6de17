//! Data of a Processed zone (rule 9).

use super::super::entry::{BucketRange, FileEntry, FileZone, IdentityPartition, ProcessedData, ProcessedGenesis};
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
    let ProcessedData { raw_zone_id, buckets, added, removed, run: _ } = data;
    if *raw_zone_id != genesis.raw_zone_id {
        return Err(Refusal::OtherRawZone { found: *raw_zone_id, expected: genesis.raw_zone_id });
    }
    distinct(buckets.iter().map(|range| range.bucket), |bucket| format!("bucket {bucket}"))?;
    for range in buckets {
        valid_position(fold, range)?;
    }
    valid_removed(fold, removed)?;
    valid_added(fold, added, writer, |file| {
        let FileEntry { zone: FileZone::Processed, bucket: Some(bucket), partition: Some(partition), .. } = file else {
            return Err("a file of a Processed zone is Processed and has bucket and partition");
        };
        if *bucket >= genesis.buckets {
            return Err("its bucket does not exist");
        }
        let columns = genesis.partition_by.iter().map(|IdentityPartition { column, .. }| column);
        if !columns.eq(partition.iter().map(|value| &value.column)) {
            return Err("its partition values are not those of partitionBy");
        }
        Ok(())
    })
}

fn valid_position(fold: &Fold, range: &BucketRange) -> Result<(), Refusal> {
    let BucketRange { bucket, from_seq, to_seq } = *range;
    let expected = *fold.positions().get(&bucket).ok_or(Refusal::NoSuchBucket(bucket))?;
    if from_seq != expected {
        return Err(Refusal::NotAtPosition { bucket, found: from_seq, expected });
    }
    if to_seq < from_seq {
        return Err(Refusal::PositionGoesBack { bucket, from: from_seq, to: to_seq });
    }
    Ok(())
}
