//! CPU of live pods: what each has, and how it is given more or less in place.
//!
//! A request is changed by the subresource `resize`, which leaves Deployment and ReplicaSet alone and restarts no
//! container. The worker learns of it by an annotation of its pod, which it has as a file.

use gristmill_crds::names::CPU;
use k8s_openapi::api::core::v1::{Container, Pod, PodCondition, ResourceRequirements};
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use crate::admission::refuses;
use crate::error::Error;
use crate::labels::MANAGER;
use crate::pod::CONTAINER;
use crate::quantity;

/// What became of a resize.
#[derive(Debug, Clone, PartialEq)]
pub enum Resized {
    /// The pod is to have it; its node may still keep it waiting.
    Accepted(Box<Pod>),
    /// A quota, a limit range or a policy of the namespace forbids it, or the API server finds it invalid, in these words.
    Refused(String),
    /// The cluster can't change pods in place.
    NotServed,
    /// The pod is gone.
    Gone,
}

/// CPU that a pod asks for, in thousandths of a core.
pub fn requested(pod: &Pod) -> Option<u32> {
    millicores(container(pod)?.resources.as_ref()?)
}

/// CPU that a pod has: what it asks for, but for a resize that its node has not granted yet.
pub fn granted(pod: &Pod) -> Option<u32> {
    if pending(pod).is_none() {
        return requested(pod);
    }
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let ours = statuses.into_iter().find(|status| status.name == CONTAINER);
    let told = pod.annotations().get(CPU).and_then(|cpu| gristmill_crds::Quantity(cpu.clone()).to_millicores().ok());
    ours.and_then(|status| millicores(status.resources.as_ref()?)).or(told).or_else(|| requested(pod))
}

/// Why the node of a pod has not granted a resize: it waits for room, or the node is too small.
pub fn pending(pod: &Pod) -> Option<&PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == "PodResizePending" && condition.status == "True")
}

/// Whether a pod can be resized: its process runs, and it is not on its way out.
pub fn is_live(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none() && phase == Some("Running")
}

/// Gives a pod this much CPU, in place.
///
/// # Errors
/// The API server can't be reached, or refuses for another reason than those of [`Resized`].
pub async fn resize(api: &Api<Pod>, pod: &Pod, cpu: u32) -> Result<Resized, Error> {
    let resources = resources(pod, cpu);
    let name = pod.name_any();
    let patch = Patch::Strategic(json!({"spec": {"containers": [{"name": CONTAINER, "resources": resources}]}}));
    match api.patch_resize(&name, &parameters(), &patch).await {
        Ok(pod) => Ok(Resized::Accepted(Box::new(pod))),
        Err(kube::Error::Api(answer)) if answer.code == 405 => Ok(Resized::NotServed),
        // The answer for a pod names it; that for a subresource that is not served does not.
        Err(kube::Error::Api(answer)) if answer.is_not_found() => {
            let named = answer.details.as_ref().is_some_and(|details| details.name == name);
            Ok(if named { Resized::Gone } else { Resized::NotServed })
        }
        // An error would keep the rest of the resource from being told.
        Err(kube::Error::Api(answer)) if refuses(answer.code, &answer.message) => Ok(Resized::Refused(answer.message)),
        Err(source) => Err(Error::Apply { object: format!("the CPU of Pod {name}"), source }),
    }
}

/// What a resize asks for.
///
/// Only the request changes where the pod has no limit. Whether it has one, and whether that is its request, is fixed for
/// its life: both make its `qosClass`, which no resize may change. A limit above the request, such as the default of a
/// LimitRange, keeps its ratio to it, since a LimitRange bounds that.
fn resources(pod: &Pod, cpu: u32) -> Value {
    let asked = quantity::of_millicores(cpu);
    let limit = match (limit(pod), requested(pod)) {
        (Some(limit), Some(request)) if limit > request && request > 0 => {
            let (limit, request) = (u64::from(limit), u64::from(request));
            // Never above the ratio, which may be the most that is allowed.
            let scaled = limit * u64::from(cpu) / request;
            u32::try_from(scaled).unwrap_or(u32::MAX).max(cpu.saturating_add(1))
        }
        (Some(_), _) => cpu,
        (None, _) => return json!({"requests": {"cpu": asked}}),
    };
    json!({"requests": {"cpu": asked}, "limits": {"cpu": quantity::of_millicores(limit)}})
}

/// Tells the worker how much CPU its pod has, unless it knows. A pod that is gone need not know.
///
/// # Errors
/// The API server refuses or can't be reached.
pub async fn annotate(api: &Api<Pod>, pod: &Pod) -> Result<(), Error> {
    let Some(cpu) = granted(pod).map(quantity::of_millicores) else { return Ok(()) };
    if pod.annotations().get(CPU) == Some(&cpu.0) {
        return Ok(());
    }
    let name = pod.name_any();
    let patch = Patch::Merge(json!({"metadata": {"annotations": {CPU: cpu}}}));
    match api.patch_metadata(&name, &parameters(), &patch).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(answer)) if answer.is_not_found() => Ok(()),
        Err(source) => Err(Error::Apply { object: format!("Pod {name}"), source }),
    }
}

fn parameters() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..Default::default() }
}

fn container(pod: &Pod) -> Option<&Container> {
    pod.spec.as_ref()?.containers.iter().find(|container| container.name == CONTAINER)
}

/// CPU that a pod may use at the most, in thousandths of a core.
fn limit(pod: &Pod) -> Option<u32> {
    quantity::millicores(container(pod)?.resources.as_ref()?.limits.as_ref()?.get("cpu")?)
}

fn millicores(resources: &ResourceRequirements) -> Option<u32> {
    quantity::millicores(resources.requests.as_ref()?.get("cpu")?)
}
