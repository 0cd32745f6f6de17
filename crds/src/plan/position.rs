//! Positions in a topic: where a new zone begins, and where a rewind goes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Invalid, Problems};
use crate::source::{PartitionOffset, Rewind, StartFrom, StartPosition};

/// A position in every partition of a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Position {
    /// The oldest message that the brokers hold.
    #[default]
    Earliest,
    /// The end of each partition.
    Latest,
    /// The first message of this time or later.
    Timestamp(DateTime<Utc>),
    /// The next offset of each partition that is named; at least one is.
    Offsets(BTreeMap<i32, i64>),
}

/// A rewind that a document asks for. Whether it was made already, only the log knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RewindPlan {
    /// Acts once.
    pub nonce: String,
    /// Where it goes.
    pub to: Position,
}

impl Position {
    /// The position that a rewind would go to.
    ///
    /// # Errors
    /// What is wrong with it, as in a document.
    pub fn of_rewind(
        position: StartPosition,
        timestamp: Option<&str>,
        offsets: &[PartitionOffset],
    ) -> Result<Self, Invalid> {
        let mut problems = Problems::default();
        let read = Self::read("spec.rewind", position, timestamp, offsets, &mut problems);
        if problems.0.is_empty() { Ok(read) } else { Err(problems.into_invalid("the rewind".to_owned())) }
    }

    pub(super) fn of_start(at: &str, start: Option<&StartFrom>, problems: &mut Problems) -> Self {
        let Some(StartFrom { position, timestamp, offsets }) = start else { return Self::default() };
        Self::read(at, *position, timestamp.as_deref(), offsets, problems)
    }

    fn read(
        at: &str,
        position: StartPosition,
        timestamp: Option<&str>,
        offsets: &[PartitionOffset],
        problems: &mut Problems,
    ) -> Self {
        if position != StartPosition::Timestamp && timestamp.is_some() {
            let message =
                format!("is set, and position is {position:?}; write position: Timestamp or remove timestamp");
            problems.add(format!("{at}.timestamp"), message);
        }
        if position != StartPosition::Offsets && !offsets.is_empty() {
            let message = format!("is set, and position is {position:?}; write position: Offsets or remove offsets");
            problems.add(format!("{at}.offsets"), message);
        }
        match position {
            StartPosition::Earliest => Position::Earliest,
            StartPosition::Latest => Position::Latest,
            StartPosition::Timestamp => read_timestamp(at, timestamp, problems),
            StartPosition::Offsets => read_offsets(at, offsets, problems),
        }
    }
}

impl RewindPlan {
    pub(super) fn read(at: &str, rewind: Option<&Rewind>, problems: &mut Problems) -> Option<Self> {
        let Rewind { nonce, position, timestamp, offsets } = rewind?;
        if nonce.is_empty() || nonce.len() > 63 {
            let message =
                format!("{nonce:?} is not a nonce; write 1 to 63 characters that were never used for this zone");
            problems.add(format!("{at}.nonce"), message);
        }
        let to = Position::read(at, *position, timestamp.as_deref(), offsets, problems);
        Some(Self { nonce: nonce.clone(), to })
    }
}

fn read_timestamp(at: &str, timestamp: Option<&str>, problems: &mut Problems) -> Position {
    let at = format!("{at}.timestamp");
    let Some(timestamp) = timestamp else {
        problems.add(at, "is missing, and position is Timestamp; write a time such as 2026-11-23T02:00:00Z");
        return Position::default();
    };
    match DateTime::parse_from_rfc3339(timestamp) {
        Ok(time) if time.timestamp_millis() >= 0 => Position::Timestamp(time.to_utc()),
        Ok(_) => {
            problems.add(at, format!("{timestamp:?} lies before 1970, and no message does; write position: Earliest"));
            Position::default()
        }
        Err(_) => {
            problems.add(at, format!("{timestamp:?} is not a time; write RFC 3339 such as 2026-11-23T02:00:00Z"));
            Position::default()
        }
    }
}

fn read_offsets(at: &str, offsets: &[PartitionOffset], problems: &mut Problems) -> Position {
    let at = format!("{at}.offsets");
    if offsets.is_empty() {
        problems.add(&at, "is missing, and position is Offsets; write a list such as [{partition: 0, offset: 100}]");
    }
    if offsets.len() > 4096 {
        problems.add(&at, format!("has {} partitions; at most 4096 are possible", offsets.len()));
    }
    let mut read = BTreeMap::new();
    for (index, PartitionOffset { partition, offset }) in offsets.iter().enumerate() {
        if *partition < 0 {
            problems
                .add(format!("{at}[{index}].partition"), format!("{partition} is not a partition; they count from 0"));
        }
        if *offset < 0 {
            problems.add(format!("{at}[{index}].offset"), format!("{offset} is not an offset; they count from 0"));
        }
        if read.insert(*partition, *offset).is_some() {
            problems.add(format!("{at}[{index}].partition"), format!("{partition} stands here twice; remove one"));
        }
    }
    Position::Offsets(read)
}
