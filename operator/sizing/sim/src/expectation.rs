//! What the decision function has to be as good as.

use crate::LAG_TARGET;
use crate::measure::Day;
use crate::policy::gristmill::Gristmill;
use crate::policy::{self, Policy};
use crate::trace::{DAY, Trace};

/// The days of one trace, under each policy ours and then those of [`policy::peers`].
pub struct Comparison {
    /// The trace.
    pub trace: Trace,
    /// Ours first, static at peak last.
    pub days: Vec<Day>,
}

/// Every policy through a trace.
pub fn compare(trace: Trace) -> Comparison {
    compare_with(trace, Gristmill::default())
}

/// Every policy through a trace, ours asked in another way.
pub fn compare_with(trace: Trace, ours: Gristmill) -> Comparison {
    let policies = std::iter::once(Box::new(ours) as Box<dyn Policy>).chain(policy::peers(trace));
    Comparison { trace, days: policies.map(|policy| crate::measure::day(trace, policy)).collect() }
}

impl Comparison {
    /// Expectations that are not met, as sentences.
    pub fn failures(&self) -> Vec<String> {
        let [ours, peers @ ..] = self.days.as_slice() else { return vec!["no policy was run".into()] };
        let Some(peak) = peers.last() else { return vec!["no peer was run".into()] };
        let name = self.trace.name();
        let mut failures = Vec::new();

        let (over, best) = (ours.seconds_over(LAG_TARGET), best(peers, LAG_TARGET));
        let allowed = best + DAY / 100;
        if over > allowed {
            failures.push(format!(
                "{name}: {over} s over the lag target, the best peer {best} s and 1 % of the day: {allowed} s"
            ));
        }
        let (hours, static_hours) = (ours.core_hours(), peak.core_hours());
        if self.trace != Trace::Steady && hours >= static_hours {
            failures.push(format!("{name}: {hours:.1} core-hours, static at peak {static_hours:.1}"));
        }
        if self.trace == Trace::Step && ours.changes_to_converge().is_none_or(|changes| changes > 2) {
            failures
                .push(format!("{name}: {:?} changes to converge, at most 2 are expected", ours.changes_to_converge()));
        }
        let most = ours.most_changes_an_hour();
        if matches!(self.trace, Trace::Steady | Trace::Noisy(_)) && (most > 1 || ours.converged().is_none()) {
            failures.push(format!("{name}: {most} changes in an hour after convergence, at most 1 is expected"));
        }
        failures
    }
}

/// Seconds over a target of the peer that has fewest.
pub fn best(peers: &[Day], target: f64) -> u64 {
    peers.iter().map(|day| day.seconds_over(target)).min().unwrap_or(u64::MAX)
}
