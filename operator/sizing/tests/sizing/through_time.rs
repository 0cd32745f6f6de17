//! Decisions one after the other, each carried out before the next.

use std::time::Duration;

use gristmill_sizing::{Change, History, Mode, Reason, Size, decide};

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
