//! Instructions of decoding and of Parquet's encoding against committed figures.
//!
//! `bench-guard FIGURES [--renew REASON]` runs itself under callgrind, which counts what times on a shared machine can't
//! show. `bench-guard --run STAGE ROUNDS` is what is counted: one round is the difference between two rounds and one, so
//! that neither the start nor the making of the messages is in it, and no symbols are needed.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use gristmill_bench::{Failure, Input, SEED, Stage};
use gristmill_core::log::Digest;
use serde::{Deserialize, Serialize};

/// Enough that what a batch costs once is little beside its rows, and few enough for some seconds under callgrind.
const MESSAGES: usize = 2000;

/// What is guarded. zstd is not in it: a C compiler that is not pinned makes it.
const GUARDED: [Stage; 2] = [Stage::Decode, Stage::Encode];

/// Difference from a committed figure that is none of the code's.
const TOLERANCE_PERCENT: u64 = 3;

const HEADER: &str = "# Instructions of one round over the messages, counted by callgrind: see bench/src/guard.rs.\n\
                      # Written by make bench-guard RENEW=\"reason\".\n";

/// What is committed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Figures {
    /// Architecture of the processor.
    architecture: String,
    seed: u64,
    messages: usize,
    /// SHA-256 of the messages behind each other.
    input: String,
    /// Why the figures are what they are.
    reason: String,
    stages: Vec<Figure>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Figure {
    stage: String,
    instructions: u64,
}

fn main() -> Result<ExitCode, Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--run", stage, rounds] => run(stage, rounds.parse()?).map(|()| ExitCode::SUCCESS),
        [file] => check(Path::new(file)),
        [file, "--renew", reason] if !reason.trim().is_empty() => {
            renew(Path::new(file), reason).map(|()| ExitCode::SUCCESS)
        }
        _ => Err("bench-guard FIGURES [--renew REASON]".into()),
    }
}

/// What callgrind counts.
fn run(stage: &str, rounds: usize) -> Result<(), Failure> {
    let stage = Stage::named(stage).ok_or_else(|| format!("{stage} is not a stage"))?;
    let input = Input::new(MESSAGES)?;
    println!("{} records", input.records());
    (0..rounds).try_for_each(|_| input.run(stage).map(drop))
}

fn check(file: &Path) -> Result<ExitCode, Failure> {
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let committed: Figures =
        serde_saphyr::from_str(&text).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let counted = count("")?;
    let told = compare(&committed, &counted);
    told.lines.iter().for_each(|line| println!("{line}"));
    if told.is_within {
        return Ok(ExitCode::SUCCESS);
    }
    println!("if that is meant, renew {} and say why: make bench-guard RENEW=\"reason\"", file.display());
    Ok(ExitCode::FAILURE)
}

fn renew(file: &Path, reason: &str) -> Result<(), Failure> {
    let figures = count(reason)?;
    for Figure { stage, instructions } in &figures.stages {
        println!("{stage}: {instructions} instructions");
    }
    let text = format!("{HEADER}{}", serde_saphyr::to_string(&figures)?);
    fs::write(file, text).map_err(|error| format!("cannot write {}: {error}", file.display()).into())
}

fn count(reason: &str) -> Result<Figures, Failure> {
    check_processor()?;
    let stages = GUARDED
        .into_iter()
        .map(|stage| {
            let (one, two) = (instructions(stage, 1)?, instructions(stage, 2)?);
            Ok(Figure { stage: stage.name().to_owned(), instructions: two.saturating_sub(one) })
        })
        .collect::<Result<_, Failure>>()?;
    Ok(Figures {
        architecture: std::env::consts::ARCH.to_owned(),
        seed: SEED,
        messages: MESSAGES,
        input: Digest::of(Input::new(MESSAGES)?.contents().as_bytes()).to_string(),
        reason: reason.to_owned(),
        stages,
    })
}

/// memchr, simdutf8 and the C library choose their code by the processor. What callgrind shows them is one fixed processor
/// on every machine with AVX2, and another without.
fn check_processor() -> Result<(), Failure> {
    #[cfg(target_arch = "x86_64")]
    if !std::is_x86_feature_detected!("avx2") {
        return Err("the figures are counted with AVX2, which this processor does not have".into());
    }
    Ok(())
}

