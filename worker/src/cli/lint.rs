//! `gristmill lint`: what would be refused, before anything runs.

use std::path::PathBuf;

use clap::Args;

use super::{for_terminal, print};
use crate::documents::Documents;
use crate::exit::{Exit, Failure};
use crate::lint::{Verdict, lint};

/// Checks documents as the API server, the operator and the worker do; nothing is contacted.
///
/// Valid documents are summed up on standard output, with warnings; refusals go to standard error.
#[derive(Debug, Args)]
pub(super) struct LintArgs {
    /// File with resources, and with the Secrets and ConfigMaps that they name; may be repeated.
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
}

/// Prints the verdict; a refusal is the end of it.
pub(super) fn run(args: &LintArgs) -> Result<(), Failure> {
    let (documents, unreadable) = Documents::survey(&args.files);
    let Verdict { summaries, refusals } = lint(&documents, unreadable);
    for summary in summaries {
        print(&(for_terminal(&summary) + "\n"))?;
    }
    if refusals.is_empty() {
        return Ok(());
    }
    Err(Failure { exit: Exit::Usage, reason: "Invalid", message: refusals.join("\n") })
}
