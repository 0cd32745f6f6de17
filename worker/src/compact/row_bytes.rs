//! How many bytes rows of a batch have: what is put together at a time is cut by them, not by the rows' average, which says
//! nothing where one row has a thousand times the bytes of the next.

use std::ops::Range;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::DataType;

/// The bytes of each row of one batch.
pub(super) struct RowBytes(Vec<u32>);

/// Bytes that each row has: an offset or a value of each column; a bit of validity counts for nothing.
fn fixed(rows: &RecordBatch) -> usize {
    let of_column = |array: &dyn Array| array.data_type().primitive_width().unwrap_or(size_of::<i32>());
    rows.columns().iter().map(|column| of_column(column)).sum()
}

impl RowBytes {
    pub(super) fn of(rows: &RecordBatch) -> Self {
        let mut bytes = vec![u32::try_from(fixed(rows)).unwrap_or(u32::MAX); rows.num_rows()];
        for column in rows.columns() {
            match Ends::of(column.as_ref()) {
                // Nearly all of them: one pass over the offsets, which ascend.
                Some(Ends::Bytes(offsets)) => bytes
                    .iter_mut()
                    .zip(offsets.windows(2))
                    .for_each(|(bytes, ends)| *bytes += (ends[1] - ends[0]) as u32),
                Some(lists) => {
                    bytes.iter_mut().enumerate().for_each(|(row, bytes)| *bytes += lists.between(row, row + 1))
                }
                None => {}
            }
        }
        Self(bytes)
    }

    /// The rows in pieces of so many bytes at the most; one row may have more.
    pub(super) fn ranges(&self, most: usize) -> Vec<Range<usize>> {
        let (mut ranges, mut start, mut bytes) = (Vec::new(), 0, 0);
        for row in 0..self.0.len() {
            bytes += self.row(row);
            if bytes > most && row > start {
                ranges.push(start..row);
                (start, bytes) = (row, self.row(row));
            }
        }
        if start < self.0.len() {
            ranges.push(start..self.0.len());
        }
        ranges
    }

    /// Bytes of all rows of a batch, without a look at each.
    pub(super) fn of_all(rows: &RecordBatch) -> usize {
        let values = |column| Ends::of(column).map_or(0, |ends| ends.between(0, rows.num_rows()) as usize);
        fixed(rows) * rows.num_rows() + rows.columns().iter().map(|column| values(column.as_ref())).sum::<usize>()
    }

    /// Bytes of one row.
    pub(super) fn row(&self, row: usize) -> usize {
        self.0[row] as usize
    }
}

/// Where the values of a column end that have no fixed width.
enum Ends<'a> {
    Bytes(&'a OffsetBuffer<i32>),
    List(&'a OffsetBuffer<i32>, usize, Option<Box<Ends<'a>>>),
}

impl<'a> Ends<'a> {
    fn of(array: &'a dyn Array) -> Option<Self> {
        match array.data_type() {
            DataType::Utf8 => Some(Self::Bytes(array.as_string::<i32>().offsets())),
            DataType::Binary => Some(Self::Bytes(array.as_binary::<i32>().offsets())),
            DataType::List(values) => {
                let lists = array.as_list::<i32>();
                let fixed = values.data_type().primitive_width().unwrap_or(size_of::<i32>());
                Some(Self::List(lists.offsets(), fixed, Self::of(lists.values().as_ref()).map(Box::new)))
            }
            _ => None,
        }
    }

    fn between(&self, start: usize, end: usize) -> u32 {
        // Offsets ascend.
        match self {
            Self::Bytes(offsets) => (offsets[end] - offsets[start]) as u32,
            Self::List(offsets, fixed, values) => {
                let (start, end) = (offsets[start] as usize, offsets[end] as usize);
                (fixed * (end - start)) as u32 + values.as_ref().map_or(0, |values| values.between(start, end))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, ListBuilder, StringArray, StringBuilder};

    use super::*;

    #[test]
    fn each_row_has_the_bytes_of_its_own_values() {
        let mut lists = ListBuilder::new(StringBuilder::new());
        lists.append_value([Some("ab"), Some("cde")]);
        lists.append_null();
        let columns: [(&str, ArrayRef); 3] = [
            ("number", Arc::new(Int64Array::from(vec![1, 2]))),
            ("text", Arc::new(StringArray::from(vec!["a".repeat(1000), String::new()]))),
            ("list", Arc::new(lists.finish())),
        ];
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        let bytes = RowBytes::of(&rows);
        assert_eq!((bytes.row(0), bytes.row(1)), (8 + 4 + 1000 + 4 + 2 * 4 + 5, 8 + 4 + 4));
        let bytes = RowBytes::of(&rows.slice(1, 1));
        assert_eq!(bytes.row(0), 8 + 4 + 4);
        for rows in [rows.slice(0, 0), rows.slice(1, 1), rows] {
            let bytes = RowBytes::of(&rows);
            assert_eq!(RowBytes::of_all(&rows), (0..rows.num_rows()).map(|row| bytes.row(row)).sum::<usize>());
        }
    }

    #[test]
    fn pieces_have_so_many_bytes_or_one_row() {
        let ranges = |most| RowBytes(vec![3, 4, 9, 1, 1, 1]).ranges(most);
        assert_eq!(ranges(7), [0..2, 2..3, 3..6]);
        assert_eq!(ranges(1), (0..6).map(|row| row..row + 1).collect::<Vec<_>>());
        assert_eq!(ranges(100), vec![Range { start: 0, end: 6 }]);
        assert!(RowBytes(Vec::new()).ranges(7).is_empty());
    }
}
