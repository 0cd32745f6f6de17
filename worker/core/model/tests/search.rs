//! The search itself, on puzzles whose answers are known.

use gristmill_zone_model::{Limits, Model, Step, search};

const LIMITS: Limits = Limits { threads: 2, bytes: 1 << 30, states: 1_000_000 };

/// Jugs of 3 and 5 litres; 4 litres are wanted.
struct Jugs;

impl Model for Jugs {
    type State = [u8; 2];
    type Label = &'static str;

    fn initial(&self) -> [u8; 2] {
        [0, 0]
    }

    fn successors(&self, &[small, big]: &[u8; 2], steps: &mut Vec<Step<[u8; 2], &'static str>>) {
        let (to_big, to_small) = (small.min(5 - big), big.min(3 - small));
        let next = [
            ("fill small", [3, big]),
            ("fill big", [small, 5]),
            ("empty small", [0, big]),
            ("empty big", [small, 0]),
            ("small to big", [small - to_big, big + to_big]),
            ("big to small", [small + to_small, big - to_small]),
        ];
        steps.extend(next.map(|(label, state)| Step { label, state, broken: u32::from(state[1] == 4) }));
    }
}

#[test]
fn the_shortest_schedule_is_found() {
    let schedule = search(&Jugs, LIMITS, 1).violation.expect("4 litres can be had");
    let labels: Vec<_> = schedule.iter().map(|step| step.label).collect();
    assert_eq!(labels, ["fill big", "big to small", "empty small", "big to small", "fill big", "big to small"]);
}

#[test]
fn every_state_is_seen_where_nothing_is_looked_for() {
    let outcome = search(&Jugs, LIMITS, 0);
    assert_eq!((outcome.states, outcome.exhaustive), (16, true));
}

#[test]
fn a_search_that_gives_up_says_so() {
    let outcome = search(&Jugs, Limits { states: 5, ..LIMITS }, 0);
    assert!(!outcome.exhaustive);
}
