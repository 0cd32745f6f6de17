//! Worked cases: what is decided, and the sentence that says why.

use std::fmt::Write;
use std::time::Duration;

use gristmill_sizing::{Mode, ObstacleKind, Phase, Refuser, Size, decide};

use crate::stream::{COST, NOW, Stream, stream};

#[test]
fn decisions_and_their_sentences() {
    let cases = [load(), shapes(), limits(), time(), holds(), troubles(), modes()].concat();
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let mut text = String::new();
    for (name, stream) in &cases {
        let decision = stream.decide();
        let target = decision.target;
        let acts = if decision.acts { "" } else { ", not carried out" };
        writeln!(text, "## {name}").unwrap();
        writeln!(
            text,
            "{:?}: {} x {}m{acts}, {}",
            decision.change,
            target.replicas,
            target.cpu,
            decision.reason.as_str()
        )
        .unwrap();
        writeln!(text, "{}\n", decision.sentence()).unwrap();
    }
    insta::assert_snapshot!("cases", text);
}

#[test]
fn explanation_at_length() {
    let stream = stream().partitions(8).running(3, 2000).arrival(14_000.0).backlog(1_800_000).limits(|limits| {
        limits.max_replicas = 3;
    });
    insta::assert_snapshot!("explanation", stream.decide().explanation());
    let held = stream.phase(Phase::SourceUnavailable);
    insta::assert_snapshot!("explanation_held", held.decide().explanation());
}

/// The example of docs/guide/sizing.md: its lines are what the functions say.
#[test]
fn worked_example_of_the_guide() {
    let guide = include_str!("../../../../docs/guide/sizing.md");
    let example = stream().running(1, 500).arrival(3100.0).backlog(18_200);
    let lacking = example.clone().history(|history| history.short_since = Some(NOW - 20));
    let quiet = example.clone().running(1, 1400).arrival(900.0).backlog(0).peak(1377.0);
    let later = quiet.clone().history(|history| history.peaks.clear());
    for (what, text) in [
        ("the decision", example.decide().sentence()),
        ("the explanation", example.decide().explanation()),
        ("waiting for a whole window", lacking.decide().sentence()),
        ("less, too early", quiet.decide().sentence()),
        ("less, in time", later.decide().sentence()),
    ] {
        assert!(guide.contains(text.trim_end()), "docs/guide/sizing.md does not have {what} as it is:\n{text}");
    }
}

