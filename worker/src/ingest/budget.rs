//! How the worker's memory is shared out.
//!
//! Reading and writing take turns, so the shares below are all that grows: what does not fit waits in Kafka.

use gristmill_crds::Quantity;
use gristmill_crds::scalar::InvalidScalar;

use crate::kafka::Reception;

/// Memory of a worker on a laptop, and of a pod whose resource says nothing.
const DEFAULT_MEMORY: u64 = 256 << 20;
/// What the process needs beside its buffers: code, librdkafka, the runtime, the log's fold.
const BASE: u64 = 96 << 20;
/// Below this share of everything no Parquet file is worth its footer.
const LEAST: u64 = 32 << 20;
/// More decoded rows at a time make nothing faster: it is about 10,000 rows of a usual message.
const MOST_DECODED: u64 = 8 << 20;

/// The shares, in bytes. They add up to 7/8 of the budget; the rest is for one large message and its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Messages that librdkafka fetches ahead.
    pub prefetch: u64,
    /// Messages that wait while the worker waits for its store.
    pub held: u64,
    /// Rows and rejects before they are encoded; their buffers may be twice as large.
    pub decoded: u64,
    /// The row group in progress.
    pub row_group: u64,
    /// The row group in progress of the rejected file.
    pub reject_row_group: u64,
}

impl Budget {
    /// Shares out the memory of a process.
    pub fn of_memory(memory: u64) -> Self {
        let total = memory.saturating_sub(BASE).max(LEAST);
        Self {
            prefetch: total / 4,
            held: total / 8,
            decoded: (total / 16).min(MOST_DECODED),
            row_group: total / 4,
            reject_row_group: total / 8,
        }
    }

    /// How much librdkafka may bring into memory.
    pub(super) fn reception(&self) -> Reception {
        // Half waits in the queue, half is what a fetch that is under way may add to it.
        Reception { queued: self.prefetch / 2, fetch: self.prefetch / 2, message: 16 << 20 }
    }

    /// Shares out what `GRISTMILL_MEMORY` says, bytes or a quantity such as 256Mi; 256Mi if it is not set.
    ///
    /// # Errors
    /// It is no size.
    pub fn of_variable(value: Option<&str>) -> Result<Self, InvalidScalar> {
        let memory = value.map_or(Ok(DEFAULT_MEMORY), |text| Quantity(text.to_owned()).to_bytes())?;
        Ok(Self::of_memory(memory))
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::of_memory(DEFAULT_MEMORY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case(128 << 20)]
    #[case(256 << 20)]
    #[case(8 << 30)]
    fn shares_fit_into_the_memory_beside_the_process(#[case] memory: u64) {
        let Budget { prefetch, held, decoded, row_group, reject_row_group } = Budget::of_memory(memory);
        assert!(prefetch + held + 2 * decoded + row_group + reject_row_group <= memory - BASE);
    }

    #[test]
    fn variable_is_read_as_bytes_or_quantity() {
        let bytes = Budget::of_variable(Some("536870912")).unwrap();
        assert_eq!(bytes, Budget::of_variable(Some("512Mi")).unwrap());
        assert_eq!(Budget::of_variable(None).unwrap(), Budget::of_memory(256 << 20));
        assert!(Budget::of_variable(Some("much")).is_err());
    }
}
