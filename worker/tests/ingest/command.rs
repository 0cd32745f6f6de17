//! The command `gristmill ingest` as a process: flags, exit codes, signals, the admin server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use gristmill_crds::report::{FailureReport, IngestPhase, IngestReport, PartitionMove, PartitionsReport, RewindReport};
use sha2::{Digest, Sha256};

use crate::broker::{GROUP, Topic};
use crate::landed::Landed;
use crate::{assert_accounted, books, catch_up, folder, plan};

/// The quickstart's document for this topic, as a file.
pub(crate) fn document(topic: &Topic, folder: &Path) -> PathBuf {
    let quickstart = include_str!("../../../manifests/quickstart/books.yaml");
    let config = GROUP.map(|(name, value)| format!("{name}: {value:?}")).join(", ");
    let kafka = format!("bootstrapServers: {}\n      config: {{{config}}}", topic.servers);
    let text = quickstart
        .replace("bootstrapServers: kafka.library.svc:9092", &kafka)
        .replace("topic: book_data_topic", &format!("topic: {}", topic.name))
        .replace("{maxAge: 10s}", "{maxAge: 1h}");
    let path = folder.join("books.yaml");
    std::fs::write(&path, text).expect("the folder is ours");
    path
}

pub(crate) fn gristmill(document: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gristmill"));
    command.arg("ingest").arg("-f").arg(document).env_remove("KUBERNETES_SERVICE_HOST");
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// An address that nobody listens on.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port")
}

/// Ends a process as Kubernetes does; it must end well.
pub(crate) fn terminate(mut child: Child) {
    let signalled = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status();
    assert!(signalled.expect("kill runs").success());
    assert_eq!(child.wait().expect("the process is ours").code(), Some(0));
}

/// Asks the admin server; none while it does not listen yet.
fn get(address: SocketAddr, path: &str) -> Option<(String, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: worker\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.lines().next()?.to_owned(), body.to_owned()))
}

