//! The command: what it prints, and how it ends.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::books::book;
use crate::warehouse::{Warehouse, documents};

fn compact(directory: &Path, arguments: &[&str]) -> Output {
    command(directory).args(arguments).output().unwrap()
}

fn command(directory: &Path) -> Command {
    let file = directory.join("books.json");
    std::fs::write(&file, documents()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gristmill"));
    command
        .args(["compact", "-f", file.to_str().unwrap(), "--local", directory.to_str().unwrap()])
        .args(["--termination-log", directory.join("termination").to_str().unwrap()]);
    command
}

fn termination(directory: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(directory.join("termination")).unwrap()).unwrap()
}

#[tokio::test]
async fn run_prints_one_object_and_leaves_its_ledger() {
    let directory = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::on_disk(&directory.path().join("books"));
    warehouse.ingest([book("a").at(0), book("a").at(1), book("b").of(2021).at(2)]).await;

    let output = compact(directory.path(), &["--json"]);

    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["result"], "succeeded");
    assert_eq!(
        report["rows"].to_string(),
        r#"{"duplicate_in_delta":1,"duplicate_in_zone":0,"late":0,"read":3,"rejected":0,"written":2}"#
    );
    assert_eq!((&report["from_sequence"], &report["to_sequence"]), (&Value::from(-1), &Value::from(2)));
    let ledger = termination(directory.path());
    assert_eq!(ledger["runs"][0]["rows"]["written"], 2);
    assert_eq!(ledger["source"]["consumedSequence"], 2);
}

#[tokio::test]
async fn summary_on_standard_output_takes_the_place_of_sentences() {
    let directory = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::on_disk(&directory.path().join("books"));
    warehouse.ingest_on(Some(100), [book("a").at(0), book("a").at(1)]).await;

    let output = compact(directory.path(), &["--summary", "-"]);

    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["kind"], &summary["rows"]["duplicate_in_delta"]), (&"Increment".into(), &1.into()));
    assert_eq!(
        (&summary["processed_through"], &summary["watermark"]),
        (&summary["watermark"], &"1970-04-11T00:00:00.000Z".into())
    );
    assert!(summary["cost"]["bytes_per_core_second"].is_null() || summary["cost"]["bytes_per_core_second"].is_number());
}

#[tokio::test]
async fn run_whose_output_nobody_reads_succeeds() {
    let directory = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::on_disk(&directory.path().join("books"));
    warehouse.ingest([book("a")]).await;
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);

    let status = command(directory.path()).stdout(writer).status().unwrap();

    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn run_without_news_says_so_and_succeeds() {
    let directory = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::on_disk(&directory.path().join("books"));
    warehouse.ingest([book("a")]).await;
    compact(directory.path(), &[]);

    let output = compact(directory.path(), &[]);

    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("Nothing new in file://"));
}

#[test]
fn missing_raw_zone_ends_with_6_and_says_what_is_missing() {
    let directory = tempfile::tempdir().unwrap();

    let output = compact(directory.path(), &[]);

    assert_eq!(output.status.code(), Some(6), "{output:?}");
    assert_eq!(termination(directory.path())["reason"], "NotAZone");
    assert!(String::from_utf8(output.stderr).unwrap().contains("it has no _log/zone.json"));
}
