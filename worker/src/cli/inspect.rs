//! `gristmill inspect`: what the log of a zone says. It never writes.

use clap::Args;
use gristmill_core::log::{
    ConsumerFacts, FileZone, HoldFacts, Inspection, LiveFile, ProcessedInspection, RawInspection, inspect,
};
use serde::Serialize;

use super::consumers::read_up_to;
use super::ledger::ledger;
use super::print;
use super::zone::ZoneArgs;
use crate::exit::Failure;
use crate::zone::ZoneReader;

/// Prints what the log of a zone says: offsets, the identity, files, consumers and runs. It never writes.
///
/// The identity of a RAW zone: each consumed offset is exactly one of accepted, rejected, tombstone, absent (Kafka did
/// not deliver it) and gap (lost before it was read). Messages are counted over the whole log, rows and files are those
/// of live files.
#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    #[command(flatten)]
    zone: ZoneArgs,
    /// Print one JSON object; with --files one a file.
    #[arg(long)]
    json: bool,
    /// List the live files, oldest entry first: what a reader of the zone has to read.
    #[arg(long)]
    files: bool,
    /// Show the zone as it was at this entry of its log; files that left it later may be gone.
    #[arg(long, value_name = "SEQUENCE")]
    at: Option<u64>,
}

/// Reads the log and prints it.
pub(super) async fn run(args: InspectArgs) -> Result<(), Failure> {
    let zone = match args.at {
        Some(sequence) => args.zone.read_at(sequence).await?,
        None => args.zone.read().await?,
    };
    if args.files {
        let files = files(&zone);
        return print(&if args.json { files_json(&files) } else { files_text(&files) });
    }
    let inspection = inspect(zone.fold());
    print(&if args.json { json(&inspection) + "\n" } else { text(&inspection) })
}

/// The keys that scripts rely on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct FileFacts {
    zone: &'static str,
    sequence: u64,
    time: String,
    rows: u64,
    bytes: u64,
    url: String,
}

fn files(zone: &ZoneReader) -> Vec<FileFacts> {
    let mut live: Vec<&LiveFile> = zone.fold().live().values().collect();
    live.sort_by(|a, b| (a.sequence, a.file.zone, &a.file.path).cmp(&(b.sequence, b.file.zone, &b.file.path)));
    let url = zone.surroundings().url();
    let facts = |live: &LiveFile| {
        let (zone, root) = match live.file.zone {
            FileZone::Raw => ("Raw", url.clone()),
            FileZone::Rejected => ("Rejected", url.rejected()),
            FileZone::Processed => ("Processed", url.clone()),
        };
        FileFacts {
            zone,
            sequence: live.sequence.0,
            time: live.time.to_string(),
            rows: live.file.rows,
            bytes: live.file.bytes,
            url: root.url_of(&root.join(&live.file.path)),
        }
    };
    live.into_iter().map(facts).collect()
}

fn files_json(files: &[FileFacts]) -> String {
    files.iter().map(|file| serde_json::to_string(file).expect("numbers and names are JSON") + "\n").collect()
}

fn files_text(files: &[FileFacts]) -> String {
    let line = |FileFacts { zone, sequence, time, rows, bytes, url }: &FileFacts| {
        format!("{sequence:>8} {time} {zone:<9} {rows:>9} rows {bytes:>11} bytes {url}\n")
    };
    files.iter().map(line).collect()
}

/// One object with the keys that scripts rely on.
pub(super) fn json(inspection: &Inspection) -> String {
    match inspection {
        Inspection::Raw(raw) => serde_json::to_string(raw),
        Inspection::Processed(processed) => serde_json::to_string(processed),
    }
    .expect("numbers and names are JSON")
}

/// The same for a person.
pub(super) fn text(inspection: &Inspection) -> String {
    match inspection {
        Inspection::Raw(raw) => raw_text(raw),
        Inspection::Processed(processed) => processed_text(processed),
    }
}

fn raw_text(raw: &RawInspection) -> String {
    let RawInspection { zone, kind, head_sequence, .. } = raw;
    let mut text = format!("{kind} zone {zone}, newest entry {head_sequence}\n");
    if let Some(HoldFacts { since, message, .. }) = &raw.held {
        text += &format!("held since {since}: {message}\n");
    }
    text += &format!("{}\n", identity(raw));
    text += &format!(
        "rows {} in {} files, rejects {} in {} files, {} bytes\n",
        raw.rows, raw.files, raw.rejected_rows, raw.rejected_files, raw.bytes
    );
    for (topic, partitions) in &raw.offsets {
        for (partition, at) in partitions {
            text += &format!("{topic} [{partition}] next offset {} (generation {})\n", at.next, at.generation);
        }
    }
    for ConsumerFacts { id, name, position, advanced_at } in &raw.consumers {
        text += &format!("consumer {name} ({id}) has read {}, moved on {advanced_at}\n", read_up_to(*position));
    }
    text
}

