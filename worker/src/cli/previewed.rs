//! What a run would do, for a script and for a person.

use std::fmt::Write as _;

use gristmill_core::log::{BucketSpan, LogTime, RunKind, RunRows};
use serde::Serialize;

use super::compacted::JsonRows;
use crate::compact::{Part, Preview, Size};

/// Directories that a person is shown; a script gets all.
const SHOWN: usize = 40;

/// The keys that scripts rely on.
#[derive(Serialize)]
struct JsonPreview<'p> {
    dry_run: bool,
    kind: RunKind,
    /// Null if the run would be for all.
    buckets: Option<BucketSpan>,
    zone: &'p str,
    source_zone: &'p str,
    from_sequence: i64,
    to_sequence: i64,
    delta: JsonSize,
    rows: JsonRows,
    late_before: Option<LogTime>,
    zone_now: JsonSize,
    rewritten: JsonSize,
    merged: JsonSize,
    partitions: Vec<JsonPart<'p>>,
    processed_through: Option<LogTime>,
    through: Option<LogTime>,
}

#[derive(Serialize)]
struct JsonSize {
    files: u64,
    rows: u64,
    bytes: u64,
}

impl From<Size> for JsonSize {
    fn from(Size { files, rows, bytes }: Size) -> Self {
        Self { files, rows, bytes }
    }
}

#[derive(Serialize)]
struct JsonPart<'p> {
    bucket: u32,
    directory: &'p str,
    rows: u64,
}

/// One object with the keys that scripts rely on.
pub(super) fn json<'p>(preview: &'p Preview) -> String {
    // No `..`: what a run would do is told.
    let Preview {
        raw,
        processed,
        kind,
        buckets,
        from,
        to,
        delta,
        zone,
        rows,
        late_before,
        processed_through,
        through,
        parts,
        rewritten,
        merged,
    } = preview;
    let part = |Part { bucket, directory, rows }: &'p Part| JsonPart { bucket: *bucket, directory, rows: *rows };
    let object = JsonPreview {
        dry_run: true,
        kind: *kind,
        buckets: *buckets,
        zone: processed,
        source_zone: raw,
        from_sequence: *from,
        to_sequence: *to,
        delta: (*delta).into(),
        rows: (*rows).into(),
        late_before: *late_before,
        zone_now: (*zone).into(),
        rewritten: (*rewritten).into(),
        merged: (*merged).into(),
        partitions: parts.iter().map(part).collect(),
        processed_through: *processed_through,
        through: *through,
    };
    serde_json::to_string(&object).expect("numbers and names are JSON")
}

/// The same for a person.
pub(super) fn text(preview: &Preview) -> String {
    let Preview {
        raw,
        processed,
        kind,
        buckets,
        from,
        to,
        delta,
        zone,
        rows,
        late_before,
        through,
        rewritten,
        merged,
        ..
    } = preview;
    let mut text = "Dry run, nothing is changed.\n".to_owned();
    let mut say = |line: String| writeln!(text, "{line}").expect("a String takes every write");
    if delta.files == 0 && rewritten.files == 0 {
        say(format!("Nothing new in {raw} since entry {from}; {processed} would stay as it is."));
        return text;
    }
    let act = match kind {
        RunKind::Increment => "It would compact",
        RunKind::Rebuild => "It would compute the zone anew from",
    };
    let part = buckets.map_or_else(String::new, |buckets| format!(" ({buckets})"));
    say(format!("{act} entries {} to {to} of {raw} into {processed}{part}: {}.", from + 1, size(*delta)));
    let RunRows { read, duplicate_in_delta, duplicate_in_zone, written, late, rejected } = *rows;
    let refused = if rejected > 0 { format!(" + {rejected} rejected as late") } else { String::new() };
    say(format!(
        "{read} rows to read = {written} to write + {duplicate_in_delta} duplicates among them + {duplicate_in_zone} \
         that the zone already has{refused}."
    ));
    if let Some(limit) = late_before {
        say(format!("{late} of them are late: before {limit}."));
    }
    say(format!("The zone has {}.", size(*zone)));
    say(format!("To replace: {}. To put together with new rows: {}.", size(*rewritten), size(*merged)));
    directories(&preview.parts, &mut say);
    if let Some(time) = through {
        let what = buckets.map_or_else(|| "The zone".to_owned(), |buckets| format!("Of the zone {buckets}"));
        say(format!("{what} would be processed through {time}."));
    }
    text
}

fn directories(parts: &[Part], say: &mut impl FnMut(String)) {
    if parts.is_empty() {
        return;
    }
    let has_buckets = parts.iter().any(|part| part.bucket > 0);
    say(format!("New rows by directory, {}:", parts.len()));
    for Part { bucket, directory, rows } in parts.iter().take(SHOWN) {
        let directory = if directory.is_empty() { "." } else { directory };
        let bucket = if has_buckets { format!("bucket {bucket:>3} ") } else { String::new() };
        say(format!("{rows:>12} {bucket}{directory}"));
    }
    if parts.len() > SHOWN {
        say(format!("             and {} more; --json names all", parts.len() - SHOWN));
    }
}

fn size(Size { files, rows, bytes }: Size) -> String {
    if files == 0 { "no file".to_owned() } else { format!("{files} files of {rows} rows, {bytes} bytes") }
}
