//! How the worker's memory is shared out.
//!
//! Reading and writing take turns, so the shares below are all that grows: what does not fit waits in Kafka.

use crate::kafka::{Connection, Reception};
use crate::memory::Memory;

/// More decoded rows at a time make nothing faster: it is about 10,000 rows of a usual message. Half as many take 6 MiB less,
/// and 5 to 10 % more CPU where rows have 50 or 500 columns.
const MOST_DECODED: u64 = 8 << 20;

/// What librdkafka fetches ahead, unless the resource says otherwise: what is decoded while a fetch is under way, and while
/// rows are encoded. Twice as much made nothing faster and took 30 MiB more of the process at its most.
const USUAL_QUEUE: u64 = 8 << 20;
const USUAL_FETCH: u64 = 4 << 20;

/// The shares, in bytes. With buffers at twice their data they add up to 3/4 of the budget; the rest is for one large
/// message, as it arrives and as it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Messages that wait in librdkafka, of all partitions together, at the most that a resource may ask for.
    pub queued: u64,
    /// An answer of a broker, on its way, beside the largest message.
    pub fetch: u64,
    /// Messages that wait while the worker waits for its store.
    pub held: u64,
    /// Rows and rejects before they are encoded; their buffers may be twice as large.
    pub decoded: u64,
    /// Encoders, dictionaries and pages of the file of rows.
    pub row_group: u64,
    /// The same of the file of rejects.
    pub reject_row_group: u64,
}

impl Budget {
    /// Shares out the memory of a process.
    pub fn of(memory: Memory) -> Self {
        let total = memory.buffers();
        Self {
            queued: total / 8,
            fetch: total / 16,
            held: total / 16,
            decoded: (total / 20).min(MOST_DECODED),
            row_group: total / 7,
            reject_row_group: total / 8,
        }
    }

    /// How much librdkafka may bring into memory, the largest message that is decoded included. A resource may ask for
    /// less ahead or for more of its share, and for larger fetches.
    pub fn reception(&self, connection: &Connection, message: u64) -> Reception {
        let set = |name| connection.setting(name).and_then(|text| text.parse::<u64>().ok());
        let queued = set("queued.max.messages.kbytes").map_or(USUAL_QUEUE, |kbytes| kbytes.saturating_mul(1024));
        // Whoever says how much is fetched says how long an answer is.
        let (fetch, margin) = match set("fetch.max.bytes") {
            Some(fetch) => (fetch, 0),
            None => (self.fetch.min(USUAL_FETCH), self.fetch),
        };
        Reception { queued: queued.min(self.queued), fetch, message, margin }
    }

    /// Bytes that may be buffered outside librdkafka.
    pub(super) fn buffers(&self) -> u64 {
        let Self { queued: _, fetch: _, held, decoded, row_group, reject_row_group } = *self;
        held + 2 * decoded + row_group + reject_row_group
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::of(Memory::default())
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
        let memory = Memory::of_bytes(memory);
        let Budget { queued, fetch, held, decoded, row_group, reject_row_group } = Budget::of(memory);
        assert!(queued + fetch + held + 2 * decoded + row_group + reject_row_group <= memory.buffers() / 4 * 3);
    }

    #[test]
    fn more_memory_is_not_filled_with_what_is_fetched_ahead() {
        let reception = |memory: u64| {
            Budget::of(Memory::of_bytes(memory)).reception(&Connection::plaintext("127.0.0.1:1"), 8 << 20)
        };
        assert_eq!((reception(256 << 20).queued, reception(256 << 20).fetch), (8 << 20, 4 << 20));
        assert_eq!((reception(8 << 30).queued, reception(8 << 30).fetch), (8 << 20, 4 << 20));
        assert_eq!((reception(128 << 20).queued, reception(128 << 20).fetch), (4 << 20, 2 << 20));
    }

    /// What is fetched at a time does not decide how large a message may be that becomes a reject.
    #[test]
    fn answers_may_be_as_long_as_memory_allows() {
        let longest = |memory: u64| {
            Budget::of(Memory::of_bytes(memory)).reception(&Connection::plaintext("127.0.0.1:1"), 16 << 20).longest()
        };
        assert_eq!([256 << 20, 1 << 30].map(longest), [(10 + 16 + 1) << 20, (58 + 16 + 1) << 20]);
    }

    #[test]
    fn resource_may_ask_for_larger_fetches_but_not_for_more_ahead_than_memory_allows() {
        let settings = [("fetch.max.bytes", "52428800"), ("queued.max.messages.kbytes", "1000000")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let budget = Budget::default();
        let reception = budget.reception(&Connection::plaintext("127.0.0.1:1").with_settings(settings), 8 << 20);
        assert_eq!((reception.fetch, reception.queued), (50 << 20, budget.queued));
        assert_eq!(reception.longest(), (50 + 8 + 1) << 20);
        let settings = [("fetch.max.bytes".to_owned(), "1048576".to_owned())];
        let reception = budget.reception(&Connection::plaintext("127.0.0.1:1").with_settings(settings), 1 << 20);
        assert_eq!(reception.longest(), (1 + 1 + 1) << 20);
    }
}
