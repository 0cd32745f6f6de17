//! What a pass of retention prints.

use gristmill_core::log::{FileZone, Holder, LiveFile};
use gristmill_crds::plan::{FileEnd, IngestPlan};
use serde::Serialize;

use super::super::consumers::read_up_to;

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

/// Whether the files are to leave or have left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    WouldLeave,
    Left,
}

/// What is printed of a pass.
pub(super) struct Facts {
    pub(super) act: Act,
    pub(super) files: Vec<LiveFile>,
    /// More files that are due.
    pub(super) later: u64,
    pub(super) held: Option<Holder>,
}

pub(super) fn report(plan: &IngestPlan, facts: &Facts, json: bool) -> String {
    let Facts { act, files: moved, later, held } = facts;
    let (files, bytes) = (moved.len() as u64, moved.iter().map(|live| live.file.bytes).sum());
    if json {
        let mut text: String = moved.iter().map(|live| line(&json_file(plan, live))).collect();
        let totals = JsonTotals {
            dry_run: *act == Act::WouldLeave,
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
    for live in moved.iter().filter(|_| *act == Act::WouldLeave) {
        let JsonFile { zone, path, bytes, time, action, rows } = json_file(plan, live);
        text.push_str(&format!("{action}  {time}  {bytes:>12} bytes  {rows:>9} rows  {zone}  {path}\n"));
    }
    let verb = match act {
        Act::WouldLeave => "would leave",
        Act::Left => "left",
    };
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
        "{files} files of {bytes} bytes are old enough and held by {name}, which has read {} and \
         last moved on {advanced_at}.\n",
        read_up_to(*position)
    );
    if *is_silent {
        text.push_str("It is silent for more than 7 days; if it is gone for good, `gristmill consumers rm` it.\n");
    }
    text
}
