//! `gristmill retention` as a process: what it would do, what it does, and what holds the rest.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::books::book;
use crate::warehouse::{Warehouse, documents};

/// Prints of the command on the RAW zone of `DIR/books`, of which files go after a second; one object a line.
fn retention(directory: &Path, arguments: &[&str]) -> Vec<Value> {
    let documents = documents();
    let (ingest, _) = documents.split_once("\n---\n").unwrap();
    let mut ingest: Value = serde_json::from_str(ingest).unwrap();
    ingest["spec"]["raw"]["retention"] =
        json!({"after": "1s", "action": "Archive", "archivePath": "file:///nowhere/else"});
    let file = directory.join("retention.json");
    std::fs::write(&file, ingest.to_string()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_gristmill"))
        .args(["retention", "-f", file.to_str().unwrap(), "--local", directory.to_str().unwrap(), "--json"])
        .args(arguments)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn pass_archives_what_is_read_and_names_who_holds_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::on_disk(&directory.path().join("books"));
    warehouse.ingest([book("a")]).await;
    warehouse.compact().await;
    warehouse.ingest([book("b").at(1)]).await;
    let mut dry = retention(directory.path(), &["--dry-run"]);
    while dry.last().unwrap()["held_files"] != 1 {
        dry = retention(directory.path(), &["--dry-run"]);
    }
    let [file, totals] = dry.as_slice() else { panic!("{dry:?}") };
    assert_eq!((&file["action"], &file["zone"], &file["rows"]), (&json!("Archive"), &json!("Raw"), &json!(1)));
    assert_eq!(
        (&totals["files"], &totals["held_by"], &totals["dry_run"]),
        (&1.into(), &json!("default/books"), &true.into())
    );
    let path = directory.path().join("books/raw").join(file["path"].as_str().unwrap());
    let bytes = std::fs::read(&path).expect("a dry run changes nothing");

    let done = retention(directory.path(), &[]);

    assert_eq!(done.last().unwrap()["files"], 1);
    assert!(!path.exists());
    let hour = path.parent().unwrap().strip_prefix(directory.path().join("books/raw")).unwrap();
    let copies: Vec<_> = std::fs::read_dir(directory.path().join("books/archive").join(hour)).unwrap().collect();
    assert_eq!(copies.len(), 1);
    assert_eq!(std::fs::read(copies[0].as_ref().unwrap().path()).unwrap(), bytes);
    assert_eq!(warehouse.raw().await.fold().live().len(), 1);
    assert_eq!(retention(directory.path(), &[]).last().unwrap()["files"], 0, "the next pass finds nothing");
    warehouse.compact().await;
    assert_eq!(warehouse.rows().await, ["a untitled 2020", "b untitled 2020"]);
    assert_eq!(retention(directory.path(), &[]).last().unwrap()["files"], 1, "what the compaction has read goes too");
}

fn consumers(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_gristmill")).arg("consumers").args(arguments).output().unwrap()
}

#[tokio::test]
async fn consumer_is_taken_off_the_register_by_its_name_and_holds_nothing_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::on_disk(&directory.path().join("books"));
    warehouse.ingest([book("a")]).await;
    warehouse.compact().await;
    warehouse.ingest([book("b").at(1)]).await;
    let raw = directory.path().join("books/raw");
    let raw = raw.to_str().unwrap();
    let asked = consumers(&["rm", raw, "default/books"]);
    assert_eq!(asked.status.code(), Some(2), "there is no terminal to answer on");
    assert_eq!(warehouse.raw().await.fold().consumers().len(), 1);

    let removed = consumers(&["rm", raw, "default/books", "--yes"]);

    assert_eq!(removed.status.code(), Some(0), "{}", String::from_utf8_lossy(&removed.stderr));
    let told = String::from_utf8(removed.stdout).unwrap();
    let sequence = warehouse.raw().await.fold().head();
    assert!(
        told.starts_with("consumer \"default/books\" (") && told.ends_with(&format!("entry {sequence}\n")),
        "{told}"
    );
    assert_eq!(String::from_utf8(consumers(&["ls", raw]).stdout).unwrap(), "no consumers\n");
    let mut left = retention(directory.path(), &[]);
    while warehouse.raw().await.fold().removed().files < 2 {
        left = retention(directory.path(), &[]);
    }
    assert_eq!(left.last().unwrap()["held_by"], "", "its file has gone too");
}

#[tokio::test]
async fn consumer_is_behind_by_what_it_has_not_read_and_not_by_its_own_word() {
    let directory = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::on_disk(&directory.path().join("books"));
    let raw = directory.path().join("books/raw");
    let behind = || {
        let told = String::from_utf8(consumers(&["ls", raw.to_str().unwrap()]).stdout).unwrap();
        told.split_once(" behind;").unwrap_or_else(|| panic!("{told}")).0.rsplit(' ').next().unwrap().to_owned()
    };
    warehouse.ingest([book("a")]).await;
    warehouse.compact().await;
    assert_eq!(behind(), "0");
    warehouse.ingest([book("b").at(1)]).await;
    assert_eq!(behind(), "1");
}

#[tokio::test]
async fn processed_zone_that_is_steered_by_mistake_is_refused_before_anything_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::on_disk(&directory.path().join("books"));
    warehouse.ingest([book("a")]).await;
    warehouse.compact().await;
    let before = warehouse.tree("processed").await;

    let refused = consumers(&["rm", directory.path().join("books/processed").to_str().unwrap(), "nobody", "--yes"]);

    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is a Processed zone; give the RAW path"));
    assert_eq!(warehouse.tree("processed").await, before);
}
