//! What a check has found, in a line; and the schedule, where there is one.

use std::fmt;

use crate::case::Case;
use crate::invariant::Invariant;
use crate::memory;
use crate::rules::Rule;
use crate::search::{Limits, Outcome, search};
use crate::state::State;
use crate::world::{Label, World};

/// A case that was explored with every rule.
pub struct CaseReport {
    name: &'static str,
    outcome: Outcome<State, Label>,
    /// The most memory of this process meanwhile, in bytes.
    peak: u64,
    logs: usize,
    schedule: Vec<String>,
}

/// A broken rule, and whether the schedule was found that it prevents.
pub struct RuleReport {
    rule: Rule,
    invariant: Invariant,
    case: &'static str,
    outcome: Outcome<State, Label>,
    schedule: Vec<String>,
}

/// Explores a case to its end.
pub fn check_case(case: Case, limits: Limits) -> CaseReport {
    memory::forget_peak();
    let world = World::new(case, None);
    let outcome = search(&world, limits, Invariant::all());
    let schedule = outcome.violation.as_deref().map_or_else(Vec::new, |schedule| world.tell(schedule));
    CaseReport { name: case.name, outcome, peak: memory::peak(), logs: world.logs(), schedule }
}

/// Looks, for each invariant that a rule protects, for the schedule that breaks it without the rule.
pub fn check_rule(rule: Rule, limits: Limits) -> Vec<RuleReport> {
    let (invariants, case) = rule.protects();
    let report = |invariant: &Invariant| {
        let world = World::new(case, Some(rule));
        let outcome = search(&world, limits, invariant.bit());
        let schedule = outcome.violation.as_deref().map_or_else(Vec::new, |schedule| world.tell(schedule));
        RuleReport { rule, invariant: *invariant, case: case.name, outcome, schedule }
    };
    invariants.iter().map(report).collect()
}

impl CaseReport {
    /// Whether every state was seen, and none breaks anything.
    pub fn is_clean(&self) -> bool {
        self.outcome.exhaustive && self.outcome.violation.is_none()
    }

    /// Different states that were seen.
    pub fn states(&self) -> usize {
        self.outcome.states
    }
}

impl RuleReport {
    /// Whether the schedule was found.
    pub fn is_found(&self) -> bool {
        self.outcome.violation.is_some()
    }

    /// Its steps, as they read.
    pub fn schedule(&self) -> &[String] {
        &self.schedule
    }
}

impl fmt::Display for CaseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            outcome: Outcome { states, transitions, depth, exhaustive, elapsed, .. },
            peak,
            logs,
            schedule,
        } = self;
        let (seconds, peak) = (elapsed.as_secs_f64(), peak >> 20);
        let exhaustive = if *exhaustive { "yes" } else { "NO" };
        write!(
            f,
            "{name:<28} states {states:>9}  transitions {transitions:>10}  depth {depth:>3}  logs {logs:>6}  \
             {seconds:>6.1} s  peak {peak:>5} MiB  exhaustive {exhaustive}"
        )?;
        tell(f, schedule)
    }
}

impl fmt::Display for RuleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, invariant, case, outcome: Outcome { states, elapsed, .. }, schedule } = self;
        let (seconds, rule) = (elapsed.as_secs_f64(), format!("{rule:?}"));
        let found = if schedule.is_empty() { "NOT FOUND".to_owned() } else { format!("{} steps", schedule.len()) };
        write!(f, "without {rule:<24} {invariant:<12} in {case:<26} {found:>9}  states {states:>8}  {seconds:>5.1} s")?;
        tell(f, schedule)
    }
}

fn tell(f: &mut fmt::Formatter<'_>, schedule: &[String]) -> fmt::Result {
    schedule.iter().try_for_each(|line| write!(f, "\n    {line}"))
}
