//! What every reconcile is given: the client, the settings, the clock and the count of failures.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use kube::api::DynamicObject;
use kube::runtime::reflector::{ObjectRef, Store};

use crate::cli::{PullPolicy, RunOptions};
use crate::error::Error;
use crate::events::Events;
use crate::installation::Installation;
use crate::metrics::OperatorMetrics;
use crate::pod::PodDefaults;
use crate::rollout::Rollouts;
use crate::served_schema::ServedSchema;
use crate::worker::{Silences, WorkerClient};

/// Delay after the first failure of an object.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Longest delay: what an administrator mends is seen within five minutes.
const LAST_RETRY: Duration = Duration::from_secs(300);

/// What both controllers share.
pub struct Operator {
    /// The API server.
    pub client: Client,
    /// What the process was started with.
    pub settings: Settings,
    /// Reads `/status` of workers.
    pub workers: WorkerClient,
    /// Those that do not answer.
    pub silences: Arc<Silences>,
    /// The time, in whole seconds as conditions have it.
    pub now: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// Writes events of resources.
    pub events: Arc<Events>,
    /// Failures in a row.
    pub retries: Retries,
    /// What it tells of itself and of the resources.
    pub metrics: OperatorMetrics,
    /// Rollouts that no resource has asked for.
    pub rollouts: Arc<Rollouts>,
    /// What the API server does not know of our kinds.
    pub served: ServedSchema,
}

/// What the process was started with, as far as it concerns the objects that it builds.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Image of the workers.
    pub worker_image: String,
    /// When a node pulls it.
    pub image_pull_policy: Option<PullPolicy>,
    /// Options of pods where a resource says nothing.
    pub pod_defaults: PodDefaults,
    /// Namespace that the operator runs in: workers let it read their status.
    pub namespace: String,
    /// What the operators are that share the Lease.
    pub installation: Installation,
}

impl Settings {
    /// The settings of these options; `namespace` is that of the client's credentials, for where no option names it.
    pub fn new(options: &RunOptions, namespace: &str) -> Self {
        let namespace = options.namespace.clone().unwrap_or_else(|| namespace.to_owned());
        Self {
            worker_image: options.worker_image.clone(),
            image_pull_policy: options.image_pull_policy,
            pod_defaults: options.pod_defaults.clone(),
            installation: Installation::new(&namespace, &options.lease_name),
            namespace,
        }
    }
}

/// The time of the system in whole seconds.
pub fn system_time() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// Failures in a row of each object, and the delay that follows from them.
#[derive(Debug, Default)]
pub struct Retries(Mutex<HashMap<ObjectRef<DynamicObject>, u32>>);

impl Retries {
    /// Counts a failure: 1 s, 2 s, 4 s and so on up to 5 min.
    pub fn after_failure(&self, object: ObjectRef<DynamicObject>) -> Duration {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(object).or_insert(0);
        let delay = FIRST_RETRY.saturating_mul(1 << (*count).min(16)).min(LAST_RETRY);
        *count += 1;
        delay
    }

    /// Forgets the failures of an object that succeeded or is gone.
    pub fn reset(&self, object: &ObjectRef<DynamicObject>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(object);
    }
}

/// The object of this name, once the cache holds what the cluster held at the start.
pub async fn cached<K>(cache: &Store<K>, namespace: &str, name: &str) -> Result<Option<Arc<K>>, Error>
where
    K: kube::Resource<DynamicType = ()> + Clone + 'static,
{
    ready(cache).await?;
    Ok(cache.get(&ObjectRef::new(name).within(namespace)))
}

/// The objects that carry the label `key` with the value `name`.
pub async fn labelled<K>(cache: &Store<K>, namespace: &str, key: &str, name: &str) -> Result<Vec<Arc<K>>, Error>
where
    K: kube::Resource<DynamicType = ()> + Clone + 'static,
{
    ready(cache).await?;
    let belongs = |object: &K| {
        object.meta().namespace.as_deref() == Some(namespace)
            && crate::labels::owner_name(object.meta(), key) == Some(name)
    };
    Ok(cache.state_filter(belongs))
}

/// Waits for the first list: a decision on half a cache would create what exists.
pub async fn ready<K>(cache: &Store<K>) -> Result<(), Error>
where
    K: kube::Resource + Clone + 'static,
    K::DynamicType: Eq + Hash + Clone,
{
    cache.wait_until_ready().await.map_err(|_| Error::CacheEnded)
}

#[cfg(test)]
mod tests {
    use gristmill_crds::StreamIngest;
    use kube::api::ApiResource;

    use super::*;

    #[test]
    fn delay_doubles_up_to_five_minutes_and_starts_again_after_a_success() {
        let books = ObjectRef::new_with("books", ApiResource::erase::<StreamIngest>(&())).within("library");
        let retries = Retries::default();
        let delays: Vec<u64> = (0..12).map(|_| retries.after_failure(books.clone()).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        retries.reset(&books);
        assert_eq!(retries.after_failure(books).as_secs(), 1);
    }
}
