//! Entries of data and genesis: what follows is folded, what breaks a rule is refused.

use rstest::rstest;

use super::super::*;
use super::{
    entry, file, processed_entry, processed_fold, processed_genesis, range, raw_data, raw_entry, raw_fold, raw_genesis,
    raw_zone_id, run, zone_id,
};

#[test]
fn a_range_that_follows_is_folded() {
    let mut fold = raw_fold();
    fold.apply(&raw_entry(2, raw_data(vec![range(0, 100, 200)], vec![file(FileZone::Raw, 1)]))).expect("valid");
    assert_eq!((fold.head(), fold.next(0), fold.totals().accepted), (Sequence(1), 200, 100));
    assert_eq!(fold.added_after(FileZone::Raw, 0).len(), 1);
    assert_eq!(fold.added_after(FileZone::Raw, 1).len(), 0);
}

#[test]
fn a_partition_that_genesis_does_not_name_begins_at_zero() {
    let fold = raw_fold();
    assert_eq!(fold.next(5), 0);
    assert_eq!(valid(&fold, &raw_entry(2, raw_data(vec![range(5, 0, 3)], vec![]))), Ok(()));
    assert!(valid(&fold, &raw_entry(2, raw_data(vec![range(5, 1, 3)], vec![]))).is_err());
}

#[rstest]
#[case::gap(range(0, 101, 200), "begins at offset 101, the zone continues at 100")]
#[case::overlap(range(0, 99, 200), "begins at offset 99")]
#[case::back(PartitionRange { accepted: 0, ..range(0, 100, 99) }, "offsets 100 to 99")]
#[case::identity(PartitionRange { accepted: 99, ..range(0, 100, 200) }, "gaps = 99")]
#[case::forged(PartitionRange { rejected: u64::MAX, ..range(0, 100, 200) }, "more than can be")]
#[case::topic(PartitionRange { topic_id: "topic-2".to_owned(), ..range(0, 100, 200) }, "topic id topic-2")]
#[case::generation(PartitionRange { generation: 1, ..range(0, 100, 200) }, "generation 1, the zone is at 0")]
fn a_range_that_breaks_a_rule_is_refused(#[case] range: PartitionRange, #[case] reason: &str) {
    let mut fold = raw_fold();
    let before = fold.clone();
    let error = fold.apply(&raw_entry(2, raw_data(vec![range], vec![]))).expect_err("refused").to_string();
    assert!(error.contains(reason), "{error}");
    assert_eq!(fold, before, "a refused entry changes nothing");
}

#[rstest]
#[case::twice(vec![range(0, 100, 110), range(0, 100, 110)], vec![], "partition 0 twice")]
#[case::same_name(vec![], vec![file(FileZone::Raw, 1), file(FileZone::Rejected, 1)], "twice")]
#[case::processed_file(vec![], vec![file(FileZone::Processed, 1)], "is Raw or Rejected")]
#[case::hidden(
    vec![],
    vec![FileEntry { path: "_retired/x.parquet".parse().expect("a path"), ..file(FileZone::Raw, 1) }],
    "no name of a data file"
)]
#[case::not_parquet(
    vec![],
    vec![FileEntry { path: "x.csv".parse().expect("a path"), ..file(FileZone::Raw, 1) }],
    "no name of a data file"
)]
#[case::not_staged(
    vec![],
    vec![FileEntry { staged: "_log/zone.json".parse().expect("a path"), ..file(FileZone::Raw, 1) }],
    "its staged name is none"
)]
fn a_raw_entry_that_breaks_a_rule_is_refused(
    #[case] ranges: Vec<PartitionRange>,
    #[case] added: Vec<FileEntry>,
    #[case] reason: &str,
) {
    let refusal = valid(&raw_fold(), &raw_entry(2, raw_data(ranges, added))).expect_err("refused").to_string();
    assert!(refusal.contains(reason), "{refusal}");
}

#[test]
fn a_raw_file_never_leaves_by_a_data_entry() {
    let mut fold = raw_fold();
    let data = file(FileZone::Raw, 1);
    fold.apply(&raw_entry(2, raw_data(vec![], vec![data.clone()]))).expect("valid");
    let removed = vec![RemovedFile { zone: data.zone, path: data.path.clone() }];
    let removal = RawData { removed, ..raw_data(vec![], vec![]) };
    assert_eq!(valid(&fold, &raw_entry(3, removal)), Err(Refusal::RawRemoves));
    let again = raw_entry(3, raw_data(vec![], vec![data]));
    assert!(matches!(valid(&fold, &again), Err(Refusal::AddedIsLive(_))));
}

#[test]
fn a_genesis_stands_at_slot_0_and_nothing_else_does() {
    assert_eq!(valid(&raw_fold(), &raw_genesis()), Err(Refusal::SecondGenesis));
    let data = raw_entry(2, raw_data(vec![], vec![]));
    assert_eq!(valid_genesis(zone_id(), &data), Err(Refusal::NoGenesis("Data")));
    assert!(matches!(valid_genesis(raw_zone_id(), &raw_genesis()), Err(Refusal::ForeignGenesis { .. })));
    for buckets in [0, 257, u32::MAX] {
        let mut forged = processed_genesis();
        if let Kind::Genesis(Genesis::Processed(genesis)) = &mut forged.kind {
            genesis.buckets = buckets;
        }
        assert_eq!(valid_genesis(zone_id(), &forged), Err(Refusal::Buckets(buckets)));
    }
    assert_eq!(valid(&processed_fold(), &data), Err(Refusal::WrongZoneKind));
}

