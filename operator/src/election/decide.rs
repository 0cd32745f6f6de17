//! Who leads: what is known of the Lease in, the next step out.
//!
//! Times that stand in the record were written by another clock and are never compared with ours. A candidate counts by
//! its own clock for how long the record has not changed; a leader counts from the moment before it asked to renew. Both
//! err on the side of no leader, and clocks need not agree but only run about equally fast.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::LeaseSpec;

/// How long a leader that is silent keeps its place.
pub(super) const LEASE_DURATION: Duration = Duration::from_secs(15);
/// A leader that could not renew for so long ends itself; the rest of the duration is for requests under way.
pub(super) const RENEW_DEADLINE: Duration = Duration::from_secs(10);

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A candidate that has seen no change of the Lease for so long.
    Candidate { unchanged: Duration },
    /// A leader whose last renewal that succeeded was begun so long ago.
    Leader { renewed: Duration },
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Create the Lease with us as its holder.
    Create,
    /// Make us its holder.
    Take,
    /// Write that we still hold it.
    Renew,
    /// Nothing: somebody else leads.
    Wait,
    /// End: somebody else leads or may soon.
    End,
}

/// The next step of `identity`, by the Lease as it was read last.
pub(super) fn decide(identity: &str, role: Role, lease: Option<&LeaseSpec>) -> Step {
    if let Role::Leader { renewed } = role
        && renewed >= RENEW_DEADLINE
    {
        return Step::End;
    }
    let Some(lease) = lease else { return Step::Create };
    match (lease.holder_identity.as_deref().unwrap_or_default(), role) {
        ("", _) => Step::Take,
        (holder, _) if holder == identity => Step::Renew,
        (_, Role::Leader { .. }) => Step::End,
        (_, Role::Candidate { unchanged }) if unchanged >= duration(lease) => Step::Take,
        (_, Role::Candidate { .. }) => Step::Wait,
    }
}

/// For how long its holder is to be waited for, as the holder itself has written.
fn duration(lease: &LeaseSpec) -> Duration {
    let seconds = lease.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    seconds.filter(|seconds| *seconds > 0).map_or(LEASE_DURATION, Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn held_by(holder: &str) -> Option<LeaseSpec> {
        Some(LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            // By these the holder died long ago or is ahead of time: they say nothing.
            renew_time: Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime(jiff::Timestamp::UNIX_EPOCH)),
            ..Default::default()
        })
    }

    const fn unchanged(seconds: u64) -> Role {
        Role::Candidate { unchanged: Duration::from_secs(seconds) }
    }

    const fn renewed(seconds: u64) -> Role {
        Role::Leader { renewed: Duration::from_secs(seconds) }
    }

    #[rstest]
    #[case::nobody_was_first(unchanged(0), None, Step::Create)]
    #[case::released(unchanged(0), held_by(""), Step::Take)]
    #[case::holder_is_alive(unchanged(14), held_by("other"), Step::Wait)]
    #[case::holder_was_silent_for_its_whole_duration(unchanged(15), held_by("other"), Step::Take)]
    #[case::answer_to_our_own_write_was_lost(unchanged(0), held_by("us"), Step::Renew)]
    #[case::leader_goes_on(renewed(5), held_by("us"), Step::Renew)]
    #[case::lease_was_deleted_under_the_leader(renewed(5), None, Step::Create)]
    #[case::holder_was_erased_under_the_leader(renewed(5), held_by(""), Step::Take)]
    #[case::another_took_it(renewed(5), held_by("other"), Step::End)]
    #[case::leader_could_not_renew_in_time(renewed(10), held_by("us"), Step::End)]
    #[case::leader_could_not_renew_and_the_lease_is_gone(renewed(10), None, Step::End)]
    fn step_follows_from_holder_and_time(#[case] role: Role, #[case] lease: Option<LeaseSpec>, #[case] step: Step) {
        assert_eq!(decide("us", role, lease.as_ref()), step);
    }

    #[test]
    fn duration_that_the_holder_wrote_is_waited_for() {
        let mut lease = held_by("other").expect("a lease");
        lease.lease_duration_seconds = Some(60);
        assert_eq!(decide("us", unchanged(59), Some(&lease)), Step::Wait);
        assert_eq!(decide("us", unchanged(60), Some(&lease)), Step::Take);
        lease.lease_duration_seconds = None;
        assert_eq!(decide("us", unchanged(15), Some(&lease)), Step::Take);
    }
}
