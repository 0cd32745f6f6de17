//! Which offsets were read again: what a zone that is computed anew leaves out.

use std::collections::BTreeMap;

use super::*;

fn rewound(fold: &mut Fold, nonce: &str, topic_id: &str, next: &[(i32, i64)]) {
    let source = Source { cluster_id: "cluster".to_owned(), topic_id: topic_id.to_owned() };
    let plan = RewindPlan { nonce: nonce.to_owned(), source, next: next.iter().copied().collect::<BTreeMap<_, _>>() };
    let body = rewind_entry(fold, &plan).expect("a new nonce");
    fold.apply(&entry(0x900 + u128::from(fold.head().0), Kind::Rewind(body))).expect("valid");
}

fn read(fold: &mut Fold, generation: i32, from: i64, to: i64) {
    let read = PartitionRange { generation, ..range(0, from, to) };
    fold.apply(&raw_entry(0x100 + u128::from(fold.head().0), raw_data(vec![read], vec![]))).expect("valid");
}

/// Reads up to an offset, none of which was there any more.
fn lose(fold: &mut Fold, generation: i32, from: i64, to: i64) {
    let gaps = u64::try_from(to - from).expect("forward");
    let read = PartitionRange { generation, accepted: 0, gaps, ..range(0, from, to) };
    fold.apply(&raw_entry(0x100 + u128::from(fold.head().0), raw_data(vec![read], vec![]))).expect("valid");
}

fn raw_fold() -> Fold {
    Fold::begin(zone_id(), &raw_genesis()).expect("a genesis is valid")
}

fn readings(fold: &Fold) -> Vec<(String, i32, i32, i64, i64)> {
    let told = |Reading { topic_id, partition, generation, from, to }| (topic_id, partition, generation, from, to);
    fold.readings().map(told).collect()
}

fn of(generation: i32, from: i64, to: i64) -> (String, i32, i32, i64, i64) {
    ("topic-1".to_owned(), 0, generation, from, to)
}

#[test]
fn first_generation_makes_nothing_out_of_date() {
    let mut fold = raw_fold();
    read(&mut fold, 0, 100, 200);
    assert_eq!(readings(&fold), []);
}

#[test]
fn each_generation_counts_as_far_as_it_has_come() {
    let mut fold = raw_fold();
    read(&mut fold, 0, 100, 200);
    rewound(&mut fold, "a", "topic-1", &[(0, 120)]);
    assert_eq!(readings(&fold), [], "nothing was read again yet");
    read(&mut fold, 1, 120, 150);
    rewound(&mut fold, "b", "topic-1", &[(0, 110)]);
    read(&mut fold, 2, 110, 115);
    assert_eq!(readings(&fold), [of(1, 120, 150), of(2, 110, 115)]);
}

#[test]
fn offsets_that_were_lost_before_they_were_read_again_do_not_count() {
    let mut fold = raw_fold();
    read(&mut fold, 0, 100, 200);
    rewound(&mut fold, "a", "topic-1", &[(0, 100)]);
    read(&mut fold, 1, 100, 120);
    lose(&mut fold, 1, 120, 140);
    read(&mut fold, 1, 140, 160);
    assert_eq!(readings(&fold), [of(1, 100, 120), of(1, 140, 160)]);
}

#[test]
fn what_was_read_behind_lost_offsets_in_one_commit_counts() {
    let mut fold = raw_fold();
    read(&mut fold, 0, 100, 200);
    rewound(&mut fold, "a", "topic-1", &[(0, 100)]);
    let mixed = PartitionRange { generation: 1, accepted: 30, gaps: 20, ..range(0, 100, 150) };
    fold.apply(&raw_entry(0x778, raw_data(vec![mixed], vec![]))).expect("valid");
    assert_eq!(readings(&fold), [of(1, 120, 150)]);
}

#[test]
fn partition_that_a_rewind_does_not_name_counts_from_where_it_stands() {
    let mut fold = raw_fold();
    read(&mut fold, 0, 100, 200);
    rewound(&mut fold, "a", "topic-1", &[]);
    read(&mut fold, 1, 200, 210);
    assert_eq!(readings(&fold), [of(1, 200, 210)]);
}

#[test]
fn another_topic_says_nothing_about_offsets_of_the_one_before() {
    let mut fold = raw_fold();
    read(&mut fold, 0, 100, 200);
    rewound(&mut fold, "a", "topic-1", &[(0, 100)]);
    read(&mut fold, 1, 100, 120);
    rewound(&mut fold, "b", "topic-2", &[]);
    let other = PartitionRange { topic_id: "topic-2".to_owned(), generation: 2, ..range(0, 0, 50) };
    fold.apply(&raw_entry(0x777, raw_data(vec![other], vec![]))).expect("valid");
    assert_eq!(readings(&fold), [of(1, 100, 120), ("topic-2".to_owned(), 0, 2, 0, 50)]);
}

#[test]
fn checkpoint_keeps_them_and_one_of_before_knows_none() {
    let mut fold = raw_fold();
    read(&mut fold, 0, 100, 200);
    rewound(&mut fold, "a", "topic-1", &[(0, 100)]);
    read(&mut fold, 1, 100, 120);
    rewound(&mut fold, "b", "topic-1", &[(0, 100)]);
    read(&mut fold, 2, 100, 130);
    let restored = |state: &[u8]| Fold::restore(zone_id(), fold.head(), state, fold.live_records()).expect("read");
    assert_eq!(readings(&restored(&fold.encode_state())), readings(&fold));
    let mut state: serde_json::Value = serde_json::from_slice(&fold.encode_state()).expect("JSON");
    state["state"].as_object_mut().expect("an object").remove("readings");
    state["state"]["partitions"]["0"].as_object_mut().expect("an object").remove("begun");
    let before = restored(&serde_json::to_vec(&state).expect("JSON"));
    assert_eq!(readings(&before), [], "what is not known makes nothing out of date");
}
