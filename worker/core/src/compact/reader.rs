//! Makes contenders of the rows of a batch: the only columns that pass 1 reads.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::unary;
use arrow::datatypes::{DataType, Float64Type, Schema};
use arrow::row::{RowConverter, Rows, SortField};

use super::contender::{Contenders, Row, RowAddress, Side};
use super::key::{KeyColumns, KeyHash, KeyHasher};
use super::rank::{Rank, Source, Topics};
use super::schema::{CARRIED_COLUMNS, Conflict};

/// Which rows a batch holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Whose file.
    pub side: Side,
    /// Number of the file in the run's list of its side.
    pub file: u32,
    /// Row of the file that is the first of the batch.
    pub first_row: u32,
}

impl Origin {
    /// The address of a row of the batch.
    pub fn address(&self, row: usize) -> RowAddress {
        RowAddress { file: self.file, row: self.first_row + u32::try_from(row).expect("a batch is short") }
    }
}

/// Reads key, order and coordinates of rows.
#[derive(Debug)]
pub struct ContenderReader {
    hasher: KeyHasher,
    key: Vec<String>,
    order_by: Vec<String>,
    order: Option<RowConverter>,
}

impl ContenderReader {
    /// A reader of rows whose types are those of `schema`.
    ///
    /// # Errors
    /// The schema lacks a column, or it can't be ordered.
    pub fn try_new(hasher: KeyHasher, key: &[String], order_by: &[String], schema: &Schema) -> Result<Self, Conflict> {
        let fields: Vec<SortField> = order_by
            .iter()
            .map(|name| {
                let field = schema.field_with_name(name).map_err(|_| Conflict::missing(name))?;
                Ok(SortField::new(field.data_type().clone()))
            })
            .collect::<Result<_, Conflict>>()?;
        let order = if fields.is_empty() { None } else { Some(RowConverter::new(fields).map_err(Conflict::rows)?) };
        Ok(Self { hasher, key: key.to_vec(), order_by: order_by.to_vec(), order })
    }

    /// The columns that a batch must have for [`Self::read`], each once.
    pub fn columns(&self) -> Vec<&str> {
        let mut columns: Vec<&str> = self.key.iter().map(String::as_str).collect();
        for column in self.order_by.iter().map(String::as_str).chain(CARRIED_COLUMNS) {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        columns
    }

    /// The key columns.
    pub fn key(&self) -> &[String] {
        &self.key
    }

    /// Appends the rows whose key `takes_part`.
    ///
    /// # Errors
    /// The batch lacks a column or has one of another type.
    pub fn read(
        &self,
        batch: &RecordBatch,
        origin: Origin,
        takes_part: impl Fn(KeyHash) -> bool,
        topics: &Topics,
        contenders: &mut Contenders,
    ) -> Result<(), Conflict> {
        let key = KeyColumns::try_new(batch, &self.key)?;
        let coordinates = Coordinates::try_new(batch)?;
        let mut order: Option<Rows> = None;
        let mut buffer = Vec::new();
        let mut topic: Option<(&str, u32)> = None;
        for row in 0..batch.num_rows() {
            let hash = key.hash(&self.hasher, row, || coordinates.source(row), &mut buffer);
            if !takes_part(hash) {
                continue;
            }
            if order.is_none()
                && let Some(converter) = &self.order
            {
                order = Some(order_rows(converter, batch, &self.order_by)?);
            }
            let id = coordinates.topic_id.value(row);
            let number = match topic {
                Some((known, number)) if known == id => number,
                _ => topics.number(id),
            };
            topic = Some((id, number));
            let bytes = order.as_ref().map(|rows| rows.row(row));
            let rank = coordinates.rank(row, number, bytes.as_ref().map_or(&[], |row| row.data()));
            contenders.push(Row { key: hash, rank, side: origin.side, address: origin.address(row) });
        }
        Ok(())
    }

    /// The identities of all rows of a batch that has key and carried columns.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn hashes(&self, batch: &RecordBatch) -> Result<Vec<KeyHash>, Conflict> {
        let key = KeyColumns::try_new(batch, &self.key)?;
        let coordinates = Coordinates::try_new(batch)?;
        let mut buffer = Vec::new();
        let hash = |row| key.hash(&self.hasher, row, || coordinates.source(row), &mut buffer);
        Ok((0..batch.num_rows()).map(hash).collect())
    }

