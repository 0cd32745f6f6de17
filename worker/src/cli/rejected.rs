//! `gristmill rejected`: what was rejected, why, and the message itself. It never writes.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use gristmill_core::raw::Reason;
use serde::Serialize;

use super::zone::{ZoneArgs, duration};
use super::{for_terminal, print};
use crate::exit::{Exit, Failure};
use crate::rejected::{self, Filter, ReasonCount, Reject, RejectedMessage};

/// Shows what a RAW zone has rejected, why, and the messages themselves; of a Processed zone its late rows.
///
/// Late rows are rejected where an HourlyCompaction has lateness.policy Reject. Their payload is the row as a JSON object.
#[derive(Debug, Args)]
pub(super) struct RejectedArgs {
    #[command(subcommand)]
    command: RejectedCommand,
}

#[derive(Debug, Subcommand)]
enum RejectedCommand {
    Ls(LsArgs),
    Show(ShowArgs),
}

/// Counts rejects by reason and column, with the newest of each as an example; or lists single ones.
#[derive(Debug, Args)]
struct LsArgs {
    #[command(flatten)]
    zone: ZoneArgs,
    /// Only this reason, for example InvalidType; may be repeated.
    #[arg(long, value_name = "REASON", value_parser = reasons())]
    reason: Vec<String>,
    /// Only this partition; may be repeated.
    #[arg(long, value_name = "N")]
    partition: Vec<i32>,
    /// Only what was committed since this time (RFC 3339) or within this duration before now, for example 2h.
    #[arg(long, value_name = "TIME|DURATION", value_parser = since)]
    since: Option<DateTime<Utc>>,
    /// List single rejects, the newest, instead of counts.
    #[arg(long)]
    each: bool,
    /// Lines at most.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Prints one rejected message: its reasons, coordinates, key, headers and what was kept of its payload.
///
/// Read again under several generations it is printed once for each. Of a Processed zone each late row is printed.
#[derive(Debug, Args)]
struct ShowArgs {
    #[command(flatten)]
    zone: ZoneArgs,
    /// Where it is: PARTITION/OFFSET or TOPIC/PARTITION/OFFSET, as `rejected ls` prints it.
    #[arg(value_name = "COORDINATE", value_parser = coordinate)]
    at: At,
    /// Print one JSON object a line.
    #[arg(long, conflicts_with = "payload")]
    json: bool,
    /// Print the payload alone, byte for byte as it was kept; of the newest generation.
    #[arg(long)]
    payload: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct At {
    topic: Option<String>,
    partition: i32,
    offset: i64,
}

/// Runs the subcommand.
pub(super) async fn run(args: RejectedArgs) -> Result<(), Failure> {
    match args.command {
        RejectedCommand::Ls(args) => ls(args).await,
        RejectedCommand::Show(args) => show(args).await,
    }
}

async fn ls(args: LsArgs) -> Result<(), Failure> {
    let LsArgs { zone, reason, partition, since, each, limit, json } = args;
    let zone = zone.read().await?;
    let filter = Filter { reasons: reason, partitions: partition, since };
    if each {
        let rejects = rejected::newest(&zone, &filter, limit).await?;
        return print(&if json { lines(&rejects) } else { rejects.iter().map(one_text).collect() });
    }
    let counts = rejected::count(&zone, &filter).await?;
    if counts.is_empty() && !json && rejected::topic(&zone).is_none() {
        return print("no late rows; what the ingest has rejected is in its RAW zone: give its raw.path\n");
    }
    let shown = &counts[..counts.len().min(limit)];
    print(&if json { lines(shown) } else { counts_text(shown) })
}

async fn show(args: ShowArgs) -> Result<(), Failure> {
    let zone = args.zone.read().await?;
    let At { topic: wanted, partition, offset } = &args.at;
    let held = rejected::topic(&zone).filter(|held| wanted.as_deref().is_some_and(|wanted| wanted != *held));
    if let (Some(held), Some(wanted)) = (held, wanted) {
        return Err(usage("NoSuchReject", format!("the zone holds topic {held:?}, not {wanted:?}")));
    }
    let mut messages = rejected::show(&zone, *partition, *offset).await?;
    let topic = wanted.as_deref().or(rejected::topic(&zone));
    messages.retain(|message| topic.is_none_or(|topic| message.rejects.iter().all(|reject| reject.at.topic == topic)));
    let Some(newest) = messages.last() else {
        let message = format!(
            "nothing of {}{partition}/{offset} was rejected, or its file is gone by retention; `gristmill rejected ls \
             --each` lists what is there",
            topic.map(|topic| format!("{topic}/")).unwrap_or_default()
        );
        return Err(usage("NoSuchReject", message));
    };
    if args.payload {
        let missing = || usage("NoPayload", "the payload was not kept: spec.rejected.payload is None".to_owned());
        return super::print_bytes(newest.payload.as_deref().ok_or_else(missing)?);
    }
    if args.json {
        return print(&lines(&messages.iter().map(JsonMessage::of).collect::<Vec<_>>()));
    }
    print(&messages.iter().map(message_text).collect::<Vec<_>>().join("\n"))
}

fn reasons() -> clap::builder::PossibleValuesParser {
    Reason::ALL.map(Reason::as_str).into()
}

fn since(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let before = duration(text).map_err(|_| "expected a time such as 2026-11-23T05:00:00Z or a duration such as 2h")?;
    let before = chrono::TimeDelta::from_std(before).map_err(|error| error.to_string())?;
    Utc::now().checked_sub_signed(before).ok_or_else(|| "is before all time".to_owned())
}

fn coordinate(text: &str) -> Result<At, &'static str> {
    let expected = "expected PARTITION/OFFSET or TOPIC/PARTITION/OFFSET, for example 3/1042";
    let mut parts = text.rsplitn(3, '/');
    let mut next = || parts.next().ok_or(expected);
    let offset = next()?.parse().map_err(|_| expected)?;
    let partition = next()?.parse().map_err(|_| expected)?;
    Ok(At { topic: next().ok().map(str::to_owned), partition, offset })
}

fn usage(reason: &'static str, message: String) -> Failure {
    Failure { exit: Exit::Usage, reason, message }
}

fn lines<T: Serialize>(objects: &[T]) -> String {
    let line = |object| serde_json::to_string(object).expect("texts and numbers are JSON") + "\n";
    objects.iter().map(line).collect()
}

/// Counts as a person reads them.
pub(crate) fn counts_text(counts: &[ReasonCount]) -> String {
    if counts.is_empty() {
        return "no rejects\n".to_owned();
    }
    let line = |ReasonCount { count, sample }: &ReasonCount| {
        format!("{count:>8} {}{}\n         for example {}", sample.reason, column(sample), one_text(sample))
    };
    counts.iter().map(line).collect()
}

fn column(reject: &Reject) -> String {
    reject.column.as_ref().map(|column| format!(" of {column}")).unwrap_or_default()
}

/// One reject on a line.
fn one_text(reject: &Reject) -> String {
    let Reject { at, generation: _, record_index, reason, column: _, path, line, position, message } = reject;
    let row = record_index.map(|index| format!(" row {index}")).unwrap_or_default();
    let place = line.zip(*position).map(|(line, position)| format!(" {line}:{position}")).unwrap_or_default();
    let path = path.as_ref().map(|path| format!(" {path}")).unwrap_or_default();
    let column = column(reject);
    format!("{at}{row}{place}{path}: {reason}{column}: {}\n", printable(message))
}

fn message_text(message: &RejectedMessage) -> String {
    let RejectedMessage { rejects, timestamp, key, headers, payload, payload_length, payload_sha256 } = message;
    let mut text = String::new();
    let mut say = |line: String| writeln!(text, "{line}").expect("a String takes every write");
    if let Some(first) = rejects.first() {
        say(format!("{} (generation {})", first.at, first.generation));
    }
    if let Some(timestamp) = timestamp {
        say(format!("timestamp {}", timestamp.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)));
    }
    if let Some(key) = key {
        say(format!("key {}", printable(&String::from_utf8_lossy(key))));
    }
    for (name, value) in headers {
        let value = value.as_ref().map_or("null".into(), |value| String::from_utf8_lossy(value));
        say(format!("header {} = {}", printable(name), printable(&value)));
    }
    for reject in rejects {
        say(one_text(reject).trim_end().to_owned());
    }
    let Some(payload) = payload else {
        say(format!("payload of {payload_length} bytes, not kept (SHA-256 {payload_sha256})"));
        return text;
    };
    let kept =
        if payload.len() as i64 == *payload_length { String::new() } else { format!(", {} kept", payload.len()) };
    say(format!("payload of {payload_length} bytes{kept} (SHA-256 {payload_sha256}):"));
    say(for_terminal(&String::from_utf8_lossy(payload)));
    text
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '·' } else { c }).collect()
}

