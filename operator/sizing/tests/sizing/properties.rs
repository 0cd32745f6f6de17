//! What holds of every decision, for facts that make sense and for facts that do not.

use std::time::Duration;

use gristmill_sizing::{
    Change, Decision, History, HotPartition, Mode, Need, Obstacle, ObstacleKind, Phase, Size, StuckPartitions, decide,
};
use proptest::prelude::*;

use crate::stream::{NOW, Stream, stream};

/// A stream as there may be one: any size, load and limits that the API server accepts.
fn streams() -> impl Strategy<Value = Stream> {
    let limits = (1u32..6, 0u32..12, 1u32..80, proptest::option::of(2u32..200), 10u32..=95);
    let load = (0.0..50_000.0f64, 0u64..20_000_000, proptest::option::of(0.0..1.0f64));
    (1u32..40, 1u32..12, 1u32..60, limits, load, 0.0..20_000.0f64).prop_map(
        |(partitions, replicas, steps, (least, more, cpu, max_cpu, percent), (arrival, backlog, hot), peak)| {
            let stream = stream()
                .partitions(partitions)
                .running(replicas, steps * 50)
                .arrival(arrival)
                .backlog(backlog)
                .peak(peak)
                .limits(|limits| {
                    limits.min_replicas = least;
                    limits.max_replicas = least + more;
                    limits.max_cpu_per_worker = cpu * 50;
                    limits.max_cpu = max_cpu.map(|cpu| cpu * 50);
                    limits.target_utilization_percent = percent;
                });
            hot.into_iter().fold(stream, |stream, part| stream.hot(0, part))
        },
    )
}

/// Throughput and cost stay: only what there is to do differs.
fn with_work(stream: &Stream, arrival: f64, backlog: u64) -> Stream {
    let workers = stream.facts.workers.len() as f64;
    let mut more = stream.clone();
    for worker in &mut more.facts.workers {
        worker.arrival = worker.arrival.map(|rate| rate + arrival / workers);
        worker.backlog += backlog;
    }
    more
}

/// Load that a size is enough for, where partitions are alike.
fn enough_for(size: Size, partitions: u32) -> f64 {
    let share = f64::from(partitions.div_ceil(size.replicas)) / f64::from(partitions);
    f64::from(size.cpu) / share
}

/// Without a hot partition, so that one figure tells how much a size is enough for.
fn even(mut stream: Stream) -> Stream {
    stream.facts.workers.iter_mut().for_each(|worker| worker.hottest = None);
    stream
}

/// Facts with every figure anything at all.
fn absurd() -> impl Strategy<Value = (Stream, History)> {
    let number = || prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(-1.0), Just(0.0)];
    let limits = (any::<u32>(), any::<u32>(), any::<u32>(), proptest::option::of(any::<u32>()), any::<u32>());
    let times = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
    let figures = (number(), any::<u64>(), any::<u32>(), any::<u32>(), number(), any::<u64>(), any::<u64>());
    (1u32..5, limits, times, figures, any::<u64>(), number(), any::<bool>()).prop_map(
        |(replicas, limits, times, figures, since, value, is_advice)| {
            let mut stream = stream().running(replicas, 500);
            let (min, max, cpu, max_cpu, percent) = limits;
            let (now, catch_up, stabilization, scale_down) = times;
            let (rate, records, worker_cpu, partitions, seconds, backlog, window) = figures;
            stream.facts.time = now;
            stream.facts.partitions = partitions;
            stream.facts.limits.mode = if is_advice { Mode::Advise } else { Mode::Auto };
            stream.facts.limits.min_replicas = min;
            stream.facts.limits.max_replicas = max;
            stream.facts.limits.max_cpu_per_worker = cpu;
            stream.facts.limits.max_cpu = max_cpu;
            stream.facts.limits.target_utilization_percent = percent;
            stream.facts.limits.catch_up = Duration::from_secs(catch_up);
            stream.facts.limits.stabilization = Duration::from_secs(stabilization);
            stream.facts.limits.scale_down = Duration::from_secs(scale_down);
            stream.facts.obstacles = vec![Obstacle { kind: ObstacleKind::ResizeNodeFull, since }];
            for worker in &mut stream.facts.workers {
                worker.window = Duration::from_secs(window);
                worker.cpu_seconds = seconds;
                worker.records = records;
                worker.cpu = worker_cpu;
                worker.partitions = partitions;
                worker.arrival = Some(rate);
                worker.backlog = backlog;
                worker.waiting_percent = value;
                worker.stuck = StuckPartitions { partitions: worker_cpu, arrival: value, backlog: records };
                worker.hottest = Some(HotPartition { partition: -1, arrival: value, backlog });
            }
            // The whole topic on the first worker, so that it is often computed.
            for worker in &mut stream.facts.workers[1..] {
                worker.partitions = 0;
            }
            let need = Need { total: value, hottest: seconds, slowest: rate };
            let mut history = stream.history.clone();
            history.peaks = vec![(since, need), (now, need)];
            history.observed_since = Some(since);
            history.observed = Some(now.saturating_sub(1));
            history.short_since = Some(since);
            history.last_up = Some(gristmill_sizing::Resize {
                time: since,
                from: Size { replicas: worker_cpu, cpu },
                to: stream.facts.running,
                throughput: value,
            });
            history.cost = Some(gristmill_sizing::Cost { seconds, slowest: value });
            (stream, history)
        },
    )
}

