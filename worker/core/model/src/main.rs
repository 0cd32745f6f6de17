//! `make model-check`: every case to its end, then every rule broken once.
//!
//! Arguments are names of cases or rules; none means all.

use std::process::ExitCode;

use gristmill_zone_model::{Case, Limits, Rule, check_case, check_rule};

fn main() -> ExitCode {
    let names: Vec<_> = std::env::args().skip(1).collect();
    let is_wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    let limits = Limits { threads: 2, bytes: 7 << 30, states: 100_000_000 };
    let mut as_expected = true;
    for case in Case::all().into_iter().filter(|case| is_wanted(case.name)) {
        let report = check_case(case, limits);
        println!("{report}");
        as_expected &= report.is_clean();
    }
    for rule in Rule::ALL.into_iter().filter(|rule| is_wanted(&format!("{rule:?}"))) {
        for report in check_rule(rule, limits) {
            println!("{report}");
            as_expected &= report.is_found();
        }
    }
    if as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
