//! Writes a status: server-side apply of the status subresource, by the one field manager.

use std::fmt::Debug;

use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde::Serialize;

use crate::error::Error;
use crate::labels::MANAGER;
use crate::resource::CustomResource;
use crate::served_schema::Outdated;

/// The document of the write: who it is, and the whole status.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusDocument<'a, S> {
    api_version: &'a str,
    kind: &'a str,
    metadata: Identity<'a>,
    status: &'a S,
}

#[derive(Debug, Serialize)]
struct Identity<'a> {
    name: &'a str,
    namespace: &'a str,
}

/// Writes a status, without what the API server does not know of it. A resource that is gone by now needs none.
pub async fn write<K, S: Serialize + Debug>(
    client: &kube::Client,
    resource: &CustomResource<K, S>,
    status: &S,
    outdated: Option<&Outdated>,
) -> Result<(), Error> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), resource.namespace(), &resource.kind);
    let document = StatusDocument {
        api_version: &resource.kind.api_version,
        kind: &resource.kind.kind,
        metadata: Identity { name: resource.name(), namespace: resource.namespace() },
        status,
    };
    let mut document = serde_json::to_value(&document).expect("a status has string keys only");
    if let Some(outdated) = outdated {
        document = outdated.without_missing(document);
    }
    let parameters = PatchParams::apply(MANAGER).force();
    match api.patch_status(resource.name(), &parameters, &Patch::Apply(&document)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(answer)) if answer.is_not_found() => Ok(()),
        Err(source) => Err(Error::WriteStatus { object: resource.title(), source }),
    }
}
