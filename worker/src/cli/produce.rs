//! `gristmill produce`: sample book messages for a topic.

use clap::Args;

use super::print;
use crate::exit::Failure;
use crate::produce::books::{BookMessages, Mix};
use crate::produce::{Summary, Target, produce};

/// Sends sample messages: XML libraries of 1 to 5 books, keyed by the first record_id.
#[derive(Debug, Args)]
pub(super) struct ProduceArgs {
    /// Brokers to begin with, host:port, separated by commas.
    #[arg(long, env = "GRISTMILL_BOOTSTRAP_SERVERS")]
    bootstrap_servers: String,
    /// Topic to send to; it is made if it is not there.
    #[arg(long)]
    topic: String,
    /// Partitions of the topic if it has to be made.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    partitions: i32,
    /// Messages to send.
    #[arg(long, default_value_t = 1000)]
    count: usize,
    /// Messages a second; 0 is as fast as the brokers take them.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    rate: u32,
    /// Equal seeds give equal messages.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Percent of messages that repeat an earlier one, half of them with newer content.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    duplicates: u8,
    /// Percent of messages that are not well-formed.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    malformed: u8,
    /// Percent of messages with one book that breaks a rule of manifests/quickstart/books.yaml.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    invalid: u8,
    /// Print one JSON object instead of a sentence.
    #[arg(long)]
    json: bool,
}

/// Sends the messages and prints what was sent.
pub(super) async fn run(args: ProduceArgs) -> Result<(), Failure> {
    let target = Target { bootstrap_servers: args.bootstrap_servers, topic: args.topic, partitions: args.partitions };
    let mix = Mix { duplicates: args.duplicates, malformed: args.malformed, invalid: args.invalid };
    let messages = BookMessages::new(args.seed, mix).take(args.count);
    let summary = produce(&target, messages, args.rate).await?;
    let text = if args.json {
        serde_json::to_string(&summary).expect("numbers are JSON")
    } else {
        sentence(&summary, &target)
    };
    print(&(text + "\n"))
}

/// What was sent, for a person.
pub(super) fn sentence(summary: &Summary, target: &Target) -> String {
    let Summary { messages, books, duplicates, malformed, invalid, bytes } = summary;
    format!(
        "sent {messages} messages with {books} books ({bytes} bytes) to topic {:?}: {duplicates} repeat an earlier \
         one, {malformed} are not well-formed, {invalid} hold a book that breaks a rule",
        target.topic
    )
}
