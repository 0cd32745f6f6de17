//! The two rows of a contest, compared: a duplicate that is equal to its zone row in all user columns changes nothing (F25).

use std::ops::Range;

use super::contender::{Cursor, RowAddress, Side};
use super::digest::RowDigest;
use super::key::KeyHash;
use super::settle::Contest;

/// A row of a contest and its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version {
    key: KeyHash,
    side: Side,
    address: RowAddress,
    content: RowDigest,
}

/// Rows of contests, in no order.
#[derive(Debug, Clone, Default)]
pub struct Versions(Vec<Version>);

impl Versions {
    /// Bytes that one takes.
    pub const BYTES: usize = size_of::<Version>();

    /// Adds a row.
    pub fn push(&mut self, key: KeyHash, side: Side, address: RowAddress, content: RowDigest) {
        self.0.push(Version { key, side, address, content });
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key of one.
    pub fn key(&self, index: usize) -> KeyHash {
        self.0[index].key
    }

    /// Bytes in memory.
    pub fn memory(&self) -> usize {
        self.0.len() * Self::BYTES
    }

    /// None yet, with room for as many as these.
    pub fn with_room_of(other: &Self) -> Self {
        Self(Vec::with_capacity(other.0.len()))
    }

    /// Adds one of these to others.
    pub fn copy_to(&self, index: usize, other: &mut Versions) {
        other.0.push(self.0[index]);
    }

    /// Adds some of others, one behind the other.
    pub fn append(&mut self, other: &Versions, range: Range<usize>) {
        self.0.extend_from_slice(&other.0[range]);
    }

    /// Appends all as bytes; [`Self::decode`] takes them back in the same run.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        for Version { key, side, address, content } in &self.0 {
            bytes.extend_from_slice(&key.0.to_le_bytes());
            bytes.extend_from_slice(&content.0.to_le_bytes());
            bytes.extend_from_slice(&address.file.to_le_bytes());
            bytes.extend_from_slice(&address.row.to_le_bytes());
            bytes.push(u8::from(*side == Side::Zone));
        }
    }

    /// Adds what [`Self::encode`] made.
    pub fn decode(&mut self, bytes: &[u8]) {
        let mut next = Cursor(bytes);
        while !next.0.is_empty() {
            let (key, content) =
                (KeyHash(u128::from_le_bytes(next.take())), RowDigest(u128::from_le_bytes(next.take())));
            let address = RowAddress { file: u32::from_le_bytes(next.take()), row: u32::from_le_bytes(next.take()) };
            let [of_zone] = next.take();
            self.push(key, if of_zone == 0 { Side::Delta } else { Side::Zone }, address, content);
        }
    }

    /// The contests whose two rows differ; the others are equal. Both rows of a key must be here.
    pub fn differing(&mut self) -> Vec<Contest> {
        self.0.sort_unstable_by_key(|version| (version.key, version.side, version.address));
        let pairs = self.0.chunk_by(|a, b| a.key == b.key);
        pairs
            .filter_map(|pair| match pair {
                [delta, zone] if delta.content != zone.content => {
                    Some(Contest { delta: delta.address, zone: zone.address })
                }
                _ => None,
            })
            .collect()
    }
}