fn carried_out(stream: &Stream, decision: &Decision, history: History) -> Stream {
    let mut after = stream.clone();
    after.history = history;
    after.facts.running = decision.target;
    after
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_outside_of_what_is_allowed(stream in streams()) {
        let target = stream.decide().target;
        let limits = &stream.facts.limits;
        let most = limits.max_replicas.min(stream.facts.partitions);
        prop_assert!(target.replicas <= most, "{target:?}");
        prop_assert!(target.replicas >= limits.min_replicas.min(most), "{target:?}");
        prop_assert!(target.cpu <= limits.max_cpu_per_worker, "{target:?}");
        prop_assert!(limits.max_cpu.is_none_or(|cpu| target.total() <= u64::from(cpu.max(target.replicas))), "{target:?}");
    }

    #[test]
    fn more_work_never_makes_it_smaller(stream in streams(), arrival in 0.0..20_000.0f64, backlog in 0u64..5_000_000) {
        let stream = even(stream);
        let more = with_work(&stream, arrival, backlog);
        let (before, after) = (stream.decide(), more.decide());
        // Where maxCpu is too little for all workers, fewer of them may have more each.
        let is_capped = stream.facts.limits.max_cpu.is_some();
        prop_assert!(is_capped || after.target.replicas >= before.target.replicas, "{before:?} {after:?}");
        let enough = |decision: &Decision| enough_for(decision.target, stream.facts.partitions);
        prop_assert!(enough(&after) >= enough(&before) * 0.999_999, "{before:?} {after:?}");
        prop_assert!(after.figures.unwrap().need >= before.figures.unwrap().need);
    }

    #[test]
    fn a_shape_is_enough_or_says_why_not(stream in streams()) {
        let decision = stream.decide();
        let figures = decision.figures.unwrap();
        if decision.change == Change::Up && !decision.reason.is_limit() {
            prop_assert!(figures.fullest <= f64::from(decision.target.cpu) + 1e-6, "{decision:?}");
        }
    }

    #[test]
    fn the_same_facts_again_change_nothing(stream in streams()) {
        let (first, history) = decide(&stream.facts, &stream.history);
        let after = carried_out(&stream, &first, history);
        let (second, history) = decide(&after.facts, &after.history);
        prop_assert_eq!(second.target, first.target);
        prop_assert_eq!(second.change, Change::Stay);
        let third = decide(&after.facts, &history).0;
        prop_assert_eq!(third.change, Change::Stay);
    }

    #[test]
    fn missing_figures_hold(stream in streams(), trouble in 0usize..7) {
        let stream = stream.running(1, 300).limits(|limits| {
            limits.min_replicas = 1;
            limits.max_replicas = 10;
            limits.max_cpu_per_worker = 2000;
            limits.max_cpu = None;
        });
        let stream = match trouble {
            0 => stream.worker(0, |worker| worker.age = None),
            1 => stream.worker(0, |worker| worker.age = Some(Duration::from_secs(61))),
            2 => stream.worker(0, |worker| worker.arrival = None),
            3 => stream.worker(0, |worker| worker.partitions += 1),
            4 => stream.phase(Phase::SourceUnavailable),
            5 => stream.phase(Phase::StoreUnavailable),
            _ => stream.phase(Phase::Held),
        };
        let decision = stream.decide();
        prop_assert_eq!(decision.target, stream.facts.running);
        prop_assert!(decision.hold.is_some() && decision.reason.is_limit());
    }

    #[test]
    fn one_step_takes_no_more_than_its_part(stream in streams()) {
        let stream = even(stream);
        let decision = stream.decide();
        let (before, after, partitions) = (stream.facts.running, decision.target, stream.facts.partitions);
        let limits = &stream.facts.limits;
        let was_allowed = before.replicas >= limits.min_replicas && before.replicas <= limits.max_replicas.min(partitions);
        if decision.change == Change::Down && was_allowed && before.cpu <= limits.max_cpu_per_worker {
            prop_assert!(enough_for(after, partitions) >= 0.399 * enough_for(before, partitions), "{decision:?}");
            prop_assert!(after.total() as f64 <= 0.8 * before.total() as f64, "{decision:?}");
        }
    }

    #[test]
    fn no_facts_make_it_panic((stream, history) in absurd()) {
        let (decision, history) = decide(&stream.facts, &history);
        prop_assert!(decision.target.replicas >= 1 && decision.target.cpu >= 1);
        prop_assert!(!decision.sentence().is_empty() && !decision.explanation().is_empty());
        let mut later = stream.facts.clone();
        later.time = later.time.saturating_add(60);
        decide(&later, &history);
        prop_assert!(history.peaks.len() <= 14);
    }
}

proptest! {
    // Each case is eight hours.
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// The load goes up and down around any boundary by 4 %, for 8 hours: once the size fits, it stays.
    #[test]
    fn no_flapping_at_a_boundary(stream in streams(), phase in 0u64..40) {
        let mut stream = stream.backlog(0);
        let arrival = stream.total_arrival();
        let mut changes = Vec::new();
        for step in 0..480u64 {
            stream.facts.time = NOW + step * 60;
            let factor = 1.0 + 0.04 * if (step + phase) % 3 == 0 { 1.0 } else { -1.0 };
            let size = stream.facts.running;
            stream = stream.running(size.replicas, size.cpu).arrival(arrival * factor);
            let (decision, history) = decide(&stream.facts, &stream.history);
            stream = carried_out(&stream, &decision, history);
            if decision.change != Change::Stay {
                changes.push((step, decision.change));
            }
        }
        // Bounds, up and then down by steps of 60 %: all in the first hours, none later.
        prop_assert!(changes.iter().all(|(step, _)| *step < 240), "{changes:?}");
        let after_first_down = changes.iter().skip_while(|(_, change)| *change != Change::Down);
        prop_assert!(after_first_down.clone().all(|(_, change)| *change == Change::Down), "{changes:?}");
    }
}
