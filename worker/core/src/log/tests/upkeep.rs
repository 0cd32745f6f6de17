//! Checkpoints hold the whole fold; suspicion, sweeping and truncation by the log alone.

use rstest::rstest;

use super::super::*;
use super::{
    entry, file, incarnation, processed_entry, processed_fold, range, raw_data, raw_entry, raw_fold, raw_zone_id, run,
    zone_id,
};

fn full_fold() -> Fold {
    let mut fold = raw_fold();
    let added = FileEntry { schema: "a".to_owned(), ..file(FileZone::Raw, 1) };
    let schemas = vec![FileSchema { id: "a".to_owned(), columns: Vec::new() }];
    let data = RawData { schemas, ..raw_data(vec![range(0, 100, 200)], vec![added, file(FileZone::Rejected, 2)]) };
    let plan = RewindPlan {
        nonce: "n".to_owned(),
        source: Source { cluster_id: "cluster".to_owned(), topic_id: "topic-2".to_owned() },
        next: [(0, 5)].into(),
    };
    let hold = Hold {
        reason: HoldReason::RejectedBudgetExceeded,
        judged_at: Sequence(1),
        messages: 2,
        messages_with_rejects: 1,
        message: "m".to_owned(),
    };
    fold.apply(&raw_entry(2, data)).expect("valid");
    let rewind = rewind_entry(&fold, &plan).expect("new");
    let kinds = [
        Kind::Rewind(rewind),
        Kind::Resume(Resume { token: Some("t".to_owned()) }),
        Kind::Fence(Fence { incarnation: incarnation(9) }),
        Kind::Consumer(Consumer::Register { id: raw_zone_id(), name: "c".to_owned() }),
    ];
    for kind in kinds {
        fold.apply(&entry(10 + u128::from(fold.head().0), kind)).expect("valid");
    }
    let next = PartitionRange { topic_id: "topic-2".to_owned(), generation: 1, ..range(0, 5, 9) };
    fold.apply(&raw_entry(3, raw_data(vec![next], vec![]))).expect("valid");
    fold.apply(&entry(30, Kind::Hold(Hold { judged_at: fold.head(), ..hold }))).expect("valid");
    fold
}

#[test]
fn a_fold_that_is_written_and_read_is_the_same_fold() {
    let mut processed = processed_fold();
    processed.apply(&processed_entry(2, run(-1, 4, vec![file(FileZone::Processed, 1)], vec![]))).expect("valid");
    for fold in [full_fold(), processed, raw_fold()] {
        let records: Vec<_> = fold.live_records().collect();
        let restored = Fold::restore(zone_id(), fold.head(), &fold.encode_state(), records);
        assert_eq!(restored.expect("it is read"), fold);
    }
}