/// The keys that scripts rely on. Bytes that are no UTF-8 stand in `..._hex`.
#[derive(Serialize)]
struct JsonMessage<'m> {
    topic: &'m str,
    partition: i32,
    offset: i64,
    generation: i32,
    timestamp: Option<String>,
    key: Option<Text<'m>>,
    headers: Vec<JsonHeader<'m>>,
    payload: Option<Text<'m>>,
    payload_length: i64,
    payload_sha256: &'m str,
    rejects: &'m [Reject],
}

#[derive(Serialize)]
struct JsonHeader<'m> {
    key: &'m str,
    value: Option<Text<'m>>,
}

/// Bytes as text if they are; else an object with their hex digits.
#[derive(Serialize)]
#[serde(untagged)]
enum Text<'m> {
    Utf8(&'m str),
    Hex { hex: String },
}

impl<'m> Text<'m> {
    fn of(bytes: &'m [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Text::Utf8(text),
            Err(_) => Text::Hex { hex: bytes.iter().map(|byte| format!("{byte:02x}")).collect() },
        }
    }
}

impl<'m> JsonMessage<'m> {
    fn of(message: &'m RejectedMessage) -> Self {
        let RejectedMessage { rejects, timestamp, key, headers, payload, payload_length, payload_sha256 } = message;
        let first = rejects.first().expect("a rejected message has a reject");
        let header =
            |(key, value): &'m (String, Option<Vec<u8>>)| JsonHeader { key, value: value.as_deref().map(Text::of) };
        Self {
            topic: &first.at.topic,
            partition: first.at.partition,
            offset: first.at.offset,
            generation: first.generation,
            timestamp: timestamp.map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)),
            key: key.as_deref().map(Text::of),
            headers: headers.iter().map(header).collect(),
            payload: payload.as_deref().map(Text::of),
            payload_length: *payload_length,
            payload_sha256,
            rejects,
        }
    }
}

#[cfg(test)]
mod tests;