/// Instructions of so many rounds of a stage, start and input included.
fn instructions(stage: Stage, rounds: usize) -> Result<u64, Failure> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["--run", stage.name(), &rounds.to_string()])
        .output()
        .map_err(|error| format!("cannot run valgrind: {error}; install it, on Debian by apt-get install valgrind"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("valgrind ended with {}: {told}", output.status).into());
    }
    collected(&told).ok_or_else(|| format!("valgrind told no count: {told}").into())
}

/// The count in what callgrind tells at its end.
fn collected(told: &str) -> Option<u64> {
    told.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

/// What is told of a comparison.
struct Told {
    lines: Vec<String>,
    is_within: bool,
}

fn compare(committed: &Figures, counted: &Figures) -> Told {
    let Figures { architecture, seed, messages, input, reason: _, stages } = committed;
    if (architecture, seed, messages, input)
        != (&counted.architecture, &counted.seed, &counted.messages, &counted.input)
    {
        let line = format!(
            "the figures are those of {messages} messages of seed {seed} with digest {input} on {architecture}; here are \
             {} of seed {} with digest {} on {}",
            counted.messages, counted.seed, counted.input, counted.architecture
        );
        return Told { lines: vec![line], is_within: false };
    }
    let mut told = Told { lines: Vec::new(), is_within: stages.len() == counted.stages.len() };
    for Figure { stage, instructions } in &counted.stages {
        let Some(figure) = stages.iter().find(|figure| figure.stage == *stage) else {
            told.lines.push(format!("{stage}: {instructions} instructions; no figure is committed"));
            told.is_within = false;
            continue;
        };
        let change = (*instructions as f64 / figure.instructions as f64 - 1.0) * 100.0;
        let is_within = instructions.abs_diff(figure.instructions) * 100 <= figure.instructions * TOLERANCE_PERCENT;
        told.is_within &= is_within;
        told.lines.push(format!(
            "{stage}: {instructions} instructions, {change:+.2} % from the committed {}: {} {TOLERANCE_PERCENT} %",
            figure.instructions,
            if is_within { "within" } else { "BEYOND" }
        ));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(decode: u64, encode: u64) -> Figures {
        let stage = |name: &str, instructions| Figure { stage: name.to_owned(), instructions };
        Figures {
            architecture: "x86_64".to_owned(),
            seed: 1,
            messages: 2,
            input: "digest".to_owned(),
            reason: "test".to_owned(),
            stages: vec![stage("decode", decode), stage("encode", encode)],
        }
    }

    #[test]
    fn a_change_beyond_the_tolerance_asks_for_renewal_in_both_directions() {
        assert!(compare(&figures(100_000, 100), &figures(103_000, 97)).is_within);
        assert!(!compare(&figures(100_000, 100), &figures(103_001, 100)).is_within);
        assert!(!compare(&figures(100_000, 100), &figures(100_000, 96)).is_within);
    }

    #[test]
    fn figures_of_other_messages_or_of_a_stage_too_few_are_not_compared() {
        let other = Figures { input: "other".to_owned(), ..figures(1, 1) };
        assert!(!compare(&figures(1, 1), &other).is_within);
        let mut few = figures(1, 1);
        few.stages.pop();
        assert!(!compare(&few, &figures(1, 1)).is_within);
        assert!(!compare(&figures(1, 1), &few).is_within);
    }

    #[test]
    fn the_count_is_found_in_what_callgrind_tells() {
        let told = "==7== Events    : Ir\n==7== Collected : 123456\n==7==\n==7== I   refs:      123,456\n";
        assert_eq!(collected(told), Some(123_456));
        assert_eq!(collected("==7== no count"), None);
    }

    #[test]
    fn figures_are_read_as_they_are_written() -> Result<(), Failure> {
        let written = format!("{HEADER}{}", serde_saphyr::to_string(&figures(5, 6))?);
        let read: Figures = serde_saphyr::from_str(&written)?;
        assert!(compare(&read, &figures(5, 6)).is_within);
        assert_eq!(read.reason, "test");
        Ok(())
    }
}
