//! `gristmill produce`: sample book messages, or the files of a folder, for a topic.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::connection::ConnectionArgs;
use super::zone::duration;
use super::{cancel_on_signal, print};
use crate::exit::{Exit, Failure};
use crate::produce::books::{BookMessages, Mix};
use crate::produce::{FolderMessages, FolderSummary, Summary, Target, produce, produce_folder};

/// Sends sample messages to a topic: XML libraries of books, or the files of a folder.
///
/// A sample message is <library> with 1 to 5 <book>s of record_id, title, author/name, author/country,
/// publication_year, price and updated_at (RFC 3339), keyed by the first record_id; they are what
/// manifests/quickstart/books.yaml describes. Equal --seed and shares give equal messages, byte for byte.
///
/// SIGTERM and SIGINT end it once what was sent is confirmed.
///
/// Shares are percent of the messages. Each message draws its kind anew and is of one kind only; the rest are plain.
/// The summary says how many of each kind were sent.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct ProduceArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Partitions of the topic if it has to be made.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    partitions: i32,
    /// Messages a second; 0 is as fast as the brokers take them.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    rate: u32,
    /// Send the files of this folder instead: one message a file, in the order of their names, keyed by the name.
    ///
    /// Hidden files and folders in it are left out.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["count", "seed", "duplicates", "malformed", "invalid", "late", "tombstones"])]
    folder: Option<PathBuf>,
    /// Messages to send; 0 sends until Ctrl-C.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    count: usize,
    /// Equal seeds give equal messages.
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    /// Percent that repeat an earlier plain message: half byte for byte, half with a new price and a newer updated_at.
    ///
    /// What is repeated is drawn from the last 4,096 plain messages.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = share())]
    duplicates: u8,
    /// Percent that are not well-formed: cut off, a wrong end tag, or a bare "&".
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = share())]
    malformed: u8,
    /// Percent with one book that breaks a rule of manifests/quickstart/books.yaml; the other books are valid.
    ///
    /// Its record_id is none, its publication_year is 1066, its price is no number, or its title is missing.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = share())]
    invalid: u8,
    /// Percent with new, valid books whose updated_at lies 60 to 400 days before that of a plain message.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = share())]
    late: u8,
    /// Percent with the key of an earlier plain message and no value.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = share())]
    tombstones: u8,
    /// How long the brokers may be away, for example 2m: to be reached, and to confirm a message.
    #[arg(long, value_name = "DURATION", value_parser = wait, default_value = "30s")]
    wait: Duration,
    /// Print one JSON object instead of a sentence.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  gristmill produce --bootstrap-servers localhost:9092 --topic book_data_topic --count 10000
  gristmill produce -f books.yaml --rate 500 --count 0 --duplicates 2 --malformed 1 --invalid 4
  gristmill produce -f books.yaml --secrets-dir ./secrets --folder ./samples
  gristmill produce --bootstrap-servers kafka:9093 --topic books --config-file client.properties";

fn share() -> clap::builder::RangedI64ValueParser<u8> {
    clap::value_parser!(u8).range(0..=100)
}

/// A duration of a second or more: brokers that are up need some time to answer.
fn wait(text: &str) -> Result<Duration, String> {
    match duration(text) {
        Ok(wait) if wait >= Duration::from_secs(1) => Ok(wait),
        Ok(_) => Err("is too short; write 1s or more".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Sends the messages and prints what was sent.
pub(super) async fn run(args: ProduceArgs) -> Result<(), Failure> {
    let (connection, topic) = args.connection.resolve()?;
    let target = Target { connection, topic, partitions: args.partitions, wait: args.wait };
    let cancel = tokio_util::sync::CancellationToken::new();
    cancel_on_signal(cancel.clone())?;
    let text = match &args.folder {
        Some(folder) => {
            let messages = FolderMessages::open(folder)?;
            let summary = produce_folder(&target, messages, args.rate, &cancel).await?;
            if args.json { json(&summary) } else { folder_sentence(&summary, &target) }
        }
        None => {
            let messages = BookMessages::new(args.seed, mix(&args)?);
            let count = if args.count == 0 { usize::MAX } else { args.count };
            let summary = produce(&target, messages.take(count), args.rate, &cancel).await?;
            if args.json { json(&summary) } else { sentence(&summary, &target) }
        }
    };
    print(&(text + "\n"))
}

fn mix(args: &ProduceArgs) -> Result<Mix, Failure> {
    let ProduceArgs { duplicates, malformed, invalid, late, tombstones, .. } = *args;
    let mix = Mix { duplicates, malformed, invalid, late, tombstones };
    if mix.percent() > 100 {
        let message =
            format!("the shares are {} percent together; a message is of one kind only: lower one", mix.percent());
        return Err(Failure { exit: Exit::Usage, reason: "Invalid", message });
    }
    Ok(mix)
}

fn json(summary: &impl serde::Serialize) -> String {
    serde_json::to_string(summary).expect("numbers are JSON")
}

/// What was sent, for a person.
fn sentence(summary: &Summary, target: &Target) -> String {
    let Summary { messages, books, duplicates, malformed, invalid, late, tombstones, bytes } = summary;
    format!(
        "sent {messages} messages with {books} books ({bytes} bytes) to topic {:?}: {duplicates} repeat an earlier \
         one, {malformed} are not well-formed, {invalid} hold a book that breaks a rule, {late} are late, \
         {tombstones} are tombstones",
        target.topic
    )
}

fn folder_sentence(summary: &FolderSummary, target: &Target) -> String {
    let FolderSummary { messages, bytes } = summary;
    format!("sent {messages} files ({bytes} bytes) to topic {:?}", target.topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentence_counts_every_kind() {
        let target = Target {
            connection: crate::kafka::Connection::plaintext("a:1"),
            topic: "t".into(),
            partitions: 1,
            wait: Duration::from_secs(1),
        };
        let summary = Summary {
            messages: 100,
            books: 300,
            duplicates: 1,
            malformed: 2,
            invalid: 3,
            late: 4,
            tombstones: 5,
            bytes: 60_000,
        };
        insta::assert_snapshot!(sentence(&summary, &target), @r#"sent 100 messages with 300 books (60000 bytes) to topic "t": 1 repeat an earlier one, 2 are not well-formed, 3 hold a book that breaks a rule, 4 are late, 5 are tombstones"#);
    }
}
