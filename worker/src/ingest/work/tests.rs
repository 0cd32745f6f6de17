use proptest::prelude::*;

use super::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A sample at this second, by which as many records were decoded as seconds have passed, ten times over.
fn sample(at: u64) -> Sample {
    let done = Done {
        records: 10 * at,
        bytes: 1000 * at,
        decode: seconds(at) / 4,
        encode: seconds(at) / 5,
        commit: seconds(at) / 10,
        store_wait: seconds(at) / 20,
    };
    Sample {
        at: seconds(at),
        cpu: seconds(at) / 2,
        done,
        reading_since: Some("2026-11-23T05:00:00.000Z".to_owned()),
        ends_at: seconds(at),
        places: BTreeMap::new(),
    }
}

impl Sample {
    fn with(mut self, partition: i32, next: i64, end: i64) -> Self {
        self.places.insert(partition, Place { next, end, is_stuck: false });
        self
    }

    fn with_stuck(mut self, partition: i32, next: i64, end: i64) -> Self {
        self.places.insert(partition, Place { next, end, is_stuck: true });
        self
    }
}

/// The report after all of these.
fn after(samples: impl IntoIterator<Item = Sample>) -> Option<WorkReport> {
    let mut window = Window::default();
    samples.into_iter().fold(None, |_, sample| window.add(sample, 1))
}

#[test]
fn one_sample_tells_nothing_and_two_tell_what_was_done_between_them() {
    assert_eq!(after([sample(100)]), None);
    let report = after([sample(100).with(3, 500, 600), sample(110).with(3, 600, 650)]).unwrap();
    let expected = WorkReport {
        window_seconds: 10.0,
        cpu_seconds: 5.0,
        records: 100,
        bytes: 10_000,
        decode_seconds: 2.5,
        encode_seconds: 2.0,
        commit_seconds: 1.0,
        store_wait_seconds: 0.5,
        decode_threads: 1,
        partitions: 1,
        arrival: Some(5.0),
        backlog: 50,
        stuck: StuckWork::default(),
        hottest: Some(PartitionWork { partition: 3, arrival: 5.0, backlog: 50 }),
    };
    assert_eq!(report, expected);
}

#[test]
fn window_slides_and_covers_about_a_minute() {
    let mut window = Window::default();
    for at in (0..=600).step_by(5) {
        let report = window.add(sample(at).with(0, 0, 7 * i64::try_from(at).unwrap()), 1);
        let covered = report.map_or(0.0, |report| report.window_seconds);
        assert_eq!(covered, at.min(60) as f64);
        assert!(window.samples.len() <= 13);
    }
    // Looks that take longer than usual.
    let report = window.add(sample(630), 1);
    assert_eq!(report, None, "partition 0 is gone");
}

#[test]
fn sample_that_comes_late_covers_more_than_a_minute() {
    let report = after([sample(0), sample(5), sample(200)]).unwrap();
    assert_eq!((report.window_seconds, report.records), (195.0, 1950));
}

#[rstest::rstest]
#[case::one_more(sample(10).with(0, 0, 10).with(1, 0, 10))]
#[case::none(sample(10))]
#[case::another(sample(10).with(1, 0, 10))]
fn rebalance_begins_anew(#[case] later: Sample) {
    let mut window = Window::default();
    window.add(sample(5).with(0, 0, 10), 1);
    assert_eq!(window.add(later.clone(), 1), None);
    let next = Sample { at: seconds(15), ..later };
    assert_eq!(window.add(next, 1).unwrap().window_seconds, 5.0);
}

#[test]
fn trouble_in_between_begins_anew() {
    let later = Sample { reading_since: Some("2026-11-23T05:00:07.000Z".to_owned()), ..sample(10) };
    assert_eq!(after([sample(5), later]), None);
}

#[test]
fn arrival_is_unknown_until_the_ends_were_seen_twice() {
    let first = sample(5).with(0, 2, 10);
    let same_look = Sample { ends_at: seconds(5), ..sample(6).with(0, 4, 10) };
    let report = after([first, same_look]).unwrap();
    assert_eq!((report.arrival, report.hottest, report.backlog), (None, None, 6));
}

