//! One of several operators acts at a time: its name stands in a Lease, which it renews.
//!
//! Every write names the version that it replaces, so that of two candidates one is refused. A leader that can't renew in
//! time, or finds another name in the Lease, must end its process at once: see [`Leader::lost`].

mod decide;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, ResourceExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tracing::{info, warn};

use crate::error::api_message;
use crate::labels::MANAGER;
use decide::{LEASE_DURATION, RENEW_DEADLINE, Role, Step, decide};

/// How often a leader renews and a candidate looks: two requests fit into the deadline, and an idle leader makes 12 a
/// minute.
const PERIOD: Duration = Duration::from_secs(5);
/// How soon a leader tries again after a failure.
const SOON: Duration = Duration::from_secs(2);

/// A candidate for the leadership.
pub struct Candidate {
    api: Api<Lease>,
    name: String,
    identity: String,
    seen: Option<Lease>,
    /// Since when the Lease is as it was seen.
    since: Instant,
}

/// The one that acts.
pub struct Leader {
    candidate: Candidate,
    /// The moment before the last renewal that succeeded.
    renewed: Instant,
}

impl Candidate {
    /// A candidate whose identity is the pod's name and a random part: a process that starts again in the same pod is
    /// another one.
    pub fn new(client: Client, namespace: &str, lease: &str, pod: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: lease.to_owned(),
            identity: format!("{pod}_{}", uuid::Uuid::new_v4()),
            seen: None,
            since: Instant::now(),
        }
    }

    /// Waits until it leads. It is a standby from the moment when it has seen that another one leads.
    pub async fn elected(mut self, is_standby: &watch::Sender<bool>) -> Leader {
        let mut announced = None;
        loop {
            let begun = Instant::now();
            // A leader that has not been able to renew by then would be no leader any more.
            let outcome = timeout_at(begun + RENEW_DEADLINE, self.try_once()).await;
            match outcome {
                Ok(Ok(true)) => {
                    info!(lease = self.name, identity = self.identity, "leads");
                    return Leader { candidate: self, renewed: begun };
                }
                Ok(Ok(false)) => {
                    is_standby.send_replace(true);
                    let holder = self.seen.as_ref().and_then(|lease| lease.spec.as_ref()?.holder_identity.clone());
                    if holder != announced {
                        info!(lease = self.name, holder = holder.as_deref().unwrap_or_default(), "another one leads");
                        announced = holder;
                    }
                }
                Ok(Err(error)) => {
                    warn!(lease = self.name, error = api_message(&error), "cannot read or take the lease")
                }
                Err(_) => warn!(lease = self.name, "the API server does not answer"),
            }
            sleep(PERIOD).await;
        }
    }

    async fn try_once(&mut self) -> Result<bool, kube::Error> {
        self.look().await?;
        let step = decide(&self.identity, Role::Candidate { unchanged: self.since.elapsed() }, self.spec());
        self.take(step).await
    }

    fn spec(&self) -> Option<&LeaseSpec> {
        // A Lease without a spec is one without a holder.
        static NOBODY: std::sync::LazyLock<LeaseSpec> = std::sync::LazyLock::new(LeaseSpec::default);
        self.seen.as_ref().map(|lease| lease.spec.as_ref().unwrap_or(&NOBODY))
    }

    async fn look(&mut self) -> Result<(), kube::Error> {
        let found = self.api.get_opt(&self.name).await?;
        self.see(found);
        Ok(())
    }

    fn see(&mut self, found: Option<Lease>) {
        let version = |lease: &Option<Lease>| lease.as_ref().and_then(ResourceExt::resource_version);
        if version(&self.seen) != version(&found) {
            self.since = Instant::now();
        }
        self.seen = found;
    }

    /// Whether we hold the Lease after this step. One who came before us is no error.
    async fn take(&mut self, step: Step) -> Result<bool, kube::Error> {
        let written = match step {
            Step::Create => self.api.create(&parameters(), &self.lease(self.held(LeaseSpec::default()))).await,
            Step::Take | Step::Renew => {
                let spec = self.spec().cloned().unwrap_or_default();
                self.replace(self.held(spec)).await
            }
            Step::Wait | Step::End => return Ok(false),
        };
        match written {
            Ok(lease) => {
                self.see(Some(lease));
                Ok(true)
            }
            Err(kube::Error::Api(answer)) if answer.is_conflict() || answer.is_already_exists() => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn replace(&self, spec: LeaseSpec) -> Result<Lease, kube::Error> {
        self.api.replace(&self.name, &parameters(), &self.lease(spec)).await
    }

    /// The Lease as it was seen, or a new one, with another record: its version is the one that a write replaces.
    fn lease(&self, spec: LeaseSpec) -> Lease {
        let new = || ObjectMeta { name: Some(self.name.clone()), ..Default::default() };
        let metadata = self.seen.as_ref().map_or_else(new, |lease| lease.metadata.clone());
        Lease { metadata, spec: Some(spec) }
    }

    /// The record with us as its holder.
    fn held(&self, before: LeaseSpec) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let ours = before.holder_identity.as_deref() == Some(self.identity.as_str());
        let transitions = before.lease_transitions.unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(LEASE_DURATION.as_secs()).ok(),
            acquire_time: if ours { before.acquire_time } else { Some(now.clone()) },
            renew_time: Some(now),
            lease_transitions: Some(if ours { transitions } else { transitions.saturating_add(1) }),
            ..before
        }
    }
}

