//! `gristmill resume`: ends the hold of a StreamIngest whose rejects were more than its budget.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use gristmill_core::log::{Digest, InvalidName, Sequence};

use super::resources::{IngestResource, hadoop_of};
use super::zone::duration;
use super::{print, steer};
use crate::exit::{Exit, Failure};
use crate::store;
use crate::zone::Surroundings;

/// Lets a StreamIngest go on that holds because too many messages were rejected.
///
/// The hold is an entry of the zone's log, so a restart does not end it; neither does this change what was rejected. The
/// window of the budget begins anew. A zone that is not held is left as it is. Correcting the rules in the resource
/// ends a hold too.
#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    resource: IngestResource,
    /// Resume the zone of DIR/NAME/raw.
    #[arg(long, value_name = "DIR")]
    local: Option<PathBuf>,
    /// Name of this wish; one that the zone knows does nothing. Default: a new one.
    #[arg(long, value_name = "TEXT")]
    token: Option<String>,
    /// How long to wait for a store that does not answer, for example 30s.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    wait: Duration,
}

/// Appends the entry, if the zone is held.
pub(super) async fn run(args: ResumeArgs) -> Result<(), Failure> {
    let (plan, secrets) = args.resource.read(args.local.as_deref()).await?;
    let digest: Digest =
        plan.spec_digest.parse().map_err(|error: InvalidName| Failure::new(Exit::Bug, "Internal", &error))?;
    let url = plan.raw_path.parse()?;
    let store = store::open(&url, &hadoop_of(&plan.raw_path, plan.hadoop.as_ref(), &secrets)?)?;
    let surroundings = Surroundings::of_process(store, url).with_patience(args.wait);
    let mut zone = steer::open(surroundings, digest).await?;
    let Some(held) = zone.fold().held() else {
        return print(&format!("{} is not held; nothing was changed\n", plan.raw_path));
    };
    let text = held_text(&plan.raw_path, &held.since.to_string(), &held.hold.message);
    let token = args.token.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    if zone.fold().has_resumed_by(&token) {
        return print(&format!("{} has resumed by token {token:?} before; give another one\n", plan.raw_path));
    }
    let sequence = steer::won(zone.resume(Some(token)).await)?;
    print(&(text + &resumed_text(sequence)))
}

fn held_text(zone: &str, since: &str, why: &str) -> String {
    format!("{zone} was held since {since}: {why}\n")
}

fn resumed_text(sequence: Sequence) -> String {
    format!("resumed by entry {sequence}; its workers go on within seconds\n")
}
