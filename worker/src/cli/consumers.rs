//! `gristmill consumers`: who reads a RAW zone, and thereby holds its retention.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write as _};

use clap::{Args, Subcommand};
use gristmill_core::log::{ConsumerState, Digest, FileZone, Fold, Genesis, ZoneId};
use serde::Serialize;

use super::zone::ZoneArgs;
use super::{print, steer};
use crate::exit::{Exit, Failure};

/// Lists or removes the registered consumers of a RAW zone.
///
/// A compaction registers in the log of the RAW zone that it reads. Retention removes no file that a registered
/// consumer has not read, so one that is gone for good must be removed.
#[derive(Debug, Args)]
pub(super) struct ConsumersArgs {
    #[command(subcommand)]
    command: ConsumersCommand,
}

#[derive(Debug, Subcommand)]
enum ConsumersCommand {
    Ls(LsArgs),
    Rm(RmArgs),
}

/// Lists the consumers, the one that is furthest behind first. It never writes.
#[derive(Debug, Args)]
struct LsArgs {
    #[command(flatten)]
    zone: ZoneArgs,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Removes a consumer from the log: retention no longer waits for it.
///
/// If it is still there it misses what is removed before it registers again.
#[derive(Debug, Args)]
struct RmArgs {
    #[command(flatten)]
    zone: ZoneArgs,
    /// Its id, or its name if only one has it, as `consumers ls` prints them.
    consumer: String,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// Runs the subcommand.
pub(super) async fn run(args: ConsumersArgs) -> Result<(), Failure> {
    match args.command {
        ConsumersCommand::Ls(args) => ls(args).await,
        ConsumersCommand::Rm(args) => rm(args).await,
    }
}

/// The keys that scripts rely on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Facts {
    id: String,
    name: String,
    position: i64,
    entries_behind: usize,
    advanced_at: String,
}

async fn ls(args: LsArgs) -> Result<(), Failure> {
    let zone = args.zone.read().await?;
    if let Genesis::Processed(_) = zone.fold().genesis() {
        return Err(steer::not_raw(zone.surroundings()));
    }
    let facts = facts(zone.fold());
    let line = |facts: &Facts| serde_json::to_string(facts).expect("numbers and names are JSON") + "\n";
    print(&if args.json { facts.iter().map(line).collect() } else { text(&facts) })
}

async fn rm(args: RmArgs) -> Result<(), Failure> {
    let surroundings = args.zone.surroundings()?;
    // No resource is at work here; the entry says so by the digest of nothing.
    let mut zone = steer::open(surroundings, Digest::of(b"")).await?;
    let (id, facts) = find(zone.fold(), &args.consumer)?;
    let Facts { name, position, entries_behind, .. } = &facts;
    let question =
        format!("Consumer {name:?} ({id}) has read {}, {entries_behind} behind. Remove it?", read_up_to(*position));
    if !args.yes && !confirmed(&question)? {
        return print("nothing was changed\n");
    }
    let sequence = steer::won(zone.leave(id).await)?;
    print(&format!("consumer {name:?} ({id}) removed by entry {sequence}\n"))
}

fn facts(fold: &Fold) -> Vec<Facts> {
    let mut facts: Vec<_> = fold.consumers().iter().map(|(id, state)| one(fold, *id, state)).collect();
    facts.sort_by_key(|facts| facts.position);
    facts
}

fn one(fold: &Fold, id: ZoneId, state: &ConsumerState) -> Facts {
    let ConsumerState { name, position, advanced_at } = state;
    Facts {
        id: id.to_string(),
        name: name.clone(),
        position: *position,
        entries_behind: unread(fold, *position),
        advanced_at: advanced_at.to_string(),
    }
}

/// Entries with files that a consumer has not read. The newest entries may be others: a consumer's own word of how far it
/// has come is one.
fn unread(fold: &Fold, position: i64) -> usize {
    let entries: BTreeSet<_> = fold.added_after(FileZone::Raw, position).iter().map(|live| live.sequence).collect();
    entries.len()
}

/// How far a consumer has read.
pub(super) fn read_up_to(position: i64) -> String {
    if position < 0 { "nothing yet".to_owned() } else { format!("up to entry {position}") }
}

fn find(fold: &Fold, wanted: &str) -> Result<(ZoneId, Facts), Failure> {
    let refused = |message| Failure { exit: Exit::Usage, reason: "NoSuchConsumer", message };
    let all = fold.consumers();
    let matching: Vec<_> = all.iter().filter(|(id, state)| id.to_string() == wanted || state.name == wanted).collect();
    match matching.as_slice() {
        [(id, state)] => Ok((**id, one(fold, **id, state))),
        [] => {
            let known: Vec<_> = all.values().map(|state| state.name.as_str()).collect();
            let known =
                if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
            Err(refused(format!("the zone has no consumer {wanted:?}; {known}")))
        }
        several => Err(refused(format!("{} consumers are called {wanted:?}; give the id of one", several.len()))),
    }
}

fn text(facts: &[Facts]) -> String {
    if facts.is_empty() {
        return "no consumers\n".to_owned();
    }
    let line = |Facts { id, name, position, entries_behind, advanced_at }: &Facts| {
        let read = read_up_to(*position);
        format!("{name} ({id}): read {read}, {entries_behind} behind; last moved on {advanced_at}\n")
    };
    facts.iter().map(line).collect()
}

/// Asks on the terminal. Where nobody can answer, `--yes` must say it.
fn confirmed(question: &str) -> Result<bool, Failure> {
    let refused = |message: String| Failure { exit: Exit::Usage, reason: "NotConfirmed", message };
    if !std::io::stdin().is_terminal() {
        return Err(refused(format!("{question} There is no terminal to answer on; add --yes")));
    }
    let failed = |error: std::io::Error| refused(format!("cannot ask: {error}; add --yes"));
    let mut out = std::io::stderr();
    write!(out, "{question} [y/N] ").and_then(|()| out.flush()).map_err(failed)?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_furthest_behind_is_told_with_what_holds_it() {
        let facts = Facts {
            id: "0a1b".to_owned(),
            name: "library/books".to_owned(),
            position: 41,
            entries_behind: 7,
            advanced_at: "2026-11-23T05:09:41.123Z".to_owned(),
        };
        insta::assert_snapshot!(text(&[facts]), @"library/books (0a1b): read up to entry 41, 7 behind; last moved on 2026-11-23T05:09:41.123Z");
        assert_eq!(text(&[]), "no consumers\n");
        assert_eq!(read_up_to(-1), "nothing yet");
    }
}
