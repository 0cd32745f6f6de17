//! Rows of messages that a later generation has read again, and what a zone is computed anew from.

use super::plans::{entry, land, processed_with_reject, raw, zone_id};
use super::rows::{batch, row};
use crate::compact::{Bucket, Plan, Refusal, Superseded, plan_rebuild};
use crate::log::{FileZone, Kind, PartitionRewind, RemovalReason, Remove, RemovedFile, Rewind};

#[test]
fn row_is_out_of_date_where_a_later_generation_has_been() {
    let mut fold = raw();
    (0..6).for_each(|_| land(&mut fold));
    let rewind = Rewind {
        nonce: "again".into(),
        generation: 1,
        cluster_id: "cluster".into(),
        topic_id: "topic-id".into(),
        partitions: vec![PartitionRewind { partition: 0, next: 2, gaps: 0 }],
    };
    fold.apply(&entry(300, Kind::Rewind(rewind))).expect("the rewind follows");
    (0..3).for_each(|_| land(&mut fold));
    let rows = [
        row("before").at(1),
        row("first").at(2),
        row("last").at(4),
        row("not yet").at(5),
        row("itself").at(2).generation(1),
        row("elsewhere").at(3).in_partition(1),
        row("other topic").at(3).in_topic("other"),
    ];
    let old = Superseded::of(&fold).find(&batch(&rows)).expect("columns").expect("some are");
    assert_eq!(old.set_indices().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(Superseded::of(&raw()).find(&batch(&rows)).expect("columns"), None);
}

#[test]
fn zone_is_computed_anew_from_every_live_file_and_replaces_rejects_too() {
    let mut raw = raw();
    (0..3).for_each(|_| land(&mut raw));
    let Ok(Plan::Run(run)) = plan_rebuild(&raw, &processed_with_reject(2), 1) else { panic!("there are files") };
    assert_eq!((run.from(), run.to, run.delta.len(), run.zone.len()), (-1, 3, 3, 0));
    assert!(run.takes(Bucket(0), run.delta[0].sequence));
    let rebuild = run.rebuild.expect("it is one");
    assert_eq!(rebuild.positions[&Bucket(0)], 2);
    assert!(rebuild.replaced.iter().any(|live| live.file.zone == FileZone::Rejected), "{rebuild:?}");
    assert_eq!(run.processed_through, None, "no row is late");
}

#[test]
fn zone_whose_rows_raw_has_lost_is_not_computed_anew_and_rejects_are_no_loss() {
    let mut raw = raw();
    (0..2).for_each(|_| land(&mut raw));
    let mut remove = |zone: FileZone, number: u128| {
        let path = raw.live().keys().find(|key| key.zone == zone).expect("there is one").path.clone();
        let files = vec![RemovedFile { zone, path }];
        let remove = Remove { files, reason: RemovalReason::Retention, archive: None };
        raw.apply(&entry(number, Kind::Remove(remove))).expect("nobody has registered");
        plan_rebuild(&raw, &processed_with_reject(1), 1)
    };
    assert!(matches!(remove(FileZone::Rejected, 401), Ok(Plan::Run(_))));
    let refusal = remove(FileZone::Raw, 402).expect_err("a row is gone");
    assert!(matches!(refusal, Refusal::RowsAreGone { files: 1, rows: Some(1), since: Some(_) }), "{refusal:?}");
    assert_eq!(
        refusal.to_string(),
        "the zone can't be computed anew: retention has removed 1 files with 1 rows from RAW, and what stands in the \
         zone of their rows would be lost; leave the zone as it is, and give a new HourlyCompaction its own \
         processed.path for what RAW still holds (committed since 2026-11-23T08:00:00.000Z)"
    );
}

#[test]
fn nothing_is_computed_anew_where_there_is_nothing() {
    assert_eq!(plan_rebuild(&raw(), &super::plans::processed(zone_id(1)), 1), Ok(Plan::NothingNew { position: -1 }));
}
