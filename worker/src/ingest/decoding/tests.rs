use arrow::compute::concat_batches;
use gristmill_core::raw::{Message, NoHeaders};
use proptest::prelude::*;

use super::*;
use crate::documents::Documents;
use crate::produce::books::{BookMessages, Mix};

const MIX: Mix = Mix { duplicates: 10, malformed: 20, invalid: 20, late: 0, tombstones: 0 };

fn plan() -> IngestPlan {
    let documents = Documents::parse("books.yaml".as_ref(), crate::demo::BOOKS).expect("the quickstart is valid");
    documents.ingest_plan(None).expect("the quickstart is valid")
}

fn payloads(seed: u64, count: usize) -> Vec<String> {
    BookMessages::new(seed, MIX).take(count).map(|message| message.payload).collect()
}

fn threads(threads: usize) -> NonZero<usize> {
    NonZero::new(threads).expect("there is one")
}

fn message<'a>(offset: &'a usize, payload: &'a str) -> Message<'a> {
    Message {
        topic: "books",
        topic_id: "topic-1",
        partition: 0,
        offset: i64::try_from(*offset).expect("few messages"),
        generation: 0,
        timestamp_micros: None,
        key: None,
        payload: Some(payload.as_bytes()),
        headers: &NoHeaders,
    }
}

fn decode_one(decoder: &mut MessageDecoder, (offset, payload): &(usize, &str)) -> Verdict {
    decoder.decode(&message(offset, payload))
}

/// Verdicts, rows and rejects of all messages, decoded in batches of this size with room for so many bytes each.
fn decoded(payloads: &[String], count: usize, batch: usize, room: usize) -> (Vec<Verdict>, [RecordBatch; 2]) {
    let mut decoding = Decoding::new(&plan());
    decoding.set_threads(threads(count));
    let messages: Vec<(usize, &str)> = payloads.iter().map(String::as_str).enumerate().collect();
    let mut verdicts = Vec::new();
    while verdicts.len() < messages.len() {
        let rest = &messages[verdicts.len()..];
        let rest = &rest[..rest.len().min(batch)];
        let lengths: Vec<usize> = rest.iter().map(|(_, payload)| payload.len()).collect();
        let made = decoding.decode(rest, &lengths, room, decode_one);
        assert!(!made.is_empty() && made.len() <= rest.len());
        verdicts.extend(made);
    }
    let [row_schema, reject_schema] = [decoding.first.row_schema(), decoding.first.reject_schema()];
    let bytes = decoding.memory_size();
    let Gathered { rows, rejects } = decoding.take();
    assert_eq!((decoding.memory_size(), bytes > 0), (0, !payloads.is_empty()));
    let all = |schema, batches: &[RecordBatch]| concat_batches(schema, batches).expect("they are of one schema");
    (verdicts, [all(&row_schema, &rows), all(&reject_schema, &rejects)])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// However many threads there are and wherever memory ends a batch: each message is decoded once, and all comes out in
    /// the order of one decoder.
    #[test]
    fn threads_change_nothing(
        seed in 0_u64..1000, count in 0_usize..60, workers in 2_usize..6, batch in 1_usize..40, room in 0_usize..20_000,
    ) {
        let payloads = payloads(seed, count);
        prop_assert_eq!(decoded(&payloads, workers, batch, room), decoded(&payloads, 1, 1, usize::MAX));
    }
}

#[test]
fn batch_gathers_what_there_is_room_for_and_a_message_of_each_thread() {
    let payloads = payloads(7, 400);
    let messages: Vec<(usize, &str)> = payloads.iter().map(String::as_str).enumerate().collect();
    let lengths: Vec<usize> = payloads.iter().map(String::len).collect();
    let mut decoding = Decoding::new(&plan());
    decoding.set_threads(threads(4));
    let room = 40_000;
    let verdicts = decoding.decode(&messages, &lengths, room, decode_one);
    assert!(verdicts.len() < messages.len(), "the messages need more");
    let largest = 40 * lengths.iter().max().expect("there are messages");
    assert!(decoding.memory_size() <= room + largest, "{} bytes", decoding.memory_size());
    assert!(decoding.others.iter().all(|other| other.memory_size() == 0), "what is not gathered is dropped");
}

#[rstest::rstest]
#[case::one_thread(&[10, 10, 10], 1, &[3])]
#[case::even(&[10, 10, 10, 10], 2, &[2, 2])]
#[case::by_bytes(&[90, 10, 10, 10], 2, &[1, 3])]
#[case::long_one_last(&[1, 1, 1, 90], 3, &[3, 1])]
#[case::more_threads_than_messages(&[10, 10], 8, &[1, 1])]
#[case::without_values(&[0, 0, 0], 4, &[3])]
#[case::nothing(&[], 4, &[0])]
fn messages_are_cut_into_contiguous_chunks(
    #[case] lengths: &[usize],
    #[case] threads: usize,
    #[case] expected: &[usize],
) {
    let chunks = chunks(lengths, threads);
    assert_eq!(chunks.iter().map(Range::len).collect::<Vec<_>>(), expected);
    assert!(chunks.iter().flat_map(Clone::clone).eq(0..lengths.len()), "{chunks:?}");
}

