//! `gristmill demo`: all of it in one process, in a folder.

use std::path::PathBuf;

use clap::Args;

use crate::demo::{Demo, Options};
use crate::exit::{Exit, Failure};

/// Produces, ingests, compacts and shows the result: in-process broker, local folder.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Messages of the first round; the second has a fifth of them.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    messages: u32,
    /// Equal seeds give equal figures.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Leave the broker up until Ctrl-C and the folder for good, and print commands to try in another terminal.
    #[arg(long)]
    keep: bool,
    /// Folder for the zones; it must be empty or new. Default: a temporary one.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Runs the demo.
pub(super) async fn run(args: DemoArgs) -> Result<(), Failure> {
    let (folder, _temporary) = folder(&args)?;
    let options = Options { folder: folder.clone(), messages: args.messages as usize, seed: args.seed };
    let mut demo = Demo::start(&options)?;
    demo.run().await?;
    if args.keep {
        keep(&demo, &folder).await;
    } else if args.dir.is_none() {
        println!("  A temporary folder, removed now; --keep leaves it, and the broker too.");
    }
    Ok(())
}

/// The folder, and what removes it at the end if nobody asked to keep it.
fn folder(args: &DemoArgs) -> Result<(PathBuf, Option<tempfile::TempDir>), Failure> {
    if let Some(folder) = &args.dir {
        return Ok((folder.clone(), None));
    }
    let temporary = tempfile::Builder::new()
        .prefix("gristmill-demo-")
        .tempdir()
        .map_err(|error| Failure::new(Exit::Store, "StoreUnavailable", &error))?;
    Ok(if args.keep { (temporary.keep(), None) } else { (temporary.path().to_owned(), Some(temporary)) })
}

async fn keep(demo: &Demo, folder: &std::path::Path) {
    let (servers, folder) = (demo.bootstrap_servers(), folder.display());
    println!("\nThe broker stays at {servers} until Ctrl-C. Try in another terminal:");
    println!("  gristmill produce --bootstrap-servers {servers} --topic book_data_topic --count 100 --seed 7");
    println!("  gristmill inspect {folder}/books/raw");
    println!("  gristmill rejected ls {folder}/books/raw");
    println!("  gristmill inspect {folder}/books/processed --json");
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::warn!(%error, "cannot wait for Ctrl-C");
    }
}
