//! `gristmill retention`: one pass of the retention of a RAW zone and its rejects, now.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use gristmill_core::log::{Digest, Expiry, FileZone, Holder, InvalidName, LiveFile, expiry};
use gristmill_crds::plan::{FileEnd, IngestPlan};
use serde::Serialize;

use super::resources::{IngestResource, archive_of, hadoop_of};
use super::zone::duration;
use super::{print, steer};
use crate::exit::{Exit, Failure};
use crate::store;
use crate::zone::{Archived, Removed, Retention, Surroundings, Zone, ZoneReader};

/// Takes files off a RAW zone and its rejects whose time has come: one pass, of at most 1,000 files.
///
/// It is what the ingest workers do by themselves every minute. A file leaves when it is older than raw.retention.after
/// (of rejects: rejected.retention.after) and every registered compaction has read it; with action Archive its copy was
/// compared first. What left stays below _retired/ for an hour of log time, for scans that have it open.
#[derive(Debug, Args)]
pub(super) struct RetentionArgs {
    #[command(flatten)]
    resource: IngestResource,
    /// Take the zone of DIR/NAME/raw, and DIR/NAME/archive for the archive.
    #[arg(long, value_name = "DIR")]
    local: Option<PathBuf>,
    /// Print the files that would leave, and what holds those that would not; change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object a file, and one of totals at the end.
    #[arg(long)]
    json: bool,
    /// How long to wait for a store that does not answer, for example 30s.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    wait: Duration,
}

/// Runs the pass.
pub(super) async fn run(args: RetentionArgs) -> Result<(), Failure> {
    let (plan, secrets) = args.resource.read(args.local.as_deref())?;
    let url = plan.raw_path.parse()?;
    let store = store::open(&url, &hadoop_of(&plan.raw_path, plan.hadoop.as_ref(), &secrets)?)?;
    let surroundings = Surroundings::of_process(store, url).with_patience(args.wait);
    let retention = Retention::of(&plan, |url| archive_of(url, &plan, &secrets))?;
    if args.dry_run {
        let zone = ZoneReader::open(surroundings.clone()).await?;
        let expiry = expiry(zone.fold(), &retention.ages, surroundings.now());
        return print(&report(&plan, &expiry, &Removed::default(), true, args.json));
    }
    let digest: Digest =
        plan.spec_digest.parse().map_err(|error: InvalidName| Failure::new(Exit::Bug, "Internal", &error))?;
    let mut zone = steer::open(surroundings, digest).await?;
    let expiry = zone.expiry(&retention.ages);
    let removed = pass(&mut zone, &retention, expiry.due.clone()).await;
    zone.close().await;
    print(&report(&plan, &expiry, &removed?, false, args.json))
}

/// Removes what may go at once, then what has its copy.
async fn pass(zone: &mut Zone, retention: &Retention, due: Vec<LiveFile>) -> Result<Removed, Failure> {
    let (to_copy, to_go) = retention.split(due);
    let mut removed = zone.remove_expired(&to_go, None).await?;
    if let Some(archive) = retention.archive.clone().filter(|_| !to_copy.is_empty()) {
        let (surroundings, writer) = (zone.reader().surroundings().clone(), zone.incarnation());
        let fenced = zone.fold().fenced().keys().copied().collect();
        let Archived { kept, failed } = archive.clone().keep(surroundings, writer, fenced, to_copy).await;
        removed.add(zone.remove_expired(&kept, Some(&archive)).await?);
        if let Some(error) = failed.first() {
            let failure = Failure::new(Exit::Store, "ArchiveFailed", error);
            let message =
                format!("{} files were not archived and stay in RAW; the first: {}", failed.len(), failure.message);
            return Err(Failure { message, ..failure });
        }
    }
    Ok(removed)
}

/// The keys that scripts rely on.
#[derive(Serialize)]
struct JsonFile<'f> {
    zone: &'static str,
    path: &'f str,
    rows: u64,
    bytes: u64,
    time: String,
    action: &'static str,
}

/// The keys that scripts rely on.
#[derive(Serialize)]
struct JsonTotals<'f> {
    dry_run: bool,
    files: u64,
    bytes: u64,
    later_files: u64,
    held_by: &'f str,
    held_files: u64,
    held_bytes: u64,
}

fn report(plan: &IngestPlan, expiry: &Expiry, removed: &Removed, is_dry: bool, json: bool) -> String {
    let Expiry { due, later, held } = expiry;
    let (files, bytes) = if is_dry {
        (due.len() as u64, due.iter().map(|live| live.file.bytes).sum())
    } else {
        (removed.files, removed.bytes)
    };
    if json {
        let mut text: String = due.iter().map(|live| line(&json_file(plan, live))).collect();
        let totals = JsonTotals {
            dry_run: is_dry,
            files,
            bytes,
            later_files: *later,
            held_by: held.as_ref().map_or("", |holder| &holder.name),
            held_files: held.as_ref().map_or(0, |holder| holder.files),
            held_bytes: held.as_ref().map_or(0, |holder| holder.bytes),
        };
        text.push_str(&line(&totals));
        return text;
    }
    let mut text = String::new();
    for live in due.iter().filter(|_| is_dry) {
        let JsonFile { zone, path, bytes, time, action, rows } = json_file(plan, live);
        text.push_str(&format!("{action}  {time}  {bytes:>12} bytes  {rows:>9} rows  {zone}  {path}\n"));
    }
    let verb = if is_dry { "would leave" } else { "left" };
    text.push_str(&format!("{files} files of {bytes} bytes {verb} {}.\n", plan.raw_path));
    if *later > 0 {
        text.push_str(&format!("{later} more are due; run it again.\n"));
    }
    if let Some(holder) = held {
        text.push_str(&held_text(holder));
    }
    text
}

fn line(object: &impl Serialize) -> String {
    serde_json::to_string(object).expect("numbers and names are JSON") + "\n"
}

fn json_file<'f>(plan: &IngestPlan, live: &'f LiveFile) -> JsonFile<'f> {
    let is_archived = matches!(plan.retention.as_ref().map(|retention| &retention.end), Some(FileEnd::Archive(_)));
    let (zone, action) = match live.file.zone {
        FileZone::Rejected => ("Rejected", "Delete"),
        FileZone::Raw | FileZone::Processed if is_archived => ("Raw", "Archive"),
        FileZone::Raw | FileZone::Processed => ("Raw", "Delete"),
    };
    let path = live.file.path.as_str();
    JsonFile { zone, path, rows: live.file.rows, bytes: live.file.bytes, time: live.time.to_string(), action }
}

fn held_text(holder: &Holder) -> String {
    let Holder { name, position, advanced_at, is_silent, files, bytes } = holder;
    let mut text = format!(
        "{files} files of {bytes} bytes are old enough and held by {name}, which has read up to entry {position} and \
         last moved on {advanced_at}.\n"
    );
    if *is_silent {
        text.push_str("It is silent for more than 7 days; if it is gone for good, `gristmill consumers rm` it.\n");
    }
    text
}
