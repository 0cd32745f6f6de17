//! The API server, as this plugin asks it: resources of both kinds by name, and the errors that a user can act on.

use std::path::PathBuf;

use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;

use crate::error::{Act, Error};
use crate::kind::{Kind, ResourceName};
use crate::resource::Resource;

/// Field manager of what this plugin writes.
pub const MANAGER: &str = "kubectl-gristmill";

/// Which cluster is asked, and as whom.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Connection {
    /// Namespace. Default: that of the context.
    #[arg(short, long, global = true, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Context of the kubeconfig. Default: the current one.
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Kubeconfig file. Default: KUBECONFIG, else ~/.kube/config.
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// Where resources are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One namespace.
    Namespace(String),
    /// All of them.
    All,
}

/// A cluster, and the namespace that verbs speak of.
#[derive(Clone)]
pub struct Cluster {
    /// Speaks to the API server.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
}

impl Cluster {
    /// The cluster that the command line and the kubeconfig name. Nothing is contacted yet.
    ///
    /// # Errors
    /// There is no such file or context.
    pub async fn connect(connection: Connection) -> Result<Self, Error> {
        let Connection { namespace, context, kubeconfig } = connection;
        let is_named = context.is_some() || kubeconfig.is_some();
        let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
        let config = match kubeconfig {
            Some(file) => match Kubeconfig::read_from(file) {
                Ok(kubeconfig) => Config::from_custom_kubeconfig(kubeconfig, &options).await,
                Err(error) => Err(error),
            },
            None if is_named => Config::from_kubeconfig(&options).await,
            None => return Self::of(Config::infer().await.map_err(no_cluster)?, namespace),
        };
        Self::of(config.map_err(no_cluster)?, namespace)
    }

    fn of(config: Config, namespace: Option<String>) -> Result<Self, Error> {
        let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
        Ok(Self { client: Client::try_from(config).map_err(no_cluster)?, namespace })
    }

    /// Objects of a type of Kubernetes' own in the namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// A request of this verb in the namespace.
    pub fn act(&self, verb: &'static str, resource: &'static str) -> Act {
        Act::new(verb, resource, &self.namespace)
    }

    /// The resources of a kind, by namespace and name.
    ///
    /// # Errors
    /// The definitions are missing, or the user may not list them.
    pub async fn list(&self, kind: Kind, scope: &Scope) -> Result<Vec<Resource>, Error> {
        let api: Api<DynamicObject> = match scope {
            Scope::Namespace(namespace) => Api::namespaced_with(self.client.clone(), namespace, &kind.api()),
            Scope::All => Api::all_with(self.client.clone(), &kind.api()),
        };
        let namespace = match scope {
            Scope::Namespace(namespace) => Some(namespace.clone()),
            Scope::All => None,
        };
        let listed = api.list(&ListParams::default()).await.map_err(|error| match error {
            kube::Error::Api(status) if status.code == 404 => Error::NoDefinitions { kind },
            error => Act { verb: "list", resource: kind.plural(), namespace }.failed(error),
        })?;
        let mut resources: Vec<Resource> =
            listed.items.into_iter().map(|object| Resource::read(kind, object)).collect();
        resources.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        Ok(resources)
    }

    /// The resources of this name: one or, if the name has no kind, perhaps one of each.
    ///
    /// # Errors
    /// There is none; the error tells those that there are.
    pub async fn find(&self, name: &ResourceName) -> Result<Vec<Resource>, Error> {
        let kinds = name.kind.map_or(Kind::ALL.to_vec(), |kind| vec![kind]);
        let mut found = Vec::new();
        for kind in &kinds {
            found.extend(self.get(*kind, &name.name).await?);
        }
        if found.is_empty() {
            let there = self.names(&kinds).await?;
            return Err(Error::NotFound { name: name.clone(), namespace: self.namespace.clone(), there });
        }
        Ok(found)
    }

    /// The only resource of this name.
    ///
    /// # Errors
    /// There is none, or one of each kind.
    pub async fn find_one(&self, name: &ResourceName) -> Result<Resource, Error> {
        let mut found = self.find(name).await?;
        match found.pop() {
            Some(only) if found.is_empty() => Ok(only),
            _ => Err(Error::Ambiguous { name: name.name.clone() }),
        }
    }

    /// The resource of this name and kind, for a verb of this kind alone.
    ///
    /// # Errors
    /// There is none, or the name is written with the other kind.
    pub async fn find_of(&self, verb: &'static str, kind: Kind, name: &ResourceName) -> Result<Resource, Error> {
        if name.kind.is_some_and(|other| other != kind) {
            return Err(Error::OtherKind { verb, wanted: kind, name: name.clone() });
        }
        self.find_one(&ResourceName { kind: Some(kind), name: name.name.clone() }).await
    }

    /// Changes a resource by a JSON merge patch.
    ///
    /// # Errors
    /// The API server does not take it.
    pub async fn patch(&self, resource: &Resource, patch: Value) -> Result<(), Error> {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &resource.kind.api());
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let patched = api.patch(&resource.name, &params, &Patch::Merge(patch)).await;
        patched.map(drop).map_err(|error| self.act("patch", resource.kind.plural()).failed(error))
    }

    async fn get(&self, kind: Kind, name: &str) -> Result<Option<Resource>, Error> {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &kind.api());
        let got = api.get_opt(name).await.map_err(|error| match error {
            // The API server knows the name of an object that is missing, but not of a kind that is.
            kube::Error::Api(status) if status.code == 404 => Error::NoDefinitions { kind },
            error => self.act("get", kind.plural()).failed(error),
        })?;
        Ok(got.map(|object| Resource::read(kind, object)))
    }

    async fn names(&self, kinds: &[Kind]) -> Result<Vec<ResourceName>, Error> {
        let mut names = Vec::new();
        for kind in kinds {
            match self.list(*kind, &Scope::Namespace(self.namespace.clone())).await {
                Ok(resources) => names.extend(resources.into_iter().map(|resource| resource.to_name())),
                // Whoever may not list is told at least that there is nothing of the name.
                Err(Error::Forbidden { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(names)
    }
}

fn no_cluster(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::NoCluster { source: Box::new(source) }
}
