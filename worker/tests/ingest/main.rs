//! The ingest end to end: a mock Kafka cluster, and zones in temporary folders.

mod broker;
mod command;
mod landed;
mod members;
mod memory;
mod run;
mod work;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use gristmill::documents::Documents;
use gristmill::exit::{Exit, Failure};
use gristmill::ingest::{self, Budget, Options, Summary};
use gristmill::produce::books::{BookMessage, BookMessages, Kind, Mix};
use gristmill_crds::plan::{IngestPlan, Position};
use gristmill_crds::report::IngestPhase;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rdkafka::message::OwnedHeaders;
use tempfile::TempDir;

use self::broker::Topic;
use self::landed::{Landed, StoredHeaders, headers_of_rejects};

const MIX: Mix = Mix { duplicates: 10, malformed: 5, invalid: 5, late: 0, tombstones: 0 };

/// The quickstart's document, on a topic of the mock cluster and a zone in a folder.
fn plan(topic: &Topic, folder: &Path) -> IngestPlan {
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/quickstart/books.yaml");
    let documents = Documents::read(&[document.into()]).expect("the quickstart is valid");
    let plan = documents.ingest_plan(None).expect("the quickstart is valid");
    let group = format!("group.{}", topic.name);
    let mut plan = plan.with_raw_path(format!("file://{}/raw", folder.display()), group);
    plan.bootstrap_servers.clone_from(&topic.servers);
    plan.topic.clone_from(&topic.name);
    plan.kafka_config.extend(broker::GROUP.map(|(name, value)| (name.to_owned(), value.to_owned())));
    // Most messages of these tests are wrong on purpose.
    plan.rejected.budget.action = gristmill_crds::BudgetAction::Continue;
    plan
}

fn folder() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

fn books(seed: u64, count: usize) -> Vec<BookMessage> {
    BookMessages::new(seed, MIX).take(count).collect()
}

async fn catch_up(plan: &IngestPlan) -> Result<Summary, Failure> {
    let options = Options { wait: Some(Duration::from_secs(60)), ..Options::new(plan) };
    ingest::run(plan, options.until_caught_up()).await
}

