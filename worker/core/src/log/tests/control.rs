//! Entries that steer: rewind, hold and resume, fence, consumer, remove; and the schemas of added files.

use std::collections::BTreeMap;

use rstest::rstest;

use super::super::*;
use super::{
    entry, file, incarnation, processed_fold, range, raw_data, raw_entry, raw_fold, raw_zone_id, text, zone_id,
};

fn source(topic_id: &str) -> Source {
    Source { cluster_id: "cluster".to_owned(), topic_id: topic_id.to_owned() }
}

fn plan(nonce: &str, topic_id: &str, next: &[(i32, i64)]) -> RewindPlan {
    RewindPlan { nonce: nonce.to_owned(), source: source(topic_id), next: next.iter().copied().collect() }
}

fn rewind(fold: &mut Fold, plan: &RewindPlan) -> Result<(), Refused> {
    let body = rewind_entry(fold, plan).expect("a new nonce");
    fold.apply(&entry(0x900 + u128::from(fold.head().0), Kind::Rewind(body))).map(drop)
}

fn hold(judged_at: u64) -> Hold {
    Hold {
        reason: HoldReason::RejectedBudgetExceeded,
        judged_at: Sequence(judged_at),
        messages: 1000,
        messages_with_rejects: 80,
        message: "80 of 1000 messages have rejects".to_owned(),
    }
}

fn apply(fold: &mut Fold, kind: impl Into<Kind>) -> Result<Publication, Refusal> {
    let commit = 0x1000 + u128::from(fold.head().0);
    fold.apply(&entry(commit, kind.into())).map_err(|refused| refused.refusal)
}

fn raw_fold_at_200() -> Fold {
    let mut fold = raw_fold();
    fold.apply(&raw_entry(2, raw_data(vec![range(0, 100, 200)], vec![file(FileZone::Raw, 1)]))).expect("valid");
    fold
}

#[rstest]
#[case(Kind::Rewind(rewind_entry(&raw_fold(), &plan("n", "topic-1", &[(0, 120)])).expect("new")),
    r#""kind":"Rewind","nonce":"n","generation":1,"clusterId":"cluster","topicId":"topic-1","partitions":[{"partition":0,"next":120,"gaps":20}]}"#)]
#[case(Kind::Hold(hold(3)),
    r#""kind":"Hold","reason":"RejectedBudgetExceeded","judgedAt":3,"messages":1000,"messagesWithRejects":80,"message":"80 of 1000 messages have rejects"}"#)]
#[case(Kind::Resume(Resume { token: Some("t".to_owned()) }), r#""kind":"Resume","token":"t"}"#)]
#[case(Kind::Resume(Resume { token: None }), r#""kind":"Resume"}"#)]
#[case(Kind::Fence(Fence { incarnation: incarnation(7) }),
    r#""kind":"Fence","fenced":"00000000-0000-0000-0000-0000a0000007"}"#)]
#[case(Kind::Consumer(Consumer::Register { id: raw_zone_id(), name: "library.books".to_owned() }),
    r#""kind":"Consumer","action":"Register","id":"00000000-0000-0000-0000-000000000002","name":"library.books"}"#)]
#[case(Kind::Consumer(Consumer::Advance { id: raw_zone_id(), position: 4 }),
    r#""kind":"Consumer","action":"Advance","id":"00000000-0000-0000-0000-000000000002","position":4}"#)]
#[case(Kind::Consumer(Consumer::Leave { id: raw_zone_id() }),
    r#""kind":"Consumer","action":"Leave","id":"00000000-0000-0000-0000-000000000002"}"#)]
#[case(Kind::Remove(Remove { files: vec![], reason: RemovalReason::Retention, archive: Some("hdfs://a/b".to_owned()) }),
    r#""kind":"Remove","files":[],"reason":"Retention","archive":"hdfs://a/b"}"#)]