#[test]
fn arrival_is_counted_over_the_time_between_the_looks() {
    let later = Sample { ends_at: seconds(14), ..sample(20).with(0, 0, 28) };
    assert_eq!(after([sample(10).with(0, 0, 8), later]).unwrap().arrival, Some(5.0));
}

#[test]
fn empty_topic_has_no_work() {
    let report = after([sample(5).with(0, 0, 0), sample(10).with(0, 0, 0)]).unwrap();
    assert_eq!((report.arrival, report.backlog), (Some(0.0), 0));
    assert_eq!(report.hottest, Some(PartitionWork { partition: 0, arrival: 0.0, backlog: 0 }));
}

#[test]
fn end_that_shrinks_is_no_arrival_and_a_place_beyond_it_no_backlog() {
    let report = after([sample(5).with(0, 90, 100), sample(10).with(0, 100, 40)]).unwrap();
    assert_eq!((report.arrival, report.backlog), (Some(0.0), 0));
}

#[test]
fn stuck_partition_counts_in_the_sums_and_is_told_apart() {
    let from = sample(0).with(0, 10, 10).with_stuck(1, 5, 1005);
    let to = sample(10).with(0, 20, 20).with_stuck(1, 5, 2005);
    let report = after([from, to]).unwrap();
    assert_eq!((report.partitions, report.arrival, report.backlog), (2, Some(101.0), 2000));
    assert_eq!(report.stuck, StuckWork { partitions: 1, arrival: 100.0, backlog: 2000 });
    assert_eq!(report.hottest.unwrap().partition, 0);
}

#[test]
fn large_backlog_is_more_work_than_a_small_arrival() {
    let from = sample(0).with(0, 0, 100).with(1, 0, 1_000_000);
    let to = sample(10).with(0, 200, 200).with(1, 0, 1_000_000);
    assert_eq!(after([from, to]).unwrap().hottest.unwrap().partition, 1);
}

proptest! {
    /// Whatever the samples are, the figures make sense: none is negative or no number, and parts are not above the whole.
    #[test]
    fn figures_make_sense(
        steps in proptest::collection::vec((0_u64..90, 0_u64..50, 0_u64..90, proptest::collection::btree_map(0..4, (0_i64..100, 0_i64..100, any::<bool>()), 0..4)), 1..40),
    ) {
        let mut window = Window::default();
        let (mut at, mut records) = (0, 0);
        for (passed, read, looked, places) in steps {
            let looked = seconds(at + looked.min(passed));
            at += passed;
            records += read;
            let done = Done { records, ..Done::default() };
            let places = places.into_iter().map(|(partition, (next, end, is_stuck))| (partition, Place { next, end, is_stuck }));
            let sample = Sample { at: seconds(at), cpu: seconds(at) / 3, done, reading_since: None, ends_at: looked, places: places.collect() };
            let owned = sample.places.len();
            let Some(report) = window.add(sample, 2) else { continue };
            prop_assert!(report.window_seconds > 0.0 && report.records <= records);
            prop_assert!(report.cpu_seconds >= 0.0 && report.cpu_seconds <= report.window_seconds);
            prop_assert_eq!(report.partitions as usize, owned);
            prop_assert!(report.stuck.partitions <= report.partitions && report.stuck.backlog <= report.backlog);
            if let Some(arrival) = report.arrival {
                prop_assert!(arrival.is_finite() && arrival >= 0.0 && report.stuck.arrival <= arrival + 1e-9);
                prop_assert_eq!(report.hottest.is_some(), report.stuck.partitions < report.partitions);
                let (hot, others) = (report.hottest.map_or(0.0, |hot| hot.arrival), report.stuck.arrival);
                prop_assert!(hot + others <= arrival + 1e-9);
            } else {
                prop_assert_eq!(report.hottest, None);
            }
        }
    }
}
