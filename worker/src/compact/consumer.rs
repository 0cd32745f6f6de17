//! The compaction in the register of RAW's consumers (F30): retention removes nothing that it has not passed.
//!
//! It registers before its first plan, and is moved on after the commit of what it has consumed: in between, and after a
//! crash in between, it lags, which is safe. Each is one visit to RAW's log by a writer of its own, beside the ingest.

use gristmill_core::log::{Digest, Genesis, Refusal};
use gristmill_crds::plan::CompactionPlan;
use tracing::{info, warn};

use super::Error;
use crate::zone::{Appended, Zone, ZoneError, ZoneReader};

/// Registers the Processed zone in RAW's log, unless it is there already.
///
/// # Errors
/// RAW's log can't be written. Nothing was read then: without its registration a run could lose files to retention.
pub(super) async fn register(plan: &CompactionPlan, raw: &ZoneReader, zone: &Zone) -> Result<(), Error> {
    let id = zone.fold().zone_id();
    let is_raw = matches!(raw.fold().genesis(), Genesis::Raw(_));
    if !is_raw || raw.fold().consumers().contains_key(&id) {
        return Ok(());
    }
    let name = format!("{}/{}", plan.namespace, plan.name);
    let mut raw = join(plan, raw).await.map_err(Error::Zone)?;
    match raw.register(id, name.clone()).await.map_err(Error::Zone)? {
        Appended::Won(sequence) => info!(%sequence, consumer = name, "registered in RAW's log"),
        Appended::Lost(Refusal::IsRegistered(_)) => {}
        Appended::Lost(refusal) => {
            let zone = raw.reader().surroundings().url().to_string();
            return Err(Error::NotRegistered { zone, refusal });
        }
    }
    raw.close().await;
    Ok(())
}

/// Tells RAW's log how far the Processed zone has come, if the log does not know it.
///
/// A run is not judged by it: what has been committed stands, and the next run tells.
pub(super) async fn advance(plan: &CompactionPlan, raw: &ZoneReader, zone: &Zone) {
    if let Err(error) = try_advance(plan, raw, zone).await {
        warn!(%error, "RAW's log is told by the next run how far this one has come; until then its retention waits");
    }
}

async fn try_advance(plan: &CompactionPlan, raw: &ZoneReader, zone: &Zone) -> Result<(), ZoneError> {
    let id = zone.fold().zone_id();
    let Some(position) = zone.fold().positions().values().copied().min() else { return Ok(()) };
    let is_behind = |known: Option<i64>| known.is_some_and(|known| known < position);
    // What this reader has not folded yet can only have moved it further on.
    if !is_behind(raw.fold().consumers().get(&id).map(|consumer| consumer.position)) {
        return Ok(());
    }
    let mut raw = join(plan, raw).await?;
    if is_behind(raw.fold().consumers().get(&id).map(|consumer| consumer.position)) {
        match raw.advance(id, position).await? {
            Appended::Won(sequence) => info!(%sequence, position, "told RAW's log"),
            // Another run was faster, or somebody has taken the consumer off the register.
            Appended::Lost(refusal) => info!(%refusal, position, "RAW's log was not told"),
        }
    }
    raw.close().await;
    Ok(())
}

/// Adds an entry to RAW's log that changes nothing: what a run at once has planned ends before it.
pub(super) async fn mark(plan: &CompactionPlan, raw: &ZoneReader, zone: &Zone) -> Result<(), Error> {
    let id = zone.fold().zone_id();
    let mut raw = join(plan, raw).await.map_err(Error::Zone)?;
    let marked = match raw.fold().consumers().get(&id).map(|consumer| consumer.position) {
        Some(position) => raw.advance(id, position).await,
        // Somebody has taken it off the register meanwhile.
        None => raw.register(id, format!("{}/{}", plan.namespace, plan.name)).await,
    };
    match marked.map_err(Error::Zone)? {
        Appended::Won(sequence) => info!(%sequence, "marked RAW's log"),
        Appended::Lost(refusal) => info!(%refusal, "RAW's log was not marked"),
    }
    raw.close().await;
    Ok(())
}

/// The RAW zone that this run reads; one that was made in its place since has its own consumers.
async fn join(plan: &CompactionPlan, raw: &ZoneReader) -> Result<Zone, ZoneError> {
    let digest: Digest = plan.spec_digest.parse().expect("a plan's digest is one");
    Zone::join(raw, digest).await
}
