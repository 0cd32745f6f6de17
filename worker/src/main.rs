//! The `gristmill` binary: parse, run, and exit with the code that `gristmill --help` lists.

use std::process::ExitCode;

use clap::Parser;
use gristmill::cli::Cli;

/// The C library's allocator keeps what a thread gave back for that thread, and asks the kernel for large blocks each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    Cli::parse().run()
}
