//! One bit for each row of the files of a side.

use arrow::array::BooleanBufferBuilder;
use arrow::buffer::BooleanBuffer;
use gristmill_core::compact::RowAddress;
use gristmill_core::log::LiveFile;

/// Marks of rows; a file without any takes no memory.
pub(super) struct Marks {
    rows: Vec<usize>,
    files: Vec<Option<BooleanBufferBuilder>>,
    count: u64,
}

impl Marks {
    /// No marks in these files.
    pub(super) fn of(files: &[LiveFile]) -> Self {
        let rows = files.iter().map(|live| usize::try_from(live.file.rows).expect("a file's rows fit a u32"));
        Self { rows: rows.collect(), files: files.iter().map(|_| None).collect(), count: 0 }
    }

    /// Marks a row that is not marked yet.
    pub(super) fn set(&mut self, RowAddress { file, row }: RowAddress) {
        let file = file as usize;
        let bits = self.files[file].get_or_insert_with(|| {
            let mut bits = BooleanBufferBuilder::new(self.rows[file]);
            bits.append_n(self.rows[file], false);
            bits
        });
        bits.set_bit(row as usize, true);
        self.count += 1;
    }

    /// Rows that are marked.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Numbers of the files that have marks, with the marks.
    pub(super) fn into_files(self) -> Vec<(u32, BooleanBuffer)> {
        (0..).zip(self.files).filter_map(|(file, bits)| Some((file, bits?.build()))).collect()
    }
}
