//! `gristmill retention`: one pass of the retention of a RAW zone and its rejects, now.

mod report;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use gristmill_core::log::{Digest, Expiry, InvalidName, LiveFile, expiry};

use self::report::{Act, Facts, report};
use super::resources::{IngestResource, archive_of, hadoop_of};
use super::zone::duration;
use super::{print, steer};
use crate::exit::{Exit, Failure};
use crate::store;
use crate::zone::{Archived, NotArchived, Removal, Retention, Surroundings, Zone, ZoneError, ZoneReader};

/// Takes files off a RAW zone and its rejects whose time has come: one pass, of at most 1,000 files.
///
/// It is what the ingest workers do by themselves every minute. A file leaves when it is older than raw.retention.after
/// (of rejects: rejected.retention.after) and every registered compaction has read it; with action Archive its copy was
/// compared first. What left stays below _retired/ for an hour of log time, for scans that have it open. The exit code is
/// 0 only if nothing that was due stays for another reason than a consumer.
#[derive(Debug, Args)]
pub(super) struct RetentionArgs {
    #[command(flatten)]
    resource: IngestResource,
    /// Take the zone of DIR/NAME/raw, and DIR/NAME/archive for the archive.
    #[arg(long, value_name = "DIR")]
    local: Option<PathBuf>,
    /// Print the files that would leave, and what holds those that would not; change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object a file, and one of totals at the end.
    #[arg(long)]
    json: bool,
    /// How long to wait for a store that does not answer, for example 30s.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    wait: Duration,
}

/// Runs the pass.
pub(super) async fn run(args: RetentionArgs) -> Result<(), Failure> {
    let (plan, secrets) = args.resource.read(args.local.as_deref()).await?;
    let url = plan.raw_path.parse()?;
    let store = store::open(&url, &hadoop_of(&plan.raw_path, plan.hadoop.as_ref(), &secrets)?)?;
    let surroundings = Surroundings::of_process(store, url).with_patience(args.wait);
    let retention = Retention::of(&plan, |url| archive_of(url, &plan, &secrets))?;
    if args.dry_run {
        let zone = ZoneReader::open(surroundings.clone()).await?;
        let Expiry { due, later, held } = expiry(zone.fold(), &retention.ages, surroundings.now());
        return print(&report(&plan, &Facts { act: Act::WouldLeave, files: due, later, held }, args.json));
    }
    let digest: Digest =
        plan.spec_digest.parse().map_err(|error: InvalidName| Failure::new(Exit::Bug, "Internal", &error))?;
    let mut zone = steer::open(surroundings, digest).await?;
    let Passed { left, not_archived, trouble } = pass(&mut zone, &retention).await;
    let Expiry { due, later, held } = zone.expiry(&retention.ages, &BTreeSet::new());
    zone.close().await;
    let later = (due.len() as u64 + later).saturating_sub(not_archived);
    print(&report(&plan, &Facts { act: Act::Left, files: left, later, held }, args.json))?;
    trouble.map_or(Ok(()), Err)
}

/// What one pass did, however it ended.
#[derive(Debug, Default)]
struct Passed {
    left: Vec<LiveFile>,
    not_archived: u64,
    /// Why it ended early, or what stays; with the next act.
    trouble: Option<Failure>,
}

impl Passed {
    /// Adds what became of a removal of so many files. No entry, no success: whatever did not leave is told.
    fn add(&mut self, files: usize, removal: Result<Removal, ZoneError>) {
        let stay = |reason, why: &str| Failure {
            exit: Exit::Zone,
            reason,
            message: format!("{files} files stay in the zone: {why}; run it again"),
        };
        let trouble = match removal {
            Ok(Removal::Nothing) => None,
            Ok(Removal::Done(removed)) => {
                self.left.extend(removed.files);
                None
            }
            Ok(Removal::Overtaken(refusal)) => {
                Some(stay("Overtaken", &format!("others have moved it on meanwhile ({refusal})")))
            }
            Ok(Removal::Fenced) => {
                Some(stay("Fenced", "another writer took this process for dead, since it gave no sign for an hour"))
            }
            Err(error) => {
                let failure = Failure::from(error);
                let message = format!("{failure}; whether {files} files have left is not known, run it again to see");
                Some(Failure { message, ..failure })
            }
        };
        self.trouble = self.trouble.take().or(trouble);
    }
}

/// Removes what may go at once, then what has its copy.
async fn pass(zone: &mut Zone, retention: &Retention) -> Passed {
    let mut passed = Passed::default();
    let (to_copy, to_go) = retention.split(zone.expiry(&retention.ages, &BTreeSet::new()).due);
    passed.add(to_go.len(), zone.remove_expired(&retention.ages, &to_go, None).await);
    let Some(archive) = retention.archive.clone().filter(|_| !to_copy.is_empty() && passed.trouble.is_none()) else {
        return passed;
    };
    let (surroundings, signs, wanted) = (zone.reader().surroundings().clone(), zone.signs(), to_copy.len());
    let archived = archive.clone().keep(surroundings, signs, to_copy).await;
    let not_kept = archived.failed.len();
    let Archived { kept, failed } = match zone.judge_archived(archived).await {
        Ok(archived) => archived,
        Err(error) => {
            passed.add(wanted, Err(error));
            return passed;
        }
    };
    passed.add(kept.len(), zone.remove_expired(&retention.ages, &kept, Some(&archive)).await);
    if let Some(NotArchived { error, .. }) = failed.first() {
        // Without those that others have taken off meanwhile.
        passed.not_archived = (wanted - kept.len() - (not_kept - failed.len())) as u64;
        let failure = error.failure();
        let message =
            format!("{} files were not archived and stay in RAW; the first: {}", passed.not_archived, failure.message);
        passed.trouble = passed.trouble.or(Some(Failure { message, ..failure }));
    }
    passed
}