#[test]
fn messages_are_decoded_one_by_one_by_one_thread_and_where_there_is_no_room() {
    let mut decoding = Decoding::new(&plan());
    assert_eq!(decoding.batch_limits(usize::MAX), None);
    decoding.set_threads(threads(2));
    assert_eq!(decoding.batch_limits(usize::MAX), None, "nobody knows yet what becomes of a message");
    decoding.growth = Some(1.0);
    assert_eq!(decoding.batch_limits(1), None);
    let limits = decoding.batch_limits(usize::MAX).expect("it pays");
    assert_eq!((limits.messages, limits.bytes), (2 * MOST_MESSAGES, 2 * MOST_CHUNK));
    assert_eq!(decoding.batch_limits(1000).expect("it pays").bytes, 1000);
    decoding.plan.record.limits.message_bytes = 1000;
    assert_eq!(decoding.batch_limits(usize::MAX).expect("it pays").longest, 500, "together as long as the longest");
    decoding.set_threads(threads(1));
    assert_eq!(decoding.batch_limits(usize::MAX), None);
}

/// A message of a few bytes may become a thousand times as many.
#[test]
fn batch_is_as_large_as_its_rows_would_fit_if_they_were_like_those_before() {
    let payloads = payloads(3, 50);
    let mut decoding = Decoding::new(&plan());
    decoding.set_threads(threads(4));
    let mut payload_bytes = 0;
    for (offset, payload) in payloads.iter().enumerate() {
        decoding.decode_one(&message(&offset, payload));
        payload_bytes += payload.len();
    }
    let growth = decoding.growth.expect("messages were decoded");
    assert!(growth >= decoding.memory_size() as f64 / payload_bytes as f64, "no less than on average: {growth}");
    decoding.growth = Some(1000.0);
    let limits = decoding.batch_limits(1 << 20).expect("it pays");
    assert_eq!((limits.bytes, limits.longest), (1048, 262));
}

/// Two messages at a time, as they come where few arrive: their rows stay in one batch.
#[test]
fn rows_of_short_batches_stay_together() {
    let payloads = ["x".repeat(10), "y".repeat(10)];
    let mut decoding = Decoding::new(&plan());
    decoding.set_threads(threads(2));
    for turn in 0..100 {
        let messages: Vec<(usize, &str)> = payloads.iter().map(String::as_str).enumerate().collect();
        // Without a length there is nothing to share out.
        let verdicts = decoding.decode(&messages, &[0, 0], 1 << 20, decode_one);
        assert_eq!(verdicts.len(), 2, "turn {turn}");
    }
    let Gathered { rows, rejects } = decoding.take();
    assert_eq!((rows.len(), rejects.iter().map(RecordBatch::num_rows).collect::<Vec<_>>()), (0, vec![200]));
}

#[test]
#[ignore = "prints what was measured"]
fn table() {
    let payloads = payloads(1, 2000);
    let messages: Vec<(usize, &str)> = payloads.iter().map(String::as_str).enumerate().collect();
    let lengths: Vec<usize> = payloads.iter().map(String::len).collect();
    let mut decoders = [1, 2].map(|count| {
        let mut decoding = Decoding::new(&plan());
        decoding.set_threads(threads(count));
        decoding
    });
    let mut times = [const { Vec::new() }; 2];
    let mut cpu = [std::time::Duration::ZERO; 2];
    for _ in 0..15 {
        for (index, decoding) in decoders.iter_mut().enumerate() {
            let (began, used) = (std::time::Instant::now(), crate::cpu::used());
            let verdicts = decoding.decode(&messages, &lengths, usize::MAX, decode_one);
            times[index].push(began.elapsed());
            cpu[index] += crate::cpu::used() - used;
            assert_eq!(verdicts.len(), messages.len());
            drop(decoding.take());
        }
    }
    let bytes: usize = lengths.iter().sum();
    println!("{} messages, {bytes} bytes, 15 times by 1 thread and by 2", messages.len());
    let [one, two] = times.map(|mut times| {
        times.sort();
        [times[0], times[times.len() / 2]].map(|time| time.as_secs_f64())
    });
    println!("time of 1 by that of 2: {:.2} of the fastest, {:.2} of the medians", one[0] / two[0], one[1] / two[1]);
    println!("CPU of 2 by that of 1: {:.2}", cpu[1].as_secs_f64() / cpu[0].as_secs_f64());
}
