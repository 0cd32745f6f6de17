//! When a file has its size, by its real length.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;

use super::Error;
use crate::blocking::blocking;
use crate::parquet_file::ParquetFile;

/// A file is closed at this part of its target: another row group would be a small one.
const FULL_PERCENT: u64 = 90;

/// Says when files of one kind are full.
pub(super) struct Fullness {
    target: u64,
    most_rows: u64,
    density: Density,
}

/// What the encoder's estimates of row groups came to, in this run so far.
#[derive(Default)]
struct Density {
    estimated: AtomicU64,
    encoded: AtomicU64,
}

impl Fullness {
    pub(super) fn of(target: u64, most_rows: Option<u64>) -> Self {
        Self { target, most_rows: most_rows.unwrap_or(u64::MAX), density: Density::default() }
    }

    /// Whether a file has its size.
    ///
    /// The row group in progress is not compressed yet. When it should have filled the file it is ended, and the real
    /// length decides.
    pub(super) async fn judge(
        &self,
        mut file: ParquetFile,
        processors: &Semaphore,
    ) -> Result<(ParquetFile, bool), Error> {
        if file.rows() >= self.most_rows {
            return Ok((file, true));
        }
        let (complete, estimated) = (file.complete_bytes(), file.bytes() - file.complete_bytes());
        if complete + self.density.encoded(estimated) < self.target {
            return Ok((file, false));
        }
        let processor = processors.acquire().await.expect("nobody closes it");
        let (mut file, ended) = blocking(move || {
            let ended = file.end_row_group();
            (file, ended)
        })
        .await;
        drop(processor);
        ended.map_err(Error::File)?;
        file.hand_over().await.map_err(Error::File)?;
        self.density.learn(estimated, file.complete_bytes() - complete);
        let is_full = file.complete_bytes() >= self.target / 100 * FULL_PERCENT;
        Ok((file, is_full))
    }
}

impl Density {
    /// The length that an estimate will come to.
    fn encoded(&self, estimate: u64) -> u64 {
        let [estimated, encoded] = [&self.estimated, &self.encoded].map(|sum| u128::from(sum.load(Ordering::Relaxed)));
        let corrected = (u128::from(estimate) * encoded).checked_div(estimated);
        corrected.map_or(estimate, |length| u64::try_from(length).unwrap_or(u64::MAX))
    }

    fn learn(&self, estimated: u64, encoded: u64) {
        self.estimated.fetch_add(estimated, Ordering::Relaxed);
        self.encoded.fetch_add(encoded, Ordering::Relaxed);
    }
}
