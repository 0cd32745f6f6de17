//! One run: a cluster, a store, processes that come and go, and in the end every message where it belongs.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::num::NonZero;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::{Int32Type, Int64Type};
use gristmill_core::log::FileZone;
use gristmill_crds::plan::IngestPlan;
use tokio_util::sync::CancellationToken;

use super::broker::{Cluster, number};
use super::executor::Timeline;
use super::member::SimulatedSource;
use super::store::{Weather, WeatheredStore};
use super::{Violation, executor};
use crate::cpu::Cpu;
use crate::documents::Documents;
use crate::exit::Failure;
use crate::ingest::{ATTEMPT, Awaited, Budget, Options, StatusBoard, Summary, Until, run_on};
use crate::parquet_file::ParquetReader;
use crate::store::{MemoryStore, StoreClock, ZoneUrl};
use crate::zone::{Appended, Clock, Expected, Opened, Retention, Surroundings, Zone, ZoneReader};

/// A valid message of one row, a message of two rows of which one is invalid, one that is not well-formed.
pub(super) const GOOD: &str = "<library><book><record_id>1</record_id></book></library>";
const HALF: &str = "<library><book><record_id>1</record_id></book><book/></library>";
pub(super) const BAD: &str = "<library><book>";

/// Memory for the rows of a few messages.
const LITTLE: u64 = 2 << 10;

/// How long the group waits for a process.
const GRACE: Duration = Duration::from_secs(100);

/// Everything that the processes of a run share.
#[derive(Clone)]
pub(super) struct World {
    pub(super) timeline: Timeline,
    pub(super) cluster: Cluster,
    pub(super) memory: MemoryStore,
    pub(super) weather: Weather,
    pub(super) plan: IngestPlan,
    pub(super) budget: Budget,
    /// One thread decodes, or three.
    cpu: Cpu,
    pub(super) retention: Retention,
    pub(super) awaited: Awaited,
    boards: Rc<RefCell<Vec<StatusBoard>>>,
}

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// A task of the executor.
pub(super) type Task<'a> = Pin<Box<dyn Future<Output = Result<(), Violation>> + 'a>>;

/// How a process ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// By itself.
    Done(Result<Summary, Failure>),
    /// It was killed.
    Killed,
}

/// What a zone holds: for each partition and generation the offsets of rows and of rejects.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Landed {
    pub(super) rows: BTreeSet<(i32, i32, i64, i32)>,
    pub(super) rejects: BTreeSet<(i32, i32, i64)>,
}

pub(super) fn plan() -> IngestPlan {
    let document = "
apiVersion: gristmill.dev/v1alpha1
kind: StreamIngest
metadata: {name: books, namespace: library}
spec:
  source: {kafka: {bootstrapServers: 'simulated:9092', topic: books}}
  record:
    rowPath: /library/book
    columns: [{name: record_id, path: record_id, required: true}]
  raw: {path: 'hdfs://simulated:8020/raw/books', files: {maxAge: 10s}}
";
    let documents = Documents::parse("simulated.yaml".as_ref(), document).expect("the document is valid");
    documents.ingest_plan(None).expect("the document is valid")
}

/// Runs a scenario beside workers that are started again whenever they end or are killed.
pub(super) fn with_workers<'a>(
    world: &'a World,
    workers: usize,
    scenario: impl Future<Output = Result<(), Violation>> + 'a,
) -> Result<(), Violation> {
    let mut tasks: Vec<Task<'a>> = Vec::new();
    tasks.push(Box::pin(scenario));
    tasks.push(Box::pin(world.coordinate()));
    for _ in 0..workers {
        tasks.push(Box::pin(work(world)));
    }
    executor::run(&world.timeline, tasks)
}

/// A worker that is started again whenever it ends.
async fn work(world: &World) -> Result<(), Violation> {
    loop {
        let never = CancellationToken::new();
        match world.process(&world.plan, Until::Cancelled, never.clone(), never).await {
            Ended::Done(Err(failure)) => return Err(format!("a worker failed: {failure}")),
            Ended::Done(Ok(_)) | Ended::Killed => {}
        }
    }
}

/// Sends messages now and then.
pub(super) async fn send(world: &World, messages: u64) {
    for _ in 0..messages {
        world.send();
        if world.timeline.once_in(4) {
            world.timeline.sleep(world.timeline.some(10 * SECOND)).await;
        }
    }
}

fn store_clock(timeline: &Timeline) -> StoreClock {
    let timeline = timeline.clone();
    Arc::new(move || timeline.now())
}

