//! Rows that take part, packed: pass 1 holds one of them for every row of the delta, so that each byte counts.

use std::ops::Range;

use super::key::KeyHash;
use super::rank::Rank;

/// Whose file a row is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// A RAW file that the zone has not consumed.
    Delta,
    /// A live file of the zone.
    Zone,
}

/// A row of a file of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowAddress {
    /// Number of the file in the run's list of its side.
    pub file: u32,
    /// Row within the file, from 0.
    pub row: u32,
}

/// What is kept of a row while keys are settled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contender {
    pub(super) key: KeyHash,
    pub(super) timestamp: i64,
    pub(super) offset: i64,
    pub(super) partition: i32,
    pub(super) record_index: i32,
    pub(super) generation: i32,
    /// Number of the topic id.
    pub(super) topic: u32,
    pub(super) address: RowAddress,
    /// Where the bytes of orderBy begin, behind their length; nowhere if there are none. Those of the next row come next.
    order: OrderStart,
    flags: u8,
}

/// An offset into the bytes of all orders. In 6 bytes a contender has 64, and no process has more memory than they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OrderStart([u16; 3]);

impl OrderStart {
    const NONE: Self = Self([u16::MAX; 3]);

    fn of(offset: usize) -> Self {
        let [low, middle, high, rest] = [0, 16, 32, 48].map(|bits| (offset >> bits) as u16);
        assert!(rest == 0, "no process has 256 TiB of orders");
        Self([low, middle, high])
    }

    fn offset(self) -> usize {
        let [low, middle, high] = self.0.map(usize::from);
        low | middle << 16 | high << 32
    }
}

const _: () = assert!(size_of::<Contender>() == 64);

const OF_ZONE: u8 = 1;
const HAS_TIMESTAMP: u8 = 2;

/// Bytes of an encoded contender before those of its order.
const ENCODED: usize = 16 + 8 + 8 + 6 * 4 + 1 + 4;

impl Contender {
    pub(super) fn side(&self) -> Side {
        if self.flags & OF_ZONE == 0 { Side::Delta } else { Side::Zone }
    }
}

/// Contenders, in no order.
#[derive(Debug, Clone, Default)]
pub struct Contenders {
    /// Never put in another order: `append` relies on it.
    pub(super) rows: Vec<Contender>,
    order: Vec<u8>,
}

/// A row as it is added.
pub(super) struct Row<'r> {
    pub(super) key: KeyHash,
    pub(super) rank: Rank<'r>,
    pub(super) side: Side,
    pub(super) address: RowAddress,
}

impl Contenders {
    /// Bytes that one contender takes whose orderBy has `order` bytes.
    pub const fn bytes_of_one(order: usize) -> usize {
        size_of::<Contender>() + if order == 0 { 0 } else { 4 + order }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The key of one.
    pub fn key(&self, index: usize) -> KeyHash {
        self.rows[index].key
    }

    /// Bytes in memory.
    pub fn memory(&self) -> usize {
        self.rows.len() * size_of::<Contender>() + self.order.len()
    }

    pub(super) fn push(&mut self, row: Row<'_>) {
        let Row { key, rank, side, address } = row;
        let Rank { order, timestamp, topic, partition, offset, record_index, generation } = rank;
        let flags = if side == Side::Zone { OF_ZONE } else { 0 } | timestamp.map_or(0, |_| HAS_TIMESTAMP);
        let order = self.push_order(order);
        let timestamp = timestamp.unwrap_or(0);
        let row =
            Contender { key, timestamp, offset, partition, record_index, generation, topic, address, order, flags };
        self.rows.push(row);
    }

    fn push_order(&mut self, order: &[u8]) -> OrderStart {
        if order.is_empty() {
            return OrderStart::NONE;
        }
        let start = OrderStart::of(self.order.len());
        let length = u32::try_from(order.len()).expect("a row is of one message of Kafka, which has less than 2 GiB");
        self.order.extend_from_slice(&length.to_le_bytes());
        self.order.extend_from_slice(order);
        start
    }

    fn order(&self, contender: &Contender) -> &[u8] {
        if contender.order == OrderStart::NONE {
            return &[];
        }
        let (length, bytes) = take::<4>(&self.order[contender.order.offset()..]);
        &bytes[..u32::from_le_bytes(length) as usize]
    }

    pub(super) fn rank(&self, contender: &Contender) -> Rank<'_> {
        Rank {
            order: self.order(contender),
            timestamp: (contender.flags & HAS_TIMESTAMP != 0).then_some(contender.timestamp),
            topic: contender.topic,
            partition: contender.partition,
            offset: contender.offset,
            record_index: contender.record_index,
            generation: contender.generation,
        }
    }

