//! Each exit code that can be reached without servers.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::{gristmill, output, stderr, stdout, text};

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
fn produce_without_brokers_is_4_with_what_stood_in_the_way() {
    let output = output(&["produce", "--bootstrap-servers", "127.0.0.1:1", "--topic", "books", "--wait", "1s"]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    for part in ["127.0.0.1:1", "Connection refused", "--bootstrap-servers"] {
        assert!(stderr(&output).contains(part), "no {part:?} in {}", stderr(&output));
    }
}

#[test]
fn setting_that_librdkafka_refuses_is_named() {
    let output = output(&[
        "produce",
        "--bootstrap-servers",
        "127.0.0.1:1",
        "--topic",
        "books",
        "--config",
        "security.protocol=foo",
    ]);
    assert_eq!(output.status.code(), Some(4));
    let said = stderr(&output);
    assert!(said.contains("security.protocol") && !said.contains("foo"), "{said}");
}

#[test]
fn names_in_a_document_do_not_reach_the_terminal_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("foreign.yaml");
    std::fs::write(
        &path,
        "apiVersion: gristmill.dev/v1alpha1\nkind: StreamIngest\nmetadata: {name: a}\nspec: {\"x\\u009b31m\": 1}\n",
    )
    .unwrap();
    let output = output(&["lint", "-f", text(&path)]);
    assert_eq!(output.status.code(), Some(2));
    let said = format!("{}{}", stdout(&output), stderr(&output));
    assert!(said.contains("spec.x·31m"), "{said:?}");
    assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
}

/// It has no end.
#[test]
fn file_that_is_no_file_of_resources_is_not_read_whole() {
    let output = output(&["lint", "-f", "/dev/zero"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("/dev/zero") && stderr(&output).contains("longer than 16 MiB"), "{output:?}");
}

#[test]
fn produce_that_waits_says_for_what_and_ends_by_a_signal() {
    let mut child = gristmill(&["produce", "--bootstrap-servers", "127.0.0.1:1", "--topic", "books", "--wait", "10m"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = String::new();
    BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut told).unwrap();
    assert!(told.contains("127.0.0.1:1") && told.contains("600 s"), "{told}");
    let signalled = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().unwrap();
    assert!(signalled.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).starts_with("sent 0 messages"), "{}", stdout(&output));
}

#[test]
fn brokers_that_speak_no_tls_are_told_from_brokers_that_are_away() {
    // It takes connections, and answers nothing that is TLS.
    let plaintext = TcpListener::bind("127.0.0.1:0").unwrap();
    let servers = plaintext.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for connection in plaintext.incoming() {
            drop(connection.and_then(|mut connection| connection.write_all(b"no handshake")));
        }
    });
    let flags = ["--topic", "books", "--config", "security.protocol=SSL", "--wait", "2s"];
    let output = output(&[&["produce", "--bootstrap-servers", &servers], &flags[..]].concat());
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(stderr(&output).contains("SSL routines"), "{}", stderr(&output));
    assert!(stderr(&output).contains("speaks TLS"), "{}", stderr(&output));
}

#[test]
fn demo_into_a_folder_with_something_in_it_is_2() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ours"), "kept").unwrap();
    let output = output(&["demo", "--dir", text(folder.path())]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("is not empty"), "{}", stderr(&output));
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