fn an_entry_that_steers_is_written_in_one_way_and_read_again(#[case] kind: Kind, #[case] json: &str) {
    let entry = entry(5, kind);
    let written = text(&entry);
    assert!(written.ends_with(json), "{written}");
    assert_eq!(decode_entry(written.as_bytes()).expect("it is read"), entry);
    let unknown = written.replacen("\"kind\"", "\"more\":1,\"kind\"", 1);
    assert!(decode_entry(unknown.as_bytes()).is_err(), "an unknown field is refused: {unknown}");
}

#[test]
fn a_rewind_is_zone_wide_and_goes_where_it_says() {
    let mut fold = raw_fold_at_200();
    fold.apply(&raw_entry(3, raw_data(vec![range(5, 0, 10)], vec![]))).expect("valid");
    rewind(&mut fold, &plan("first", "topic-1", &[(0, 20)])).expect("valid");
    assert_eq!((fold.generation(), fold.next(0), fold.next(5)), (1, 20, 10));
    assert!(fold.partitions().values().all(|state| state.generation == 1));
    let old = raw_entry(4, raw_data(vec![range(5, 10, 12)], vec![]));
    assert!(matches!(valid(&fold, &old), Err(Refusal::OtherGeneration { found: 0, expected: 1, .. })));
    let new = PartitionRange { generation: 1, ..range(0, 20, 30) };
    fold.apply(&raw_entry(5, raw_data(vec![new], vec![]))).expect("valid");
    // A partition that appears after a rewind begins at 0 in the generation of the zone.
    let late = PartitionRange { generation: 1, ..range(6, 0, 1) };
    fold.apply(&raw_entry(6, raw_data(vec![late], vec![]))).expect("valid");
    assert_eq!(fold.totals().accepted, 100 + 10 + 10 + 1);
}

#[test]
fn a_rewind_that_goes_forward_counts_what_it_passes_over() {
    let mut fold = raw_fold_at_200();
    let stale = rewind_entry(&raw_fold(), &plan("n", "topic-1", &[(0, 250)])).expect("new");
    assert_eq!(stale.partitions[0].gaps, 150);
    assert_eq!(apply(&mut fold, stale), Err(Refusal::OtherGaps { partition: 0, found: 150, expected: 50 }));
    rewind(&mut fold, &plan("n", "topic-1", &[(0, 250)])).expect("valid");
    assert_eq!((fold.next(0), fold.totals().gaps), (250, 50));
}

/// Schedule 32: two workers apply one nonce, two rewinds open one generation, an old nonce comes back.
#[test]
fn a_nonce_is_applied_once_and_a_generation_is_opened_once() {
    let mut fold = raw_fold_at_200();
    let twice = rewind_entry(&fold, &plan("n", "topic-1", &[(0, 20)])).expect("new");
    let other = rewind_entry(&fold, &plan("m", "topic-1", &[(0, 30)])).expect("new");
    apply(&mut fold, twice.clone()).expect("valid");
    assert!(matches!(apply(&mut fold, twice), Err(Refusal::NonceIsUsed { sequence: Sequence(2), .. })));
    assert_eq!(apply(&mut fold, other), Err(Refusal::NotNextGeneration { found: 1, expected: 2 }));
    rewind(&mut fold, &plan("m", "topic-1", &[(0, 30)])).expect("valid");
    assert_eq!(rewind_entry(&fold, &plan("n", "topic-1", &[(0, 0)])), None);
    assert_eq!((fold.generation(), fold.next(0)), (2, 30));
}

