//! How much librdkafka may bring into memory at a time.
//!
//! Its queue is one for all partitions of a member, so these bounds hold for one partition and for 500 alike. A broker
//! sends a whole batch at least, however large it is: an answer may be as long as a fetch and a message together.

use rdkafka::ClientConfig;

/// What an answer of a broker holds besides messages: names, ids, headers of batches, aborted transactions.
const FRAMING: u64 = 1 << 20;
/// librdkafka takes no larger number for a size.
const MOST: u64 = 1 << 30;
/// Below this librdkafka's own default for a message would have to be lowered too.
const LEAST_FETCH: u64 = 1 << 20;

/// How much a client may receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reception {
    /// Bytes of messages that wait in the client; a fetch that is under way comes on top.
    pub queued: u64,
    /// Bytes of one fetch.
    pub fetch: u64,
    /// Bytes of the largest message that is read.
    pub message: u64,
    /// Bytes that an answer may have beside such a message, where that is more than a fetch. A message that is larger than
    /// what is read, and comes within this, is a reject.
    pub margin: u64,
}

impl Reception {
    /// Bytes of the longest answer that is received; a message that makes a longer one stops its partition.
    pub fn longest(self) -> u64 {
        self.fetch_bytes().max(self.margin).saturating_add(self.message).saturating_add(FRAMING).min(MOST)
    }

    fn fetch_bytes(self) -> u64 {
        self.fetch.clamp(LEAST_FETCH, MOST / 2)
    }

    /// Sets what a consumer with these bounds has to be told.
    pub(super) fn configure(self, config: &mut ClientConfig) {
        config
            .set("queued.max.messages.kbytes", (self.queued / 1024).clamp(1024, MOST / 1024).to_string())
            .set("fetch.max.bytes", self.fetch_bytes().to_string())
            .set("receive.message.max.bytes", self.longest().to_string());
    }
}
