//! Data of a RAW zone (rule 8), and removals from it (rule 10).

use super::super::entry::{FileEntry, FileSchema, FileZone, PartitionRange, RawData, Remove};
use super::super::fold::{FileKey, Fold};
use super::super::names::Incarnation;
use super::files::{valid_added, valid_removed};
use super::{Refusal, distinct};

pub(super) fn valid_data(fold: &Fold, data: &RawData, writer: Incarnation) -> Result<(), Refusal> {
    let RawData { partitions, added, removed, schemas } = data;
    if let Some(held) = fold.held() {
        return Err(Refusal::Held(held.sequence));
    }
    distinct(partitions.iter().map(|range| range.partition), |partition| format!("partition {partition}"))?;
    for range in partitions {
        valid_range(fold, range)?;
    }
    if !removed.is_empty() {
        return Err(Refusal::RawRemoves);
    }
    valid_added(fold, added, writer, |file| match file {
        FileEntry { zone: FileZone::Raw | FileZone::Rejected, bucket: None, partition: None, .. } => Ok(()),
        _ => Err("a file of a RAW zone is Raw or Rejected and has neither bucket nor partition"),
    })?;
    valid_schemas(fold, schemas, added)
}

fn valid_range(fold: &Fold, range: &PartitionRange) -> Result<(), Refusal> {
    let PartitionRange { partition, ref topic_id, generation, from, to, accepted, accepted_with_rejects, .. } = *range;
    let source = fold.source().map_or("", |source| source.topic_id.as_str());
    if topic_id != source {
        let (found, expected) = (topic_id.clone(), source.to_owned());
        return Err(Refusal::OtherTopic { partition, found, expected });
    }
    if generation != fold.generation() {
        return Err(Refusal::OtherGeneration { partition, found: generation, expected: fold.generation() });
    }
    let expected = fold.next(partition);
    if from != expected {
        return Err(Refusal::NotNext { partition, found: from, expected });
    }
    let offsets = to.checked_sub(from).and_then(|offsets| u64::try_from(offsets).ok());
    let counted = range.counts().offsets();
    if offsets.is_none() || offsets != counted {
        let counted = counted.map_or_else(|| "more than can be".to_owned(), |counted| counted.to_string());
        return Err(Refusal::Identity { partition, from, to, counted });
    }
    if accepted_with_rejects > accepted {
        return Err(Refusal::MoreRejectsThanMessages { partition, accepted, accepted_with_rejects });
    }
    Ok(())
}

/// The schemas of added files can be read beside every schema of a live file (F34).
fn valid_schemas(fold: &Fold, described: &[FileSchema], added: &[FileEntry]) -> Result<(), Refusal> {
    distinct(described.iter().map(|schema| &schema.id), |id| format!("schema {id}"))?;
    for schema in described {
        let known = fold.schemas().get(&schema.id).and_then(|state| state.described.as_ref());
        if known.is_some_and(|known| known != schema) {
            return Err(Refusal::SchemaDescribedOtherwise(schema.id.clone()));
        }
    }
    let live =
        fold.schemas().values().filter(|state| state.live_files > 0).filter_map(|state| state.described.as_ref());
    let live: Vec<_> = live.collect();
    let ours = added.iter().filter(|file| file.zone == FileZone::Raw).filter_map(|file| {
        let told = described.iter().find(|schema| schema.id == file.schema);
        told.or_else(|| fold.schemas().get(&file.schema).and_then(|state| state.described.as_ref()))
    });
    for schema in ours {
        for other in &live {
            if let Some((new, old)) = schema.conflict(other) {
                return Err(Refusal::OtherColumnType {
                    column: new.name.clone(),
                    found: new.data_type.clone(),
                    expected: old.data_type.clone(),
                });
            }
        }
    }
    Ok(())
}

/// Only what every registered consumer has passed leaves (I8); nobody consumes rejected files.
pub(super) fn valid_removal(fold: &Fold, remove: &Remove) -> Result<(), Refusal> {
    let Remove { files, reason: _, archive: _ } = remove;
    valid_removed(fold, files)?;
    // By name alone: `_retired` holds RAW and rejected files side by side.
    distinct(files.iter().map(|file| file.path.name()), |name| name.to_owned())?;
    for file in files.iter().filter(|file| file.zone == FileZone::Raw) {
        let Some(live) = fold.live().get(&FileKey { zone: file.zone, path: file.path.clone() }) else {
            continue;
        };
        let behind = fold.consumers().values().find(|consumer| consumer.position < live.sequence.position());
        if let Some(consumer) = behind {
            return Err(Refusal::StillToBeConsumed {
                path: file.path.to_string(),
                sequence: live.sequence,
                consumer: consumer.name.clone(),
                position: consumer.position,
            });
        }
    }
    Ok(())
}