/// F9: another topic of that name, of which fewer partitions exist.
#[test]
fn a_rewind_adopts_the_topic_that_was_created_anew() {
    let mut fold = raw_fold_at_200();
    fold.apply(&raw_entry(3, raw_data(vec![range(5, 0, 10)], vec![]))).expect("valid");
    rewind(&mut fold, &plan("n", "topic-2", &[(0, 7)])).expect("valid");
    assert_eq!(fold.source(), Some(&source("topic-2")));
    assert_eq!(fold.partitions().keys().collect::<Vec<_>>(), [&0]);
    assert_eq!((fold.next(0), fold.next(5), fold.totals().accepted), (7, 0, 110));
    let old = PartitionRange { generation: 1, ..range(0, 7, 8) };
    assert!(matches!(
        valid(&fold, &raw_entry(4, raw_data(vec![old.clone()], vec![]))),
        Err(Refusal::OtherTopic { .. })
    ));
    let new = PartitionRange { topic_id: "topic-2".to_owned(), ..old };
    fold.apply(&raw_entry(5, raw_data(vec![new], vec![]))).expect("valid");
    assert_eq!((fold.next(0), fold.totals().accepted), (8, 111));
}

#[test]
fn a_zone_on_hold_takes_no_data_until_it_is_resumed() {
    let mut fold = raw_fold_at_200();
    apply(&mut fold, hold(1)).expect("valid");
    assert_eq!(fold.held().map(|held| held.hold.messages_with_rejects), Some(80));
    assert_eq!(apply(&mut fold, hold(2)), Err(Refusal::Held(Sequence(2))));
    let more = raw_entry(9, raw_data(vec![range(0, 200, 210)], vec![]));
    assert_eq!(valid(&fold, &more), Err(Refusal::Held(Sequence(2))));
    assert_eq!(apply(&mut fold, Resume { token: None }), Err(Refusal::SameResource(Sequence(2))));
    apply(&mut fold, Resume { token: Some("t".to_owned()) }).expect("valid");
    assert_eq!(valid(&fold, &more), Ok(()));
    assert_eq!(apply(&mut fold, Resume { token: Some("t".to_owned()) }), Err(Refusal::TokenIsUsed("t".to_owned())));
    assert_eq!(apply(&mut fold, Resume { token: None }), Err(Refusal::NotHeld));
    // Somebody who judged before the resume and was slow.
    assert_eq!(apply(&mut fold, hold(2)), Err(Refusal::ResumedMeanwhile(Sequence(3))));
    apply(&mut fold, hold(3)).expect("valid");
}

#[test]
fn another_resource_leaves_a_hold_without_a_token() {
    let mut fold = raw_fold_at_200();
    apply(&mut fold, hold(1)).expect("valid");
    let changed = Entry { spec_digest: Digest::of(b"other rules"), ..entry(9, Kind::Resume(Resume { token: None })) };
    fold.apply(&changed).expect("valid");
    assert_eq!(fold.held(), None);
}

#[test]
fn the_window_of_the_budget_ends_at_a_resume() {
    let mut fold = raw_fold();
    let at = |time: &str, from, to| {
        let range = PartitionRange { accepted: 6, accepted_with_rejects: 1, rejected: 4, ..range(0, from, to) };
        Entry {
            time: time.parse().expect("a time"),
            ..raw_entry(u128::try_from(to).expect("small"), raw_data(vec![range], vec![]))
        }
    };
    fold.apply(&at("2026-11-23T06:00:00Z", 100, 110)).expect("valid");
    fold.apply(&at("2026-11-23T06:05:00Z", 110, 120)).expect("valid");
    let since = |fold: &Fold, time: &str| {
        let RejectCounts { messages, with_rejects } = fold.rejects_since(time.parse().expect("a time"));
        (messages, with_rejects)
    };
    assert_eq!(since(&fold, "2026-11-23T06:00:00Z"), (20, 10));
    assert_eq!(since(&fold, "2026-11-23T06:00:01Z"), (10, 5));
    let resumed = entry(9, Kind::Resume(Resume { token: Some("t".to_owned()) }));
    fold.apply(&resumed).expect("valid");
    assert_eq!(since(&fold, "2026-11-23T06:00:00Z"), (0, 0));
}

