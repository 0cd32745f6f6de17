//! Decisions one after the other, each carried out before the next.

use std::time::Duration;

use gristmill_sizing::{Change, Granted, History, Mode, Obstacle, ObstacleKind, Reason, Refuser, Size, decide};

use crate::stream::{COST, NOW, Stream, stream};

/// Decides every 15 seconds for a time and carries it out; the changes with their time since the start.
fn run(stream: &mut Stream, minutes: u64) -> Vec<(u64, Change, Size)> {
    let mut changes = Vec::new();
    for second in (0..minutes * 60).step_by(15) {
        stream.facts.time += 15;
        let (decision, history) = decide(&stream.facts, &stream.history);
        stream.history = history;
        if decision.change != Change::Stay {
            changes.push((second, decision.change, decision.target));
        }
        if decision.acts {
            *stream = stream.clone().running(decision.target.replicas, decision.target.cpu);
        }
    }
    changes
}

#[test]
fn a_step_takes_one_change() {
    let mut stream = stream().history(|history| history.short_since = None).arrival(10_000.0);
    let changes = run(&mut stream, 120);
    assert_eq!(changes, [(90, Change::Up, Size { replicas: 3, cpu: 1700 })]);
}

#[test]
fn a_peak_of_a_minute_counts_as_much_as_of_it_lasts() {
    let mut stream = stream().history(|history| history.short_since = None);
    assert_eq!(run(&mut stream, 5), []);
    let mut peak = stream.clone().arrival(10_000.0);
    assert_eq!(run(&mut peak, 1), []);
    let mut after = peak.arrival(1000.0);
    assert_eq!(run(&mut after, 300), []);
}

#[test]
fn a_peak_that_does_not_last_keeps_nothing() {
    let mut stream = stream().running(2, 2000).arrival(200.0);
    stream.history = History::default();
    assert_eq!(run(&mut stream, 30), []);
    let mut stream = stream.arrival(9000.0);
    stream.facts.time += 15;
    stream.history = decide(&stream.facts, &stream.history).1;
    let mut stream = stream.arrival(200.0);
    assert_eq!(run(&mut stream, 31).first().map(|(_, change, _)| *change), Some(Change::Down));
}

#[test]
fn what_is_no_longer_needed_goes_after_the_interval_by_steps() {
    let mut stream = stream().running(4, 2000).arrival(200.0);
    stream.history = History::default();
    let changes = run(&mut stream, 180);
    let sizes: Vec<Size> = changes.iter().map(|(_, _, size)| *size).collect();
    assert!(changes.iter().all(|(second, change, _)| *second >= 3585 && *change == Change::Down), "{changes:?}");
    assert!(sizes.windows(2).all(|pair| pair[1].total() * 5 >= pair[0].total() * 2), "{changes:?}");
    assert_eq!(sizes.last(), Some(&Size { replicas: 1, cpu: 100 }));
}

/// Decides every 15 seconds on nodes that give no worker more than so much; what is refused stays the wish while it is
/// needed, as the operator has it.
fn run_on_full_nodes(stream: &mut Stream, minutes: u64, most: u32) -> Vec<(u64, Change, Size)> {
    let mut changes = Vec::new();
    let mut wish = stream.facts.running;
    let mut refused_since = None;
    for second in (0..minutes * 60).step_by(15) {
        stream.facts.time += 15;
        let is_refused = wish.cpu > most;
        refused_since = refused_since.filter(|_| is_refused).or(is_refused.then_some(stream.facts.time));
        *stream = stream.clone().running(wish.replicas, wish.cpu.min(most));
        stream.facts.obstacles.clear();
        stream
            .facts
            .obstacles
            .extend(refused_since.map(|since| Obstacle { kind: ObstacleKind::ResizeNodeFull, since }));
        let (decision, history) = decide(&stream.facts, &stream.history);
        stream.history = history;
        if decision.change != Change::Stay {
            changes.push((second, decision.change, decision.target));
        }
        wish = decision.wish(wish);
    }
    changes
}

#[test]
fn cpu_that_a_node_refused_is_not_what_fewer_workers_are_to_have() {
    let mut stream = stream().arrival(3100.0).history(|history| history.short_since = None);
    let up = run_on_full_nodes(&mut stream, 30, 500);
    assert_eq!(up.last().map(|(_, change, size)| (*change, *size)), Some((Change::Up, Size { replicas: 4, cpu: 350 })));
    // 0.8 cores, for ten hours: one worker would do, if it could be given them.
    let mut stream = stream.arrival(1800.0);
    let after = run_on_full_nodes(&mut stream, 600, 500);
    assert_eq!(after.len(), 1, "{after:?}");
    assert_eq!((after[0].1, after[0].2), (Change::Down, Size { replicas: 2, cpu: 400 }));
}

