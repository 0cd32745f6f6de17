//! A consumer group that two zones would share: each would get some of the partitions only, and both would look well.
//!
//! The client id of a member names its zone. Whoever comes to a group in which another zone has members stays out and
//! waits. Two that come at the same moment find each other once they are in: then the rule of [`Claim`] says who gives
//! way. Neither zone loses a message by it, since each reads from where its own log stands.

use std::sync::Arc;
use std::time::Duration;

use gristmill_core::log::ZoneId;
use gristmill_crds::plan::IngestPlan;
use gristmill_crds::report::IngestPhase;
use tokio::sync::{Notify, watch};

use super::interruption::{Interruption, Step};
use super::patience::{Patience, Waited};
use super::worker::Worker;
use crate::exit::{Exit, Failure};
use crate::kafka::{Brokers, KafkaFault, MemberFacts, Source};
use crate::zone::Clock;

/// What the client id of a member begins with; its zone follows.
const CLIENT: &str = "gristmill-";
/// How often a member asks who else is in the group; it asks after each assignment too. One request to the coordinator.
const INTERVAL: Duration = Duration::from_secs(30);
/// How often somebody who waits for the group asks.
const WAITING_INTERVAL: Duration = Duration::from_secs(10);
/// How long a group must be without the other zone before it is free: a worker that is started anew or was evicted is
/// back within it.
const FREE_AFTER: Duration = Duration::from_secs(60);
/// How long a newcomer stays whose zone id is the lower one. A newcomer with the higher one gives way at its first look,
/// an interval after it came, and commits before it leaves.
const NEWCOMER_STAYS: Duration = Duration::from_secs(90);
/// How long a settled member with the higher zone id stays; a newcomer is gone before that.
const SETTLED_STAYS: Duration = Duration::from_secs(180);

/// How a member of this zone calls itself.
pub(super) fn client_id(zone: ZoneId) -> String {
    format!("{CLIENT}{zone}")
}

/// The zone of a member; none if it is no worker.
fn zone_of(client_id: &str) -> Option<ZoneId> {
    client_id.strip_prefix(CLIENT)?.parse().ok()
}

/// A member whose zone is another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Foreign {
    zone: ZoneId,
    host: String,
}

/// Who is in the group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// A member of our zone is among them.
    is_ours: bool,
    /// The foreign member with the lowest zone id.
    foreign: Option<Foreign>,
}

impl Seen {
    fn of(ours: ZoneId, members: Vec<MemberFacts>) -> Self {
        let zone = |MemberFacts { client_id, host }| Some(Foreign { zone: zone_of(&client_id)?, host });
        let (own, foreign): (Vec<_>, Vec<_>) =
            members.into_iter().filter_map(zone).partition(|member| member.zone == ours);
        Self { is_ours: !own.is_empty(), foreign: foreign.into_iter().min_by_key(|member| member.zone) }
    }
}

/// The claim of a member to its group.
///
/// It is settled once the group was seen with our zone in it and no other. Of two zones in one group exactly one gives
/// way: the newcomer of a newcomer and a settled one, else the one with the higher id. Each knows of itself only whether
/// it is settled, so the times differ: whoever has to wait sees the other gone before its own time is over.
#[derive(Debug)]
pub(super) struct Claim {
    ours: ZoneId,
    is_settled: bool,
    disputed_since: Option<Duration>,
}

impl Claim {
    pub(super) fn of(ours: ZoneId) -> Self {
        Self { ours, is_settled: false, disputed_since: None }
    }

    /// Takes over what was seen; the foreign member to which this one gives way, if it does.
    fn judge<'s>(&mut self, seen: &'s Seen, now: Duration) -> Option<&'s Foreign> {
        let Some(foreign) = &seen.foreign else {
            // An answer without us in it is that of brokers that do not know the group.
            if seen.is_ours {
                (self.is_settled, self.disputed_since) = (true, None);
            }
            return None;
        };
        let disputed = now.saturating_sub(*self.disputed_since.get_or_insert(now));
        let stays = match (self.is_settled, self.ours < foreign.zone) {
            (true, true) => return None,
            (true, false) => SETTLED_STAYS,
            (false, true) => NEWCOMER_STAYS,
            (false, false) => Duration::ZERO,
        };
        (disputed >= stays).then_some(foreign)
    }
}

