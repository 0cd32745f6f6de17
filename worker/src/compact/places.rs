//! Where rows go: the bucket of their key, and the values that name their directory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::compute::unary;
use arrow::datatypes::{DataType, Int64Type, SchemaRef, TimeUnit, TimestampMicrosecondType};
use arrow::row::{RowConverter, SortField};
use gristmill_core::compact::{Bucket, ContenderReader, partition_value};
use gristmill_core::log::{PartitionField, PartitionTransform, PartitionValue};

use super::Error;
use super::selection::Selection;

/// Microseconds of an hour and of a day.
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// Where rows go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) bucket: u32,
    pub(super) values: Vec<PartitionValue>,
}

/// Tells where rows go, by numbers.
pub(super) struct Places {
    fields: Vec<PartitionField>,
    values: RowConverter,
    /// What tells the bucket of a row, and how many there are; nothing where there is one.
    buckets: Option<(Arc<ContenderReader>, u32)>,
    known: Mutex<Known>,
}

/// The places that rows have named so far.
#[derive(Default)]
struct Known {
    /// By the bytes of bucket and values: months are told by the days in them.
    by_bytes: HashMap<Box<[u8]>, u32>,
    numbers: HashMap<Place, u32>,
    places: Vec<Place>,
}

impl Places {
    pub(super) fn try_new(
        fields: &[PartitionField],
        rows: &SchemaRef,
        reader: &Arc<ContenderReader>,
        buckets: u32,
    ) -> Result<Self, Error> {
        let sort_field = |field: &PartitionField| {
            let column = rows.field_with_name(&field.column).expect("a plan names columns of its rows");
            let period = period(field, column.data_type());
            SortField::new(period.map_or_else(|| column.data_type().clone(), |_| DataType::Int64))
        };
        let values = RowConverter::new(fields.iter().map(sort_field).collect()).map_err(split_failed)?;
        let buckets = (buckets > 1).then(|| (Arc::clone(reader), buckets));
        Ok(Self { fields: fields.to_vec(), values, buckets, known: Mutex::default() })
    }

    /// The number of the place of each row that is meant; others name no place.
    pub(super) fn of(&self, rows: &RecordBatch, selection: &Selection) -> Result<Vec<u32>, Error> {
        let column = |field: &PartitionField| {
            Arc::clone(rows.column_by_name(&field.column).expect("a partition column is a column"))
        };
        let columns: Vec<ArrayRef> = self.fields.iter().map(column).collect();
        let coarse: Vec<ArrayRef> =
            self.fields.iter().zip(&columns).map(|(field, column)| coarse(field, column)).collect();
        let values = self.values.convert_columns(&coarse).map_err(split_failed)?;
        let buckets = self.buckets_of(rows)?;
        let mut of_batch: HashMap<(u32, &[u8]), u32, foldhash::fast::FixedState> = HashMap::default();
        let mut places = Vec::with_capacity(selection.count());
        for row in selection.rows() {
            let bucket = buckets.as_ref().map_or(0, |buckets| buckets[row]);
            let bytes = values.row(row).data();
            let number = match of_batch.get(&(bucket, bytes)) {
                Some(number) => *number,
                None => {
                    let number = self.number(bucket, bytes, &columns, row)?;
                    of_batch.insert((bucket, bytes), number);
                    number
                }
            };
            places.push(number);
        }
        Ok(places)
    }

    /// All places so far, by their numbers.
    pub(super) fn known(&self) -> Vec<Place> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).places.clone()
    }

    fn buckets_of(&self, rows: &RecordBatch) -> Result<Option<Vec<u32>>, Error> {
        let Some((reader, buckets)) = &self.buckets else { return Ok(None) };
        let keys = reader.hashes(rows).map_err(|source| Error::Column { path: "rows to write".to_owned(), source })?;
        Ok(Some(keys.into_iter().map(|key| Bucket::of(key, *buckets).0).collect()))
    }

    fn number(&self, bucket: u32, values: &[u8], columns: &[ArrayRef], row: usize) -> Result<u32, Error> {
        let bytes: Box<[u8]> = bucket.to_be_bytes().iter().chain(values).copied().collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { by_bytes, numbers, places } = &mut *known;
        if let Some(number) = by_bytes.get(&bytes) {
            return Ok(*number);
        }
        let value = |(field, column): (&PartitionField, &ArrayRef)| {
            partition_value(field, column, row).map_err(Error::Directory)
        };
        let values = self.fields.iter().zip(columns).map(value).collect::<Result<_, _>>()?;
        let place = Place { bucket, values };
        let number = *numbers.entry(place.clone()).or_insert_with(|| {
            places.push(place);
            u32::try_from(places.len() - 1).expect("there are fewer directories")
        });
        by_bytes.insert(bytes, number);
        Ok(number)
    }
}

fn split_failed(source: arrow::error::ArrowError) -> Error {
    Error::Arrow { act: "split rows by partition", source }
}

/// Microseconds within which all instants of a column go to one directory; none if each value is asked for.
fn period(field: &PartitionField, column: &DataType) -> Option<i64> {
    match (field.transform, column) {
        (PartitionTransform::Identity, _) => None,
        (PartitionTransform::Hour, DataType::Timestamp(TimeUnit::Microsecond, _)) => Some(HOUR),
        (
            PartitionTransform::Day | PartitionTransform::Month | PartitionTransform::Year,
            DataType::Timestamp(TimeUnit::Microsecond, _),
        ) => Some(DAY),
        _ => None,
    }
}

/// Values of which few differ.
fn coarse(field: &PartitionField, column: &ArrayRef) -> ArrayRef {
    let Some(period) = period(field, column.data_type()) else { return Arc::clone(column) };
    let times = column.as_primitive::<TimestampMicrosecondType>();
    let periods: Int64Array = unary::<_, _, Int64Type>(times, |time| time.div_euclid(period));
    Arc::new(periods)
}
