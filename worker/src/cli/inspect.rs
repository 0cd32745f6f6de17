//! `gristmill inspect`: what the log of a zone says. It never writes.

use std::time::Duration;

use clap::Args;
use gristmill_core::log::{Inspection, ProcessedInspection, RawInspection, inspect};

use super::print;
use crate::exit::{Exit, Failure};
use crate::store::{self, HadoopAccess, ZoneUrl};
use crate::zone::{Surroundings, ZoneReader};

/// Prints what the log of a zone says: commits, offsets, the identity, files and runs.
#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// The zone: hdfs://HOST[:PORT]/PATH, file:///PATH, or a local path.
    zone: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Name that HDFS is told; default the HADOOP_USER_NAME of the environment, else yours.
    #[arg(long)]
    user: Option<String>,
    /// How long to wait for a store that does not answer, in seconds.
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    wait: u64,
}

/// Reads the log and prints it.
pub(super) async fn run(args: InspectArgs) -> Result<(), Failure> {
    let inspection = read(&args).await?;
    print(&if args.json { json(&inspection) + "\n" } else { text(&inspection) })
}

async fn read(args: &InspectArgs) -> Result<Inspection, Failure> {
    let url: ZoneUrl = absolute(&args.zone)?.parse()?;
    let store = store::open(&url, &HadoopAccess { user: args.user.clone(), ..HadoopAccess::default() })?;
    let surroundings = Surroundings::of_process(store, url).with_patience(Duration::from_secs(args.wait));
    let reader = ZoneReader::open(surroundings).await?;
    Ok(inspect(reader.fold()))
}

/// A local path as a URL; a URL as it is.
fn absolute(zone: &str) -> Result<String, Failure> {
    if zone.contains("://") {
        return Ok(zone.to_owned());
    }
    let path = std::path::absolute(zone).map_err(|error| Failure::new(Exit::Usage, "Invalid", &error))?;
    Ok(format!("file://{}", path.display()))
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
    let ProcessedInspection { zone, kind, head_sequence, source_zone, positions, rows, files, bytes, runs } = processed;
    let mut text = format!("{kind} zone {zone} of RAW zone {source_zone}, newest entry {head_sequence}\n");
    for (bucket, position) in positions {
        text += &format!("bucket {bucket}: RAW consumed up to entry {position}\n");
    }
    text += &format!("rows {rows} in {files} files, {bytes} bytes\n");
    for run in runs {
        text += &format!(
            "run {}: read {}, duplicate in delta {}, duplicate in zone {}, written {}; files {} -> {}\n",
            run.sequence,
            run.rows.read,
            run.rows.duplicate_in_delta,
            run.rows.duplicate_in_zone,
            run.rows.written,
            run.files.before,
            run.files.after
        );
    }
    text
}
