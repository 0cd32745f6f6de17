//! `gristmill demo`: all of it in one process, in a folder.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;

use super::print;
use crate::demo::{Demo, Options};
use crate::exit::{Exit, Failure};
use crate::local;

/// Produces, ingests, compacts and shows the result: in-process broker, local folder.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Messages of the first round; the second has a fifth of them.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    messages: u32,
    /// Equal seeds give equal figures.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Leave the broker up until Ctrl-C and the folder for good, write books.yaml into it, and print commands to try in
    /// another terminal.
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
    let mut demo = Demo::start(&options).await?;
    demo.run().await?;
    if args.keep {
        keep(&demo, &folder).await?;
    } else if args.dir.is_none() {
        println!("\nThe folder was a temporary one and is removed now; --keep leaves it, and the broker too.");
    }
    Ok(())
}

/// The folder, and what removes it at the end if nobody asked to keep it.
fn folder(args: &DemoArgs) -> Result<(PathBuf, Option<tempfile::TempDir>), Failure> {
    if let Some(folder) = &args.dir {
        return Ok((empty(folder)?, None));
    }
    let temporary = tempfile::Builder::new()
        .prefix("gristmill-demo-")
        .tempdir()
        .map_err(|error| Failure::new(Exit::Store, "StoreUnavailable", &error))?;
    Ok(if args.keep { (temporary.keep(), None) } else { (temporary.path().to_owned(), Some(temporary)) })
}

/// The folder as an absolute path, if nothing is in it or it is not there: zones of an earlier broker would refuse this
/// one.
fn empty(folder: &Path) -> Result<PathBuf, Failure> {
    let refused = |why: String| Failure {
        exit: Exit::Usage,
        reason: "Invalid",
        message: format!("--dir {}: {why}", folder.display()),
    };
    match std::fs::read_dir(folder) {
        Ok(mut elements) => match elements.next() {
            None => {}
            Some(_) => return Err(refused("the folder is not empty; name a new or an empty one".to_owned())),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(refused(format!("{error}; name a new or an empty folder"))),
    }
    local::folder(folder).map_err(|error| refused(format!("{error}; name a folder")))
}

async fn keep(demo: &Demo, folder: &Path) -> Result<(), Failure> {
    let documents = folder.join("books.yaml");
    std::fs::write(&documents, demo.documents()).map_err(|error| Failure {
        exit: Exit::Store,
        reason: "StoreDenied",
        message: format!("cannot write {}: {error}; name another folder with --dir", documents.display()),
    })?;
    print(&try_next(demo.bootstrap_servers(), folder))?;
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::warn!(%error, "cannot wait for Ctrl-C");
    }
    Ok(())
}

/// Commands for another terminal.
fn try_next(servers: &str, folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "
The broker stays at {servers} until Ctrl-C. Try in another terminal:
  gristmill produce -f {folder}/books.yaml --count 100 --seed 7
  gristmill ingest -f {folder}/books.yaml --local {folder} --until-caught-up
  gristmill compact -f {folder}/books.yaml --local {folder}
  gristmill inspect {folder}/books/raw
  gristmill rejected ls {folder}/books/raw
  gristmill inspect {folder}/books/processed --json
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_with_something_in_it_is_refused_and_a_new_one_is_taken() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(empty(folder.path()).expect("it is empty"), folder.path());
        let new = folder.path().join("new");
        assert_eq!(empty(&new).expect("it is not there"), new);
        std::fs::write(folder.path().join("kept"), "ours").expect("the folder is ours");
        let failure = empty(folder.path()).expect_err("something is in it");
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.ends_with("is not empty; name a new or an empty one"), "{failure}");
        let file = folder.path().join("kept");
        assert_eq!(empty(&file).expect_err("it is a file").exit, Exit::Usage);
    }
}
