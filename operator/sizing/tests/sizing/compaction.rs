//! The size of a compaction's next run: worked cases, and what holds of all.

use std::fmt::Write;
use std::time::Duration;

use gristmill_sizing::Mode;
use gristmill_sizing::compaction::{CompactionFacts, MemoryRefused, PastRun, PodSize, RunSize, decide};
use proptest::prelude::*;

const MI: u64 = 1 << 20;
const GI: u64 = 1 << 30;

/// A zone of 16 buckets with five runs behind it, at 38 MB a core-second, that will find 183 MB.
fn zone() -> CompactionFacts {
    let run =
        PastRun { bytes: 190_000_000, rows: 1_900_000, cpu_seconds: 5.0, duration: Duration::from_secs(10), cpu: 500 };
    CompactionFacts {
        mode: Mode::Auto,
        target: Duration::from_secs(300),
        max_cpu: 4000,
        max_memory: 8 * GI,
        max_parallelism: 8,
        buckets: 16,
        document: PodSize { cpu: 500, memory: GI },
        backlog_bytes: 3_000_000,
        growth: 50_000.0,
        until_start: Duration::from_secs(3600),
        runs: vec![run; 5],
        memory_refused: None,
        current: None,
    }
}

fn had(cpu: u32, memory: u64, parallelism: u32) -> Option<RunSize> {
    Some(RunSize { pod: PodSize { cpu, memory }, parallelism })
}

fn with(change: impl FnOnce(&mut CompactionFacts)) -> CompactionFacts {
    let mut facts = zone();
    change(&mut facts);
    facts
}

fn large(facts: &mut CompactionFacts) {
    facts.backlog_bytes = 120_000_000_000;
}

#[test]
fn decisions_and_their_sentences() {
    let cases = [
        ("an hour of a small stream", zone()),
        ("nothing waits and nothing arrives", with(|facts| (facts.backlog_bytes, facts.growth) = (0, 0.0))),
        ("a day", with(|facts| facts.backlog_bytes = 4_400_000_000)),
        ("more than one core, in whole cores", with(|facts| facts.backlog_bytes = 20_000_000_000)),
        ("more than a pod may have", with(large)),
        ("more than all pods may have", with(|facts| facts.backlog_bytes = 900_000_000_000)),
        (
            "as many pods as buckets",
            with(|facts| {
                facts.buckets = 2;
                large(facts);
            }),
        ),
        (
            "one bucket",
            with(|facts| {
                facts.buckets = 1;
                large(facts);
            }),
        ),
        (
            "one pod is allowed",
            with(|facts| {
                facts.max_parallelism = 1;
                large(facts);
            }),
        ),
        (
            "buckets that pods don't divide",
            with(|facts| {
                facts.buckets = 12;
                large(facts);
            }),
        ),
        ("no run yet", with(|facts| facts.runs.clear())),
        (
            "no run yet, and the first was ended for want of memory",
            with(|facts| {
                facts.runs.clear();
                facts.memory_refused = Some(MemoryRefused::Ended(GI));
            }),
        ),
        ("small runs say nothing", with(|facts| facts.runs.iter_mut().for_each(|run| run.bytes = 1000))),
        (
            "runs that used half of their cores",
            with(|facts| {
                facts.runs.iter_mut().for_each(|run| run.cpu = 1000);
                large(facts);
            }),
        ),
        (
            "runs that used a tenth of their cores",
            with(|facts| {
                facts.runs.iter_mut().for_each(|run| run.cpu = 5000);
                large(facts);
            }),
        ),
        ("ended for want of memory", with(|facts| facts.memory_refused = Some(MemoryRefused::Ended(3 * GI)))),
        ("refused for want of memory", with(|facts| facts.memory_refused = Some(MemoryRefused::Needs(1500 * MI)))),
        (
            "more keys than memory",
            with(|facts| {
                facts.max_memory = 2 * GI;
                large(facts);
            }),
        ),
        (
            "figures that are none",
            with(|facts| {
                facts.growth = f64::NAN;
                facts.runs[0].cpu_seconds = f64::INFINITY;
            }),
        ),
        ("a step less would do", with(|facts| facts.current = had(500, GI + 256 * MI, 1))),
        ("two steps less would do", with(|facts| facts.current = had(750, GI + 512 * MI, 1))),
        (
            "a core less would do, which is above what is allowed now",
            with(|facts| {
                facts.backlog_bytes = 20_000_000_000;
                facts.max_cpu = 2000;
                facts.current = had(3000, 4 * GI, 1);
            }),
        ),
        ("another number of pods", with(|facts| facts.current = had(500, GI, 2))),
        (
            "one pod would only just do",
            with(|facts| (facts.backlog_bytes, facts.current) = (45_000_000_000, had(2000, GI, 2))),
        ),
        ("one pod would do with room to spare", {
            with(|facts| (facts.backlog_bytes, facts.current) = (30_000_000_000, had(2000, GI, 2)))
        }),
        ("two pods, of which one is not allowed any more", {
            with(|facts| {
                (facts.backlog_bytes, facts.current) = (45_000_000_000, had(2000, GI, 2));
                facts.max_parallelism = 1;
            })
        }),
        ("Advise", with(|facts| facts.mode = Mode::Advise)),
        ("Manual", with(|facts| facts.mode = Mode::Manual)),
    ];
    let mut text = String::new();
    for (name, facts) in cases {
        let decision = decide(&facts);
        let PodSize { cpu, memory } = decision.pod;
        let acts = if decision.acts { "" } else { ", not carried out" };
        writeln!(text, "## {name}\n{} x {cpu}m, {} Mi{acts} {:?}", decision.parallelism, memory / MI, decision.limits)
            .unwrap();
        writeln!(text, "{}\n", decision.sentence).unwrap();
    }
    insta::assert_snapshot!("compaction", text);
}