/// Looks at the group from the side and tells; it never ends by itself. A group that can't be described is not told of.
pub(super) async fn watch(
    brokers: impl Brokers,
    ours: ZoneId,
    clock: &dyn Clock,
    assigned: Arc<Notify>,
    told: watch::Sender<Seen>,
) {
    loop {
        match look(&brokers, ours).await {
            Ok(seen) => drop(told.send_replace(seen)),
            Err(error) => tracing::debug!(%error, "the group is not described"),
        }
        tokio::select! {
            () = clock.sleep(INTERVAL) => {}
            () = assigned.notified() => {}
        }
    }
}

/// The foreign member that is in the group before we join it; none if nobody tells. Once we are in, we look again.
pub(super) async fn taken(brokers: &impl Brokers, ours: ZoneId) -> Option<Foreign> {
    look(brokers, ours).await.ok()?.foreign
}

async fn look(brokers: &impl Brokers, ours: ZoneId) -> Result<Seen, KafkaFault> {
    Ok(Seen::of(ours, brokers.members().await?))
}

/// Waits outside the group until no member of another zone was there for a while.
///
/// # Errors
/// The caller waits no longer.
pub(super) async fn until_free(
    plan: &IngestPlan,
    ours: ZoneId,
    foreign: Foreign,
    brokers: &impl Brokers,
    patience: &Patience,
) -> Result<Waited<()>, Failure> {
    let Patience { clock, limit, cancel, board } = patience;
    let began = clock.uptime();
    let (mut foreign, mut seen_at, mut unseen) = (foreign, began, None);
    while clock.uptime().saturating_sub(seen_at) < FREE_AFTER {
        board.turn();
        let failure = shared(plan, ours, &foreign, unseen.as_ref());
        if limit.is_some_and(|limit| clock.uptime().saturating_sub(began) >= limit) {
            return Err(failure);
        }
        board.phase(IngestPhase::GroupShared, failure.message);
        tokio::select! {
            () = clock.sleep(WAITING_INTERVAL) => {}
            () = cancel.cancelled() => return Ok(Waited::Cancelled),
        }
        match look(brokers, ours).await {
            Ok(Seen { foreign: None, .. }) => unseen = None,
            Ok(Seen { foreign: Some(other), .. }) => (foreign, seen_at, unseen) = (other, clock.uptime(), None),
            // It may be there as before.
            Err(error) => (seen_at, unseen) = (clock.uptime(), Some(error)),
        }
    }
    board.phase(IngestPhase::Starting, format!("consumer group {:?} is free", plan.consumer_group));
    Ok(Waited::Done(()))
}

/// `unseen` is why nobody can tell any more whether the other one is still there.
fn shared(plan: &IngestPlan, ours: ZoneId, foreign: &Foreign, unseen: Option<&KafkaFault>) -> Failure {
    let Foreign { zone, host } = foreign;
    let mut message = format!(
        "consumer group {:?} is that of another zone, {zone} (a member of it connects from {host}); zone {ours} at {} \
         stays out of it, since each would get some of the partitions only; make a new StreamIngest with its own \
         raw.path, and with another spec.source.kafka.consumerGroup or none, since a zone keeps its group; or stop the \
         other one, and this one goes on",
        plan.consumer_group, plan.raw_path
    );
    if let Some(fault) = unseen {
        let Failure { message: why, .. } = Failure::new(Exit::Kafka, "SourceUnavailable", fault);
        message += &format!("; whether it is still there can't be seen: {why}");
    }
    Failure { exit: Exit::Zone, reason: "ConsumerGroupShared", message }
}

