use gristmill_crds::report::{IngestPhase, StuckWork, WorkReport};
use gristmill_crds::{Lag, MessageCounts, RetentionStatus, ZoneStatus};

use super::*;
use crate::documents::Documents;
use crate::ingest::StatusBoard;

/// The metrics of a worker that has caught up but for 18,200 messages.
fn metrics() -> IngestMetrics {
    let documents = Documents::parse("books.yaml".as_ref(), crate::demo::BOOKS).expect("the quickstart is valid");
    let plan = documents.ingest_plan(None).expect("the quickstart is valid");
    let time = "2026-11-23T05:09:41.500Z".to_owned();
    let report = IngestReport {
        partitions: 8,
        lag: Some(Lag { records: 18_200, seconds: Some(42) }),
        watermark: Some(time.clone()),
        zone: Some(ZoneStatus {
            id: "5f0c".to_owned(),
            format: 1,
            sequence: 4211,
            last_commit_time: Some(time.clone()),
        }),
        retention: Some(RetentionStatus {
            removed_files: 12,
            removed_bytes: "3221225472".to_owned(),
            held_by: "books".to_owned(),
            oldest_file_time: Some(time),
        }),
        messages: MessageCounts { accepted: 812_345, rejected: 1201, tombstones: 3, absent: 0, gaps: 0 },
        work: Some(work()),
        ..StatusBoard::new(&plan).report()
    };
    IngestMetrics::new(&plan, watch::Sender::new(report).subscribe())
}

fn work() -> WorkReport {
    WorkReport {
        window_seconds: 60.0,
        cpu_seconds: 57.2,
        records: 184_500,
        bytes: 196_000_000,
        decode_seconds: 24.1,
        encode_seconds: 28.3,
        commit_seconds: 3.2,
        store_wait_seconds: 1.9,
        decode_threads: 2,
        partitions: 8,
        arrival: Some(3100.5),
        backlog: 18_200,
        stuck: StuckWork::default(),
        hottest: None,
    }
}

fn committed() -> Committed {
    let took = Duration::from_millis(250);
    Committed {
        accepted: 97,
        rejected: 2,
        tombstones: 1,
        rows: 291,
        files: 2,
        bytes: 18_211,
        took,
        ..Committed::default()
    }
}

/// Lines that tell of the metrics, without the process's own figures; series of one metric have no order.
fn text() -> String {
    let metrics = metrics();
    metrics.decoded(1, 1_000, Duration::from_micros(125));
    metrics.encoded(Duration::from_millis(125));
    metrics.waited_for_store(Duration::from_millis(62));
    metrics.committed(&committed());
    metrics.rejected("NotWellFormed", 2);
    metrics.buffered(1 << 20);
    metrics.budget(160 << 20);
    metrics.processed_through("books", "2026-11-23T04:58:40Z".parse().expect("a time"));
    let text = metrics.text();
    let lines: Vec<_> = text.lines().filter(|line| !line.contains("process_")).collect();
    let metrics = lines.chunk_by(|a, b| a.starts_with('#') == b.starts_with('#'));
    let sorted = metrics.flat_map(|lines| {
        let mut lines = lines.to_vec();
        if !lines[0].starts_with('#') {
            lines.sort_unstable();
        }
        lines
    });
    sorted.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_answer_has_every_metric_with_its_meaning() {
    insta::assert_snapshot!(text());
}

#[test]
fn every_metric_keeps_to_the_naming_rules_of_prometheus() {
    let text = metrics().text() + &text();
    let described: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    assert!(described.len() > 10, "{text}");
    for line in described {
        let (name, kind) = line.split_once(' ').expect("a name and a type");
        assert!(name.starts_with("gristmill_") || name.starts_with("process_"), "{name}");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
        assert!(text.contains(&format!("# HELP {name} ")), "{name} has no help");
        let samples: Vec<_> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.strip_prefix(name))
            .filter(|rest| rest.starts_with(['{', '_']))
            .collect();
        match kind {
            "counter" => assert!(samples.iter().any(|rest| rest.starts_with("_total{")), "{name} has no _total"),
            "gauge" => assert!(samples.iter().any(|rest| rest.starts_with('{')), "{name} has no sample"),
            "histogram" => assert!(samples.iter().any(|rest| rest.starts_with("_bucket{")), "{name} has no bucket"),
            other => panic!("{name} is a {other}"),
        }
    }
}

#[test]
fn no_series_is_labelled_by_partition() {
    let text = text();
    assert!(!text.contains("partition=") && !text.contains("topic="), "{text}");
}

/// What `label="..."` and `label=~"...|..."` of expressions name.
fn values_of<'a>(label: &str, text: &'a str) -> Vec<&'a str> {
    let after = text.split(label).skip(1).filter_map(|rest| {
        let rest = rest.trim_start_matches(['=', '~', '!', '\\']);
        rest.strip_prefix('"')?.split(['"', '\\']).next()
    });
    after.flat_map(|values| values.split('|')).filter(|value| !value.starts_with('$')).collect()
}

#[test]
fn rules_and_dashboards_of_the_chart_ask_for_what_is_told() {
    // The operator's are compared with what it answers by its own tests.
    let operator =
        include_str!("../../../operator/src/metrics/snapshots/gristmill_operator__metrics__tests__metrics.snap");
    let text = text() + &metrics().text() + operator;
    let told: Vec<_> = text.lines().filter_map(|line| line.split(['{', ' ']).next()).collect();
    let phases = [
        IngestPhase::Starting,
        IngestPhase::Ingesting,
        IngestPhase::Held,
        IngestPhase::GroupShared,
        IngestPhase::SourceUnavailable,
        IngestPhase::StoreUnavailable,
        IngestPhase::Draining,
    ]
    .map(IngestPhase::reason);
    for (file, asked) in [
        ("alerts.yaml", include_str!("../../../charts/gristmill/alerts.yaml")),
        ("dashboards/ingest.json", include_str!("../../../charts/gristmill/dashboards/ingest.json")),
    ] {
        let words = asked.split(|c: char| !c.is_ascii_lowercase() && c != '_');
        let names: Vec<_> =
            words.filter(|word| word.starts_with("gristmill_") || word.starts_with("process_")).collect();
        assert!(names.len() > 5, "charts/gristmill/{file} names {names:?} only");
        for name in names {
            assert!(
                told.contains(&name),
                "charts/gristmill/{file} asks for {name}, which neither a worker nor the operator tells"
            );
        }
        for phase in values_of("phase", asked) {
            assert!(phases.contains(&phase), "charts/gristmill/{file} asks for a phase {phase}, which there is not");
        }
        for result in values_of("result", asked) {
            assert!(
                RESULTS.contains(&result),
                "charts/gristmill/{file} asks for a result {result}, which there is not"
            );
        }
    }
}