impl World {
    /// By half of the seeds three threads decode, and by half of those rows have so little memory that a batch is cut short.
    pub(super) fn new(seed: u64, partitions: usize) -> Self {
        let timeline = Timeline::new(seed);
        let threads = if seed.is_multiple_of(2) { NonZero::<usize>::MIN } else { NonZero::new(3).expect("it is 3") };
        let mut budget = Budget::default();
        if seed % 4 == 3 {
            budget.decoded = LITTLE;
        }
        Self {
            cluster: Cluster::new(&timeline, partitions),
            memory: MemoryStore::with_clock(store_clock(&timeline)),
            weather: Weather::fair(&timeline),
            plan: plan(),
            budget,
            cpu: Cpu::Threads(threads),
            retention: Retention::default(),
            awaited: Awaited::default(),
            boards: Rc::default(),
            timeline,
        }
    }

    /// The same cluster and store, and a zone of its own that is to be read by the same group.
    pub(super) fn beside(&self, raw_path: &str) -> Self {
        let plan = IngestPlan { raw_path: raw_path.to_owned(), ..self.plan.clone() };
        Self { plan, boards: Rc::default(), ..self.clone() }
    }

    pub(super) fn surroundings(&self, weather: Weather) -> Surroundings {
        let url: ZoneUrl = self.plan.raw_path.parse().expect("a zone's URL");
        let store = WeatheredStore { memory: self.memory.clone(), weather };
        let timeline = Arc::new(self.timeline.clone());
        Surroundings::new(Arc::new(store), url, Arc::<Timeline>::clone(&timeline), timeline).with_patience(ATTEMPT)
    }

    /// Sends a message of any kind to any partition.
    pub(super) fn send(&self) {
        let partitions = self.cluster.lock().partitions.len();
        let partition = usize::try_from(self.timeline.lot(partitions as u64)).expect("a partition");
        let payload = match self.timeline.lot(10) {
            0 => Some(BAD),
            1 => Some(HALF),
            2 => None,
            _ => Some(GOOD),
        };
        self.cluster.append(partition, payload.map(str::to_owned));
    }

    /// A process that works by this plan until it ends or is killed.
    pub(super) async fn process(
        &self,
        plan: &IngestPlan,
        until: Until,
        cancel: CancellationToken,
        kill: CancellationToken,
    ) -> Ended {
        let board = StatusBoard::new(plan);
        self.boards.borrow_mut().push(board.clone());
        let (retention, awaited) = (self.retention.clone(), self.awaited.clone());
        let (budget, cpu) = (self.budget, self.cpu.clone());
        let options = Options { until, cancel, board, budget, cpu, retention, awaited, ..Options::new(plan) };
        let source = SimulatedSource(self.cluster.clone());
        let surroundings = self.surroundings(self.weather.clone());
        // On the heap: a scenario holds several, and a test's stack is small.
        let work = Box::pin(run_on(plan, &source, surroundings, GRACE, options));
        tokio::select! {
            biased;
            () = kill.cancelled() => Ended::Killed,
            outcome = work => Ended::Done(outcome),
        }
    }

    /// A process that ends when it has caught up, beside the coordinator.
    pub(super) async fn catch_up(&self, plan: &IngestPlan) -> Result<Summary, Failure> {
        let never = CancellationToken::new();
        match self.process(plan, Until::CaughtUp, never.clone(), never).await {
            Ended::Done(outcome) => outcome,
            Ended::Killed => unreachable!("nobody kills it"),
        }
    }

    /// A process that ends when it has caught up must fail for this reason.
    pub(super) async fn fails_with(&self, plan: &IngestPlan, reason: &str) -> Result<String, Violation> {
        match self.catch_up(plan).await {
            Err(failure) if failure.reason == reason => Ok(failure.message),
            outcome => Err(format!("{outcome:?} where {reason} was due")),
        }
    }

    /// The coordinator of the group, for ever.
    pub(super) async fn coordinate(&self) -> Result<(), Violation> {
        loop {
            self.timeline.sleep(Duration::from_millis(500) + self.timeline.some(Duration::from_millis(500))).await;
            self.cluster.coordinate();
            self.cluster.changed.notify_waiters();
        }
    }

    /// The zone as it is, without faults.
    pub(super) async fn zone(&self) -> Result<ZoneReader, Violation> {
        let calm = Weather::fair(&self.timeline);
        ZoneReader::open(self.surroundings(calm)).await.map_err(|error| error.to_string())
    }

