//! Which installation of the operator an object is of. Pure.
//!
//! Operators that share a Lease are one installation, and of these one acts. Two installations that watch the same namespace
//! know nothing of each other: both would apply the same objects by the same field manager, each with its own image and
//! defaults, and neither would see a conflict. So each marks the Deployment or CronJob of a resource as its own, and leaves a
//! resource alone, its status as well, that another one has marked. An object without the mark is taken: one of a version
//! before it, or one that somebody hands over.

use kube::{Resource, ResourceExt};

use crate::error::Error;
use crate::labels::INSTALLATION;

/// An installation, by the namespace and the name of its Lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation(String);

impl Installation {
    /// The installation whose operators share this Lease.
    pub fn new(namespace: &str, lease: &str) -> Self {
        Self(format!("{namespace}/{lease}"))
    }

    /// Marks an object as one of this installation.
    pub fn mark<K: Resource>(&self, object: &mut K) {
        object.annotations_mut().insert(INSTALLATION.to_owned(), self.0.clone());
    }

    /// Checks that an object is not of another installation.
    ///
    /// # Errors
    /// It is.
    pub fn check<K: Resource<DynamicType = ()>>(&self, live: Option<&K>) -> Result<(), Error> {
        let Some(live) = live else { return Ok(()) };
        match live.annotations().get(INSTALLATION) {
            Some(other) if *other != self.0 => Err(Error::ManagedElsewhere {
                kind: K::kind(&()).into_owned(),
                name: live.name_any(),
                namespace: live.namespace().unwrap_or_default(),
                other: other.clone(),
                ours: self.0.clone(),
            }),
            Some(_) | None => Ok(()),
        }
    }
}
