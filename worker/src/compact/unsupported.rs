//! What a resource may ask for and a run does not do yet: it is refused rather than left out in silence.

use gristmill_crds::LatePolicy;
use gristmill_crds::plan::CompactionPlan;

use super::Error;

/// Refuses a plan that asks for more than a run does.
pub(super) fn refuse(plan: &CompactionPlan) -> Result<(), Error> {
    match plan.lateness.as_ref().map(|lateness| lateness.policy) {
        Some(LatePolicy::Reject) => Err(Error::Unsupported { field: "lateness.policy Reject" }),
        Some(LatePolicy::Merge) | None => Ok(()),
    }
}