    /// Whether a row of a batch of key columns alone may be identified by a key that `is_known`; of a row that has a null
    /// in its key its coordinates decide, which are not read for this: it may be if `with_nulls`.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn any_known(
        &self,
        batch: &RecordBatch,
        is_known: impl Fn(KeyHash) -> bool,
        with_nulls: NullKeys,
    ) -> Result<bool, Conflict> {
        let key = KeyColumns::try_new(batch, &self.key)?;
        let mut buffer = Vec::new();
        Ok((0..batch.num_rows()).any(|row| match key.whole_hash(&self.hasher, row, &mut buffer) {
            Some(hash) => is_known(hash),
            None => with_nulls == NullKeys::MayBeKnown,
        }))
    }
}

/// Whether rows with a null in their key are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NullKeys {
    /// Some are.
    MayBeKnown,
    /// None is.
    AreNotKnown,
}

/// The order columns as rows of bytes that compare as the values do, null lowest.
fn order_rows(converter: &RowConverter, batch: &RecordBatch, order_by: &[String]) -> Result<Rows, Conflict> {
    let columns: Vec<ArrayRef> = order_by
        .iter()
        .map(|name| {
            let column = batch.column_by_name(name).ok_or_else(|| Conflict::missing(name))?;
            Ok(match column.data_type() {
                DataType::Float64 => Arc::new(comparable_floats(column.as_primitive())),
                _ => Arc::clone(column),
            })
        })
        .collect::<Result<_, Conflict>>()?;
    converter.convert_columns(&columns).map_err(Conflict::rows)
}

/// Every NaN becomes the one that IEEE's total order puts below all numbers, and -0 becomes 0.
fn comparable_floats(array: &Float64Array) -> Float64Array {
    let lowest = f64::from_bits(u64::MAX);
    unary::<_, _, Float64Type>(array, |value| if value.is_nan() { lowest } else { value + 0.0 })
}

/// The columns that say where each row of a batch came from.
struct Coordinates<'b> {
    topic_id: &'b StringArray,
    partition: &'b Int32Array,
    offset: &'b Int64Array,
    timestamp: &'b TimestampMicrosecondArray,
    record_index: &'b Int32Array,
    generation: &'b Int32Array,
}

impl<'b> Coordinates<'b> {
    fn try_new(batch: &'b RecordBatch) -> Result<Self, Conflict> {
        let [topic_id, partition, offset, timestamp, record_index, generation] = CARRIED_COLUMNS;
        Ok(Self {
            topic_id: typed(batch, topic_id)?,
            partition: typed(batch, partition)?,
            offset: typed(batch, offset)?,
            timestamp: typed(batch, timestamp)?,
            record_index: typed(batch, record_index)?,
            generation: typed(batch, generation)?,
        })
    }

    fn source(&self, row: usize) -> Source<'b> {
        Source {
            topic_id: self.topic_id.value(row),
            partition: self.partition.value(row),
            offset: self.offset.value(row),
            record_index: self.record_index.value(row),
        }
    }

    fn rank<'o>(&self, row: usize, topic: u32, order: &'o [u8]) -> Rank<'o> {
        Rank {
            order,
            timestamp: self.timestamp.is_valid(row).then(|| self.timestamp.value(row)),
            topic,
            partition: self.partition.value(row),
            offset: self.offset.value(row),
            record_index: self.record_index.value(row),
            generation: self.generation.value(row),
        }
    }
}

pub(super) fn typed<'b, A: 'static>(batch: &'b RecordBatch, name: &str) -> Result<&'b A, Conflict> {
    let column = batch.column_by_name(name).ok_or_else(|| Conflict::missing(name))?;
    column.as_any().downcast_ref().ok_or_else(|| Conflict::not_ours(name, column.data_type()))
}
