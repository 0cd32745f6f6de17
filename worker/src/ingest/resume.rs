//! Ends a hold from outside: what `gristmill resume` does.

use gristmill_core::log::{Digest, Genesis, InvalidName};
use gristmill_crds::plan::IngestPlan;

use crate::exit::{Exit, Failure};
use crate::zone::{Appended, Expected, Opened, Surroundings, Zone, ZoneReader};

/// What became of a resume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resumed {
    /// Consumption goes on. What had held it, if anything had.
    Now {
        /// The message of the hold.
        held: Option<String>,
    },
    /// This token was used before: nothing was done.
    Before,
}

/// Ends the hold of a zone by a token that is used once. Kafka is not asked.
///
/// # Errors
/// There is no zone, it is not a RAW zone, or the store fails.
pub async fn resume(plan: &IngestPlan, surroundings: Surroundings, token: &str) -> Result<Resumed, Failure> {
    let reader = ZoneReader::open(surroundings.clone()).await?;
    let (Genesis::Raw(genesis), Some(source)) = (reader.fold().genesis(), reader.fold().source()) else {
        let message = format!("{} is not a RAW zone; check spec.raw.path", plan.raw_path);
        return Err(Failure { exit: Exit::Zone, reason: "ZoneMismatch", message });
    };
    if reader.fold().has_resumed_by(token) {
        return Ok(Resumed::Before);
    }
    let expected = Expected::Raw {
        cluster_id: source.cluster_id.clone(),
        topic: genesis.topic.clone(),
        topic_id: source.topic_id.clone(),
        group: genesis.group.clone(),
        rewind: None,
    };
    let digest: Digest =
        plan.spec_digest.parse().map_err(|error: InvalidName| Failure::new(Exit::Bug, "Internal", &error))?;
    let Opened::Ready(mut zone) = Zone::open(surroundings, expected, digest).await? else {
        let message = format!("zone {} was taken away meanwhile; run the command again", plan.raw_path);
        return Err(Failure { exit: Exit::Zone, reason: "ZoneReplaced", message });
    };
    let held = zone.fold().held().map(|held| held.hold.message.clone());
    match zone.resume(Some(token.to_owned())).await? {
        Appended::Won(_) => Ok(Resumed::Now { held }),
        Appended::Lost(_) => Ok(Resumed::Before),
    }
}