#[test]
fn a_fold_of_another_place_or_version_is_refused() {
    let fold = full_fold();
    let state = fold.encode_state();
    let restore = |zone, head, state: &[u8]| Fold::restore(zone, head, state, fold.live_records()).map(drop);
    assert!(matches!(restore(raw_zone_id(), fold.head(), &state), Err(UnreadableFold::Foreign { .. })));
    assert!(matches!(restore(zone_id(), Sequence(1), &state), Err(UnreadableFold::Foreign { .. })));
    let newer = String::from_utf8(state.clone()).expect("JSON").replacen(r#""format":1"#, r#""format":2"#, 1);
    let refused = restore(zone_id(), fold.head(), newer.as_bytes());
    assert!(matches!(refused, Err(UnreadableFold::State(Unreadable::Format(_)))));
    let more =
        String::from_utf8(state.clone()).expect("JSON").replacen(r#""generation""#, r#""more":1,"generation""#, 1);
    assert!(matches!(
        restore(zone_id(), fold.head(), more.as_bytes()),
        Err(UnreadableFold::State(Unreadable::Unknown(_)))
    ));
    let twice = fold.live_records().chain(fold.live_records());
    assert!(matches!(Fold::restore(zone_id(), fold.head(), &state, twice), Err(UnreadableFold::Twice(_))));
}

#[test]
fn a_writer_is_suspected_after_an_hour_without_a_sign_of_effective_time() {
    let mut fold = raw_fold();
    let at = |writer: u128, time: &str, kind| Entry {
        incarnation: incarnation(writer),
        time: time.parse().expect("a time"),
        ..entry(writer, kind)
    };
    let nothing = || Kind::Data(Data::Raw(raw_data(vec![], vec![])));
    fold.apply(&at(2, "2026-11-23T06:00:00Z", nothing())).expect("valid");
    let staged =
        |writer, time: &str| Staged { incarnation: incarnation(writer), newest: time.parse().expect("a time") };
    let found = [
        staged(2, "2026-11-23T05:00:00Z"),
        staged(3, "2026-11-23T05:59:00Z"),
        staged(4, "2026-11-23T06:30:00Z"),
        staged(5, "2026-11-23T05:00:00Z"),
    ];
    assert_eq!(suspects(&fold, &found, incarnation(8)), [incarnation(5)], "as long as nobody commits, nobody else");
    fold.apply(&at(8, "2026-11-23T07:00:00Z", nothing())).expect("valid");
    assert_eq!(suspects(&fold, &found, incarnation(5)), [incarnation(2), incarnation(3)], "and never oneself");
    fold.apply(&at(8, "2026-11-23T07:00:00Z", Kind::Fence(Fence { incarnation: incarnation(2) }))).expect("valid");
    assert_eq!(suspects(&fold, &found, incarnation(5)), [incarnation(3)]);
    let directories = [2, 3, 8].map(incarnation);
    assert_eq!(to_sweep(&fold, directories, incarnation(8)), [incarnation(2)], "age alone deletes nothing");
    assert_eq!(to_sweep(&fold, directories, incarnation(2)), [], "and never oneself");
}

#[rstest]
#[case(0, None, false)]
#[case(255, None, false)]
#[case(256, None, true)]
#[case(300, None, true)]
#[case(300, Some(256), false)]
#[case(300, Some(299), false)]
#[case(511, Some(260), false)]
#[case(512, Some(260), true)]
fn a_checkpoint_is_due_when_a_multiple_of_256_was_passed(
    #[case] head: u64,
    #[case] newest: Option<u64>,
    #[case] due: bool,
) {
    assert_eq!(checkpoint_is_due(Sequence(head), newest.map(Sequence), CHECKPOINT_EVERY), due);
}

#[test]
fn truncation_keeps_a_thousand_entries_and_the_newest_checkpoint() {
    let slots = (0..1300).rev().map(Sequence);
    let checkpoints = [Sequence(256), Sequence(1280), Sequence(1024)];
    let Truncation { slots, checkpoints } = to_truncate(Sequence(1280), slots, checkpoints, ENTRIES_KEPT);
    assert_eq!(slots, (0..281).map(Sequence).collect::<Vec<_>>());
    assert_eq!(checkpoints, [Sequence(256), Sequence(1024)]);
    assert_eq!(
        to_truncate(Sequence(256), (0..300).map(Sequence), [Sequence(256)], ENTRIES_KEPT),
        Truncation::default()
    );
}

#[rstest]
#[case::won(true, None, AfterWin::Won)]
#[case::older_checkpoint(true, Some(41), AfterWin::Won)]
#[case::covered(true, Some(43), AfterWin::AskCheckpoint(Sequence(43)))]
#[case::far_ahead(true, Some(1000), AfterWin::AskCheckpoint(Sequence(1000)))]
#[case::other_zone(false, None, AfterWin::Replaced)]
#[case::other_zone_with_checkpoint(false, Some(1000), AfterWin::Replaced)]
fn a_won_slot_counts_only_in_a_zone_that_has_not_gone_on_without_it(
    #[case] ours: bool,
    #[case] newest: Option<u64>,
    #[case] expected: AfterWin,
) {
    assert_eq!(after_win(Sequence(43), ours, newest.map(Sequence)), expected);
}

#[test]
fn checkpoint_and_retired_names_are_read_as_they_are_written() {
    let path = layout::checkpoint(zone_id(), Sequence(256));
    assert_eq!(path.name(), "00000000000000000256.checkpoint");
    assert_eq!(layout::checkpoint_sequence(path.name()), Some(Sequence(256)));
    assert_eq!(layout::checkpoint_sequence("00000000000000000256.checkpoint.tmp"), None);
    assert_eq!(layout::retired_sequence("00000000000000000043"), Some(Sequence(43)));
    assert_eq!(layout::retired_data_name("a-7.parquet.retired"), Some("a-7.parquet"));
}
