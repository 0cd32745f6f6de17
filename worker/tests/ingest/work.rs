//! What a worker tells of its work, and how it follows the CPU that it is given.

use std::net::SocketAddr;
use std::num::NonZero;
use std::process::Child;
use std::time::Duration;

use gristmill::cpu::Cpu;
use gristmill::ingest::{self, Budget, Options};
use gristmill::produce::books::BookMessage;
use gristmill_crds::report::{IngestReport, StuckWork, WorkReport};

use crate::broker::Topic;
use crate::command::{document, free_address, gristmill, report, terminate};
use crate::landed::Landed;
use crate::{assert_accounted, books, folder, plan};

/// Waits for figures of the worker's work that are as they should be.
fn wait_for(
    address: SocketAddr,
    child: &mut Child,
    is_there: impl Fn(&IngestReport, &WorkReport) -> bool,
) -> WorkReport {
    loop {
        let report = report(address, child);
        match report.work.clone() {
            Some(work) if is_there(&report, &work) => return work,
            Some(_) | None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Whether all of so many messages were read and none is committed, since a file stays open for an hour.
fn has_read(messages: i64) -> impl Fn(&IngestReport, &WorkReport) -> bool {
    move |report, work| report.lag.is_some_and(|lag| lag.records == messages) && work.backlog == 0
}

fn bytes(books: &[BookMessage]) -> u64 {
    books.iter().map(|book| book.payload.len() as u64).sum()
}

/// With little memory for rows batches are cut short, and what was not decoded comes again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_threads_land_what_one_does() {
    let topic = Topic::create("threads", 3);
    let sent = books(22, 4000);
    topic.send_books(&sent);
    let land = async |threads: usize, decoded: u64| {
        let folder = folder();
        let mut plan = plan(&topic, folder.path());
        plan.consumer_group = format!("{}.{threads}.{decoded}", plan.consumer_group);
        let cpu = Cpu::Threads(NonZero::new(threads).expect("there is one"));
        let budget = Budget { decoded, ..Budget::default() };
        let options = Options { cpu, budget, ..Options::new(&plan) };
        ingest::run(&plan, options.until_caught_up()).await.expect("the ingest catches up");
        Landed::read(&plan).await
    };
    let default = Budget::default().decoded;
    let (one, three, short) = tokio::join!(land(1, default), land(3, default), land(3, 160 << 10));
    assert_accounted(&one, &sent);
    for landed in [three, short] {
        assert_eq!((&landed.rows, &landed.rejects, &landed.next), (&one.rows, &one.rejects, &one.next));
        assert_eq!(landed.messages, one.messages);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_tells_its_work_and_decodes_by_another_thread_when_its_cpu_grows() {
    let topic = Topic::create("work", 2);
    let sent = books(21, 900);
    let (first, rest) = sent.split_at(300);
    let (second, third) = rest.split_at(300);
    topic.send_books(first);
    let folder = folder();
    let (document, local, cpu) =
        (document(&topic, folder.path()), folder.path().join("local"), folder.path().join("cpu"));
    std::fs::write(&cpu, "750m").expect("the folder is ours");
    let address = free_address();
    let mut child = gristmill(&document)
        .arg("--local")
        .arg(&local)
        .args(["--admin-addr", &address.to_string(), "--cpu-file"])
        .arg(&cpu)
        .spawn()
        .expect("the binary runs");

    // What was there at first may have been decoded before the first sample: what comes later is counted.
    let work = wait_for(address, &mut child, has_read(300));
    assert_eq!((work.decode_threads, work.partitions), (1, 2));
    topic.send_books(second);
    let work = wait_for(address, &mut child, has_read(600));
    assert!((300..=600).contains(&work.records), "{work:?}");
    assert!((bytes(second)..=bytes(first) + bytes(second)).contains(&work.bytes), "{work:?}");
    assert!(work.arrival > Some(0.0), "{work:?}");
    assert!(work.cpu_seconds > 0.0, "{work:?}");
    assert!(work.decode_seconds > 0.0 && work.decode_seconds <= work.window_seconds, "{work:?}");
    assert_eq!((work.decode_threads, work.partitions, work.stuck), (1, 2, StuckWork::default()));
    // All of the topic is in partition 0.
    assert_eq!(work.hottest.map(|hottest| (hottest.partition, Some(hottest.arrival))), Some((0, work.arrival)));

    std::fs::write(&cpu, "2").expect("the folder is ours");
    wait_for(address, &mut child, |_, work| work.decode_threads == 2);
    topic.send_books(third);
    wait_for(address, &mut child, has_read(900));
    terminate(child);
    let plan = gristmill::local::local_ingest(plan(&topic, folder.path()), &local).await.expect("a folder");
    assert_accounted(&Landed::read(&plan).await, &sent);
}
