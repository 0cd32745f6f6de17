//! The command `gristmill run` as a process: an ingest and a compaction by schedule, until a signal.

use std::fs::File;
use std::process::{Child, Command};

use serde_json::Value;
use tempfile::TempDir;

use crate::broker::Topic;
use crate::command::document;
use crate::{books, folder};

fn inspect(zone: &str) -> Option<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_gristmill")).args(["inspect", "--json", zone]).output();
    serde_json::from_slice(&output.expect("the binary runs").stdout).ok()
}

/// `gristmill run` of a topic with 40 messages, whose document was edited.
struct Running {
    folder: TempDir,
    child: Child,
    _topic: Topic,
}

impl Running {
    fn begin(topic: &str, seed: u64, edits: &[(&str, &str)]) -> Self {
        let topic = Topic::create(topic, 2);
        topic.send_books(&books(seed, 40));
        let folder = folder();
        let document = document(&topic, folder.path());
        let mut text = std::fs::read_to_string(&document).expect("it is written");
        for (from, to) in edits {
            assert!(text.contains(from), "no {from:?} in {text}");
            text = text.replace(from, to);
        }
        std::fs::write(&document, text).expect("the folder is ours");
        let child = Command::new(env!("CARGO_BIN_EXE_gristmill"))
            .args(["--log-format", "json", "run", "-f"])
            .arg(&document)
            .arg("--local")
            .arg(folder.path())
            .env_remove("KUBERNETES_SERVICE_HOST")
            .stderr(File::create(folder.path().join("log")).expect("the folder is ours"))
            .spawn()
            .expect("the binary runs");
        Self { folder, child, _topic: topic }
    }

    fn told(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).expect("it is there")
    }

    /// What `gristmill inspect` says of a zone, if there is one.
    fn zone(&self, kind: &str) -> Option<Value> {
        inspect(&self.folder.path().join("books").join(kind).display().to_string())
    }

    /// Waits until a zone is as it should be; the process must not end.
    fn wait_for(&mut self, kind: &str, is_there: impl Fn(&Value) -> bool) -> Value {
        loop {
            assert_eq!(self.child.try_wait().expect("the process is ours"), None, "{}", self.told());
            match self.zone(kind) {
                Some(zone) if is_there(&zone) => return zone,
                Some(_) | None => std::thread::yield_now(),
            }
        }
    }

    /// Ends it as Kubernetes does.
    fn terminate(&mut self) {
        let signalled = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        assert!(signalled.expect("kill runs").success());
        assert_eq!(self.child.wait().expect("the process is ours").code(), Some(0), "{}", self.told());
    }
}

/// The schedule has no seconds, so this takes up to a minute.
#[test]
fn run_ingests_and_compacts_by_schedule_in_one_process_and_drains_on_sigterm() {
    let edits = [("{maxAge: 1h}", "{maxAge: 1s}"), ("\"5 * * * *\"", "\"* * * * *\"")];
    let mut running = Running::begin("run", 9, &edits);

    let processed = running.wait_for("processed", |processed| processed["runs"][0].is_object());
    running.terminate();

    let raw = running.zone("raw").expect("a zone");
    assert_eq!(raw["messages"], 40, "{raw}");
    assert!(processed["rows"].as_u64() > Some(0), "{processed}");
    assert_eq!(raw["consumers"][0]["name"], "library/books");
    // The ingest's work is in the same process, so that a cost would be that of both.
    assert_eq!(processed["runs"][0]["cost"], Value::Null);
    for part in ["\"next\":", "ingest ends", "committed run"] {
        assert!(running.told().contains(part), "no {part:?} in {}", running.told());
    }
}

/// Rows are old at once and the first run is months away: they wait for it.
#[test]
fn run_registers_its_compactions_before_rows_may_leave() {
    let retention = "files: {maxAge: 1s}\n    retention: {after: 1s, action: Delete}";
    let edits = [("files: {maxAge: 1h}", retention), ("\"5 * * * *\"", "\"0 0 1 1 *\"")];
    let mut running = Running::begin("run-registers", 11, &edits);

    let raw = running.wait_for("raw", |raw| raw["consumers"][0].is_object() && raw["messages"] == 40);
    running.terminate();

    assert_eq!(
        (&raw["consumers"][0]["name"], &raw["consumers"][0]["position"]),
        (&"library/books".into(), &(-1).into())
    );
    let processed = running.zone("processed").expect("the zone that is registered");
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
