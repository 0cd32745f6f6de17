//! Which files of a directory are put together.
//!
//! Each run adds a file to a directory that it has rows for, so that without merging an hourly zone grows by 8,760 files a
//! year and directory. Merging at once would write everything anew each hour. So small files wait until there are four, and
//! are put together then, with the rows of the run. Runs that only append rewrite nothing.

use std::cmp::Ordering;

/// Small files that are put together at the least: three may wait.
const TOGETHER: usize = 4;

/// How large the files of a zone are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSizes {
    /// A file is closed at this size, in bytes.
    pub target: u64,
    /// Files below this size are small, in bytes.
    pub small: u64,
    /// A file is closed at this many rows.
    pub max_rows: Option<u64>,
}

/// How large a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSize {
    /// Its length in bytes.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
}

/// What else the run does in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directory {
    /// Nothing.
    Untouched,
    /// It writes rows there anyway: one more file, or one more that the merged rows go into.
    Written,
}

impl FileSizes {
    /// The files of one bucket and directory that the run puts together with what it writes there, smallest first; none
    /// if the directory stays as it is. Files that the run rewrites anyway are not asked for.
    ///
    /// All small files once there are four of them, that of the run included; else all that are not full, if there are
    /// more than three too many of those. What a run has put together is not put together again by the next, unless
    /// more files have come.
    pub fn merged(&self, files: &[FileSize], directory: Directory) -> Vec<usize> {
        let coming = match directory {
            Directory::Untouched => 0,
            Directory::Written => 1,
        };
        let chosen = |is: &dyn Fn(&FileSize) -> bool| {
            let mut chosen: Vec<usize> = (0..files.len()).filter(|index| is(&files[*index])).collect();
            chosen.sort_by(|a, b| by_size(&files[*a], &files[*b]).then(a.cmp(b)));
            chosen
        };
        let needed = |of: &[usize]| self.needed(of.iter().map(|index| files[*index])).max(coming);
        let mut merged = chosen(&|file| self.is_small(file));
        if merged.len() + coming < TOGETHER {
            merged.clear();
        }
        let unfilled = chosen(&|file| !self.is_full(file));
        let becomes = if merged.is_empty() { coming } else { needed(&merged) };
        let left = unfilled.len().saturating_sub(merged.len()) + becomes;
        if left >= needed(&unfilled) + TOGETHER { unfilled } else { merged }
    }

    fn is_small(&self, file: &FileSize) -> bool {
        file.bytes < self.small && self.max_rows.is_none_or(|most| file.rows.saturating_mul(4) < most)
    }

    /// Files that end by size are within 20 % of the target: rewriting one would give the same again.
    fn is_full(&self, file: &FileSize) -> bool {
        let three_quarters = |most: u64, is: u64| is.saturating_mul(4) >= most.saturating_mul(3);
        three_quarters(self.target, file.bytes) || self.max_rows.is_some_and(|most| three_quarters(most, file.rows))
    }

    /// How many files the rows of these need.
    fn needed(&self, files: impl Iterator<Item = FileSize>) -> usize {
        let (bytes, rows) = files.fold((0u64, 0u64), |(bytes, rows), file| {
            (bytes.saturating_add(file.bytes), rows.saturating_add(file.rows))
        });
        let by_size = bytes.div_ceil(self.target.max(1));
        let by_rows = self.max_rows.map_or(0, |most| rows.div_ceil(most.max(1)));
        usize::try_from(by_size.max(by_rows)).unwrap_or(usize::MAX)
    }
}

fn by_size(a: &FileSize, b: &FileSize) -> Ordering {
    a.bytes.cmp(&b.bytes).then(a.rows.cmp(&b.rows))
}