#[test]
fn cpu_that_was_refused_more_than_a_day_ago_is_asked_for_again() {
    let refused = |hours: u64| {
        let granted = Granted { time: NOW - hours * 3600, cpu: 500 };
        let stream = stream().running(4, 350).arrival(1800.0);
        stream.history(|history| history.most_granted = Some(granted)).decide().target
    };
    assert_eq!(refused(23), Size { replicas: 2, cpu: 400 });
    assert_eq!(refused(25), Size { replicas: 1, cpu: 800 });
}

#[test]
fn workers_that_stay_since_more_cpu_was_refused_are_explained() {
    let sentence = |hours: u64| {
        let granted = Granted { time: NOW - hours * 3600, cpu: 500 };
        let stream = stream().running(2, 400).arrival(1800.0);
        stream.history(|history| history.most_granted = Some(granted)).decide().sentence()
    };
    let told = "fewer workers would do, but within the last day a worker was refused more than 500m";
    assert!(sentence(3).contains(told), "{}", sentence(3));
    assert!(!sentence(25).contains(told), "{}", sentence(25));
}

#[test]
fn workers_that_a_full_node_keeps_are_not_put_down_to_a_refusal() {
    // One worker with 800m would do.
    let sentence = |granted: u32| {
        let granted = Granted { time: NOW - 3 * 3600, cpu: granted };
        let stream = stream().running(2, 400).arrival(1800.0).obstacle(ObstacleKind::PodUnschedulable, 60);
        stream.history(|history| history.most_granted = Some(granted)).decide().sentence()
    };
    assert!(sentence(500).contains("a worker was refused more than 500m"), "{}", sentence(500));
    assert!(!sentence(900).contains("a worker was refused"), "{}", sentence(900));
}

#[test]
fn more_that_is_granted_after_all_ends_the_memory_of_the_refusal() {
    let mut stream = stream().arrival(3100.0).history(|history| history.short_since = None);
    run_on_full_nodes(&mut stream, 30, 500);
    assert_eq!(stream.history.most_granted.map(|granted| granted.cpu), Some(500));
    let mut stream = stream.arrival(9000.0);
    run_on_full_nodes(&mut stream, 30, 2000);
    assert_eq!(stream.history.most_granted, None);
}

/// A limit of the document below what the namespace demands: it is told, and workers are added beside those that keep more.
#[test]
fn limit_below_what_a_worker_keeps_changes_nothing_and_more_workers_come() {
    let obstacle = ObstacleKind::LessCpuRefused { by: Refuser::Namespace, kept: 500 };
    let mut stream = stream().arrival(100.0).obstacle(obstacle, 60).history(|history| history.short_since = None);
    stream.facts.limits.max_cpu_per_worker = 100;
    assert_eq!(run(&mut stream, 10), []);
    assert_eq!(stream.decide().reason, Reason::QuotaExceeded);
    let mut stream = stream.arrival(4000.0);
    let changes = run(&mut stream, 10);
    assert!(matches!(changes.as_slice(), [(_, Change::Up, Size { replicas: 4, cpu: 500 })]), "{changes:?}");
}

/// Together they may have two cores, and one can't be given less than one of them.
#[test]
fn cpu_of_all_bounds_the_workers_that_keep_theirs() {
    let obstacle = ObstacleKind::LessCpuRefused { by: Refuser::Namespace, kept: 1000 };
    let mut stream = stream().running(4, 1000).arrival(9000.0).obstacle(obstacle, 60);
    stream.facts.limits.max_cpu = Some(2000);
    assert_eq!(stream.decide().target, Size { replicas: 2, cpu: 1000 });
    stream = stream.running(2, 1000);
    assert_eq!(run(&mut stream, 60), []);
}

/// An evening's need at the edge of a step.
#[test]
fn refusal_of_less_is_told_by_the_peak_and_not_by_turns() {
    let mut stream =
        stream().running(1, 100).obstacle(ObstacleKind::LessCpuRefused { by: Refuser::Namespace, kept: 100 }, 60);
    for _ in 0..200 {
        for arrival in [90.0, 140.0] {
            stream = stream.arrival(arrival);
            run(&mut stream, 1);
        }
    }
    let reasons = [90.0, 140.0].map(|arrival| stream.clone().arrival(arrival).decide().reason);
    assert_eq!(reasons[0], reasons[1]);
}