fn parameters() -> PostParams {
    PostParams { field_manager: Some(MANAGER.to_owned()), ..Default::default() }
}

impl Leader {
    /// Renews, and resolves with the reason when it leads no more. Whoever awaits it then ends the process.
    pub async fn lost(&mut self) -> String {
        let mut pause = PERIOD;
        // What is left to say when nothing was tried in time.
        let mut failure = "this process stood still for too long".to_owned();
        loop {
            let deadline = self.renewed + RENEW_DEADLINE;
            sleep_until(deadline.min(Instant::now() + pause)).await;
            if self.next() == Step::End {
                return failure;
            }
            let begun = Instant::now();
            failure = match timeout_at(deadline, self.renew()).await {
                Ok(Ok(true)) => {
                    self.renewed = begun;
                    pause = PERIOD;
                    continue;
                }
                Ok(Ok(false)) => {
                    let holder = self.candidate.spec().and_then(|lease| lease.holder_identity.clone());
                    format!("it is held by {}", holder.as_deref().unwrap_or("somebody else"))
                }
                Ok(Err(error)) => api_message(&error),
                Err(_) => "the API server does not answer".to_owned(),
            };
            if self.next() == Step::End {
                return failure;
            }
            warn!(lease = self.candidate.name, error = failure, "cannot renew the lease; it is tried again");
            pause = SOON;
        }
    }

    fn next(&self) -> Step {
        let role = Role::Leader { renewed: self.renewed.elapsed() };
        decide(&self.candidate.identity, role, self.candidate.spec())
    }

    /// Writes by what was seen last: while nobody interferes a renewal is one request.
    async fn renew(&mut self) -> Result<bool, kube::Error> {
        let step = self.next();
        if self.candidate.take(step).await? {
            return Ok(true);
        }
        self.candidate.look().await?;
        let step = self.next();
        self.candidate.take(step).await
    }

    /// Gives the Lease up, so that another one need not wait. To be called once nothing acts any more.
    pub async fn release(self) {
        let Candidate { name, .. } = &self.candidate;
        let spec = self.candidate.spec().cloned().unwrap_or_default();
        let nobody = LeaseSpec { holder_identity: None, renew_time: Some(MicroTime(Timestamp::now())), ..spec };
        match timeout_at(self.renewed + LEASE_DURATION, self.candidate.replace(nobody)).await {
            Ok(Ok(_)) => info!(lease = name, "gave up the lead"),
            Ok(Err(error)) => warn!(lease = name, error = api_message(&error), "cannot give up the lease; it runs out"),
            Err(_) => warn!(lease = name, "cannot give up the lease in time; it runs out"),
        }
    }
}
