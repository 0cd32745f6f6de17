//! What ends a step of the loop before it is done.

use super::group::Foreign;
use super::patience::Waited;
use crate::exit::Failure;

/// Why a step was not done.
#[derive(Debug)]
pub(super) enum Interruption {
    /// The ingest can't go on.
    Failed(Failure),
    /// A signal came.
    Signalled,
    /// The group wants partitions back and was kept waiting for too long, or has given them away: the open file is lost.
    Revoked,
    /// The group is that of another zone.
    GivesWay(Foreign),
}

impl Interruption {
    /// What becomes of an ingest that ends with it: a signal, a group that does not wait and one of
    /// another zone are no failures.
    pub(super) fn into_outcome(self) -> Result<(), Failure> {
        match self {
            Self::Failed(failure) => Err(failure),
            Self::Signalled | Self::Revoked | Self::GivesWay(_) => Ok(()),
        }
    }
}

/// A step of the loop.
pub(super) type Step<T = ()> = Result<T, Interruption>;

impl From<Failure> for Interruption {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl<T> From<Waited<T>> for Step<T> {
    fn from(waited: Waited<T>) -> Self {
        match waited {
            Waited::Done(done) => Ok(done),
            Waited::Cancelled => Err(Interruption::Signalled),
        }
    }
}
