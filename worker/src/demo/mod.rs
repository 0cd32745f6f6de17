//! The whole pipeline in one process: a broker, sample messages, ingest, compaction, and a look at the result.
//!
//! The broker is librdkafka's mock cluster, the zones lie in a folder, and the documents are those of
//! `manifests/quickstart`. With the same seed every run has the same figures.

mod show;

use std::path::{Path, PathBuf};

use gristmill_crds::plan::CompactionPlan;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use tokio_util::sync::CancellationToken;

use crate::compact;
use crate::documents::Documents;
use crate::exit::{Exit, Failure};
use crate::ingest;
use crate::kafka::Connection;
use crate::local::local_compaction;
use crate::produce::books::{BookMessages, Mix};
use crate::produce::{Target, produce};
use crate::store;
use crate::zone::{Surroundings, ZoneReader};

/// The documents of the quickstart.
pub const BOOKS: &str = include_str!("../../../manifests/quickstart/books.yaml");

/// Shares that make every kind of reject and duplicate appear in a small run.
const MIX: Mix = Mix { duplicates: 5, malformed: 2, invalid: 3, late: 0, tombstones: 0 };

/// What a demo is given.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder of the zones.
    pub folder: PathBuf,
    /// Messages of the first round; the second has a fifth of them.
    pub messages: usize,
    /// Equal seeds give equal figures.
    pub seed: u64,
}

/// A demo whose broker is up.
pub struct Demo {
    // Dropping it ends the broker.
    _broker: MockCluster<'static, DefaultProducerContext>,
    plan: CompactionPlan,
    target: Target,
    messages: BookMessages,
    count: usize,
}

impl Demo {
    /// Starts the broker and makes the plans of the quickstart's documents for it.
    ///
    /// # Errors
    /// The broker does not start, or the folder has no usable path.
    pub fn start(options: &Options) -> Result<Self, Failure> {
        let broker = MockCluster::new(1).map_err(|error| Failure::new(Exit::Kafka, "SourceUnavailable", &error))?;
        let servers = broker.bootstrap_servers();
        let documents = Documents::parse(Path::new("manifests/quickstart/books.yaml"), BOOKS)?;
        let mut plan = local_compaction(documents.compaction_plan(None)?, &options.folder)?;
        plan.ingest = plan.ingest.with_bootstrap_servers(servers.clone());
        let connection = Connection::plaintext(servers);
        let target = Target { connection, topic: plan.ingest.topic.clone(), partitions: 4 };
        broker
            .create_topic(&target.topic, target.partitions, 1)
            .map_err(|error| Failure::new(Exit::Kafka, "SourceUnavailable", &error))?;
        let messages = BookMessages::new(options.seed, MIX);
        Ok(Self { _broker: broker, plan, target, messages, count: options.messages })
    }

    /// Two rounds of produce, ingest and compact, one compaction more, then the result.
    ///
    /// # Errors
    /// What the commands of the same names end with.
    pub async fn run(&mut self) -> Result<(), Failure> {
        self.round(self.count).await?;
        self.round(self.count / 5).await?;
        self.compact("again").await?;
        self.show().await
    }

    /// Address of the broker, for commands in another terminal.
    pub fn bootstrap_servers(&self) -> &str {
        self.target.connection.servers()
    }

    async fn round(&mut self, count: usize) -> Result<(), Failure> {
        let summary = produce(&self.target, self.messages.by_ref().take(count), 0, &CancellationToken::new()).await?;
        println!("produce  {}", show::produced(&summary));
        let options = ingest::Options::new(&self.plan.ingest).until_caught_up();
        let summary = ingest::run(&self.plan.ingest, options).await?;
        println!("ingest   {}", show::ingested(&summary));
        self.compact("").await
    }

    async fn compact(&self, note: &str) -> Result<(), Failure> {
        let zones = compact::Zones {
            raw: surroundings(&self.plan.ingest.raw_path)?,
            processed: surroundings(&self.plan.processed_path)?,
        };
        let report = compact::run(&self.plan, &zones, &compact::Options::default()).await?;
        println!(
            "compact  {}{}",
            show::compacted(&report),
            if note.is_empty() { String::new() } else { format!(" ({note})") }
        );
        Ok(())
    }

    async fn show(&self) -> Result<(), Failure> {
        let raw = ZoneReader::open(surroundings(&self.plan.ingest.raw_path)?).await?;
        let processed = ZoneReader::open(surroundings(&self.plan.processed_path)?).await?;
        show::rows(&processed).await?;
        show::rejects(&raw).await?;
        show::identity(&raw);
        show::files(&raw, &processed);
        Ok(())
    }
}

fn surroundings(path: &str) -> Result<Surroundings, Failure> {
    let url = path.parse()?;
    Ok(Surroundings::of_process(store::open(&url, &store::HadoopAccess::default())?, url))
}