#[test]
fn a_run_replaces_files_and_moves_the_position() {
    let mut fold = processed_fold();
    let (first, second) = (file(FileZone::Processed, 1), file(FileZone::Processed, 2));
    let added = fold.apply(&processed_entry(2, run(-1, 4, vec![first.clone()], vec![]))).expect("valid");
    assert!(added.retire.is_empty());
    let replaced = fold.apply(&processed_entry(3, run(4, 9, vec![second.clone()], vec![&first]))).expect("valid");
    assert_eq!(replaced.retire[0].staged, first.staged);
    assert_eq!(replaced.retire[0].retired, layout::retired(Sequence(2), &first.path));
    assert_eq!(replaced.publish[0].path, second.path);
    assert_eq!(fold.positions()[&0], 9);
    assert_eq!(fold.live().keys().map(|key| &key.path).collect::<Vec<_>>(), [&second.path]);
    assert_eq!(fold.runs().map(|run| run.sequence.0).collect::<Vec<_>>(), [2, 1]);
}

#[rstest]
#[case::position(run(3, 4, vec![], vec![]), "begins behind RAW entry 3, the zone stands at -1")]
#[case::back(run(-1, -2, vec![], vec![]), "the position would go back")]
#[case::not_live(run(-1, 4, vec![], vec![&file(FileZone::Processed, 1)]), "which is not a live file")]
#[case::raw_zone(ProcessedData { raw_zone_id: zone_id(), ..run(-1, 4, vec![], vec![]) }, "this zone consumes")]
#[case::bucket(
    ProcessedData { buckets: vec![BucketRange { bucket: 1, from_seq: -1, to_seq: 4, processed_through: None }], ..run(-1, 4, vec![], vec![]) },
    "bucket 1 does not exist"
)]
#[case::file_bucket(
    run(-1, 4, vec![FileEntry { bucket: Some(1), ..file(FileZone::Processed, 1) }], vec![]),
    "its bucket does not exist"
)]
#[case::partition(
    run(-1, 4, vec![FileEntry { partition: Some(vec![]), ..file(FileZone::Processed, 1) }], vec![]),
    "not those of partitionBy"
)]
fn a_run_that_breaks_a_rule_is_refused(#[case] data: ProcessedData, #[case] reason: &str) {
    let refusal = valid(&processed_fold(), &processed_entry(2, data)).expect_err("refused").to_string();
    assert!(refusal.contains(reason), "{refusal}");
}

#[test]
fn run_that_computes_the_zone_anew_replaces_all_of_it_and_moves_on() {
    let mut fold = processed_fold();
    let (rows, late) = (file(FileZone::Processed, 1), file(FileZone::Rejected, 2));
    fold.apply(&processed_entry(2, run(-1, 4, vec![rows.clone(), late.clone()], vec![]))).expect("valid");
    let anew = |to, removed| {
        let mut data = run(4, to, vec![file(FileZone::Processed, 3)], removed);
        data.run.kind = RunKind::Rebuild;
        valid(&fold, &processed_entry(3, data))
    };
    assert_eq!(anew(5, vec![&rows, &late]), Ok(()));
    assert_eq!(anew(5, vec![&rows]), Err(Refusal::PartialRebuild), "rejects would stand beside their rows");
    assert_eq!(anew(4, vec![&rows, &late]), Err(Refusal::PartialRebuild), "a run planned before would stay valid");
}

#[test]
fn late_rows_are_rejects_of_a_processed_zone_without_bucket_and_partition() {
    let fold = processed_fold();
    let late = file(FileZone::Rejected, 1);
    assert_eq!(valid(&fold, &processed_entry(2, run(-1, 4, vec![late.clone()], vec![]))), Ok(()));
    let in_bucket = FileEntry { bucket: Some(0), ..late };
    let refused = valid(&fold, &processed_entry(2, run(-1, 4, vec![in_bucket], vec![])));
    assert!(matches!(refused, Err(Refusal::Misplaced { .. })), "{refused:?}");
}

#[test]
fn genesis_with_a_directory_twice_is_refused() {
    let Kind::Genesis(Genesis::Processed(mut genesis)) = processed_genesis().kind else { panic!("a genesis") };
    let by = |column: &str, transform| PartitionField { column: column.to_owned(), transform };
    genesis.partition_by = vec![by("at", PartitionTransform::Year), by("at_year", PartitionTransform::Identity)];
    let entry = entry(1, Kind::Genesis(Genesis::Processed(genesis)));
    assert_eq!(
        valid_genesis(zone_id(), &entry).expect_err("one directory column, two values").to_string(),
        "it names directory column at_year twice"
    );
}