    /// Ends a hold, as a user does.
    pub(super) async fn resume(&self, token: &str) -> Result<(), Violation> {
        let facts = self.cluster.lock().facts();
        let expected = Expected::Raw {
            cluster_id: facts.cluster_id,
            topic: self.plan.topic.clone(),
            topic_id: facts.topic_id,
            group: self.plan.consumer_group.clone(),
            rewind: None,
        };
        let digest = self.plan.spec_digest.parse().expect("a digest");
        let calm = Weather::fair(&self.timeline);
        let opened = Zone::open(self.surroundings(calm), expected, digest).await.map_err(|error| error.to_string())?;
        let Opened::Ready(mut zone) = opened else { return Err("there is no zone".to_owned()) };
        match zone.resume(Some(token.to_owned())).await.map_err(|error| error.to_string())? {
            Appended::Won(_) => Ok(()),
            Appended::Lost(refusal) => Err(refusal.to_string()),
        }
    }

    /// Returns once the zone holds everything that the topic holds.
    pub(super) async fn caught_up(&self, within: Duration) -> Result<(), Violation> {
        let latest = self.timeline.uptime() + within;
        loop {
            self.timeline.sleep(Duration::from_secs(5)).await;
            let Ok(zone) = self.zone().await else { continue };
            let ends = self.cluster.ends();
            let behind: BTreeMap<i32, i64> = ends
                .iter()
                .map(|(partition, end)| (*partition, end - zone.fold().next(*partition)))
                .filter(|(_, lag)| *lag != 0)
                .collect();
            if behind.is_empty() {
                return Ok(());
            }
            if self.timeline.uptime() > latest {
                let reports: Vec<_> = self.boards.borrow().iter().map(|board| board.report().message).collect();
                return Err(format!("still behind by {behind:?}; the processes say {reports:#?}"));
            }
        }
    }

    /// Rows and rejects of the zone, each once.
    pub(super) async fn landed(&self) -> Result<Landed, Violation> {
        let zone = self.zone().await?;
        let mut landed = Landed::default();
        for live in zone.fold().live().values() {
            let reader = ParquetReader::open(&zone, &live.file).await.map_err(|error| error.to_string())?;
            let columns = ["kafka_partition", "kafka_offset", "record_index", "generation"];
            let groups = (0..reader.row_groups().len()).collect();
            let mut batches = reader.batches(&columns, groups).map_err(|error| error.to_string())?;
            while let Some(batch) = batches.next().await.map_err(|error| error.to_string())? {
                let column = |name| batch.column_by_name(name).expect("the column is there");
                let partitions = column("kafka_partition").as_primitive::<Int32Type>();
                let offsets = column("kafka_offset").as_primitive::<Int64Type>();
                let indexes = column("record_index").as_primitive::<Int32Type>();
                let generations = column("generation").as_primitive::<Int32Type>();
                for row in 0..batch.num_rows() {
                    let (generation, partition, offset) =
                        (generations.value(row), partitions.value(row), offsets.value(row));
                    let new = match live.file.zone {
                        FileZone::Rejected => landed.rejects.insert((generation, partition, offset)),
                        _ => landed.rows.insert((generation, partition, offset, indexes.value(row))),
                    };
                    if !new {
                        return Err(format!("generation {generation}, {partition}/{offset} is there twice"));
                    }
                }
            }
        }
        Ok(landed)
    }

    /// The topic holds these from these offsets on; each was read in this generation.
    pub(super) fn expect(&self, generation: i32, from: impl Fn(i32) -> i64) -> Landed {
        let mut landed = Landed::default();
        for (partition, log) in self.cluster.lock().partitions.iter().enumerate() {
            let partition = number(partition);
            for (offset, record) in log.records.range(from(partition)..) {
                match record.payload.as_deref() {
                    None => {}
                    Some(BAD) => drop(landed.rejects.insert((generation, partition, *offset))),
                    Some(payload) => {
                        landed.rows.insert((generation, partition, *offset, 0));
                        if payload == HALF {
                            landed.rejects.insert((generation, partition, *offset));
                        }
                    }
                }
            }
        }
        landed
    }

    /// What was sent and nothing else is there, and every offset is accounted for.
    pub(super) async fn check(&self) -> Result<(), Violation> {
        let (landed, expected) = (self.landed().await?, self.expect(0, |_| 0));
        if landed != expected {
            let lost: Vec<_> = expected.rows.difference(&landed.rows).collect();
            let foreign: Vec<_> = landed.rows.difference(&expected.rows).collect();
            return Err(format!("rows lost: {lost:?}; rows that nobody sent: {foreign:?}"));
        }
        let zone = self.zone().await?;
        let sum: i64 = self.cluster.ends().values().sum();
        let counted = zone.fold().totals().offsets().expect("few offsets");
        if u64::try_from(sum) != Ok(counted) {
            return Err(format!("{sum} offsets, {counted} counted"));
        }
        Ok(())
    }

    /// What the process that began last says of itself.
    pub(super) fn board(&self) -> StatusBoard {
        self.boards.borrow().last().expect("a process has begun").clone()
    }
}
