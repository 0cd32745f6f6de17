//! The command `gristmill run` as a process: an ingest and a compaction by schedule, until a signal.

use std::fs::File;
use std::process::Command;

use serde_json::Value;

use crate::broker::Topic;
use crate::command::document;
use crate::{books, folder};

fn inspect(zone: &str) -> Option<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_gristmill")).args(["inspect", "--json", zone]).output();
    serde_json::from_slice(&output.expect("the binary runs").stdout).ok()
}

/// The schedule has no seconds, so this takes up to a minute.
#[test]
fn run_ingests_and_compacts_by_schedule_in_one_process_and_drains_on_sigterm() {
    let topic = Topic::create("run", 2);
    topic.send_books(&books(9, 40));
    let folder = folder();
    let document = document(&topic, folder.path());
    let text = std::fs::read_to_string(&document).expect("it is written");
    let text = text.replace("{maxAge: 1h}", "{maxAge: 1s}").replace("\"5 * * * *\"", "\"* * * * *\"");
    std::fs::write(&document, text).expect("the folder is ours");
    let log = folder.path().join("log");
    let mut child = Command::new(env!("CARGO_BIN_EXE_gristmill"))
        .args(["--log-format", "json", "run", "-f"])
        .arg(&document)
        .arg("--local")
        .arg(folder.path())
        .env_remove("KUBERNETES_SERVICE_HOST")
        .stderr(File::create(&log).expect("the folder is ours"))
        .spawn()
        .expect("the binary runs");
    let zone = |kind: &str| folder.path().join("books").join(kind).display().to_string();
    let told = || std::fs::read_to_string(&log).expect("it is there");

    let processed = loop {
        assert_eq!(child.try_wait().expect("the process is ours"), None, "{}", told());
        match inspect(&zone("processed")) {
            Some(processed) if processed["runs"][0].is_object() => break processed,
            Some(_) | None => std::thread::yield_now(),
        }
    };

    let signalled = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status();
    assert!(signalled.expect("kill runs").success());
    assert_eq!(child.wait().expect("the process is ours").code(), Some(0), "{}", told());
    let raw = inspect(&zone("raw")).expect("a zone");
    assert_eq!(raw["messages"], 40, "{raw}");
    assert!(processed["rows"].as_u64() > Some(0), "{processed}");
    assert_eq!(raw["consumers"][0]["name"], "library/books");
    // The ingest's work is in the same process, so that a cost would be that of both.
    assert_eq!(processed["runs"][0]["cost"], Value::Null);
    for part in ["\"next\":", "ingest ends", "committed run"] {
        assert!(told().contains(part), "no {part:?} in {}", told());
    }
}

/// Rows are old at once and the first run is months away: they wait for it.
#[test]
fn run_registers_its_compactions_before_rows_may_leave() {
    let topic = Topic::create("run-registers", 2);
    topic.send_books(&books(11, 40));
    let folder = folder();
    let document = document(&topic, folder.path());
    let text = std::fs::read_to_string(&document).expect("it is written");
    let text = text
        .replace("files: {maxAge: 1h}", "files: {maxAge: 1s}\n    retention: {after: 1s, action: Delete}")
        .replace("\"5 * * * *\"", "\"0 0 1 1 *\"");
    assert!(text.contains("retention:") && text.contains("0 0 1 1 *"), "{text}");
    std::fs::write(&document, text).expect("the folder is ours");
    let log = folder.path().join("log");
    let mut child = Command::new(env!("CARGO_BIN_EXE_gristmill"))
        .args(["run", "-f"])
        .arg(&document)
        .arg("--local")
        .arg(folder.path())
        .env_remove("KUBERNETES_SERVICE_HOST")
        .stderr(File::create(&log).expect("the folder is ours"))
        .spawn()
        .expect("the binary runs");
    let zone = |kind: &str| folder.path().join("books").join(kind).display().to_string();
    let told = || std::fs::read_to_string(&log).expect("it is there");
    let raw = loop {
        assert_eq!(child.try_wait().expect("the process is ours"), None, "{}", told());
        match inspect(&zone("raw")) {
            Some(raw) if raw["consumers"][0].is_object() && raw["messages"] == 40 => break raw,
            Some(_) | None => std::thread::yield_now(),
        }
    };
    let signalled = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status();
    assert!(signalled.expect("kill runs").success());
    assert_eq!(child.wait().expect("the process is ours").code(), Some(0), "{}", told());
    assert_eq!(
        (&raw["consumers"][0]["name"], &raw["consumers"][0]["position"]),
        (&"library/books".into(), &(-1).into())
    );
    let processed = inspect(&zone("processed")).expect("the zone that is registered");
    assert_eq!((&processed["runs"], &processed["rows"]), (&serde_json::json!([]), &0.into()), "nothing was compacted");
    assert_eq!(raw["accepted_messages"].as_u64().map(|rows| rows > 0), Some(true));
}

#[test]
fn run_without_an_ingest_or_with_a_shared_zone_is_usage() {
    let folder = folder();
    let shared = document(&Topic::create("run-shared", 1), folder.path());
    let compaction = folder.path().join("compaction.yaml");
    let text = std::fs::read_to_string(&shared).expect("it is written");
    std::fs::write(&compaction, text.split_once("---\n").expect("two documents").1).expect("the folder is ours");
    for (document, why) in [(shared, "--attach"), (compaction, "StreamIngest")] {
        let run = Command::new(env!("CARGO_BIN_EXE_gristmill"))
            .args(["run", "-f"])
            .arg(document)
            .env_remove("KUBERNETES_SERVICE_HOST")
            .output()
            .expect("the binary runs");
        assert_eq!(run.status.code(), Some(2));
        let told = String::from_utf8_lossy(&run.stderr);
        assert!(told.contains(why), "{told}");
    }
}
