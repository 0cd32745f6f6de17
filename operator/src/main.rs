//! The `gristmill-operator` binary: parse, then run or print.

use std::io::Write;

use clap::Parser;
use gristmill_operator::cli::{Cli, Command};
use gristmill_operator::controller;

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Crd => Ok(std::io::stdout().write_all(gristmill_operator::cli::crds().as_bytes())?),
        Command::Run(options) => {
            options.log_format.install();
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            Ok(runtime.block_on(controller::run(*options))?)
        }
    }
}