/// The identity as a sum that a reader can check by eye.
pub(crate) fn identity(raw: &RawInspection) -> String {
    let offsets = raw.messages + raw.absent + raw.gaps;
    format!(
        "offsets {offsets} = accepted {} + rejected {} + tombstones {} + absent {} + gaps {}",
        raw.accepted_messages, raw.rejected_messages, raw.tombstones, raw.absent, raw.gaps
    )
}

fn processed_text(processed: &ProcessedInspection) -> String {
    let ProcessedInspection {
        zone,
        kind,
        head_sequence,
        source_zone,
        positions,
        processed_through,
        rows,
        files,
        bytes,
        rejected_rows,
        rejected_files,
        runs,
    } = processed;
    let mut text = format!("{kind} zone {zone} of RAW zone {source_zone}, newest entry {head_sequence}\n");
    for (bucket, position) in positions {
        text += &format!("bucket {bucket}: RAW consumed up to entry {position}\n");
    }
    if let Some(time) = processed_through {
        text += &format!("processed through {time}\n");
    }
    text += &format!("rows {rows} in {files} files, {bytes} bytes\n");
    if *rejected_files > 0 {
        text += &format!("late rows {rejected_rows} in {rejected_files} files of rejects\n");
    }
    text + &ledger(runs)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use gristmill_core::log::PartitionOffset;

    use super::*;

    fn raw() -> RawInspection {
        let partitions = BTreeMap::from([(0, PartitionOffset { generation: 1, next: 1042 })]);
        RawInspection {
            zone: "5f0c".to_owned(),
            kind: "Raw",
            head_sequence: 4211,
            messages: 1000,
            accepted_messages: 970,
            rejected_messages: 27,
            tombstones: 3,
            absent: 40,
            gaps: 2,
            rows: 2900,
            rejected_rows: 35,
            files: 12,
            rejected_files: 3,
            bytes: 123_456,
            offsets: BTreeMap::from([("book_data_topic".to_owned(), partitions)]),
            consumers: vec![ConsumerFacts {
                id: "91bd".to_owned(),
                name: "library/books".to_owned(),
                position: 4190,
                advanced_at: "2026-11-23T05:06:12.000Z".parse().expect("a time"),
            }],
            held: Some(HoldFacts {
                sequence: 4211,
                since: "2026-11-23T05:09:41.123Z".parse().expect("a time"),
                message: "27 of 1000 messages have rejects".to_owned(),
            }),
        }
    }

    #[test]
    fn raw_zone_is_told_with_its_identity_its_hold_and_its_consumers() {
        insta::assert_snapshot!(text(&Inspection::Raw(raw())), @r"
        Raw zone 5f0c, newest entry 4211
        held since 2026-11-23T05:09:41.123Z: 27 of 1000 messages have rejects
        offsets 1042 = accepted 970 + rejected 27 + tombstones 3 + absent 40 + gaps 2
        rows 2900 in 12 files, rejects 35 in 3 files, 123456 bytes
        book_data_topic [0] next offset 1042 (generation 1)
        consumer library/books (91bd) has read up to entry 4190, moved on 2026-11-23T05:06:12.000Z
        ");
    }

    #[test]
    fn keys_of_the_json_are_those_that_scripts_rely_on() {
        insta::assert_snapshot!(json(&Inspection::Raw(raw())), @r#"{"zone":"5f0c","kind":"Raw","head_sequence":4211,"messages":1000,"accepted_messages":970,"rejected_messages":27,"tombstones":3,"absent":40,"gaps":2,"rows":2900,"rejected_rows":35,"files":12,"rejected_files":3,"bytes":123456,"offsets":{"book_data_topic":{"0":{"generation":1,"next":1042}}},"consumers":[{"id":"91bd","name":"library/books","position":4190,"advanced_at":"2026-11-23T05:06:12.000Z"}],"held":{"sequence":4211,"since":"2026-11-23T05:09:41.123Z","message":"27 of 1000 messages have rejects"}}"#);
    }
}
