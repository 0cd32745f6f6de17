//! What a writer decides by a fold: whose a slot is, what time it is, what is published first.

use rstest::rstest;

use super::super::*;
use super::{range, raw_data, raw_entry, raw_fold, raw_genesis};

#[test]
fn our_own_entry_is_recognised_before_it_is_validated() {
    let mut fold = raw_fold();
    let ours = raw_entry(2, raw_data(vec![range(0, 100, 200)], vec![]));
    assert_eq!(before_attempt(&fold, &ours), BeforeAttempt::Take(Sequence(1)));
    fold.apply(&ours).expect("valid");
    assert_eq!(before_attempt(&fold, &ours), BeforeAttempt::AlreadyThere(Sequence(1)));
    let same_range = raw_entry(3, raw_data(vec![range(0, 100, 200)], vec![]));
    assert!(matches!(before_attempt(&fold, &same_range), BeforeAttempt::Lost(Refusal::NotNext { .. })));
}

#[test]
fn only_the_slot_decides_an_attempt() {
    let ours = raw_entry(2, raw_data(vec![], vec![]));
    let other = raw_entry(3, raw_data(vec![], vec![]));
    assert_eq!(after_attempt(ours.commit_id, None), AfterAttempt::RepeatSameSlot);
    assert_eq!(after_attempt(ours.commit_id, Some(&ours)), AfterAttempt::CheckStillOurZone);
    assert_eq!(after_attempt(ours.commit_id, Some(&other)), AfterAttempt::FoldThenDecideAgain);
}

#[test]
fn effective_time_does_not_follow_a_clock_that_goes_back() {
    let mut fold = raw_fold();
    let early =
        Entry { time: "2026-10-14T00:00:00Z".parse().expect("a time"), ..raw_entry(2, raw_data(vec![], vec![])) };
    fold.apply(&early).expect("valid");
    assert_eq!(fold.effective_time(), raw_genesis().time);
}

#[rstest]
#[case::alone(&[(1, 0), (2, 0), (3, 0)], 2, &[2])]
#[case::a_removal_wants_all_before_it(&[(1, 0), (2, 0), (3, 1)], 3, &[1, 2, 3])]
#[case::a_removal_before_wants_its_turn(&[(1, 0), (2, 1), (3, 0)], 3, &[1, 2, 3])]
#[case::a_later_removal_wants_nothing(&[(1, 0), (2, 0), (3, 1)], 2, &[2])]
#[case::published_already(&[(1, 0)], 7, &[])]
fn entries_are_published_in_order_where_one_removes(
    #[case] unpublished: &[(u64, usize)],
    #[case] wanted: u64,
    #[case] expected: &[u64],
) {
    let retire = Retire {
        zone: FileZone::Processed,
        path: "a.parquet".parse().expect("a path"),
        staged: "_staging/i/1.staged".parse().expect("a path"),
        retired: "_retired/3/a.parquet.retired".parse().expect("a path"),
    };
    let publications: Vec<_> = unpublished
        .iter()
        .map(|(sequence, removed)| {
            (Sequence(*sequence), Publication { retire: vec![retire.clone(); *removed], publish: Vec::new() })
        })
        .collect();
    let due = due(publications.iter().map(|(sequence, publication)| (*sequence, publication)), Sequence(wanted));
    assert_eq!(due, expected.iter().map(|sequence| Sequence(*sequence)).collect::<Vec<_>>());
}
