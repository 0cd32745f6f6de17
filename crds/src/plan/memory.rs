//! What a worker needs of memory for one message at its limit.

/// What the process takes beside large messages: code, librdkafka, the runtime, the log, an open file.
const BASE: u64 = 64 << 20;
/// A message is in memory so many times at the most: as it was received, compressed or not, with the next one fetched
/// ahead, decoded, as a column of rows or as the payload of a reject, and encoded.
///
/// Measured, most memory of the process in MiB by number of messages of 16 MiB, sent compressed so that all come in one
/// fetch (debug build; worker/tests/ingest/memory.rs prints the table for other sizes too):
///
/// ```text
///                       memory 128Mi        memory 256Mi
/// messages              1    2    8         1    2    8
/// usual rows          102  117  130       101  117  167
/// one text of 10 MiB  108  139  148       108  139  194
/// no column takes it   62   68   78        62   78  110
/// cut off, kept whole 132  197  229       132  196  275
/// ```
///
/// So 12 holds any two in a row, and eight of all kinds but the last, which is the rarest.
const TIMES: u64 = 12;
/// No pod gets less.
pub(super) const SMALLEST: u64 = 128 << 20;

/// The smallest memory of a worker that holds messages of so many bytes one after the other, in whole MiB. Less may do
/// where messages are shorter than they may be.
pub fn least_memory(message_bytes: u64) -> u64 {
    (BASE + TIMES * message_bytes).next_multiple_of(1 << 20).max(SMALLEST)
}

/// The longest message that fits, in whole MiB.
pub(super) fn longest_message(memory: u64) -> u64 {
    let bytes = memory.saturating_sub(BASE) / TIMES;
    bytes - bytes % (1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::smallest(1 << 20, 128)]
    #[case::of_the_defaults(16 << 20, 256)]
    #[case::largest(128 << 20, 1600)]
    fn least_memory_grows_with_the_longest_message(#[case] message: u64, #[case] mebibytes: u64) {
        assert_eq!(least_memory(message), mebibytes << 20);
        assert!(longest_message(least_memory(message)) >= message);
    }
}