/// Every message of these, and nothing else, is in the zone once.
fn assert_accounted(landed: &Landed, sent: &[BookMessage]) {
    let of = |kind| sent.iter().filter(|message| message.kind == kind).count();
    let well_formed = sent.iter().filter(|message| message.kind != Kind::Malformed);
    let rows = well_formed.map(|message| message.books).sum::<usize>() - of(Kind::Invalid);
    let alone = sent.iter().filter(|message| message.kind == Kind::Invalid && message.books == 1).count();
    assert_eq!(landed.rows.len(), rows);
    assert_eq!(landed.rejects.len(), of(Kind::Malformed) + of(Kind::Invalid));
    assert_eq!(landed.messages.rejected as usize, of(Kind::Malformed) + alone);
    assert_eq!((landed.messages.accepted + landed.messages.rejected) as usize, sent.len());
    assert_eq!((landed.messages.absent, landed.messages.gaps), (0, 0));
    assert_eq!(landed.next.iter().sum::<i64>() as usize, sent.len() + landed.messages.tombstones as usize);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_and_reject_of_eight_partitions_is_accounted_for() {
    let topic = Topic::create("accounted", 8);
    let sent = books(1, 2000);
    topic.send_books(&sent);
    topic.send([(0, None), (1, None)]);
    let folder = folder();
    let mut plan = plan(&topic, folder.path());
    plan.target_size = 16 << 10;
    let summary = catch_up(&plan).await.expect("the ingest catches up");
    let landed = Landed::read(&plan).await;
    assert_accounted(&landed, &sent);
    assert_eq!(landed.messages.tombstones, 2);
    assert!(summary.commits > 2, "{summary:?}");
    assert_eq!((summary.commits, summary.files as usize), (landed.commits, landed.files));
    assert_eq!((summary.rows, summary.rejected_rows), (landed.rows.len() as u64, landed.rejects.len() as u64));
    assert_eq!(summary.messages as usize, sent.len() + 2);
    assert_eq!(topic.group_offsets(&plan.consumer_group), landed.next.iter().map(|n| Some(*n)).collect::<Vec<_>>());
    let published = |path: &String| path.starts_with("ingest_date=") && path.contains("/ingest_hour=");
    assert!(landed.paths.iter().all(published), "{:?}", landed.paths);
    let again = catch_up(&plan).await.expect("the ingest has nothing to do");
    assert_eq!(again, Summary::default());
}

/// Of each message with rejects once, from the broker to the file, whatever is in them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_go_with_the_first_reject_of_a_message() {
    let topic = Topic::create("headers", 1);
    let headers = |number: &str| {
        let entry = |key, value| rdkafka::message::Header { key, value };
        OwnedHeaders::new()
            .insert(entry("number", Some(number)))
            .insert(entry("trace", None::<&str>))
            .insert(rdkafka::message::Header { key: "trace", value: Some(b"\xFF\x00") })
    };
    let whole = books(1, 200).into_iter().find(|book| book.kind == Kind::Plain).expect("most are whole").payload;
    let (cut, two_rows) = (&whole[..whole.len() / 2], "<library><book/><book/></library>");
    topic.send_with_headers([
        (0, Some(cut), headers("one")),
        (0, Some(whole.as_str()), headers("two")),
        (0, Some(two_rows), headers("three")),
        (0, Some(cut), OwnedHeaders::new()),
    ]);
    let folder = folder();
    let plan = plan(&topic, folder.path());
    catch_up(&plan).await.expect("the ingest catches up");

    let stored = |number: &str| -> Option<StoredHeaders> {
        let value = |bytes: &[u8]| Some(bytes.to_vec());
        Some(vec![
            ("number".to_owned(), value(number.as_bytes())),
            ("trace".to_owned(), None),
            ("trace".to_owned(), value(b"\xFF\x00")),
        ])
    };
    let expected = BTreeMap::from([
        ((0, 0, None), stored("one")),
        ((0, 2, Some(0)), stored("three")),
        ((0, 2, Some(1)), None),
        ((0, 3, None), Some(Vec::new())),
    ]);
    assert_eq!(headers_of_rejects(&plan).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_ingests_leave_nothing_out_and_nothing_twice() {
    futures::future::join_all((0..5).map(kill_and_go_on)).await;
}

/// Kills an ingest after a number of commits by the seed, twice, and lets a third one finish. Odd seeds have no memory
/// for messages that come during a commit: all partitions are paused then, and resumed where they stood.
async fn kill_and_go_on(seed: u64) {
    let topic = Topic::create(&format!("killed-{seed}"), 8);
    let sent = books(seed, 1500);
    topic.send_books(&sent);
    let folder = folder();
    let mut plan = plan(&topic, folder.path());
    plan.target_size = 8 << 10;
    let mut budget = Budget::default();
    if seed % 2 == 1 {
        budget.held = 0;
        // A pause costs up to the half second that a fetch waits at the broker: fewer commits.
        plan.target_size = 32 << 10;
    }
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut commits = 0;
    for _ in 0..2 {
        commits += random.random_range(1..4);
        let options = Options { budget, ..Options::new(&plan) };
        let mut reports = options.board.subscribe();
        let reached = reports.wait_for(|report| report.zone.as_ref().is_some_and(|zone| zone.sequence >= commits));
        tokio::select! {
            biased;
            outcome = ingest::run(&plan, options) => panic!("seed {seed}: it ended by itself: {outcome:?}"),
            _ = reached => {}
        }
    }
    let options = Options { budget, ..Options::new(&plan) };
    let outcome = ingest::run(&plan, options.until_caught_up()).await;
    outcome.unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
    assert_accounted(&Landed::read(&plan).await, &sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_topic_is_committed_by_age_and_cancel_commits_the_rest() {
    let topic = Topic::create("silent", 2);
    let first = books(2, 5);
    topic.send_books(&first);
    let folder = folder();
    let mut plan = plan(&topic, folder.path());
    plan.max_age = Duration::from_secs(1);
    let options = Options::new(&plan);
    let (board, cancel) = (options.board.clone(), options.cancel.clone());
    let observe = async {
        let mut reports = board.subscribe();
        let committed = reports.wait_for(|report| report.messages.accepted + report.messages.rejected == 5);
        let report = committed.await.expect("the ingest runs").clone();
        cancel.cancel();
        (report, board.is_ready() && board.is_alive())
    };
    let (summary, (report, up)) = tokio::join!(ingest::run(&plan, options), observe);
    assert_eq!((report.phase, report.zone.expect("the zone is open").sequence), (IngestPhase::Ingesting, 1));
    assert!(up);
    let summary = summary.expect("it drains");
    assert_eq!((summary.commits, summary.messages), (1, 5));

    // Nothing is due for an hour now, so only the cancel can commit.
    plan.max_age = Duration::from_secs(3600);
    let second = books(3, 7);
    topic.send_books(&second);
    let options = Options::new(&plan);
    let (board, cancel) = (options.board.clone(), options.cancel.clone());
    let stop = async {
        board.wait_until_read(7).await;
        cancel.cancel();
    };
    let (summary, ()) = tokio::join!(ingest::run(&plan, options), stop);
    let summary = summary.expect("it drains");
    assert_eq!((summary.commits, summary.messages), (1, 7));
    assert_accounted(&Landed::read(&plan).await, &[first, second].concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn group_offsets_moved_forward_by_an_admin_tool_skip_nothing() {
    let topic = Topic::create("moved-forward", 3);
    let folder = folder();
    let plan = plan(&topic, folder.path());
    let sent = books(6, 20);
    topic.send_books(&sent);
    topic.move_group(&plan.consumer_group, 8);
    catch_up(&plan).await.expect("the ingest catches up");
    assert_accounted(&Landed::read(&plan).await, &sent);
    let next = [Some(10), Some(10), Some(0)];
    assert_eq!(topic.group_offsets(&plan.consumer_group), next, "the group shows what was committed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn empty_topic_is_caught_up_at_once() {
    let topic = Topic::create("empty", 2);
    let folder = folder();
    let plan = plan(&topic, folder.path());
    assert_eq!(catch_up(&plan).await.expect("there is nothing to do"), Summary::default());
    assert_eq!(Landed::read(&plan).await.next, [0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn start_from_latest_is_resolved_when_the_zone_is_made_and_never_again() {
    let topic = Topic::create("latest", 2);
    topic.send_books(&books(4, 3));
    let folder = folder();
    let mut plan = plan(&topic, folder.path());
    plan.start_from = Position::Latest;
    catch_up(&plan).await.expect("there is nothing to do");
    assert_eq!(Landed::read(&plan).await.next, [3, 0]);
    topic.send_books(&books(5, 4));
    // Moved back by an admin tool: without effect as well.
    topic.move_group(&plan.consumer_group, 0);
    catch_up(&plan).await.expect("the ingest catches up");
    let landed = Landed::read(&plan).await;
    assert_eq!(landed.next, [7, 0]);
    assert_eq!(landed.messages.accepted + landed.messages.rejected, 4);
}

async fn refusal(plan: &IngestPlan) -> (Exit, &'static str, String) {
    let failure = catch_up(plan).await.expect_err("the ingest is refused");
    (failure.exit, failure.reason, failure.message)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zone_of_another_topic_group_or_cluster_is_refused() {
    let topic = Topic::create("first", 1);
    let folder = folder();
    let ours = plan(&topic, folder.path());
    catch_up(&ours).await.expect("the zone is made");

    let other = plan(&Topic::create("second", 1), folder.path());
    let (exit, reason, message) = refusal(&IngestPlan { consumer_group: ours.consumer_group.clone(), ..other }).await;
    assert_eq!((exit, reason), (Exit::Zone, "ZoneMismatch"), "{message}");
    assert!(message.contains("first") && message.contains("second"), "{message}");

    let (exit, reason, message) = refusal(&IngestPlan { consumer_group: "other".into(), ..ours.clone() }).await;
    assert_eq!((exit, reason), (Exit::Zone, "ZoneMismatch"), "{message}");

    let (exit, reason, message) = refusal(&plan(&Topic::create_elsewhere("first", 1), folder.path())).await;
    assert_eq!((exit, reason), (Exit::Zone, "TopicReplaced"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topic_that_ends_below_what_was_read_is_data_loss() {
    let topic = Topic::create("truncated", 1);
    let folder = folder();
    let plan = plan(&topic, folder.path());
    catch_up(&plan).await.expect("the zone is made");
    landed::pretend_read(&plan, 50).await;
    let (exit, reason, message) = refusal(&plan).await;
    assert_eq!((exit, reason), (Exit::DataLoss, "DataLoss"), "{message}");
    assert!(message.contains("truncated/0 ends at offset 0"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_topic_and_absent_brokers_are_waited_for_and_named() {
    let topic = Topic::create("there", 1);
    let folder = folder();
    let plan = plan(&topic, folder.path());
    let briefly = async |plan: &IngestPlan| {
        let options = Options { wait: Some(Duration::from_millis(1)), ..Options::new(plan) };
        let failure = ingest::run(plan, options).await.expect_err("nobody answers");
        (failure.exit, failure.reason, failure.message)
    };
    let missing = IngestPlan { topic: "not-there".into(), ..plan.clone() };
    let (exit, reason, message) = briefly(&missing).await;
    assert_eq!((exit, reason), (Exit::Kafka, "TopicNotFound"), "{message}");
    assert!(message.contains("not-there"), "{message}");
    let absent = IngestPlan { bootstrap_servers: "127.0.0.1:1".into(), ..plan };
    let (exit, reason, message) = briefly(&absent).await;
    assert_eq!((exit, reason), (Exit::Kafka, "SourceUnavailable"), "{message}");
    assert!(message.contains("127.0.0.1:1"), "{message}");
}