type Case = (&'static str, Stream);

fn load() -> Vec<Case> {
    vec![
        ("enough", stream()),
        ("a little more than enough is noise", stream().arrival(1200.0)),
        ("more arrives than half a core does", stream().arrival(3100.0)),
        ("arrival and a backlog", stream().arrival(3100.0).backlog(18_200)),
        ("ten times as much arrives", stream().arrival(10_000.0)),
        ("a backlog of two hours", stream().backlog(7_200_000)),
        ("a silent topic", stream().arrival(0.0)),
        ("one record in ten seconds", stream().arrival(0.1)),
        ("only a backlog is left", stream().arrival(0.0).backlog(900_000)),
        ("dear records: 20 ms each", stream().worker(0, |worker| worker.cpu_seconds = 60.0 * 1000.0 * 0.02)),
        (
            "an idle worker's cost is not believed",
            stream().arrival(50.0).backlog(3_600_000).worker(0, |worker| {
                worker.records = 3000;
                worker.cpu_seconds = 3.0;
            }),
        ),
    ]
}

fn shapes() -> Vec<Case> {
    vec![
        ("one worker may have it all", stream().running(1, 500).arrival(4500.0)),
        ("above maxCpuPerWorker another worker is added", stream().running(1, 2000).arrival(5500.0)),
        ("three workers of eight partitions are uneven", stream().running(1, 2000).arrival(11_000.0)),
        ("there are never fewer workers when more is needed", stream().running(4, 100).arrival(2000.0)),
        ("one partition", stream().partitions(1).arrival(3100.0)),
        ("500 partitions", stream().partitions(500).limits(|limits| limits.max_replicas = 100).arrival(100_000.0)),
        ("a hot partition decides about the CPU", stream().running(2, 500).arrival(3000.0).hot(5, 0.6)),
        ("a hot partition above maxCpuPerWorker", stream().running(4, 2000).arrival(12_000.0).hot(5, 0.6)),
        ("small steps", stream().running(1, 50).arrival(130.0).limits(|limits| limits.max_cpu_per_worker = 50)),
    ]
}

fn limits() -> Vec<Case> {
    vec![
        ("as many workers as partitions", stream().partitions(3).running(3, 2000).arrival(50_000.0)),
        ("maxReplicas", stream().running(1, 2000).limits(|limits| limits.max_replicas = 2).arrival(50_000.0)),
        ("minReplicas", stream().running(3, 200).limits(|limits| limits.min_replicas = 3)),
        ("maxCpu", stream().running(2, 1000).limits(|limits| limits.max_cpu = Some(3000)).arrival(20_000.0)),
        ("fewer than minReplicas run", stream().limits(|limits| limits.min_replicas = 2)),
        ("more than maxReplicas run", stream().running(8, 500).limits(|limits| limits.max_replicas = 4)),
        ("more than maxCpuPerWorker was begun with", stream().limits(|limits| limits.max_cpu_per_worker = 300)),
        (
            "minReplicas is above the partitions",
            stream().partitions(2).running(2, 500).limits(|limits| limits.min_replicas = 5),
        ),
    ]
}

fn time() -> Vec<Case> {
    let peak = 5000.0 * COST * 1000.0 / 0.7;
    vec![
        ("short for 20 s only", stream().arrival(3100.0).history(|history| history.short_since = Some(NOW - 20))),
        ("added two minutes ago", stream().arrival(3100.0).added(120, Size { replicas: 1, cpu: 300 }, 900.0)),
        ("added six minutes ago", stream().arrival(3100.0).added(360, Size { replicas: 1, cpu: 300 }, 900.0)),
        ("less for an hour", stream().running(2, 1200)),
        ("less, but not at the peak of the hour", stream().running(2, 1200).peak(peak)),
        (
            "less, but only half an hour has been seen",
            stream().running(2, 1200).history(|history| {
                history.observed_since = Some(NOW - 1800);
            }),
        ),
        ("a tenth of it is enough: one step of two", stream().running(8, 1500)),
        ("a little less is left alone", stream().running(1, 550)),
        (
            "without a history nothing is taken away",
            stream().running(2, 1200).history(|history| *history = Default::default()),
        ),
    ]
}

fn holds() -> Vec<Case> {
    vec![
        ("a worker tells nothing", stream().running(2, 500).worker(1, |worker| worker.age = None)),
        ("old figures", stream().arrival(9000.0).worker(0, |worker| worker.age = Some(Duration::from_secs(300)))),
        ("Kafka is away", stream().backlog(9_000_000).phase(Phase::SourceUnavailable)),
        ("the store is away", stream().backlog(9_000_000).phase(Phase::StoreUnavailable)),
        ("the rejected budget is spent", stream().backlog(9_000_000).phase(Phase::Held)),
        ("partitions are being moved", stream().running(2, 500).worker(1, |worker| worker.partitions = 1)),
        ("a worker leaves", stream().running(2, 500).worker(1, |worker| worker.phase = Phase::Draining)),
        (
            "a new worker owns nothing yet",
            stream().running(2, 500).worker(0, |worker| worker.partitions = 8).worker(1, |worker| {
                worker.partitions = 0;
                worker.phase = Phase::Starting;
                worker.age = None;
            }),
        ),
        ("no worker knows the topic", stream().partitions(0)),
        ("arrival is not known yet", stream().worker(0, |worker| worker.arrival = None)),
        ("arrival is not a number", stream().worker(0, |worker| worker.arrival = Some(f64::NAN))),
        ("a trickle needs no cost", stream().arrival(0.5).history(|history| history.cost = None)),
        (
            "few records that take much CPU",
            stream().arrival(0.5).history(|history| history.cost = None).worker(0, |worker| worker.cpu_seconds = 9.0),
        ),
        (
            "nothing was processed yet",
            stream().history(|history| history.cost = None).worker(0, |worker| worker.records = 0),
        ),
    ]
}

fn troubles() -> Vec<Case> {
    let before = Size { replicas: 1, cpu: 1000 };
    let waiting = stream()
        .running(2, 1000)
        .arrival(3000.0)
        .backlog(4_000_000)
        .using(0.45)
        .worker(0, |worker| worker.waiting_percent = 64.0);
    let refused = |kind, seconds| stream().arrival(3100.0).obstacle(kind, seconds);
    vec![
        ("as many workers as partitions that are not stuck", {
            stream().partitions(3).running(1, 2000).arrival(50_000.0).stuck(1, 0.0, 5_000_000)
        }),
        ("a stuck partition is left out", stream().stuck(1, 0.0, 5_000_000)),
        ("the last step did not help", waiting.clone().added(600, before, 2900.0)),
        ("the last step helped", waiting.clone().added(600, before, 1500.0)),
        ("the last step did not help, and CPU is used up", {
            waiting.clone().using(0.95).arrival(6000.0).added(600, before, 6500.0)
        }),
        ("the last step is tried again after an hour", waiting.added(4000, before, 2900.0)),
        ("a slow node", stream().running(2, 400).arrival(1500.0).worker(1, |worker| worker.cpu_seconds *= 2.0)),
        ("a quota refuses CPU, a moment ago", refused(ObstacleKind::ResizeRefused(Refuser::Namespace), 60)),
        ("a quota refuses CPU, for long", refused(ObstacleKind::ResizeRefused(Refuser::Namespace), 400)),
        ("a policy refuses CPU, for long", refused(ObstacleKind::ResizeRefused(Refuser::Policy), 400)),
        ("the node has no CPU left, for long", refused(ObstacleKind::ResizeNodeFull, 400)),
        ("a quota refuses pods", stream().running(1, 2000).arrival(9000.0).obstacle(ObstacleKind::PodOverQuota, 400)),
        (
            "no node has room for a pod",
            stream().running(1, 2000).arrival(9000.0).obstacle(ObstacleKind::PodUnschedulable, 400),
        ),
        ("no room for a pod, but CPU is allowed", refused(ObstacleKind::PodUnschedulable, 400)),
        ("two of four workers have no node, and the others lack CPU", {
            stream().running(2, 500).arrival(3100.0).asked_for(4).obstacle(ObstacleKind::PodUnschedulable, 60)
        }),
        ("two of four workers have no node, and the others have enough", {
            stream().running(2, 500).arrival(1500.0).asked_for(4).obstacle(ObstacleKind::PodUnschedulable, 60)
        }),
        ("less would do, and a limit range refuses it", {
            stream().running(1, 1400).obstacle(ObstacleKind::LessCpuRefused { kept: 1400, by: Refuser::Namespace }, 60)
        }),
        ("less would do, and a policy refuses it", {
            stream().running(1, 1400).obstacle(ObstacleKind::LessCpuRefused { kept: 1400, by: Refuser::Policy }, 60)
        }),
        ("KEDA sets the replicas", refused(ObstacleKind::ForeignOwner("keda-operator".into()), 400)),
    ]
}

fn modes() -> Vec<Case> {
    let mode = |mode| stream().arrival(3100.0).limits(|limits| limits.mode = mode);
    let mut advised = mode(Mode::Advise);
    advised.history = decide(&advised.facts, &advised.history).1;
    advised.facts.time += 15;
    vec![("Manual", mode(Mode::Manual)), ("Advise", mode(Mode::Advise)), ("Advise, a moment later", advised)]
}