impl<S: Source> Worker<'_, S> {
    /// Stays in the group or gives way.
    pub(super) fn heed_group(&mut self, seen: &Seen) -> Step {
        let was_disputed = self.claim.disputed_since.is_some();
        if let Some(foreign) = self.claim.judge(seen, self.clock.uptime()) {
            return Err(Interruption::GivesWay(foreign.clone()));
        }
        match &seen.foreign {
            Some(Foreign { zone, host }) if !was_disputed => tracing::warn!(
                %zone,
                host,
                "another zone has joined consumer group {:?} and gets some of its partitions until it has left",
                self.plan.consumer_group
            ),
            Some(_) | None => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOW: &str = "00000000-0000-4000-8000-000000000001";
    const HIGH: &str = "f0000000-0000-4000-8000-000000000002";

    fn zone(id: &str) -> ZoneId {
        id.parse().expect("a zone id")
    }

    fn members(client_ids: &[&str]) -> Vec<MemberFacts> {
        let member = |id: &&str| MemberFacts { client_id: (*id).to_owned(), host: "/10.0.0.7".to_owned() };
        client_ids.iter().map(member).collect()
    }

    fn seen(ours: &str, zones: &[&str]) -> Seen {
        let ids: Vec<_> = zones.iter().map(|id| client_id(zone(id))).collect();
        Seen::of(zone(ours), members(&ids.iter().map(String::as_str).collect::<Vec<_>>()))
    }

    /// Seconds after which a member gives way that always sees both zones, by looks as they come.
    fn gives_way_after(ours: &str, is_settled: bool) -> Option<u64> {
        let mut claim = Claim::of(zone(ours));
        if is_settled {
            assert_eq!(claim.judge(&seen(ours, &[ours]), Duration::ZERO), None);
        }
        let both = seen(ours, &[LOW, HIGH]);
        (1..=1000).step_by(30).find(|second| claim.judge(&both, Duration::from_secs(*second)).is_some())
    }

    #[rstest::rstest]
    #[case::both_newcomers(false, false, HIGH)]
    #[case::both_settled(true, true, HIGH)]
    #[case::only_the_low_one_is_settled(true, false, HIGH)]
    #[case::only_the_high_one_is_settled(false, true, LOW)]
    fn exactly_one_of_two_zones_gives_way(#[case] low: bool, #[case] high: bool, #[case] leaves: &str) {
        let after = |ours, is_settled| gives_way_after(ours, is_settled).unwrap_or(u64::MAX);
        let (low, high) = (after(LOW, low), after(HIGH, high));
        let (first, other) = if leaves == LOW { (low, high) } else { (high, low) };
        // A look and a commit later the other one sees that it is gone.
        assert!(first < u64::MAX && first + 60 < other, "the low one after {low} s, the high one after {high} s");
    }

    #[test]
    fn a_group_without_us_in_it_settles_nothing() {
        let mut claim = Claim::of(zone(HIGH));
        assert_eq!(claim.judge(&seen(HIGH, &[]), Duration::ZERO), None);
        assert!(claim.judge(&seen(HIGH, &[LOW, HIGH]), Duration::ZERO).is_some());
    }

    #[test]
    fn a_dispute_that_is_over_is_forgotten() {
        let mut claim = Claim::of(zone(LOW));
        assert_eq!(claim.judge(&seen(LOW, &[LOW, HIGH]), Duration::ZERO), None);
        assert_eq!(claim.judge(&seen(LOW, &[LOW]), NEWCOMER_STAYS), None);
        assert_eq!(claim.judge(&seen(LOW, &[LOW, HIGH]), 2 * NEWCOMER_STAYS), None);
    }

    #[test]
    fn members_that_name_no_zone_are_nobody() {
        let others = ["gristmill-probe", "gristmill-", "rdkafka", "", "consumer-books-1", LOW];
        assert_eq!(Seen::of(zone(LOW), members(&others)), Seen::default());
    }
}
