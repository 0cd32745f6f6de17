//! Decoders, one for each thread, and the rows that they have gathered.
//!
//! A batch of messages is cut into contiguous chunks, and each is decoded by a thread of its own. What the chunks gathered
//! is put together in their order, so that rows come out as one decoder would have them. With one thread, or little to
//! decode, there is one decoder, and no thread is begun.
//!
//! Memory: all chunks together may gather what is left of the share for decoded rows. A chunk ends early once it has its
//! part, and what later chunks gathered is dropped then: messages count as decoded up to the first that is not.

use std::mem;
use std::num::NonZero;
use std::ops::Range;
use std::panic::resume_unwind;
use std::thread;

use arrow::array::RecordBatch;
use gristmill_core::raw::{Message, MessageDecoder, Verdict};
use gristmill_crds::plan::IngestPlan;

/// Bytes for which a thread is begun: decoding them takes a millisecond, in which the 30 us of a thread do not matter.
/// Every chunk is worth it in the simulation, whose messages are short.
const LEAST_CHUNK: usize = if cfg!(test) { 1 } else { 64 << 10 };
/// Bytes that a thread decodes at a time: 15 ms, in which nothing else of the loop moves.
const MOST_CHUNK: usize = 1 << 20;
/// Messages that a thread decodes at a time, however short.
const MOST_MESSAGES: u64 = 1024;
/// A longer message is decoded alone: a decoder keeps buffers of the largest that it has read, several times as long.
const LONGEST_SHARED: usize = 128 << 10;

/// Rows are hardly ever shorter than their part of the payload by more than this, and some must be expected.
const LEAST_GROWTH: f64 = 0.1;
/// What is kept of the growth with each message or batch: one that grew by far more counts for about a hundred.
const GROWTH_KEPT: f64 = 0.98;

/// The decoders of a worker.
pub(super) struct Decoding {
    plan: IngestPlan,
    threads: NonZero<usize>,
    first: MessageDecoder,
    /// Of the other threads; made when they are first of use.
    others: Vec<MessageDecoder>,
    /// What chunks have gathered, before what `first` gathers now.
    gathered: Gathered,
    gathered_bytes: usize,
    /// Bytes of rows that a byte of payload has become; none before a message was decoded. It rises at once and falls slowly.
    growth: Option<f64>,
}

/// Rows and reject records in their order.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) rows: Vec<RecordBatch>,
    pub(super) rejects: Vec<RecordBatch>,
}

/// How large a batch may be that is decoded at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchLimits {
    pub(super) messages: u64,
    pub(super) bytes: usize,
    /// Bytes of one message.
    pub(super) longest: usize,
}

impl Decoding {
    pub(super) fn new(plan: &IngestPlan) -> Self {
        Self {
            plan: plan.clone(),
            threads: NonZero::<usize>::MIN,
            first: MessageDecoder::new(plan),
            others: Vec::new(),
            gathered: Gathered::default(),
            gathered_bytes: 0,
            growth: None,
        }
    }

    /// Decodes by so many threads from now on.
    pub(super) fn set_threads(&mut self, threads: NonZero<usize>) {
        self.threads = threads;
        self.others.truncate(threads.get() - 1);
    }

    /// Threads that decode.
    pub(super) fn threads(&self) -> NonZero<usize> {
        self.threads
    }

    /// How large a batch may be if rows of so many bytes may be gathered; none if messages are to be decoded one by one.
    ///
    /// Payloads are known before they are decoded and rows are not, which may be a thousand times as long: a batch is as
    /// large as its rows would fit if they were like those before.
    pub(super) fn batch_limits(&self, room: usize) -> Option<BatchLimits> {
        let threads = self.threads.get();
        let room = (room as f64 / self.growth?.max(LEAST_GROWTH)) as usize;
        let bytes = room.min(threads * MOST_CHUNK);
        let pays = threads > 1 && bytes >= 2 * LEAST_CHUNK;
        // A message takes several times its length while it is read, and the worker has memory for one of the largest: all
        // that are read at the same time are no longer together.
        let longest = LONGEST_SHARED.min(self.plan.record.limits.message_bytes / threads).min(room / threads);
        pays.then(|| BatchLimits { messages: threads as u64 * MOST_MESSAGES, bytes, longest })
    }

    /// Decodes a message by itself.
    pub(super) fn decode_one(&mut self, message: &Message<'_>) -> Verdict {
        let before = self.first.memory_size();
        let verdict = self.first.decode(message);
        self.note_growth(message.payload.map_or(0, <[u8]>::len), self.first.memory_size().saturating_sub(before));
        verdict
    }

    fn note_growth(&mut self, payload: usize, rows: usize) {
        let seen = rows as f64 / payload.max(1) as f64;
        self.growth = Some(self.growth.map_or(seen, |growth| seen.max(growth * GROWTH_KEPT)));
    }

