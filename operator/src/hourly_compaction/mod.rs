//! Runs an HourlyCompaction: observe, plan, build, apply, status.

pub mod build;
pub mod conditions;
pub mod endings;
pub mod observe;
pub mod status;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gristmill_crds::plan::{CompactionPlan, IngestPlan};
use gristmill_crds::{HourlyCompaction, HourlyCompactionStatus};
use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::runtime::controller::Action;

use crate::apply::{Applier, unused};
use crate::context::Operator;
use crate::error::Error;
use crate::pod::mounted_config_map;
use crate::resource::CustomResource;
use crate::transitions;
use build::{Wanted, build};
use observe::{Active, Cache, Observed, observe};

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
    let observed = observe(&compaction, &context).await?;
    let outcome = settle(&compaction, &observed, operator).await;
    let status = status::next(&compaction, &observed, &outcome, (operator.now)());
    // Nothing in it changes all the time: it is written whenever it differs.
    if status != compaction.status {
        crate::status::write(&operator.client, &compaction, &status, observed.outdated.as_ref()).await?;
        transitions::publish(operator, &compaction, &compaction.status.conditions, &status.conditions).await;
    }
    outcome?;
    operator.retries.reset(&compaction.reference);
    let waits = observed.active.as_ref().is_some_and(Active::is_waiting);
    Ok(Action::requeue(if waits { LOOK_AT_POD } else { LOOK_AGAIN }))
}

/// Plan, build, apply; of a resource that is paused the plan alone.
async fn settle(compaction: &Compaction, observed: &Observed, operator: &Operator) -> Result<CompactionPlan, Error> {
    let typed = compaction.typed()?;
    let stream = observed.stream.as_ref().ok_or_else(|| Error::IngestNotFound {
        name: typed.spec.ingest_ref.name.clone(),
        namespace: compaction.namespace().to_owned(),
    })?;
    let refused = |message: String| Error::IngestInvalid { name: stream.name().to_owned(), message };
    let ingest = stream.typed().map_err(|error| refused(error.to_message()))?;
    IngestPlan::try_from(ingest)
        .and_then(IngestPlan::in_cluster)
        .map_err(|invalid| refused(Error::Invalid(invalid).to_message()))?;
    let plan = CompactionPlan::try_new(typed, ingest).and_then(CompactionPlan::in_cluster).map_err(Error::Invalid)?;
    if compaction.is_paused() {
        return Ok(plan);
    }
    // No `..`: a new object must be applied here.
    let Wanted { service_account, config_map, cron_job } = build(typed, ingest, &plan, &operator.settings);
    let current = config_map.name_any();
    let config_map = crate::pod::with_live_text(config_map, &observed.config_maps);

    let applier = Applier::new(&operator.client, compaction.namespace(), compaction.owner_reference());
    applier.apply(service_account, observed.service_account.as_deref()).await?;
    applier.apply(config_map, observed.config_map(&current)).await?;
    applier.apply(cron_job, observed.cron_job.as_deref()).await?;
    applier.prune(unused(&observed.config_maps, &current, &in_use(observed))).await?;
    Ok(plan)
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
