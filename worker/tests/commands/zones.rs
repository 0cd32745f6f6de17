//! Commands that look at a zone: one demo makes it, on its in-process broker.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::{output, stderr, stdout, text};

/// A folder with the zones of a demo of 200 messages; joining the mock's group takes a few seconds, so it is made once.
static DEMO: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let output = output(&["demo", "--messages", "200", "--dir", text(folder.path())]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told = stdout(&output);
    let parts = [
        "RAW files are new and were read",
        "each key once",
        "Rows of ",
        "Rejects",
        "The identity: offsets 240 = accepted ",
    ];
    for part in parts.into_iter().chain(["Files", "hive_types = {'publication_year': INTEGER}", "spark.read.schema("]) {
        assert!(told.contains(part), "no {part:?} in {told}");
    }
    folder
});

fn raw() -> PathBuf {
    DEMO.path().join("books/raw")
}

fn objects(arguments: &[&str]) -> Vec<Value> {
    let output = output(arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn refused(arguments: &[&str]) -> String {
    let output = output(arguments);
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    stderr(&output).to_owned()
}

#[test]
fn inspect_adds_up() {
    let inspections = objects(&["inspect", text(&raw()), "--json"]);
    let [zone] = inspections.as_slice() else { panic!("one object") };
    let number = |key: &str| zone[key].as_u64().unwrap_or_else(|| panic!("no {key} in {zone}"));
    assert_eq!(number("messages"), number("accepted_messages") + number("rejected_messages") + number("tombstones"));
    let offsets: u64 = zone["offsets"]["book_data_topic"].as_object().unwrap().values().map(next).sum();
    assert_eq!(offsets, number("messages") + number("absent") + number("gaps"));
    assert_eq!(offsets, 240);
    for key in ["head_sequence", "rows", "rejected_rows", "files", "rejected_files", "bytes"] {
        assert!(number(key) > 0, "{key} of {zone}");
    }
}

fn next(partition: &Value) -> u64 {
    partition["next"].as_u64().unwrap()
}

#[test]
fn listed_files_are_those_that_inspect_counts() {
    let files = objects(&["inspect", text(&raw()), "--files", "--json"]);
    let zone = &objects(&["inspect", text(&raw()), "--json"])[0];
    for (kind, count, rows) in [("Raw", "files", "rows"), ("Rejected", "rejected_files", "rejected_rows")] {
        let of_kind: Vec<_> = files.iter().filter(|file| file["zone"] == kind).collect();
        assert_eq!(of_kind.len() as u64, zone[count].as_u64().unwrap());
        assert_eq!(of_kind.iter().filter_map(|file| file["rows"].as_u64()).sum::<u64>(), zone[rows].as_u64().unwrap());
        for file in of_kind {
            let path = Path::new(file["url"].as_str().unwrap().strip_prefix("file://").unwrap());
            assert_eq!(path.metadata().unwrap().len(), file["bytes"].as_u64().unwrap());
        }
    }
}

#[test]
fn a_zone_is_shown_as_it_was_at_an_entry() {
    let now = objects(&["inspect", text(&raw()), "--json"]).remove(0);
    let head = now["head_sequence"].as_u64().unwrap();
    let at = |sequence: u64| objects(&["inspect", text(&raw()), "--json", "--at", &sequence.to_string()]).remove(0);
    assert_eq!(at(head), now);
    assert_eq!((at(0)["messages"].as_u64(), at(0)["files"].as_u64()), (Some(0), Some(0)));
    assert!(at(1)["messages"].as_u64() > Some(0) && at(1)["messages"].as_u64() < now["messages"].as_u64());
    let files = objects(&["inspect", text(&raw()), "--files", "--json", "--at", "1"]);
    assert!(!files.is_empty() && files.iter().all(|file| file["sequence"] == 1), "{files:?}");
    let beyond = output(&["inspect", text(&raw()), "--at", &(head + 1).to_string()]);
    assert_eq!(beyond.status.code(), Some(6), "{}", stderr(&beyond));
}

#[test]
fn inspecting_writes_nothing() {
    let entries = |directory: PathBuf| -> Vec<_> {
        let mut names: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = (entries(raw()), entries(raw().join("_staging")));
    objects(&["inspect", text(&raw()), "--json"]);
    objects(&["rejected", "ls", text(&raw()), "--json"]);
    assert_eq!((entries(raw()), entries(raw().join("_staging"))), before);
}

#[test]
fn counts_of_rejects_add_up_and_each_example_can_be_shown() {
    let zone = &objects(&["inspect", text(&raw()), "--json"])[0];
    let counts = objects(&["rejected", "ls", text(&raw()), "--json"]);
    let sum: u64 = counts.iter().map(|count| count["count"].as_u64().unwrap()).sum();
    assert_eq!(sum, zone["rejected_rows"].as_u64().unwrap());
    for count in &counts {
        let at = format!("{}/{}", count["partition"], count["offset"]);
        let messages = objects(&["rejected", "show", text(&raw()), &at, "--json"]);
        let [message] = messages.as_slice() else { panic!("{messages:?}") };
        assert!(message["payload"].as_str().unwrap().contains("<library"), "{message}");
        let reasons: Vec<_> = message["rejects"].as_array().unwrap().iter().map(|reject| &reject["reason"]).collect();
        assert!(reasons.contains(&&count["reason"]), "{count} {message}");
        let payload = output(&["rejected", "show", text(&raw()), &at, "--payload"]);
        assert_eq!(stdout(&payload), message["payload"].as_str().unwrap());
    }
}

#[test]
fn rejects_are_filtered_by_reason_partition_and_time() {
    let ls = |flags: &[&str]| objects(&[&["rejected", "ls", text(&raw()), "--json", "--each"], flags].concat());
    let all = ls(&["--limit", "1000"]);
    let malformed = ls(&["--limit", "1000", "--reason", "NotWellFormed"]);
    assert!(!malformed.is_empty() && malformed.len() < all.len(), "{} of {}", malformed.len(), all.len());
    assert!(malformed.iter().all(|reject| reject["reason"] == "NotWellFormed"));
    let partition = &all[0]["partition"];
    let of_partition = ls(&["--limit", "1000", "--partition", &partition.to_string()]);
    assert!(of_partition.iter().all(|reject| reject["partition"] == *partition));
    assert_eq!(of_partition.len(), all.iter().filter(|reject| reject["partition"] == *partition).count());
    assert_eq!(ls(&["--limit", "1000", "--since", "1h"]), all);
    assert!(ls(&["--since", "2100-01-01T00:00:00Z"]).is_empty());
    assert_eq!(ls(&["--limit", "2"]), all[all.len() - 2..]);
}

#[test]
fn consumers_are_listed_and_only_one_that_is_there_is_removed() {
    // The compaction of the demo may have registered; a stranger has not.
    let consumers = objects(&["consumers", "ls", text(&raw()), "--json"]);
    assert!(consumers.iter().all(|consumer| consumer["position"].is_i64()), "{consumers:?}");
    let message = refused(&["consumers", "rm", text(&raw()), "nobody", "--yes"]);
    assert!(message.contains("nobody"), "{message}");
}

#[test]
fn what_was_not_rejected_is_told_with_the_next_act() {
    let message = refused(&["rejected", "show", text(&raw()), "0/999999"]);
    assert!(message.contains("rejected ls"), "{message}");
    let message = refused(&["rejected", "show", text(&raw()), "other/0/1"]);
    assert!(message.contains("book_data_topic"), "{message}");
}

#[test]
fn rejects_of_a_processed_zone_are_looked_for_in_its_raw_zone() {
    let output = output(&["rejected", "ls", text(&DEMO.path().join("books/processed"))]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("RAW"), "{}", stdout(&output));
}

#[test]
fn words_and_zones_that_can_have_no_answer_are_refused() {
    let message = refused(&["rejected", "ls", text(&raw()), "--reason", "Typo"]);
    assert!(message.contains("NotWellFormed"), "{message}");
    let message = refused(&["consumers", "ls", text(&DEMO.path().join("books/processed"))]);
    assert!(message.contains("RAW"), "{message}");
}
