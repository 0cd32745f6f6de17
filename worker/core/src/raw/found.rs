//! The texts that columns have, row after row; those of one column in one row are a chain.

use super::limits::KEPT_BUFFER_BYTES;
use super::text::Text;

/// One occurrence of a column's element or attribute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    column: u32,
    /// Offset of the element's start.
    offset: u32,
    pub(super) text: Text,
    /// The next occurrence of the column in the row; 0 is none, since no chain goes back to the first of all.
    next: u32,
}

impl Found {
    pub(super) fn column(&self) -> usize {
        self.column as usize
    }

    /// Offset of the element's start.
    pub(super) fn offset(&self) -> usize {
        self.offset as usize
    }
}

/// What a column has in the current row.
#[derive(Debug, Clone, Copy, Default)]
struct Last {
    /// The last row, as a number from 1, in which it was met.
    met: usize,
    /// The last row in which a text was kept, and where the last of them is.
    kept: usize,
    index: usize,
}

/// The texts of all rows so far.
#[derive(Debug)]
pub(super) struct FoundTexts {
    all: Vec<Found>,
    /// By column.
    last: Vec<Last>,
    row: usize,
}

impl FoundTexts {
    pub(super) fn new(columns: usize) -> Self {
        Self { all: Vec::new(), last: vec![Last::default(); columns], row: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.all.shrink_to(KEPT_BUFFER_BYTES / size_of::<Found>());
        self.last.fill(Last::default());
        self.row = 0;
    }

    pub(super) fn begin_row(&mut self) {
        self.row += 1;
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn all(&self) -> &[Found] {
        &self.all
    }

    /// Notes that a column occurs in the row; true if it is the first time.
    #[inline]
    pub(super) fn meet(&mut self, column: usize) -> bool {
        std::mem::replace(&mut self.last[column].met, self.row) != self.row
    }

    /// True if a text of the column was kept in the row.
    pub(super) fn has(&self, column: usize) -> bool {
        self.last[column].kept == self.row
    }

    #[inline]
    pub(super) fn push(&mut self, column: usize, offset: usize, text: Text) {
        let narrow = |number: usize| u32::try_from(number).expect("a message has at most 1 GiB, a plan 1,000 columns");
        let index = self.all.len();
        let last = &mut self.last[column];
        if last.kept == self.row {
            self.all[last.index].next = narrow(index);
        }
        (last.kept, last.index) = (self.row, index);
        self.all.push(Found { column: narrow(column), offset: narrow(offset), text, next: 0 });
    }

    /// The occurrences of a column from its first in a row on.
    pub(super) fn chain<'s>(&'s self, first: &'s Found) -> impl Iterator<Item = &'s Found> + Clone {
        std::iter::successors(Some(first), |found| (found.next > 0).then(|| &self.all[found.next as usize]))
    }
}
