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

fn main() -> Result<(), Failure> {
    gristmill_bench::run(measure())
}

async fn measure() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let told = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", directory, live, ref entries @ ..] if !entries.is_empty() => {
            let entries = entries.iter().map(|count| count.parse()).collect::<Result<Vec<u64>, _>>()?;
            write::write(directory.as_ref(), live.parse()?, &entries).await?
        }
        ["open", directory] => vec![open::open(directory.as_ref()).await?],
        _ => return Err("bench-log write DIRECTORY LIVE ENTRIES... | bench-log open DIRECTORY".into()),
    };
    told.iter().for_each(|line| println!("{line}"));
    Ok(())
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

#[cfg(test)]
mod tests {
    use gristmill_core::log::CHECKPOINT_EVERY;

    use super::*;

    /// What a history costs is worth nothing if the zone is not what a worker would have left.
    #[tokio::test]
    async fn zone_that_was_made_is_opened_by_its_checkpoint_and_what_came_since() -> Result<(), Failure> {
        let folder = tempfile::tempdir()?;
        let made = write::write(folder.path(), 2_000, &[300, 3_000]).await?;
        for (directory, made) in ["300", "3000"].into_iter().zip(&made) {
            let opened = open::open(&folder.path().join(directory)).await?;
            assert_eq!((&opened["entries"], &opened["live"]), (&made["entries"], &made["live"]));
            // Beside the entries: zone.json, the checkpoint, the empty slot after the last.
            assert_eq!(opened["reads"].as_u64(), Some(CHECKPOINT_EVERY - 1 + 3), "{opened}");
            assert!(opened["checkpoint_bytes"].as_u64() > Some(0), "{opened}");
        }
        let [entries, live] = ["entries", "live"].map(|name| made[1][name].as_u64());
        assert_eq!(entries, Some(3_071));
        assert!(live < Some(3_000), "retention has removed files: {made:?}");
        Ok(())
    }
}
