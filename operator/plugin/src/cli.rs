//! The command line.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use gristmill_crds::HumanDuration;

use crate::cluster::Connection;
use crate::kind::ResourceName;
use crate::logs;
use crate::rewind::Target;

/// Looks at StreamIngest and HourlyCompaction resources, and steers them.
///
/// NAME is the name of a resource; where both kinds have it, write sti/NAME or hc/NAME.
#[derive(Debug, Parser)]
#[command(name = "kubectl-gristmill", bin_name = "kubectl gristmill", version)]
pub struct Cli {
    /// Which cluster.
    #[command(flatten)]
    pub connection: Connection,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Is it fine? Both kinds on one screen, and what to do about those that are not.
    Status(StatusArgs),
    /// How far behind the topic each ingest is.
    Lag(LagArgs),
    /// Why messages were rejected lately, how often, and where one of each is.
    Rejected(RejectedArgs),
    /// How many workers an ingest needs with how much CPU: inputs, formula, result, what limits it, what would change it.
    ExplainSizing(NameArgs),
    /// Stop the workers of an ingest, or start no more runs of a compaction (spec.suspend).
    Suspend(NameArgs),
    /// End a suspension, or a hold of the rejected budget.
    Resume(NameArgs),
    /// Run a compaction now, outside its schedule.
    RunNow(RunNowArgs),
    /// Read a part of the topic again (spec.rewind), or tell with --dry-run what that would be.
    Rewind(RewindArgs),
    /// Logs of the workers of an ingest, or of the newest run of a compaction.
    Logs(LogsArgs),
}

/// Where a list looks.
#[derive(Debug, Clone, Default, Args)]
pub struct Everywhere {
    /// Look in all namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
}

/// Form of the output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// For scripts.
    Json,
}

/// How the output is written.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct OutputArgs {
    /// Form of the output.
    #[arg(short, long, value_enum, value_name = "FORM", default_value = "text")]
    pub output: Output,
}

/// Options of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The resource. Default: all.
    #[arg(value_name = "NAME", conflicts_with = "all_namespaces")]
    pub name: Option<ResourceName>,
    /// Where.
    #[command(flatten)]
    pub everywhere: Everywhere,
    /// How.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Options of `lag`.
#[derive(Debug, Args)]
pub struct LagArgs {
    /// The StreamIngest. Default: all.
    #[arg(value_name = "NAME", conflicts_with = "all_namespaces")]
    pub name: Option<ResourceName>,
    /// Ask a worker for each partition of its topic.
    #[arg(long, requires = "name")]
    pub partitions: bool,
    /// Where.
    #[command(flatten)]
    pub everywhere: Everywhere,
    /// How.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Options of `rejected`.
#[derive(Debug, Args)]
pub struct RejectedArgs {
    /// The StreamIngest.
    #[arg(value_name = "NAME")]
    pub name: ResourceName,
    /// How.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// A resource.
#[derive(Debug, Args)]
pub struct NameArgs {
    /// The resource.
    #[arg(value_name = "NAME")]
    pub name: ResourceName,
}

/// Options of `run-now`.
#[derive(Debug, Args)]
pub struct RunNowArgs {
    /// The HourlyCompaction.
    #[arg(value_name = "NAME")]
    pub name: ResourceName,
    /// Wait for its end and say what it did; the exit code is not 0 if it failed.
    #[arg(short, long)]
    pub wait: bool,
    /// How long to wait.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1h", requires = "wait")]
    pub timeout: Duration,
}

/// Options of `rewind`.
#[derive(Debug, Args)]
pub struct RewindArgs {
    /// The StreamIngest.
    #[arg(value_name = "NAME")]
    pub name: ResourceName,
    /// Where it goes.
    #[command(flatten)]
    pub target: Target,
    /// Ask a worker what would be read again, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Name of this rewind, at most 63 characters; each acts once. Default: a new one.
    #[arg(long, value_name = "TEXT", conflicts_with = "dry_run", value_parser = nonce)]
    pub nonce: Option<String>,
    /// How, with --dry-run.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Options of `logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The resource.
    #[arg(value_name = "NAME")]
    pub name: ResourceName,
    /// What of each log.
    #[command(flatten)]
    pub options: logs::Options,
}

fn duration(text: &str) -> Result<Duration, String> {
    HumanDuration(text.to_owned()).to_duration().map_err(|error| error.to_string())
}

fn nonce(text: &str) -> Result<String, String> {
    match text.chars().count() {
        1..=63 => Ok(text.to_owned()),
        count => Err(format!("a nonce has 1 to 63 characters, and this one {count}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[rstest::rstest]
    #[case(&["rewind", "books"], "--to-earliest")]
    #[case(&["rewind", "books", "--to-earliest", "--to-latest"], "cannot be used with")]
    #[case(&["rewind", "books", "--to-offset", "7"], "PARTITION:OFFSET")]
    #[case(&["rewind", "books", "--to-timestamp", "yesterday"], "RFC 3339")]
    #[case(&["lag", "--partitions"], "<NAME>")]
    #[case(&["status", "-A", "-n", "library"], "cannot be used with")]
    #[case(&["suspend", "pod/books"], "sti/NAME")]
    fn wrong_command_is_refused_with_what_to_write(#[case] arguments: &[&str], #[case] why: &str) {
        let arguments = [&["kubectl-gristmill"], arguments].concat();
        let refused = Cli::try_parse_from(arguments).expect_err("it is wrong").to_string();
        assert!(refused.contains(why), "{refused}");
    }
}
