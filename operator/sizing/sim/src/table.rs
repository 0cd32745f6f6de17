//! The figures of all days, one line each.

use std::fmt::Write;

use crate::LAG_TARGET;
use crate::expectation::Comparison;

/// Another target, as of the condition BacklogWithinTarget: the default of catchUpDuration.
const CATCH_UP: f64 = 1800.0;

/// Every trace under every policy.
pub fn table(comparisons: &[Comparison]) -> String {
    let mut text = format!(
        "{:<15}{:<18}{:>9}{:>9}{:>9}{:>9}{:>8}{:>9}{:>8}{:>7}{:>7}\n",
        "trace", "policy", ">5m s", ">30m s", "longest", "core-h", "rest m", "changes", "in all", "moves", "turns"
    );
    for comparison in comparisons {
        for day in &comparison.days {
            let longest = day.points.iter().map(|point| point.lag).fold(0.0, f64::max);
            let rest = day.converged().map(|time| (time - comparison.trace.event()) as f64 / 60.0);
            // Writing into a String can't fail.
            let _written = writeln!(
                text,
                "{:<15}{:<18}{:>9}{:>9}{:>9}{:>9.1}{:>8}{:>9}{:>8}{:>7}{:>7}",
                comparison.trace.name(),
                day.policy,
                day.seconds_over(LAG_TARGET),
                day.seconds_over(CATCH_UP),
                longest,
                day.core_hours(),
                rest.map_or("never".into(), |minutes| format!("{minutes:.0}")),
                day.changes_to_converge().map_or("-".into(), |changes| changes.to_string()),
                day.changes.len(),
                day.moves(),
                day.oscillations(),
            );
        }
    }
    text.push_str(
        ">5m s, >30m s: seconds in which the oldest record that waits is older. longest: its greatest age, s. \
         rest m: minutes from the event until an hour without a change and with less than 5m of lag. \
         changes: until then. in all: changes of the day. moves: those that move partitions. turns: changes that undo the direction of the one before.\n",
    );
    text
}
