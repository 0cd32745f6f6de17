//! `gristmill infer`: a StreamIngest drafted from sample documents.

use std::path::PathBuf;

use clap::Args;
use gristmill_core::infer::{NoDraft, Sample, Wishes, draft};
use gristmill_crds::plan::{InvalidPath, Prefixes, RowPath};

use super::print;
use crate::exit::{Exit, Failure};

/// Most bytes that all samples may have together: they are held in memory at once.
const MAX_BYTES: u64 = 256 << 20;

/// Prints a StreamIngest drafted from sample documents, to be read and changed.
#[derive(Debug, Args)]
pub(super) struct InferArgs {
    /// Path of a row, such as /library/book; by default the element that repeats most.
    #[arg(long, value_name = "PATH", value_parser = row_path)]
    row_path: Option<RowPath>,
    /// Name of the resource and its topic; by default after the element of a row.
    #[arg(long)]
    name: Option<String>,
    /// The documents; the more there are, the better the types.
    #[arg(value_name = "XML", required = true)]
    documents: Vec<PathBuf>,
}

/// Reads the documents and prints the draft.
pub(super) fn run(args: InferArgs) -> Result<(), Failure> {
    let mut bytes = 0;
    let mut payloads = Vec::with_capacity(args.documents.len());
    for path in &args.documents {
        let unreadable =
            |error: std::io::Error| usage("Unreadable", format!("cannot read {}: {error}", path.display()));
        bytes += std::fs::metadata(path).map_err(unreadable)?.len();
        if bytes > MAX_BYTES {
            let message =
                format!("the documents up to {} have more than {MAX_BYTES} bytes; name fewer", path.display());
            return Err(usage("TooLarge", message));
        }
        payloads.push((path.display().to_string(), std::fs::read(path).map_err(unreadable)?));
    }
    let samples: Vec<Sample<'_>> = payloads.iter().map(|(name, payload)| Sample { name, payload }).collect();
    let wishes = Wishes { name: args.name, row_path: args.row_path };
    print(&draft(&samples, &wishes)?)
}

/// A path of names that match any namespace.
fn row_path(text: &str) -> Result<RowPath, InvalidPath> {
    RowPath::parse(text, &Prefixes::default())
}

fn usage(reason: &'static str, message: String) -> Failure {
    Failure { exit: Exit::Usage, reason, message }
}

impl From<NoDraft> for Failure {
    fn from(error: NoDraft) -> Self {
        let reason = match error {
            NoDraft::Unreadable(_) => "Unreadable",
            NoDraft::NoRows(_) => "NoRows",
        };
        Failure::new(Exit::Usage, reason, &error)
    }
}
