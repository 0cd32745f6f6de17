//! The `gristmill` binary: parse, run, and exit with the code that `gristmill --help` lists.

use std::process::ExitCode;

use clap::Parser;
use gristmill::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
