use super::*;

const ACCEPTED: Verdict = Verdict::Accepted { rows: 1, rejected_rows: 0 };

fn reading(next: i64, end: i64) -> Progress {
    let mut progress = Progress::default();
    progress.begin(at(next), end);
    progress
}

fn at(offset: i64) -> Position {
    Position { partition: 0, offset, leader_epoch: None }
}

fn record(progress: &mut Progress, offset: i64, verdict: Verdict) {
    assert_eq!(progress.admit(0, offset, |_| true), Admission::Next);
    progress.record(&Origin { partition: 0, offset, timestamp: Some(offset * 10), leader_epoch: Some(3) }, verdict);
}

fn ends(end: i64) -> BTreeMap<i32, i64> {
    BTreeMap::from([(0, end)])
}

#[test]
fn every_offset_of_a_range_is_counted_once() {
    let mut progress = reading(100, 110);
    record(&mut progress, 100, ACCEPTED);
    record(&mut progress, 104, Verdict::Rejected { rejected_rows: 0 });
    record(&mut progress, 105, Verdict::Tombstone);
    progress.reach_end(0);
    let range = &progress.ranges("topic")[0];
    let PartitionRange { from, to, accepted, rejected, tombstones, absent, .. } = *range;
    assert_eq!((from, to, accepted, rejected, tombstones, absent), (100, 110, 1, 1, 1, 7));
    assert_eq!((range.max_timestamp, range.leader_epoch), (Some(1050), Some(3)));
}

#[test]
fn message_that_was_counted_is_not_counted_again() {
    let mut progress = reading(100, 100);
    record(&mut progress, 100, ACCEPTED);
    assert_eq!(progress.admit(0, 100, |_| true), Admission::Known);
    assert_eq!(progress.admit(0, 99, |_| true), Admission::Known);
}

#[test]
fn message_of_a_partition_that_was_given_back_is_not_counted() {
    let mut progress = reading(100, 100);
    progress.keep(|_| false);
    assert_eq!(progress.admit(0, 100, |_| true), Admission::Known);
    assert!(!progress.advanced());
}

#[test]
fn message_of_a_partition_that_was_lost_is_passed_over_before_the_loss_is_heard_of() {
    let mut progress = reading(100, 100);
    record(&mut progress, 100, ACCEPTED);
    let owned = |partition| partition != 0;
    // Offsets 101 to 104 were dropped with what waited: they are not absent.
    assert_eq!(progress.admit(0, 105, owned), Admission::Known);
    progress.keep(owned);
    assert_eq!(progress.next(0), None);
    progress.begin(at(101), 101);
    record(&mut progress, 101, ACCEPTED);
    assert_eq!((progress.ranges("topic")[0].from, progress.ranges("topic")[0].absent), (101, 0));
}

#[test]
fn end_of_partition_passes_an_undelivered_tail_that_was_known_before() {
    let mut progress = reading(100, 101);
    progress.reach_end(0);
    assert_eq!(progress.next(0), Some(101));
    assert!(progress.advanced(), "an advance may be committed alone");
}

#[test]
fn end_that_was_asked_for_after_an_end_of_partition_is_not_passed_by_it() {
    let mut progress = reading(100, 100);
    progress.reach_end(0);
    assert!(progress.stalled(&ends(102)).is_empty(), "its messages may be on their way");
    assert_eq!(progress.next(0), Some(100));
}

#[test]
fn partition_that_stands_still_below_its_end_is_sought_and_passes_it() {
    let mut progress = reading(100, 100);
    progress.reach_end(0);
    assert!(progress.stalled(&ends(102)).is_empty());
    assert_eq!(progress.stalled(&ends(102)), [at(100)]);
    progress.reach_end(0);
    assert_eq!(progress.next(0), Some(102));
}

#[test]
fn partition_that_moved_between_two_looks_is_not_stalled() {
    let mut progress = reading(100, 100);
    progress.reach_end(0);
    assert!(progress.stalled(&ends(102)).is_empty());
    record(&mut progress, 100, ACCEPTED);
    progress.reach_end(0);
    assert!(progress.stalled(&ends(102)).is_empty());
}

#[test]
fn commit_begins_the_next_range_where_the_last_one_ended() {
    let mut progress = reading(100, 100);
    record(&mut progress, 100, ACCEPTED);
    progress.commit();
    assert!(!progress.advanced());
    record(&mut progress, 101, ACCEPTED);
    let range = &progress.ranges("topic")[0];
    assert_eq!((range.from, range.to, range.accepted), (101, 102, 1));
}

#[test]
fn restart_forgets_what_was_not_committed() {
    let mut progress = reading(100, 100);
    record(&mut progress, 100, ACCEPTED);
    progress.restart(0, |_| at(100));
    assert!(!progress.advanced());
    assert_eq!(progress.admit(0, 100, |_| true), Admission::Next);
}

#[test]
fn offsets_that_were_lost_before_they_were_read_are_gaps_and_stay_so_when_the_file_is_dropped() {
    let mut progress = reading(100, 200);
    record(&mut progress, 100, ACCEPTED);
    progress.lose_below(0, 150);
    record(&mut progress, 152, ACCEPTED);
    let PartitionRange { from, to, accepted, absent, gaps, .. } = progress.ranges("topic")[0];
    assert_eq!((from, to, accepted, absent, gaps), (100, 153, 2, 2, 49));
    progress.restart(0, |_| at(100));
    let PartitionRange { from, to, gaps, .. } = progress.ranges("topic")[0];
    assert_eq!((from, to, gaps), (100, 150, 50));
}

#[test]
fn commit_names_the_generation_in_which_it_was_read() {
    let mut progress = Progress::of_generation(2);
    progress.begin(at(7), 7);
    record(&mut progress, 7, ACCEPTED);
    assert_eq!(progress.ranges("topic")[0].generation, 2);
    progress.restart(3, |_| at(5));
    record(&mut progress, 5, ACCEPTED);
    let range = &progress.ranges("topic")[0];
    assert_eq!((range.generation, range.from), (3, 5));
}