    /// Whom to ask for the schemas.
    pub(super) fn schemas(&self) -> &MessageDecoder {
        &self.first
    }

    /// Decodes a batch of messages of these lengths, and gathers rows of about `room` bytes at the most. The verdicts are
    /// those of its first messages; the others are to be decoded again. There is one at the least.
    pub(super) fn decode<M: Sync>(
        &mut self,
        batch: &[M],
        lengths: &[usize],
        room: usize,
        decode: impl Fn(&mut MessageDecoder, &M) -> Verdict + Sync,
    ) -> Vec<Verdict> {
        let chunks = chunks(lengths, self.threads.get());
        let share = room / chunks.len().max(1);
        while self.others.len() + 1 < chunks.len() {
            self.others.push(MessageDecoder::new(&self.plan));
        }
        let Self { first, others, .. } = self;
        let decode_chunk = |decoder: &mut MessageDecoder, messages: &[M]| {
            let most = decoder.memory_size().saturating_add(share);
            let mut verdicts = Vec::with_capacity(messages.len());
            for message in messages {
                verdicts.push(decode(decoder, message));
                if decoder.memory_size() >= most {
                    break;
                }
            }
            verdicts
        };
        if chunks.len() == 1 {
            // Its rows stay with those before: a few of them as a batch of their own would take a multiple of their bytes.
            let before = first.memory_size();
            let verdicts = decode_chunk(first, batch);
            let grown = first.memory_size().saturating_sub(before);
            self.note_growth(lengths[..verdicts.len()].iter().sum(), grown);
            return verdicts;
        }
        let decode_chunk = &decode_chunk;
        let decoded = thread::scope(|scope| {
            let (own, given) = chunks.split_first().map_or((0..0, [].as_slice()), |(own, given)| (own.clone(), given));
            let begin = |(decoder, chunk): (_, &Range<usize>)| {
                let messages = &batch[chunk.clone()];
                let thread = thread::Builder::new().name("gristmill-decode".to_owned());
                thread.spawn_scoped(scope, move || decode_chunk(decoder, messages))
            };
            let begun: Vec<_> = others.iter_mut().zip(given).map(begin).collect();
            let mut decoded = vec![decode_chunk(first, &batch[own])];
            decoded.extend(begun.into_iter().map(|thread| match thread {
                Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                // A system that refuses threads: the messages of the chunk come again.
                Err(error) => {
                    tracing::debug!(%error, "no thread for decoding");
                    Vec::new()
                }
            }));
            decoded
        });
        let before = self.memory_size();
        let verdicts = self.put_together(&chunks, decoded);
        let grown = self.memory_size().saturating_sub(before);
        self.note_growth(lengths[..verdicts.len()].iter().sum(), grown);
        verdicts
    }

    /// Gathers what was decoded up to the first message that was not.
    fn put_together(&mut self, chunks: &[Range<usize>], decoded: Vec<Vec<Verdict>>) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        let mut is_whole = true;
        let decoders = std::iter::once(&mut self.first).chain(&mut self.others);
        for ((decoder, chunk), decoded) in decoders.zip(chunks).zip(decoded) {
            let bytes = decoder.memory_size();
            let (rows, rejects) = (decoder.take_rows(), decoder.take_rejects());
            if !is_whole {
                continue;
            }
            is_whole = decoded.len() == chunk.len();
            verdicts.extend(decoded);
            self.gathered.rows.extend(rows);
            self.gathered.rejects.extend(rejects);
            self.gathered_bytes += bytes;
        }
        verdicts
    }

    /// Bytes of the rows and reject records that are gathered.
    pub(super) fn memory_size(&self) -> usize {
        self.gathered_bytes + self.first.memory_size()
    }

    /// Takes what is gathered.
    pub(super) fn take(&mut self) -> Gathered {
        self.gathered_bytes = 0;
        let mut gathered = mem::take(&mut self.gathered);
        gathered.rows.extend(self.first.take_rows());
        gathered.rejects.extend(self.first.take_rejects());
        gathered
    }
}

/// Cuts messages of these lengths into contiguous chunks of about the same length, as many as there are threads and as pay.
fn chunks(lengths: &[usize], threads: usize) -> Vec<Range<usize>> {
    let all: usize = lengths.iter().sum();
    let count = threads.min(all / LEAST_CHUNK).clamp(1, lengths.len().max(1));
    let mut chunks: Vec<Range<usize>> = Vec::with_capacity(count);
    let (mut start, mut cut) = (0, 0);
    for (index, length) in lengths.iter().enumerate() {
        // A chunk ends before the message whose middle lies beyond the chunk's part of the whole.
        let is_beyond = (2 * cut + length) * count >= 2 * all * (chunks.len() + 1);
        if is_beyond && index > start && chunks.len() + 1 < count {
            chunks.push(start..index);
            start = index;
        }
        cut += length;
    }
    chunks.push(start..lengths.len());
    chunks
}

#[cfg(test)]
mod tests;