#[test]
fn hours_around_what_a_pod_may_have_keep_their_pods() {
    let mut facts = zone();
    let mut pods = Vec::new();
    for hour in 0..12u64 {
        facts.backlog_bytes = 44_000_000_000 + hour % 2 * 3_000_000_000;
        let decision = decide(&facts);
        facts.current = Some(RunSize { pod: decision.pod, parallelism: decision.parallelism });
        pods.push(decision.parallelism);
    }
    assert_eq!(pods, [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]);
}

#[test]
fn speed_is_by_the_runs_that_tell_it() {
    let facts = with(|facts| facts.runs[0].bytes = 1000);
    let explanation = decide(&facts).explanation(&facts);
    assert!(explanation.contains("a core-second, by 4 runs"), "{explanation}");
}

#[test]
fn explanation_at_length() {
    let facts = with(|facts| {
        facts.runs.iter_mut().for_each(|run| run.cpu = 1000);
        facts.max_parallelism = 4;
        large(facts);
    });
    let explanation = decide(&facts).explanation(&facts);
    let guide = include_str!("../../../../docs/guide/sizing.md");
    assert!(guide.contains(&explanation), "docs/guide/sizing.md does not have this as it is:\n{explanation}");
    insta::assert_snapshot!("compaction_explanation", explanation);
    let manual = with(|facts| facts.mode = Mode::Manual);
    insta::assert_snapshot!("compaction_explanation_manual", decide(&manual).explanation(&manual));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn within_its_limits_and_larger_for_more(
        backlog in 0u64..2_000_000_000_000,
        more in 0u64..1_000_000_000_000,
        buckets in 1u32..64,
        pods in 1u32..64,
        max_cpu in 250u32..8000,
        memory in 128u64..16_384,
    ) {
        let facts = with(|facts| {
            facts.backlog_bytes = backlog;
            facts.buckets = buckets;
            facts.max_parallelism = pods;
            facts.max_cpu = max_cpu;
            facts.max_memory = memory * MI;
        });
        let decision = decide(&facts);
        prop_assert!(decision.parallelism <= pods.min(buckets) && decision.pod.cpu <= max_cpu);
        prop_assert!(decision.pod.memory <= memory * MI && decision.parallelism >= 1);
        prop_assert!(decision.parallelism == 1 || buckets > 1);
        let larger = decide(&CompactionFacts { backlog_bytes: backlog + more, ..facts });
        prop_assert!(larger.parallelism >= decision.parallelism);
        // Each pod takes a part of the buckets: what all are enough for together does not shrink.
        let enough = |parallelism: u32, cpu: u32| f64::from(cpu) / f64::from(buckets.div_ceil(parallelism));
        prop_assert!(
            enough(larger.parallelism, larger.pod.cpu) >= 0.7 * enough(decision.parallelism, decision.pod.cpu)
        );
    }

    #[test]
    fn decided_twice_it_stays_and_a_little_less_changes_nothing(backlog in 0u64..200_000_000_000, less in 0u64..500_000_000) {
        let facts = with(|facts| facts.backlog_bytes = backlog);
        let decision = decide(&facts);
        let current = Some(RunSize { pod: decision.pod, parallelism: decision.parallelism });
        let again = decide(&CompactionFacts { current, ..facts.clone() });
        prop_assert_eq!((again.pod, again.parallelism, again.kept), (decision.pod, decision.parallelism, false));
        let fewer = CompactionFacts { current, backlog_bytes: backlog.saturating_sub(less), ..facts };
        let (fewer, alone) = (decide(&fewer), decide(&CompactionFacts { current: None, ..fewer.clone() }));
        if alone.parallelism == decision.parallelism {
            prop_assert_eq!(fewer.pod.cpu, decision.pod.cpu);
        }
    }

    #[test]
    fn no_facts_make_it_panic(
        bytes in any::<u64>(), rows in any::<u64>(), seconds in any::<f64>(), growth in any::<f64>(),
        time in any::<u64>(), cpu in any::<u32>(), buckets in any::<u32>(), pods in any::<u32>(), memory in any::<u64>(),
    ) {
        let time = Duration::from_secs(time);
        let run = PastRun { bytes, rows, cpu_seconds: seconds, duration: time, cpu };
        let facts = CompactionFacts {
            target: time, max_cpu: cpu, max_memory: memory, max_parallelism: pods, buckets,
            backlog_bytes: bytes, growth, until_start: time, runs: vec![run; 2],
            memory_refused: Some(MemoryRefused::Ended(memory)),
            current: had(cpu, memory, pods), ..zone()
        };
        let decision = decide(&facts);
        prop_assert!(!decision.sentence.is_empty() && !decision.explanation(&facts).is_empty());
    }
}
