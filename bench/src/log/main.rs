//! What a long history of a zone's log costs whoever opens the zone.
//!
//! `bench-log write DIRECTORY LIVE ENTRIES...` makes for each number of entries, least first, a RAW zone
//! `DIRECTORY/ENTRIES` with at least so many and as many more as may come before the next checkpoint, by the code of an
//! ingest: append, publish, retention and upkeep. At most about LIVE files are live; 0 removes none.
//!
//! `bench-log open DIRECTORY` opens such a zone as a worker does. Both print one JSON object a line.

mod open;
mod write;

use gristmill::zone::Expected;
use gristmill_bench::Failure;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", directory, live, ref entries @ ..] if !entries.is_empty() => {
            let entries = entries.iter().map(|count| count.parse()).collect::<Result<Vec<u64>, _>>()?;
            write::write(directory.as_ref(), live.parse()?, &entries).await
        }
        ["open", directory] => open::open(directory.as_ref()).await,
        _ => Err("bench-log write DIRECTORY LIVE ENTRIES... | bench-log open DIRECTORY".into()),
    }
}

/// What the zones are made for.
fn expected() -> Expected {
    Expected::Raw {
        cluster_id: "bench".to_owned(),
        topic: "books".to_owned(),
        topic_id: "bench-topic".to_owned(),
        group: "bench".to_owned(),
        rewind: None,
    }
}