#[test]
fn a_window_of_many_entries_stays_bounded_and_loses_no_message() {
    let mut fold = raw_fold();
    let begin = fold.effective_time().utc();
    for step in 0..5000_i64 {
        let time = LogTime::new(begin + chrono::TimeDelta::seconds(step + 1));
        let range = range(0, 100 + step, 101 + step);
        fold.apply(&Entry { time, ..raw_entry(2, raw_data(vec![range], vec![])) }).expect("valid");
    }
    assert_eq!(fold.rejects_since(LogTime::new(begin)).messages, 5000);
    assert!(fold.encode_state().len() < 300_000, "{} bytes", fold.encode_state().len());
}

#[test]
fn a_fenced_writer_appends_nothing_of_any_kind() {
    let mut fold = raw_fold_at_200();
    let by = |writer, kind| Entry { incarnation: incarnation(writer), ..entry(9, kind) };
    let fence = |whom| Kind::Fence(Fence { incarnation: incarnation(whom) });
    assert_eq!(valid(&fold, &by(1, fence(1))), Err(Refusal::FencesItself));
    fold.apply(&by(2, fence(1))).expect("valid");
    assert!(matches!(valid(&fold, &by(2, fence(1))), Err(Refusal::IsFencedAlready { .. })));
    for kind in [
        Kind::Data(Data::Raw(raw_data(vec![range(0, 200, 201)], vec![]))),
        Kind::Hold(hold(1)),
        Kind::Resume(Resume { token: Some("t".to_owned()) }),
        Kind::Consumer(Consumer::Register { id: raw_zone_id(), name: "c".to_owned() }),
        fence(2),
    ] {
        assert_eq!(valid(&fold, &by(1, kind)), Err(Refusal::Fenced(incarnation(1))));
    }
    let mut processed = processed_fold();
    processed.apply(&by(2, fence(1))).expect("a Processed zone has writers to fence as well");
}

#[test]
fn a_file_that_another_writer_staged_is_not_added() {
    let theirs = Entry { incarnation: incarnation(2), ..raw_entry(2, raw_data(vec![], vec![file(FileZone::Raw, 1)])) };
    let refusal = valid(&raw_fold(), &theirs).expect_err("refused").to_string();
    assert!(refusal.contains("another writer has staged it"), "{refusal}");
}

fn removal(files: &[FileEntry]) -> Remove {
    let removed = |file: &FileEntry| RemovedFile { zone: file.zone, path: file.path.clone() };
    Remove { files: files.iter().map(removed).collect(), reason: RemovalReason::Retention, archive: None }
}

/// Schedule 42, both orders, and a consumer that is taken off.
#[test]
fn a_file_leaves_only_behind_every_registered_consumer() {
    let mut fold = raw_fold_at_200();
    let file = file(FileZone::Raw, 1);
    let id = raw_zone_id();
    apply(&mut fold, Consumer::Register { id, name: "library.books".to_owned() }).expect("valid");
    let refusal = apply(&mut fold, removal(std::slice::from_ref(&file))).expect_err("refused");
    assert!(matches!(refusal, Refusal::StillToBeConsumed { position: -1, sequence: Sequence(1), .. }), "{refusal}");
    apply(&mut fold, Consumer::Advance { id, position: 1 }).expect("valid");
    assert_eq!(
        apply(&mut fold, Consumer::Advance { id, position: 0 }),
        Err(Refusal::ConsumerGoesBack { from: 1, to: 0 })
    );
    assert!(matches!(apply(&mut fold, Consumer::Advance { id, position: 9 }), Err(Refusal::ConsumerIsAhead { .. })));
    let before = fold.clone();
    let publication = apply(&mut fold, removal(std::slice::from_ref(&file))).expect("valid");
    assert_eq!(publication.retire[0].retired, layout::retired(fold.head(), &file.path));
    assert_eq!(fold.live().len(), 0);
    assert_eq!(
        apply(&mut fold, removal(std::slice::from_ref(&file))),
        Err(Refusal::RemovedIsNotLive(file.path.to_string()))
    );
    // The other order: who registers while the file is there keeps it.
    let mut fold = before;
    apply(&mut fold, Consumer::Register { id: zone_id(), name: "second".to_owned() }).expect("valid");
    assert!(apply(&mut fold, removal(std::slice::from_ref(&file))).is_err());
    apply(&mut fold, Consumer::Leave { id: zone_id() }).expect("valid");
    apply(&mut fold, removal(std::slice::from_ref(&file))).expect("valid");
}

