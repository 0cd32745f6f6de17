//! The `kubectl-gristmill` binary: kubectl finds it on the PATH and runs it as `kubectl gristmill`.

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::Parser;
use jiff::Timestamp;
use kubectl_gristmill::cli::{Cli, Command};
use kubectl_gristmill::cluster::{Cluster, Connection};
use kubectl_gristmill::error::{Error, describe};
use kubectl_gristmill::{Surroundings, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Cli { connection, command } = Cli::parse();
    match work(connection, command).await {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads a part of a log, as head does, is content with it.
        Err(Error::Output { source }) if source.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", describe(&error));
            ExitCode::FAILURE
        }
    }
}

async fn work(connection: Connection, command: Command) -> Result<(), Error> {
    let cluster = Cluster::connect(connection).await?;
    let surroundings = Surroundings {
        now: Timestamp::now(),
        fresh: uuid::Uuid::new_v4().to_string(),
        out: &mut std::io::stdout().lock(),
        tell: |line| eprintln!("{line}"),
    };
    run(&cluster, command, surroundings).await
}
