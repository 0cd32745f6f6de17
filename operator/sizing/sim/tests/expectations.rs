//! The decision function against the policies of its peers, on every trace, and what the model keeps to.

use gristmill_sizing::Size;
use gristmill_sizing_sim::STEP;
use gristmill_sizing_sim::cluster::Cluster;
use gristmill_sizing_sim::expectation::compare;
use gristmill_sizing_sim::plot;
use gristmill_sizing_sim::trace::{DAY, Trace};

#[test]
fn as_good_as_the_best_peer_on_every_trace_and_cheaper_than_static() {
    let noises = (1..6).map(Trace::Noisy);
    let failures: Vec<String> =
        Trace::ALL.into_iter().chain(noises).flat_map(|trace| compare(trace).failures()).collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn a_policy_that_is_worse_is_found_out() {
    let fails = |trace: Trace, peer: usize| {
        let mut comparison = compare(trace);
        comparison.days.swap(0, peer);
        comparison.failures()
    };
    // KEDA by default keeps all workers, tuned it goes up and down; Flink comes late.
    assert!(fails(Trace::Diurnal, 1)[0].contains("core-hours"));
    assert!(fails(Trace::Noisy(0), 2)[0].contains("changes in an hour"));
    assert!(fails(Trace::Step, 3)[0].contains("over the lag target"));
}

#[test]
fn every_record_is_processed_once_or_waits() {
    for trace in [Trace::Skewed, Trace::Burst, Trace::BrokerOutage] {
        let mut cluster = Cluster::new(trace);
        let (mut arrived, mut processed) = (0.0, 0.0);
        while cluster.time < DAY / 2 {
            if cluster.time.is_multiple_of(1800) {
                cluster.resize(Size { replicas: 1 + (cluster.time / 1800 % 5) as u32, cpu: 300 });
            }
            cluster.step();
            let step = cluster.steps.back().unwrap();
            arrived += step.arrived.iter().sum::<f64>();
            processed += step.processed.iter().sum::<f64>();
            let waiting = step.waiting;
            assert!((arrived - processed - waiting).abs() < 1e-6 * arrived.max(1.0), "{trace:?} at {}", cluster.time);
        }
        assert!(processed > 0.5 * arrived, "{trace:?}");
    }
}

#[test]
fn a_day_is_the_same_each_time_and_has_a_picture() {
    let (one, two) = (compare(Trace::Noisy(0)), compare(Trace::Noisy(0)));
    let picture = plot::svg(&one);
    assert_eq!(picture, plot::svg(&two));
    assert_eq!(picture.matches("<polyline").count(), 1 + 2 * one.days.len());
    assert_eq!(one.days[0].points.len() as u64, DAY / STEP);
}
