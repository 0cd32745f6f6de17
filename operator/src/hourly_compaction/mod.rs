//! Runs an HourlyCompaction: observe, plan, build, apply, status.

pub mod build;
pub mod conditions;
pub mod endings;
pub mod observe;
pub mod shards;
pub mod size;
pub mod status;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gristmill_crds::plan::{CompactionPlan, IngestPlan, Schedule};
use gristmill_crds::{HourlyCompaction, HourlyCompactionStatus, StreamIngest};
use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::runtime::controller::Action;

use crate::apply::{Applier, unused};
use crate::context::{Operator, cached};
use crate::error::Error;
use crate::labels;
use crate::pod::mounted_config_map;
use crate::reason::Reason;
use crate::resource::CustomResource;
use crate::transitions;
use build::{Wanted, build};
use endings::Ending;
use observe::{Active, Cache, Observed, observe};
use size::{NextSize, RunSize, Seen};

/// Everything that a status tells of comes by a watch; this is for an event that was lost on the way.
const LOOK_AGAIN: Duration = Duration::from_secs(600);

/// A pod that does not start is looked at so often: what keeps it stands in events, which are not watched.
const LOOK_AT_POD: Duration = Duration::from_secs(15);

/// An HourlyCompaction as the cluster holds it.
pub type Compaction = CustomResource<HourlyCompaction, HourlyCompactionStatus>;

/// What a reconcile of an HourlyCompaction is given.
pub struct Context {
    /// What both controllers share.
    pub operator: Arc<Operator>,
    /// The objects of all HourlyCompactions, and the StreamIngests.
    pub cache: Cache,
}

/// Brings the cluster to what the resource says, and its status to what the cluster says.
///
/// # Errors
/// The spec is refused, or the API server is. The status tells of it already.
pub async fn reconcile(object: Arc<DynamicObject>, context: Arc<Context>) -> Result<Action, Error> {
    if object.metadata.deletion_timestamp.is_some() {
        // Its objects are deleted after it by the garbage collector; its data stays.
        return Ok(Action::await_change());
    }
    let operator = &context.operator;
    let compaction = Compaction::read(&object);
    let name = labels::compaction_name(compaction.name());
    let live = cached(&context.cache.cron_jobs, compaction.namespace(), &name).await?;
    if let Err(error) = operator.settings.installation.check(live.as_deref()) {
        return stays_out(&compaction, operator, error).await;
    }
    let observed = observe(&compaction, &context).await?;
    let now = (operator.now)();
    let endings = endings::endings(&observed);
    let mut told = status::told(&compaction.status, &endings);
    let mut change = None;
    let outcome = match plan(&compaction, &observed) {
        Ok(plan) => {
            let options = compaction.typed().ok().and_then(|typed| typed.spec.pod.as_ref());
            let facts = Seen { plan: &plan, options, told: &told, observed: &observed, endings: &endings, now };
            let NextSize { template, status } = size::decide(&facts);
            let live = observed.cron_job.as_deref().and_then(RunSize::of_template);
            change = status::resized(&compaction, live.as_ref(), &template);
            let settled = settle(&compaction, &plan, &observed, &template, operator).await;
            settled.map(|()| {
                // Of a resource that is paused the size stays told that its runs have.
                if compaction.is_paused() {
                    return carried_out(plan, &observed);
                }
                told.sizing = status;
                plan
            })
        }
        Err(error) => Err(error),
    };
    let outcome = match outcome {
        Err(error @ Error::ManagedElsewhere { .. }) => return stays_out(&compaction, operator, error).await,
        outcome => outcome,
    };
    // A failure stays in sight with its Job, for days. A good run that came after it may be gone with its node.
    let is_last = |ending: &&Ending| ending.result.is_ok() || status::is_after_last_success(&told, ending);
    let last = endings.last().filter(is_last);
    let status = status::next(&compaction, told, &observed, &outcome, last, now);
    // Nothing in it changes all the time: it is written whenever it differs.
    if status != compaction.status {
        crate::status::write(&operator.client, &compaction, &status, observed.outdated.as_ref()).await?;
        transitions::publish(operator, &compaction, &compaction.status.conditions, &status.conditions).await;
        if let (Ok(_), Some(change), Some(sizing)) = (&outcome, change, &status.sizing) {
            let note = format!("{change}: {}", sizing.explanation);
            transitions::publish_resize(operator, &compaction, Reason::RunResized, note).await;
        }
    }
    outcome?;
    operator.retries.reset(&compaction.reference);
    let waits = observed.active.as_ref().is_some_and(Active::is_waiting);
    Ok(Action::requeue(if waits { LOOK_AT_POD } else { LOOK_AGAIN }))
}

