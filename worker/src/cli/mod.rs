//! The commands. One module each: its arguments, and `run`, which calls the library and prints.

mod compact;
mod compacted;
mod connection;
mod consumers;
mod decode;
mod demo;
mod infer;
mod ingest;
mod inspect;
mod ledger;
mod lint;
mod previewed;
mod produce;
mod progress;
mod register;
mod rejected;
mod resources;
mod resume;
mod retention;
mod run;
mod steer;
mod zone;

use std::io::{IsTerminal, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::allocator;
use crate::exit::{Exit, Failure};
use crate::memory::Memory;

pub(crate) use inspect::identity;
pub(crate) use rejected::counts_text as reject_counts;

/// Kafka XML to Parquet zones, exactly once.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXIT_CODES)]
pub struct Cli {
    /// Form of the log on standard error.
    #[arg(long, global = true, env = "GRISTMILL_LOG_FORMAT", value_enum, default_value = "text")]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, or drained after a signal; 1 our fault; 2 usage or an invalid document; \
3 held by the rejected budget, or a reject under decode --fail-on-reject; 4 Kafka, 5 store unavailable beyond --wait; 6 the zone refuses; 7 data loss under onDataLoss: Fail";

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Move what is new in a RAW zone to its Processed zone, once.
    Compact(compact::CompactArgs),
    /// List or remove the consumers that hold a RAW zone's retention.
    Consumers(consumers::ConsumersArgs),
    /// Print the rows and rejects of XML documents; no Kafka needed.
    Decode(decode::DecodeArgs),
    /// Produce, ingest, compact and show the result: in-process broker, local folder.
    Demo(demo::DemoArgs),
    /// Print a StreamIngest drafted from sample documents.
    Infer(infer::InferArgs),
    /// Print what the log of a zone says.
    Inspect(inspect::InspectArgs),
    /// Land the messages of a topic in a RAW zone.
    Ingest(ingest::IngestArgs),
    /// Check documents as the API server, the operator and the worker do.
    Lint(lint::LintArgs),
    /// Send sample messages to a topic.
    Produce(produce::ProduceArgs),
    /// Show what was rejected, why, and the messages themselves.
    Rejected(rejected::RejectedArgs),
    /// Take off a RAW zone what is older than its resource wants it kept.
    Retention(retention::RetentionArgs),
    /// Run all resources of the files: ingest all the time, compact by schedule.
    Run(run::RunArgs),
    /// Let a StreamIngest go on that holds because too many messages were rejected.
    Resume(resume::ResumeArgs),
}

impl Command {
    /// For how long what is freed is kept.
    fn keeps_freed(&self) -> Duration {
        let memory = match self {
            Self::Compact(args) => args.memory(),
            Self::Run(args) => args.memory(),
            _ => return allocator::USUAL,
        };
        // Memory that is no size is refused by the command itself.
        Memory::of_argument(memory).map_or(allocator::USUAL, allocator::of_compaction)
    }
}

impl Cli {
    /// Runs the command on a runtime of its own and turns its end into an exit code.
    pub fn run(self) -> ExitCode {
        allocator::keep_freed(self.command.keeps_freed());
        let with_bar = self.draws_bar();
        // A demo tells its story itself, and a bar shows the commits.
        let quiet = with_bar || matches!(self.command, Command::Demo(_));
        start_log(self.log_format, if quiet { "warn" } else { "info" });
        match to_its_end(dispatch(self.command, with_bar)) {
            Ok(Ok(())) => ExitCode::SUCCESS,
            Ok(Err(failure)) => {
                eprintln!("gristmill: {}", for_terminal(&failure.to_string()));
                ExitCode::from(&failure)
            }
            Err(error) => {
                tracing::error!(%error, "cannot start the runtime");
                ExitCode::FAILURE
            }
        }
    }

    fn draws_bar(&self) -> bool {
        match &self.command {
            Command::Ingest(args) => args.draws(self.log_format == LogFormat::Text),
            Command::Compact(args) => args.draws(self.log_format == LogFormat::Text),
            _ => false,
        }
    }
}

/// Text that others may have written, such as names in a document, with nothing in it that a terminal obeys. Lines stay.
fn for_terminal(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '·' } else { c }).collect()
}

/// Runs a future on a runtime of its own, and does not wait for what it left behind: a call that hangs in a dead mount
/// or in a consumer whose brokers are away would keep the process until it is killed, and its exit code with it.
fn to_its_end<T>(future: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(future);
    runtime.shutdown_background();
    Ok(outcome)
}

async fn dispatch(command: Command, with_bar: bool) -> Result<(), Failure> {
    match command {
        Command::Compact(args) => compact::run(args, with_bar).await,
        Command::Consumers(args) => consumers::run(args).await,
        Command::Decode(args) => decode::run(&args),
        Command::Demo(args) => demo::run(args).await,
        Command::Infer(args) => infer::run(args),
        Command::Inspect(args) => inspect::run(args).await,
        Command::Ingest(args) => ingest::run(args, with_bar).await,
        Command::Lint(args) => lint::run(&args),
        Command::Produce(args) => produce::run(args).await,
        Command::Rejected(args) => rejected::run(args).await,
        Command::Retention(args) => retention::run(args).await,
        Command::Run(args) => run::run(args).await,
        Command::Resume(args) => resume::run(args).await,
    }
}

/// Cancels at the first SIGTERM or SIGINT.
fn cancel_on_signal(cancel: CancellationToken) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Bug, "Internal", &error);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        cancel.cancel();
    });
    Ok(())
}

/// Writes to standard output; a reader that has gone, such as `head`, is not a failure.
fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    match std::io::stdout().lock().write_all(bytes) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure { exit: Exit::Bug, reason: "Output", message: format!("cannot write the output: {error}") })
        }
        _ => Ok(()),
    }
}

/// The HDFS client warns of each attempt with the Rust of its error; what it comes to is told by the store's callers.
const QUIET: &str = "hdfs_native=off";

fn start_log(format: LogFormat, level: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(format!("{level},{QUIET}")));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| progress::LogLines)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => builder.with_target(false).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_beyond_the_clock_is_refused_as_usage() {
        let arguments = ["gristmill", "produce", "--bootstrap-servers", "a:1", "--topic", "t", "--rate", "2000000000"];
        let refused = Cli::try_parse_from(arguments).expect_err("a message every half nanosecond");
        assert_eq!(refused.kind(), clap::error::ErrorKind::ValueValidation);
    }

    #[test]
    fn a_blocking_call_that_hangs_does_not_keep_the_process() {
        let (release, hang) = std::sync::mpsc::channel::<()>();
        let outcome = to_its_end(async {
            drop(tokio::task::spawn_blocking(move || hang.recv()));
            7
        });
        assert_eq!(outcome.expect("a runtime"), 7);
        drop(release);
    }
}
