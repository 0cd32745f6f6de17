//! The identity of a row as 128 bits: a keyed hash of its key columns.
//!
//! Two keys of a zone share a hash by chance alone: for 10 billion keys the odds that any two do are 1.5e-19 (n² / 2^129),
//! far below those of an undetected memory error. They are not checked. The hash is keyed by the zone's id, so that
//! nobody can prepare messages that collide without knowing it.

use arrow::array::{
    Array, BooleanArray, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, TimeUnit};
use siphasher::sip128::SipHasher13;

use super::rank::Source;
use super::schema::Conflict;
use crate::log::ZoneId;

/// Stands before the value of a key column.
const VALUE: u8 = 1;

/// Stands before the coordinates of a row that has a null in its key. A whole key begins with [`VALUE`], so that the
/// two never have the same bytes.
const NO_KEY: u8 = 0;

/// The identity of a row within a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub u128);

impl KeyHash {
    /// Which of `2^bits` ranges of equal size it lies in.
    pub fn range(self, bits: u32) -> usize {
        if bits == 0 { 0 } else { usize::try_from(self.0 >> (128 - bits)).expect("there are few ranges") }
    }
}

/// Hashes keys: SipHash-1-3 with 128 bits, keyed by the 16 bytes of the Processed zone's id.
///
/// The bytes are those of the key columns in their order, each a byte 1 and the value: integers, dates (days since 1970)
/// and timestamps (microseconds since 1970) as 8 bytes little-endian, Decimal as 16 (units of its last digit), Boolean
/// as 1 byte, String as its length in 8 bytes and its UTF-8. A row with a null
/// in its key is identified by where it came from: a byte 0, the topic id as a String, and partition, offset and record
/// index as 8 bytes each.
#[derive(Debug, Clone, Copy)]
pub struct KeyHasher {
    sip: SipHasher13,
}

impl KeyHasher {
    /// The hasher of a zone.
    pub fn new(zone: ZoneId) -> Self {
        Self { sip: SipHasher13::new_with_key(zone.as_bytes()) }
    }

    fn hash(&self, bytes: &[u8]) -> KeyHash {
        KeyHash(self.sip.hash(bytes).as_u128())
    }
}

/// The key columns of a batch.
pub(super) struct KeyColumns<'b>(Vec<KeyColumn<'b>>);

enum KeyColumn<'b> {
    String(&'b StringArray),
    Boolean(&'b BooleanArray),
    Int32(&'b Int32Array),
    Int64(&'b Int64Array),
    Date(&'b Date32Array),
    Timestamp(&'b TimestampMicrosecondArray),
    Decimal(&'b Decimal128Array),
}

impl<'b> KeyColumns<'b> {
    /// The columns of these names; the batch has them, and `Plan` has refused other types.
    pub(super) fn try_new(batch: &'b RecordBatch, names: &[String]) -> Result<Self, Conflict> {
        names.iter().map(|name| KeyColumn::try_new(batch, name)).collect::<Result<_, _>>().map(Self)
    }

    /// The hash of one row; `buffer` is reused between rows.
    pub(super) fn hash(
        &self,
        hasher: &KeyHasher,
        row: usize,
        source: impl FnOnce() -> Source<'b>,
        buffer: &mut Vec<u8>,
    ) -> KeyHash {
        self.whole_hash(hasher, row, buffer).unwrap_or_else(|| {
            let Source { topic_id, partition, offset, record_index } = source();
            buffer.clear();
            buffer.push(NO_KEY);
            push_text(buffer, topic_id);
            for number in [i64::from(partition), offset, i64::from(record_index)] {
                buffer.extend_from_slice(&number.to_le_bytes());
            }
            hasher.hash(buffer)
        })
    }

    /// The hash of one row, `None` if its key has a null.
    pub(super) fn whole_hash(&self, hasher: &KeyHasher, row: usize, buffer: &mut Vec<u8>) -> Option<KeyHash> {
        buffer.clear();
        for column in &self.0 {
            if column.is_null(row) {
                return None;
            }
            buffer.push(VALUE);
            column.push(row, buffer);
        }
        Some(hasher.hash(buffer))
    }
}

impl<'b> KeyColumn<'b> {
    fn try_new(batch: &'b RecordBatch, name: &str) -> Result<Self, Conflict> {
        let column = batch.column_by_name(name).ok_or_else(|| Conflict::missing(name))?;
        let any = column.as_any();
        match column.data_type() {
            DataType::Utf8 => any.downcast_ref().map(Self::String),
            DataType::Boolean => any.downcast_ref().map(Self::Boolean),
            DataType::Int32 => any.downcast_ref().map(Self::Int32),
            DataType::Int64 => any.downcast_ref().map(Self::Int64),
            DataType::Date32 => any.downcast_ref().map(Self::Date),
            DataType::Timestamp(TimeUnit::Microsecond, _) => any.downcast_ref().map(Self::Timestamp),
            DataType::Decimal128(..) => any.downcast_ref().map(Self::Decimal),
            _ => None,
        }
        .ok_or_else(|| Conflict::no_key(name, column.data_type()))
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::String(array) => array.is_null(row),
            Self::Boolean(array) => array.is_null(row),
            Self::Int32(array) => array.is_null(row),
            Self::Int64(array) => array.is_null(row),
            Self::Date(array) => array.is_null(row),
            Self::Timestamp(array) => array.is_null(row),
            Self::Decimal(array) => array.is_null(row),
        }
    }

    fn push(&self, row: usize, buffer: &mut Vec<u8>) {
        let number = match self {
            Self::String(array) => return push_text(buffer, array.value(row)),
            Self::Boolean(array) => return buffer.push(array.value(row).into()),
            Self::Decimal(array) => return buffer.extend_from_slice(&array.value(row).to_le_bytes()),
            Self::Int32(array) => array.value(row).into(),
            Self::Int64(array) => array.value(row),
            Self::Date(array) => array.value(row).into(),
            Self::Timestamp(array) => array.value(row),
        };
        buffer.extend_from_slice(&i64::to_le_bytes(number));
    }
}

fn push_text(buffer: &mut Vec<u8>, text: &str) {
    buffer.extend_from_slice(&(text.len() as u64).to_le_bytes());
    buffer.extend_from_slice(text.as_bytes());
}
