//! `gristmill decode` as a user runs it: the quickstart's documents, output and exit codes.
#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use insta::assert_snapshot;

/// The command in the folder of the quickstart.
fn decode(arguments: &[&str]) -> Output {
    let quickstart: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/quickstart");
    Command::new(env!("CARGO_BIN_EXE_gristmill"))
        .current_dir(quickstart)
        .args(["decode", "-f", "books.yaml"])
        .args(arguments)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn the_quickstart_has_two_rows_and_one_reject() {
    let output = decode(&["books.xml"]);
    assert_eq!(output.status.code(), Some(0));
    assert_snapshot!(stdout(&output));
}

#[test]
fn json_is_one_object_a_document() {
    let output = decode(&["--json", "books.xml", "books.yaml"]);
    assert_eq!(output.status.code(), Some(0));
    assert_snapshot!(stdout(&output));
}

#[test]
fn a_reject_fails_on_request() {
    let output = decode(&["--fail-on-reject", "books.xml"]);
    assert_eq!(output.status.code(), Some(3));
    assert_snapshot!(stderr(&output), @"gristmill: rejects in 1 of 1 documents: 1");
}

#[test]
fn a_file_that_cannot_be_read_is_a_usage_error() {
    let output = decode(&["absent.xml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).starts_with("gristmill: cannot read absent.xml: "), "{}", stderr(&output));
}
