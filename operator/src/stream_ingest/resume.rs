//! What a worker is told by annotations of its pod, which it has as files: its CPU, and the token by which a user ends a
//! hold. This module hands the token on, from the annotation of the resource.
//!
//! Pods are annotated one by one, and not by their template: a token rolls no worker.

use gristmill_crds::names::{CPU, RESUME};
use k8s_openapi::api::core::v1::{
    DownwardAPIVolumeFile, DownwardAPIVolumeSource, ObjectFieldSelector, Pod, Volume, VolumeMount,
};
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::Stream;
use super::observe::Observed;
use crate::error::Error;
use crate::labels::MANAGER;

/// Volume of what the pod knows of itself.
const VOLUME: &str = "podinfo";
/// Where it is mounted: beside the documents, whose mount is read-only.
const DIRECTORY: &str = "/etc/podinfo";
/// Where the worker looks for the token.
pub const FILE: &str = "/etc/podinfo/resume";

/// Where the worker looks for the CPU of its pod.
pub const CPU_FILE: &str = "/etc/podinfo/cpu";

/// The volume with both.
pub fn volume() -> Volume {
    let file = |path: &str, annotation: &str| DownwardAPIVolumeFile {
        path: path.to_owned(),
        field_ref: Some(ObjectFieldSelector {
            api_version: Some("v1".to_owned()),
            field_path: format!("metadata.annotations['{annotation}']"),
        }),
        ..Default::default()
    };
    Volume {
        name: VOLUME.to_owned(),
        downward_api: Some(DownwardAPIVolumeSource {
            items: Some(vec![file("resume", RESUME), file("cpu", CPU)]),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Its mount.
pub fn mount() -> VolumeMount {
    VolumeMount {
        name: VOLUME.to_owned(),
        mount_path: DIRECTORY.to_owned(),
        read_only: Some(true),
        ..Default::default()
    }
}

/// Annotates the pods that do not have the token yet, those that came after it included.
///
/// # Errors
/// The API server refuses or can't be reached. A pod that is gone needs no token.
pub async fn hand_over(stream: &Stream, observed: &Observed, client: &kube::Client) -> Result<(), Error> {
    let Some(token) = stream.metadata.annotations.as_ref().and_then(|annotations| annotations.get(RESUME)) else {
        return Ok(());
    };
    let api: Api<Pod> = Api::namespaced(client.clone(), stream.namespace());
    let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..Default::default() };
    for pod in observed.pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
        if pod.annotations().get(RESUME) == Some(token) {
            continue;
        }
        let patch = Patch::Merge(json!({"metadata": {"annotations": {RESUME: token}}}));
        match api.patch_metadata(&pod.name_any(), &parameters, &patch).await {
            Ok(_) => {}
            Err(kube::Error::Api(answer)) if answer.is_not_found() => {}
            Err(source) => return Err(Error::Apply { object: format!("Pod {}", pod.name_any()), source }),
        }
    }
    Ok(())
}