/// Of a resource of another installation nothing is written, nor the status: the other one writes it, and they would turn it
/// all the time.
async fn stays_out(compaction: &Compaction, operator: &Operator, error: Error) -> Result<Action, Error> {
    transitions::publish_elsewhere(operator, compaction, &error).await;
    Err(error)
}

/// What the resource says, checked with its StreamIngest.
fn plan(compaction: &Compaction, observed: &Observed) -> Result<CompactionPlan, Error> {
    let typed = compaction.typed()?;
    let refused = |message: String| Error::IngestInvalid { name: typed.spec.ingest_ref.name.clone(), message };
    let ingest = ingest(compaction, observed)?;
    IngestPlan::try_from(ingest)
        .and_then(IngestPlan::in_cluster)
        .map_err(|invalid| refused(Error::Invalid(invalid).to_message()))?;
    CompactionPlan::try_new(typed, ingest).and_then(CompactionPlan::in_cluster).map_err(Error::Invalid)
}

/// What a resource that is paused does: what its CronJob says, whatever its spec says now.
fn carried_out(mut plan: CompactionPlan, observed: &Observed) -> CompactionPlan {
    let Some(live) = observed.cron_job.as_ref().and_then(|cron_job| cron_job.spec.as_ref()) else { return plan };
    plan.suspend = live.suspend == Some(true);
    let time_zone = live.time_zone.as_ref().unwrap_or(&plan.time_zone);
    // Somebody may have written one that only the CronJob controller reads.
    if Schedule::try_new(&live.schedule, time_zone).is_ok() {
        plan.time_zone = time_zone.clone();
        plan.schedule.clone_from(&live.schedule);
    }
    plan
}

/// The StreamIngest that the resource names.
fn ingest<'a>(compaction: &Compaction, observed: &'a Observed) -> Result<&'a StreamIngest, Error> {
    let name = &compaction.typed()?.spec.ingest_ref.name;
    let stream = observed
        .stream
        .as_ref()
        .ok_or_else(|| Error::IngestNotFound { name: name.clone(), namespace: compaction.namespace().to_owned() })?;
    let refused = |message: String| Error::IngestInvalid { name: stream.name().to_owned(), message };
    stream.typed().map_err(|error| refused(error.to_message()))
}

/// Build and apply; of a resource that is paused nothing.
async fn settle(
    compaction: &Compaction,
    plan: &CompactionPlan,
    observed: &Observed,
    size: &RunSize,
    operator: &Operator,
) -> Result<(), Error> {
    if compaction.is_paused() {
        return Ok(());
    }
    let (typed, ingest) = (compaction.typed()?, ingest(compaction, observed)?);
    // No `..`: a new object must be applied here.
    let Wanted { service_account, config_map, cron_job } = build(typed, ingest, plan, size, &operator.settings);
    let current = config_map.name_any();
    let config_map = crate::pod::with_live_text(config_map, &observed.config_maps);

    let applier = Applier::new(operator, compaction.namespace(), compaction.owner_reference());
    applier.apply(service_account, observed.service_account.as_deref()).await?;
    applier.apply(config_map, observed.config_map(&current)).await?;
    applier.apply(cron_job, observed.cron_job.as_deref()).await?;
    applier.prune(unused(&observed.config_maps, &current, &in_use(observed))).await
}

/// ConfigMaps that a pod mounts, or that the CronJob or an unfinished Job may still start a pod with.
fn in_use(observed: &Observed) -> BTreeSet<String> {
    let cron_job = observed.cron_job.iter().filter_map(|cron_job| {
        let job = cron_job.spec.as_ref()?.job_template.spec.as_ref()?;
        job.template.spec.as_ref()
    });
    let jobs = observed.jobs.iter().filter(|job| !endings::is_finished(job));
    let jobs = jobs.filter_map(|job| job.spec.as_ref()?.template.spec.as_ref());
    let pods = observed.pods.iter().filter_map(|pod| pod.spec.as_ref());
    cron_job.chain(jobs).chain(pods).filter_map(mounted_config_map).map(str::to_owned).collect()
}
