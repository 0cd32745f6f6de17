//! How fast messages become columns, on one core, beside the limits: the memory, a search for markup, and the event loop of
//! a lenient parser that does nothing with what it reads.
//!
//! `bench-decode [MESSAGES] [ROUNDS]`. The stages take turns, so that a change of the machine's speed meets all.

use gristmill_bench::{Failure, Input, SEED, Stage, timed};

/// How fast a stage has to be beside the event loop.
const EXPECTED: [(Stage, f64); 2] = [(Stage::Decode, 0.8), (Stage::DecodeToParquet, 0.5)];

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let messages = arguments.next().map_or(Ok(40_000), |count| count.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(9), |count| count.parse())?;
    let input = Input::new(messages)?;
    let (bytes, records) = (input.bytes(), input.records());
    println!("seed {SEED}: {messages} messages, {records} records, {bytes} bytes; {rounds} rounds");

    let mut measured = Stage::ALL.map(|stage| Measured { stage, seconds: Vec::new(), parquet_bytes: None });
    for _ in 0..rounds {
        for Measured { stage, seconds, parquet_bytes } in &mut measured {
            seconds.push(timed(|| {
                *parquet_bytes = input.run(*stage)?;
                Ok(())
            })?);
        }
    }
    println!("{:<40}{:^26}{:^30}{:>12}", "", "MB/s", "records/s", "ns a record");
    println!("{:<40}{:>26}{:>30}{:>12}", "", "min / median / max", "min / median / max", "median");
    for Measured { stage, seconds, .. } in &measured {
        let rates = |amount: usize| spread(seconds.iter().map(|time| amount as f64 / time).collect());
        let ([low, middle, high], [least, usual, most]) = (rates(bytes).map(|rate| rate / 1e6), rates(records));
        println!(
            "{:<40}{low:>10.1}{middle:>8.1}{high:>8.1}{least:>12.0}{usual:>9.0}{most:>9.0}{:>12.0}",
            title(*stage),
            1e9 / usual
        );
    }
    let seconds_of =
        |wanted: Stage| measured.iter().filter(move |one| one.stage == wanted).flat_map(|one| one.seconds.iter());
    for (stage, expected) in EXPECTED {
        let ratios = seconds_of(Stage::Events).zip(seconds_of(stage)).map(|(bare, time)| bare / time);
        let [low, middle, high] = spread(ratios.collect());
        println!("{} / quick-xml: {low:.2} / {middle:.2} / {high:.2}, expected at least {expected}", stage.name());
    }
    for Measured { stage, parquet_bytes, .. } in &measured {
        if let Some(length) = parquet_bytes {
            println!("{}: {length} bytes of Parquet, {:.1} a record", stage.name(), *length as f64 / records as f64);
        }
    }
    Ok(())
}

struct Measured {
    stage: Stage,
    /// By round.
    seconds: Vec<f64>,
    parquet_bytes: Option<usize>,
}

fn title(stage: Stage) -> &'static str {
    match stage {
        Stage::Read => "every byte read (memory)",
        Stage::Scan => "memchr finds each <",
        Stage::Events => "quick-xml, bare event loop",
        Stage::Decode => "decode to Arrow",
        Stage::Encode => "Parquet of decoded rows",
        Stage::EncodeZstd => "zstd Parquet of decoded rows",
        Stage::DecodeToParquet => "decode to zstd Parquet",
    }
}

/// Least, median and greatest.
fn spread(mut figures: Vec<f64>) -> [f64; 3] {
    figures.sort_by(f64::total_cmp);
    [figures[0], figures[figures.len() / 2], figures[figures.len() - 1]]
}