#[test]
fn rejected_files_are_removed_whatever_consumers_have_read() {
    let mut fold = raw_fold();
    let rejects = file(FileZone::Rejected, 3);
    fold.apply(&raw_entry(2, raw_data(vec![], vec![rejects.clone()]))).expect("valid");
    apply(&mut fold, Consumer::Register { id: raw_zone_id(), name: "c".to_owned() }).expect("valid");
    apply(&mut fold, removal(&[rejects])).expect("valid");
}

#[test]
fn a_consumer_that_is_not_registered_says_nothing() {
    let mut fold = raw_fold();
    let id = raw_zone_id();
    assert_eq!(apply(&mut fold, Consumer::Leave { id }), Err(Refusal::IsNotRegistered(id)));
    assert_eq!(apply(&mut fold, Consumer::Advance { id, position: 0 }), Err(Refusal::IsNotRegistered(id)));
    apply(&mut fold, Consumer::Register { id, name: "c".to_owned() }).expect("valid");
    assert_eq!(apply(&mut fold, Consumer::Register { id, name: "c".to_owned() }), Err(Refusal::IsRegistered(id)));
}

fn schema(id: &str, columns: &[(&str, &str)]) -> FileSchema {
    let column = |(name, data_type): &(&str, &str)| SchemaColumn {
        name: (*name).to_owned(),
        data_type: (*data_type).to_owned(),
        nullable: true,
    };
    FileSchema { id: id.to_owned(), columns: columns.iter().map(column).collect() }
}

/// Schedule 47: Int32, removed, String; the last live file with the Int32 decides.
#[test]
fn a_column_does_not_come_back_with_another_type_while_a_live_file_has_it() {
    let mut fold = raw_fold();
    let mut add = |number: u64, schema: &FileSchema| {
        let added = FileEntry { schema: schema.id.clone(), ..file(FileZone::Raw, number) };
        let data = RawData { schemas: vec![schema.clone()], ..raw_data(vec![], vec![added.clone()]) };
        apply(&mut fold, Data::Raw(data)).map(|_| added)
    };
    let first = add(1, &schema("a", &[("x", "Int32"), ("y", "Utf8")])).expect("valid");
    add(2, &schema("b", &[("y", "Utf8"), ("z", "Utf8")])).expect("valid");
    let other = schema("c", &[("x", "Utf8")]);
    let refusal = add(3, &other).expect_err("refused");
    assert!(refusal.to_string().contains("column `x` is a Utf8 and live files hold it as a Int32"), "{refusal}");
    assert_eq!(add(4, &schema("a", &[("x", "Int64")])), Err(Refusal::SchemaDescribedOtherwise("a".to_owned())));
    apply(&mut fold, removal(&[first])).expect("valid");
    let added = FileEntry { schema: other.id.clone(), ..file(FileZone::Raw, 5) };
    apply(&mut fold, Data::Raw(RawData { schemas: vec![other], ..raw_data(vec![], vec![added]) })).expect("valid");
}

#[test]
fn a_rewind_without_places_keeps_them_all() {
    let mut fold = raw_fold_at_200();
    let plan = RewindPlan { next: BTreeMap::new(), ..plan("n", "topic-1", &[]) };
    rewind(&mut fold, &plan).expect("valid");
    assert_eq!((fold.generation(), fold.next(0)), (1, 200));
}
