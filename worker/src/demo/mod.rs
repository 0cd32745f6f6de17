//! The whole pipeline in one process: a broker, sample messages, ingest, compaction, and a look at the result.
//!
//! The broker is librdkafka's mock cluster, the zones lie in a folder, and the documents are those of
//! `manifests/quickstart`. With the same seed every run has the same figures.

mod second;
mod show;

use std::path::{Path, PathBuf};
use std::time::Duration;

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

/// The line of [`BOOKS`] that names the brokers.
const QUICKSTART_SERVERS: &str = "bootstrapServers: kafka.library.svc:9092";

/// Shares that make every kind of reject and duplicate appear in a small run.
const MIX: Mix = Mix { duplicates: 5, malformed: 2, invalid: 3, late: 0, tombstones: 0 };

/// Settings of the group that suit the mock cluster.
///
/// It keeps a group that a member left for a session less 1 s before it gives partitions to the next member: 14 s by
/// the worker's own session. A first join takes 3 s there, and a session must outlive it.
const GROUP: [(&str, &str); 2] = [("session.timeout.ms", "4500"), ("heartbeat.interval.ms", "1000")];

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
    documents: String,
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
    pub async fn start(options: &Options) -> Result<Self, Failure> {
        let broker = MockCluster::new(1).map_err(|error| Failure::new(Exit::Kafka, "SourceUnavailable", &error))?;
        let servers = broker.bootstrap_servers();
        let documents = documents(&servers);
        let parsed = Documents::parse(Path::new("books.yaml"), &documents)?;
        let plan = local_compaction(parsed.compaction_plan(None)?, &options.folder).await?;
        let connection = Connection::plaintext(servers);
        let topic = plan.ingest.topic.clone();
        let target = Target { connection, topic, partitions: 4, wait: Duration::from_secs(30) };
        broker
            .create_topic(&target.topic, target.partitions, 1)
            .map_err(|error| Failure::new(Exit::Kafka, "SourceUnavailable", &error))?;
        let messages = BookMessages::new(options.seed, MIX);
        Ok(Self { _broker: broker, documents, plan, target, messages, count: options.messages })
    }

    /// Two rounds of produce, ingest and compact, one compaction more, then the result. The second round has new messages
    /// and repeats of the first: its compaction says what it has read and what it has left alone.
    ///
    /// # Errors
    /// What the commands of the same names end with.
    pub async fn run(&mut self) -> Result<(), Failure> {
        self.round(self.count).await?;
        self.compact("").await?;
        self.round(self.count / 5).await?;
        self.compact_second().await?;
        self.compact("again").await?;
        self.show().await
    }

    /// Address of the broker, for commands in another terminal.
    pub fn bootstrap_servers(&self) -> &str {
        self.target.connection.servers()
    }

    /// The documents that it runs by, for commands in another terminal.
    pub fn documents(&self) -> &str {
        &self.documents
    }

    async fn round(&mut self, count: usize) -> Result<(), Failure> {
        let summary = produce(&self.target, self.messages.by_ref().take(count), 0, &CancellationToken::new()).await?;
        println!("produce  {}", show::produced(&summary));
        println!("ingest   joins its group; the broker in this process gives partitions out after 3 to 4 s");
        let options = ingest::Options::new(&self.plan.ingest).until_caught_up();
        let summary = ingest::run(&self.plan.ingest, options).await?;
        println!("ingest   {}", show::ingested(&summary));
        Ok(())
    }

    /// The second compaction, with what it has read of both zones.
    async fn compact_second(&self) -> Result<(), Failure> {
        let processed = ZoneReader::open(surroundings(&self.plan.processed_path)?).await?;
        let raw = ZoneReader::open(surroundings(&self.plan.ingest.raw_path)?).await?;
        let before = second::Before::of(&raw, &processed);
        let report = self.compact("").await?;
        let processed = ZoneReader::open(surroundings(&self.plan.processed_path)?).await?;
        if let Some(told) = before.told(&raw, &processed, &report) {
            println!("         {told}");
        }
        Ok(())
    }

    async fn compact(&self, note: &str) -> Result<compact::Report, Failure> {
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
        Ok(report)
    }

    async fn show(&self) -> Result<(), Failure> {
        let raw = ZoneReader::open(surroundings(&self.plan.ingest.raw_path)?).await?;
        let processed = ZoneReader::open(surroundings(&self.plan.processed_path)?).await?;
        second::keys(&processed).await?;
        show::rows(&processed).await?;
        show::rejects(&raw).await?;
        show::identity(&raw);
        show::files(&raw, &processed);
        print!("{}", second::queries(&self.plan));
        Ok(())
    }
}

/// The documents of the quickstart with these brokers, and settings of the group that suit them.
fn documents(servers: &str) -> String {
    let config = GROUP.map(|(name, value)| format!("{name}: {value:?}")).join(", ");
    BOOKS.replacen(QUICKSTART_SERVERS, &format!("bootstrapServers: {servers:?}\n      config: {{{config}}}"), 1)
}

fn surroundings(path: &str) -> Result<Surroundings, Failure> {
    let url = path.parse()?;
    Ok(Surroundings::of_process(store::open(&url, &store::HadoopAccess::default())?, url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_those_of_the_quickstart_with_the_broker_and_its_group() {
        let documents =
            Documents::parse(Path::new("books.yaml"), &documents("127.0.0.1:9")).expect("they are documents");
        let plan = documents.ingest_plan(None).expect("they are valid");
        assert_eq!(plan.bootstrap_servers, "127.0.0.1:9");
        assert_eq!(plan.kafka_config, GROUP.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }
}
