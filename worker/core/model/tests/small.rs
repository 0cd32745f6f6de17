//! The small form of the model check: fewer faults in each case, and every broken rule in full.
//!
//! `make model-check` explores the cases with every fault.

use gristmill_zone_model::{Case, Invariant, Limits, Rule, check_case, check_rule};

/// More than any search here needs: a model that has grown fails instead of filling the machine.
const LIMITS: Limits = Limits { threads: 2, bytes: 2 << 30, states: 3_000_000 };

/// How many crashes, late renames and lost replies a case has here.
const FAULTS: [(&str, [u8; 3]); 11] = [
    ("two writers", [1, 0, 1]),
    ("three writers", [0, 1, 1]),
    ("mutual sweep", [1, 0, 0]),
    ("checkpoint and truncation", [0, 1, 0]),
    ("two rewinds", [0, 0, 1]),
    ("retention with a consumer", [1, 0, 1]),
    ("retention below a checkpoint", [0, 0, 0]),
    ("chain of rewrites", [1, 1, 0]),
    ("rewrite under three", [0, 1, 0]),
    ("zone re-created", [0, 1, 0]),
    ("file of several partitions", [1, 0, 0]),
];

#[test]
fn no_schedule_of_a_small_zone_breaks_an_invariant() {
    for (name, [crashes, late, lost_replies]) in FAULTS {
        let case =
            Case::named(name).expect("the table names cases that exist").with_faults(crashes, late, lost_replies);
        let report = check_case(case, LIMITS);
        println!("{report}");
        assert!(report.is_clean(), "{report}");
    }
}

#[test]
fn every_case_has_its_small_form() {
    let small: Vec<_> = FAULTS.iter().map(|(name, _)| *name).collect();
    let all: Vec<_> = Case::all().iter().map(|case| case.name).collect();
    assert_eq!(small, all);
}

#[test]
fn each_rule_that_is_broken_brings_its_violation_back() {
    for rule in Rule::ALL {
        for report in check_rule(rule, LIMITS) {
            println!("{report}");
            assert!(report.is_found(), "{report}");
        }
    }
}

#[test]
fn every_invariant_of_the_protocol_has_a_rule_that_protects_it() {
    let protected: Vec<_> = Rule::ALL.into_iter().flat_map(|rule| rule.protects().0).collect();
    use Invariant::{I1, I2, I3, I4, I5, I6, I7, I8, I9};
    for invariant in [I1, I2, I3, I4, I5, I6, I7, I8, I9] {
        assert!(protected.contains(&&invariant), "no rule protects {invariant}");
    }
}
