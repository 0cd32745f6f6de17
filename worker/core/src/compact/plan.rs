//! The plan of a run: which files are read, from the facts of two logs.

use crate::log::{FileZone, Fold, Genesis, LiveFile, ZoneId};

/// The one bucket of a zone; `processed.buckets` does not exist yet in the resource.
const BUCKET: u32 = 0;

/// What there is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    /// The RAW zone has no file that the Processed zone has not consumed.
    NothingNew {
        /// How far the RAW zone has been consumed.
        position: i64,
    },
    /// There are new files.
    Run(RunPlan),
}

/// The files of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunPlan {
    /// The RAW zone.
    pub raw_zone: ZoneId,
    /// The bucket whose position moves.
    pub bucket: u32,
    /// The position before.
    pub from: i64,
    /// The position after: RAW's head when the plan was made.
    pub to: i64,
    /// RAW files to read, oldest first.
    pub delta: Vec<LiveFile>,
    /// Live files of the Processed zone: those that hold a key of the delta may have to be rewritten.
    pub zone: Vec<LiveFile>,
}

/// Why a run would be wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The source is no RAW zone.
    #[error("the source is a Processed zone; name the path of a RAW zone in spec.raw.path of the StreamIngest")]
    NotRaw,
    /// The Processed zone was made from another RAW zone (F29).
    #[error(
        "the Processed zone belongs to RAW zone {expected}, and RAW zone {found} stands in its place; use a new processed.path"
    )]
    OtherRawZone {
        /// The RAW zone that the Processed zone was made from.
        expected: String,
        /// The RAW zone at hand.
        found: ZoneId,
    },
    /// The Processed zone has consumed more than there is.
    #[error(
        "the Processed zone has consumed RAW up to entry {position}, and RAW ends at entry {head}: RAW was put back to an earlier state; restore it, or use a new processed.path"
    )]
    Ahead {
        /// How far RAW has been consumed.
        position: i64,
        /// RAW's last entry.
        head: i64,
    },
}

/// Plans a run: what RAW's log names and the Processed zone has not consumed (rule 21).
///
/// # Errors
/// The two zones do not belong together.
pub fn plan_run(raw: &Fold, processed: &Fold) -> Result<Plan, Refusal> {
    let Genesis::Raw(_) = raw.genesis() else { return Err(Refusal::NotRaw) };
    let raw_zone = raw.zone_id();
    match processed.genesis() {
        Genesis::Processed(genesis) if genesis.raw_zone_id == raw_zone => {}
        Genesis::Processed(genesis) => {
            return Err(Refusal::OtherRawZone { expected: genesis.raw_zone_id.to_string(), found: raw_zone });
        }
        Genesis::Raw(_) => return Err(Refusal::OtherRawZone { expected: "none".to_owned(), found: raw_zone }),
    }
    let from = processed.positions().get(&BUCKET).copied().unwrap_or(-1);
    let to = raw.head().position();
    if from > to {
        return Err(Refusal::Ahead { position: from, head: to });
    }
    let delta: Vec<LiveFile> = raw.added_after(FileZone::Raw, from).into_iter().cloned().collect();
    if delta.is_empty() {
        return Ok(Plan::NothingNew { position: from });
    }
    let zone = processed.live().values().cloned().collect();
    Ok(Plan::Run(RunPlan { raw_zone, bucket: BUCKET, from, to, delta, zone }))
}
