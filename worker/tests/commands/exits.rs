//! Each exit code that can be reached without servers.

use crate::{output, stderr, text};

const QUICKSTART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/quickstart/books.yaml");

#[test]
fn help_is_success() {
    assert_eq!(output(&["--help"]).status.code(), Some(0));
}

#[test]
fn unknown_flag_is_2() {
    assert_eq!(output(&["ingest", "--unknown"]).status.code(), Some(2));
}

#[test]
fn invalid_document_is_2_and_names_the_field() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("books.yaml");
    let quickstart = std::fs::read_to_string(QUICKSTART).unwrap();
    std::fs::write(&file, quickstart.replace("topic: book_data_topic", "topic: \"no topic\"")).unwrap();
    let output = output(&["ingest", "-f", text(&file), "--local", text(folder.path())]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("spec.source.kafka.topic"), "{}", stderr(&output));
}

#[test]
fn shares_above_a_hundred_percent_are_2() {
    let broker = ["--bootstrap-servers", "127.0.0.1:1", "--topic", "books"];
    let output = output(&[&["produce"], &broker[..], &["--malformed", "60", "--late", "60"]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("120 percent"), "{}", stderr(&output));
}

#[test]
fn reject_is_3_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.xml");
    std::fs::write(&file, "<library>").unwrap();
    let output = output(&["decode", "-f", QUICKSTART, "--fail-on-reject", text(&file)]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
}

#[test]
fn brokers_that_are_away_for_longer_than_the_wait_are_4() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("books.yaml");
    let quickstart = std::fs::read_to_string(QUICKSTART).unwrap();
    std::fs::write(&file, quickstart.replace("kafka.library.svc:9092", "127.0.0.1:1")).unwrap();
    let arguments = ["ingest", "-f", text(&file), "--local", text(folder.path()), "--until-caught-up", "--wait", "1s"];
    let output = output(&arguments);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(stderr(&output).contains("127.0.0.1:1"), "{}", stderr(&output));
}

#[test]
fn store_that_is_away_for_longer_than_the_wait_is_5() {
    let output = output(&["inspect", "hdfs://127.0.0.1:1/raw/books", "--wait", "1s"]);
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
}

#[test]
fn folder_that_is_no_zone_is_6() {
    let folder = tempfile::tempdir().unwrap();
    let output = output(&["inspect", text(folder.path())]);
    assert_eq!(output.status.code(), Some(6), "{}", stderr(&output));
    assert!(stderr(&output).contains("zone.json"), "{}", stderr(&output));
}

#[test]
fn log_is_one_json_object_a_line_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("books.yaml");
    let quickstart = std::fs::read_to_string(QUICKSTART).unwrap();
    std::fs::write(&file, quickstart.replace("kafka.library.svc:9092", "127.0.0.1:1")).unwrap();
    let arguments = ["ingest", "-f", text(&file), "--local", text(folder.path()), "--until-caught-up", "--wait", "1s"];
    let output = output(&[&["--log-format", "json"], &arguments[..]].concat());
    let lines: Vec<&str> = stderr(&output).lines().filter(|line| !line.starts_with("gristmill: ")).collect();
    assert!(!lines.is_empty());
    for line in lines {
        let object: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(
            object["timestamp"].is_string() && object["level"].is_string() && object["message"].is_string(),
            "{line}"
        );
    }
}

#[test]
fn resume_of_a_place_without_a_zone_is_6() {
    let folder = tempfile::tempdir().unwrap();
    let output = output(&["resume", "-f", QUICKSTART, "--local", text(folder.path())]);
    assert_eq!(output.status.code(), Some(6), "{}", stderr(&output));
}
