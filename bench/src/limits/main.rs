//! What the ingest can't be faster than, each alone: the memory, the client of Kafka, the client of HDFS, and the stages from
//! a message to Parquet.
//!
//! `bench-limits memory | stages MESSAGES ROUNDS | consume DOCUMENT | write URL FILE [USER]` prints one JSON object.

mod consume;
mod write;

use std::hint::black_box;

use gristmill_bench::{Failure, Input, Stage, add_up, timed};
use serde_json::{Map, Value, json};

/// Larger than any cache.
const BUFFER: usize = 1 << 30;
/// Enough that the first touch of the pages, which is not measured, and one disturbance do not decide.
const ROUNDS: usize = 5;

fn main() -> Result<(), Failure> {
    gristmill_bench::run(measure())
}

async fn measure() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let told = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["memory"] => memory()?,
        ["stages", messages, rounds] => stages(messages.parse()?, rounds.parse()?)?,
        ["consume", document] => consume::consume(document.as_ref()).await?,
        ["write", url, file] => write::write(url, file.as_ref(), None).await?,
        ["write", url, file, user] => write::write(url, file.as_ref(), Some(user)).await?,
        _ => {
            return Err(
                "bench-limits memory | stages MESSAGES ROUNDS | consume DOCUMENT | write URL FILE [USER]".into()
            );
        }
    };
    println!("{told}");
    Ok(())
}

/// Bytes a second of one core that are read, and that are copied.
fn memory() -> Result<Value, Failure> {
    let source = vec![1_u8; BUFFER];
    let mut target = vec![2_u8; BUFFER];
    let (mut read, mut copied) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        read.push(timed(|| {
            black_box(add_up(black_box(&source)));
            Ok(())
        })?);
        copied.push(timed(|| {
            black_box(&mut target).copy_from_slice(black_box(&source));
            Ok(())
        })?);
    }
    Ok(json!({"read": BUFFER as f64 / median(read), "copy": BUFFER as f64 / median(copied)}))
}

/// Seconds of one core that each stage takes a record.
fn stages(messages: usize, rounds: usize) -> Result<Value, Failure> {
    let input = Input::new(messages)?;
    let mut seconds = Stage::ALL.map(|stage| (stage, Vec::new()));
    for _ in 0..rounds {
        for (stage, seconds) in &mut seconds {
            seconds.push(timed(|| input.run(*stage).map(drop))?);
        }
    }
    let records = input.records() as f64;
    let of_stages = seconds.map(|(stage, seconds)| (stage.name().to_owned(), json!(median(seconds) / records)));
    Ok(json!({"records": records, "bytes": input.bytes(), "seconds": Map::from_iter(of_stages)}))
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