pub(crate) fn report(address: SocketAddr, child: &mut Child) -> IngestReport {
    loop {
        assert_eq!(child.try_wait().expect("the process is ours"), None, "it ended");
        if let Some((_, body)) = get(address, "/status") {
            return serde_json::from_str(&body).expect("a report");
        }
        std::thread::yield_now();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn local_command_lands_the_topic_in_a_folder_and_drains_on_sigterm() {
    let topic = Topic::create("command", 2);
    let sent = books(8, 30);
    topic.send_books(&sent);
    let folder = folder();
    let document = document(&topic, folder.path());
    let local = folder.path().join("local");
    let address = free_address();
    let mut child = gristmill(&document)
        .arg("--local")
        .arg(&local)
        .args(["--admin-addr", &address.to_string()])
        .spawn()
        .expect("the binary runs");
    let first = report(address, &mut child);
    assert!(first.consumer_group.starts_with("gristmill.local."), "{}", first.consumer_group);
    while report(address, &mut child).phase != IngestPhase::Ingesting {
        std::thread::yield_now();
    }
    let ready = get(address, "/readyz").expect("it listens");
    assert_eq!(ready.0, "HTTP/1.1 200 OK");
    assert_eq!(get(address, "/healthz").expect("it listens").0, "HTTP/1.1 200 OK");
    let scraped = get(address, "/metrics").expect("it listens");
    assert_eq!(scraped.0, "HTTP/1.1 200 OK");
    for part in [
        "# TYPE gristmill_ingest_messages counter",
        "# HELP gristmill_zone_sequence ",
        "gristmill_ingest_phase{namespace=\"library\",name=\"books\",phase=\"Ingesting\"} 1",
        "process_cpu_seconds_total{",
        "process_resident_memory_bytes{",
        "# EOF",
    ] {
        assert!(scraped.1.contains(part), "no {part:?} in {}", scraped.1);
    }
    terminate(child);

    let rest = gristmill(&document).arg("--local").arg(&local).arg("--until-caught-up").output();
    let rest = rest.expect("the binary runs");
    assert_eq!(rest.status.code(), Some(0), "{}", stderr(&rest));
    let plan = gristmill::local::local_ingest(plan(&topic, folder.path()), &local).await.expect("a folder");
    assert_eq!(plan.raw_path, format!("file://{}/books/raw", local.display()));
    assert_accounted(&Landed::read(&plan).await, &sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zone_that_was_begun_by_another_spelling_goes_on_by_it_and_a_moved_one_is_told_the_way_back() {
    let topic = Topic::create("spelling", 1);
    let sent = books(9, 12);
    let (first, rest) = sent.split_at(6);
    topic.send_books(first);
    let folder = folder();
    let document = document(&topic, folder.path());
    let place = folder.path().canonicalize().expect("it exists").join("there");
    std::fs::create_dir(&place).expect("the folder is ours");
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&place, &link).expect("the folder is ours");
    // As a version before this one has begun it.
    let digest = Sha256::digest(link.as_os_str().as_encoded_bytes());
    let hash: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let raw = format!("file://{}/books/raw", place.display());
    let begun = plan(&topic, folder.path()).with_raw_path(raw, format!("gristmill.local.{hash}"));
    catch_up(&begun).await.expect("it catches up");
    topic.send_books(rest);

    let ingest = |local: &Path| {
        gristmill(&document).arg("--local").arg(local).arg("--until-caught-up").output().expect("the binary runs")
    };
    let done = ingest(&link);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    assert_accounted(&Landed::read(&begun).await, &sent);

    let other = ingest(&place);
    assert_eq!(other.status.code(), Some(6), "{}", stderr(&other));
    assert!(stderr(&other).contains("; --local gives each folder a group: name it by the path"), "{}", stderr(&other));
}

#[test]
fn worker_tells_its_partitions_its_reject_reasons_and_what_a_rewind_would_read_again() {
    let topic = Topic::create("partitions", 2);
    topic.send((0..40).map(|number| (number % 2, Some(if number < 6 { "<library>" } else { "<library/>" }))));
    let folder = folder();
    let document = document(&topic, folder.path());
    let text = std::fs::read_to_string(&document).expect("it is written").replace("{maxAge: 1h}", "{maxAge: 1s}");
    std::fs::write(&document, text).expect("the folder is ours");
    let address = free_address();
    let mut child = gristmill(&document)
        .arg("--local")
        .arg(folder.path().join("local"))
        .args(["--admin-addr", &address.to_string()])
        .spawn()
        .expect("the binary runs");
    let caught_up = loop {
        let report = report(address, &mut child);
        if report.messages.rejected == 40 && report.lag.is_some_and(|lag| lag.records == 0) {
            break report;
        }
        std::thread::yield_now();
    };
    let reasons: Vec<_> =
        caught_up.reject_reasons.iter().map(|reason| (reason.reason.as_str(), reason.records)).collect();
    assert_eq!(reasons, [("NoRows", 34), ("NotWellFormed", 6)]);
    assert_eq!(caught_up.reject_reasons[1].topic, topic.name);

    let ask = |question: &str| loop {
        let (status, body) = get(address, question).expect("it listens");
        // One question a second is answered.
        if !status.contains("503") {
            return (status, body);
        }
        std::thread::yield_now();
    };
    let (_, body) = ask("/partitions?from=1");
    let told: PartitionsReport = serde_json::from_str(&body).expect("a report");
    assert_eq!((told.total, told.partitions.len()), (2, 1), "{body}");
    assert_eq!((told.partitions[0].partition, told.partitions[0].next, told.partitions[0].end), (1, 20, 20), "{body}");
    assert!(told.partitions[0].complete_through.is_some(), "{body}");

    let plan = |question: &str| -> RewindReport {
        let (status, body) = ask(question);
        assert_eq!(status, "HTTP/1.1 200 OK", "{body}");
        serde_json::from_str(&body).expect("a report")
    };
    let earliest = plan("/rewind-plan?position=Earliest");
    assert_eq!((earliest.total, earliest.read_again, earliest.skipped, earliest.moved), (2, 40, 0, 2));
    let offsets = plan("/rewind-plan?position=Offsets&offsets=0:5,1:20");
    assert_eq!(offsets.moves, [PartitionMove { partition: 0, stands_at: 20, goes_to: 5 }]);
    for (question, why) in [
        ("/rewind-plan?position=Offsets&offsets=0:999", "the brokers hold offsets 0 to 20"),
        ("/rewind-plan?position=Offsets&offsets=0-5", "PARTITION:OFFSET"),
        ("/rewind-plan?position=Timestamp", "spec.rewind.timestamp: is missing"),
        ("/rewind-plan?position=Earliest&nonce=now", "nonce"),
    ] {
        let (status, body) = ask(question);
        assert_eq!(status, "HTTP/1.1 400 Bad Request", "{question}: {body}");
        assert!(body.contains(why), "{question}: {body}");
    }
    terminate(child);
}

#[test]
fn shared_zone_is_refused_on_a_laptop_and_the_termination_message_says_why() {
    let topic = Topic::create("shared", 1);
    let folder = folder();
    let message = folder.path().join("termination");
    let output = gristmill(&document(&topic, folder.path())).arg("--termination-log").arg(&message).output();
    let output = output.expect("the binary runs");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("--attach"), "{}", stderr(&output));
    let report = std::fs::read(&message).expect("the message is written");
    let report: FailureReport = serde_json::from_slice(&report).expect("a report");
    assert_eq!(report.reason, "SharedZone");
}

#[test]
fn hold_names_the_command_that_ends_it_and_the_command_does() {
    let topic = Topic::create("held", 1);
    topic.send((0..2000).map(|_| (0, Some("<library>"))));
    let folder = folder();
    let document = document(&topic, folder.path());
    let local = folder.path().join("local");
    let ingest = || gristmill(&document).arg("--local").arg(&local).arg("--until-caught-up").output().expect("it runs");
    let held = ingest();
    assert_eq!(held.status.code(), Some(3), "{}", stderr(&held));
    let last = stderr(&held).lines().last().expect("a line").to_owned();
    assert_eq!(last.matches("`gristmill resume -f FILE`").count(), 1, "{last}");
    assert_eq!(last.matches("`kubectl gristmill resume NAME`").count(), 1, "{last}");
    let resume = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gristmill"));
        command.arg("resume").arg("-f").arg(&document).arg("--local").arg(&local).output().expect("it runs")
    };
    let told = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let resumed = resume();
    assert_eq!(resumed.status.code(), Some(0), "{}", stderr(&resumed));
    assert!(told(&resumed).contains("resumed by entry "), "{}", told(&resumed));
    assert!(told(&resume()).contains("is not held; nothing was changed"));
    let done = ingest();
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
}
