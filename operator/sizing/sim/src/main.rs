//! `make sim`: a table on stdout, a picture of each trace in the folder that is named (target/sim), and exit code 1
//! if an expectation is not met.

use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs};

use gristmill_sizing_sim::expectation::{Comparison, compare};
use gristmill_sizing_sim::trace::Trace;
use gristmill_sizing_sim::{plot, table};

fn main() -> ExitCode {
    let folder = env::args_os().nth(1).map_or_else(|| PathBuf::from("target/sim"), PathBuf::from);
    let comparisons: Vec<Comparison> = Trace::ALL.into_iter().map(compare).collect();
    print!("{}", table::table(&comparisons));
    for comparison in &comparisons {
        let file = folder.join(format!("{}.svg", comparison.trace.name().replace(' ', "-")));
        let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&file, plot::svg(comparison)));
        if let Err(error) = written {
            eprintln!("cannot write {}: {error}; name another folder", file.display());
            return ExitCode::FAILURE;
        }
    }
    println!("pictures: {}", folder.display());
    let failures: Vec<String> = comparisons.iter().flat_map(Comparison::failures).collect();
    for failure in &failures {
        eprintln!("not met: {failure}");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