#[test]
fn less_that_is_refused_takes_workers_and_no_cpu() {
    let mut stream = stream()
        .running(4, 500)
        .arrival(200.0)
        .obstacle(ObstacleKind::LessCpuRefused { by: Refuser::Namespace, kept: 500 }, 60);
    let changes = run(&mut stream, 300);
    assert!(changes.iter().all(|(_, change, size)| *change == Change::Down && size.cpu >= 500), "{changes:?}");
    assert_eq!(stream.facts.running, Size { replicas: 1, cpu: 500 });
    assert_eq!(stream.decide().reason, Reason::QuotaExceeded);
    let mut stream = stream.arrival(1000.0);
    run(&mut stream, 5);
    let enough = stream.decide();
    assert_eq!(enough.reason, Reason::DesiredWithinRange, "no less would do: {}", enough.sentence());
}

#[test]
fn a_gap_in_the_observations_begins_the_interval_anew() {
    let mut stream = stream().running(4, 2000).arrival(200.0);
    stream.history = History::default();
    assert_eq!(run(&mut stream, 50), []);
    stream.facts.time += 1200;
    assert_eq!(run(&mut stream, 50), []);
    assert!(!run(&mut stream, 15).is_empty());
}

#[test]
fn advice_changes_only_its_own_mind() {
    let mut stream = stream().history(|history| history.short_since = None).arrival(3100.0);
    stream.facts.limits.mode = Mode::Advise;
    let changes = run(&mut stream, 300);
    assert_eq!(changes, [(90, Change::Up, Size { replicas: 1, cpu: 1400 })]);
    assert_eq!(stream.facts.running, Size { replicas: 1, cpu: 500 });
}

#[test]
fn history_survives_being_stored_and_stays_small() {
    let mut stream = stream().arrival(3100.0).running(2, 2000);
    run(&mut stream, 300);
    let text = serde_json::to_string(&stream.history).unwrap();
    assert!(text.len() < 4096, "{} bytes: {text}", text.len());
    assert_eq!(serde_json::from_str::<History>(&text).unwrap(), stream.history);
    assert_eq!(serde_json::from_str::<History>("{}").unwrap(), History::default());
}

#[test]
fn a_clock_set_back_stops_nothing_for_longer_than_an_interval() {
    let mut stream = stream().arrival(3100.0).running(1, 1000);
    assert_eq!(run(&mut stream, 10).len(), 1);
    stream.facts.time = NOW - 86_400;
    let mut stream = stream.arrival(9000.0);
    let changes = run(&mut stream, 30);
    assert!(matches!(changes.first(), Some((_, Change::Up, _))), "{changes:?}");
    let interval = Duration::from_secs(300 + 75);
    assert!(Duration::from_secs(changes[0].0) <= interval, "{changes:?}");
}

#[test]
fn a_step_that_did_not_help_is_not_repeated_before_an_interval() {
    // A store that takes no more than 1,300 records a second, whatever the CPU.
    let behind = |stream: Stream| {
        let given = stream.facts.running.total() as f64 / 1000.0;
        stream.arrival(1500.0).backlog(2_000_000).using((1300.0 * COST / given).min(1.0))
    };
    let mut stream = behind(stream().history(|history| history.short_since = None));
    let mut changes = Vec::new();
    for second in (0..2 * 3600).step_by(15) {
        stream.facts.time += 15;
        let (decision, history) = decide(&stream.facts, &stream.history);
        stream.history = history;
        if decision.change != Change::Stay {
            changes.push((second, decision.change, decision.target));
            stream = behind(stream.running(decision.target.replicas, decision.target.cpu));
            // More waits than before, so that more is asked for.
            stream = stream.arrival(2500.0).using(1300.0 * COST * 1000.0 / decision.target.total() as f64);
        } else if second > 600 && second < 3600 {
            assert_eq!(decision.reason, Reason::NotEffective, "{second} {}", decision.sentence());
        }
    }
    let times: Vec<u64> = changes.iter().map(|(second, ..)| *second).collect();
    assert!(times.len() == 2 && times[1] - times[0] >= 3600, "{changes:?}");
}