    /// None yet, with room for as many as these.
    pub fn with_room_of(other: &Self) -> Self {
        Self { rows: Vec::with_capacity(other.rows.len()), order: Vec::with_capacity(other.order.len()) }
    }

    /// Adds one of these to others.
    pub fn copy_to(&self, index: usize, other: &mut Contenders) {
        let row = self.rows[index];
        let order = other.push_order(self.order(&row));
        other.rows.push(Contender { order, ..row });
    }

    /// Adds some of others, one behind the other.
    pub fn append(&mut self, other: &Contenders, range: Range<usize>) {
        let added = &other.rows[range];
        let ordered = |row: &&Contender| row.order != OrderStart::NONE;
        // Orders lie in memory in the order of their rows.
        let first = added.iter().find(ordered).map_or(0, |row| row.order.offset());
        let end = added.iter().rfind(ordered).map_or(0, |row| row.order.offset() + 4 + other.order(row).len());
        let (rows, orders) = (self.rows.len(), self.order.len());
        self.rows.extend_from_slice(added);
        self.order.extend_from_slice(&other.order[first..end]);
        for row in self.rows[rows..].iter_mut().filter(|row| row.order != OrderStart::NONE) {
            row.order = OrderStart::of(orders + row.order.offset() - first);
        }
    }

    /// Appends all as bytes; [`Self::decode`] takes them back in the same run.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.reserve(self.rows.len() * ENCODED + self.order.len());
        for row in &self.rows {
            let Contender {
                key,
                timestamp,
                offset,
                partition,
                record_index,
                generation,
                topic,
                address,
                order: _,
                flags,
            } = *row;
            let order = self.order(row);
            bytes.extend_from_slice(&key.0.to_le_bytes());
            bytes.extend_from_slice(&timestamp.to_le_bytes());
            bytes.extend_from_slice(&offset.to_le_bytes());
            for number in [partition, record_index, generation] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            let length = u32::try_from(order.len()).expect("it was pushed with such a length");
            for number in [topic, address.file, address.row, length] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            bytes.push(flags);
            bytes.extend_from_slice(order);
        }
    }

    /// Adds what [`Self::encode`] made.
    pub fn decode(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let mut next = Cursor(bytes);
            let (key, timestamp, offset) =
                (u128::from_le_bytes(next.take()), i64::from_le_bytes(next.take()), i64::from_le_bytes(next.take()));
            let [partition, record_index, generation] = [(); 3].map(|()| i32::from_le_bytes(next.take()));
            let [topic, file, row, length] = [(); 4].map(|()| u32::from_le_bytes(next.take()));
            let [flags] = next.take();
            let (order, rest) = next.0.split_at(length as usize);
            bytes = rest;
            let order = self.push_order(order);
            let address = RowAddress { file, row };
            self.rows.push(Contender {
                key: KeyHash(key),
                timestamp,
                offset,
                partition,
                record_index,
                generation,
                topic,
                address,
                order,
                flags,
            });
        }
    }
}

/// Reads numbers one after the other.
pub(super) struct Cursor<'b>(pub(super) &'b [u8]);

impl Cursor<'_> {
    pub(super) fn take<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = take::<N>(self.0);
        self.0 = rest;
        taken
    }
}

fn take<const N: usize>(bytes: &[u8]) -> ([u8; N], &[u8]) {
    let (taken, rest) = bytes.split_first_chunk::<N>().expect("the bytes are those that were encoded in this run");
    (*taken, rest)
}

#[cfg(test)]
mod tests {
    use super::OrderStart;

    #[test]
    fn orders_may_begin_beyond_4_gib() {
        for offset in [0, 7, u32::MAX as usize, u32::MAX as usize + 1, (1 << 47) + 5] {
            let start = OrderStart::of(offset);
            assert_eq!(start.offset(), offset);
            assert_ne!(start, OrderStart::NONE);
        }
    }
}
