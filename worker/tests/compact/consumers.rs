//! The compaction in the register of RAW's consumers, and what a crash between commit and register leaves.

use gristmill::compact::Outcome;
use gristmill_core::log::ConsumerState;

use crate::books::book;
use crate::crashes::{Fate, run_dying_at};
use crate::warehouse::Warehouse;

/// What RAW's log knows of its one consumer, and its head.
async fn register(warehouse: &Warehouse) -> (Option<(String, i64)>, i64) {
    let raw = warehouse.raw().await;
    let consumers = raw.fold().consumers();
    assert!(consumers.len() <= 1, "{consumers:?}");
    let known = consumers.values().next().map(|ConsumerState { name, position, .. }| (name.clone(), *position));
    (known, raw.fold().head().position())
}

#[tokio::test]
async fn run_registers_before_it_plans_and_tells_how_far_it_has_come() {
    let warehouse = Warehouse::in_memory();
    warehouse.ingest([book("a")]).await;

    warehouse.compact().await;

    // Genesis, the file, the registration, and the advance to what was the head when the run was planned.
    assert_eq!(register(&warehouse).await, (Some(("default/books".to_owned(), 2)), 3));
    assert_eq!(
        warehouse.writers("raw").await,
        1,
        "the runs have left nothing in staging; the ingest has its directory"
    );
    assert_eq!(warehouse.writers("processed").await, 0, "nobody has to fence a run that has ended in order");
}

#[tokio::test]
async fn run_without_anything_new_adds_nothing_to_the_log_of_raw() {
    let warehouse = Warehouse::in_memory();
    warehouse.ingest([book("a")]).await;
    warehouse.compact().await;
    warehouse.ingest_nothing().await;
    let before = register(&warehouse).await;

    let report = warehouse.compact().await;

    assert_eq!(report.outcome, Outcome::NothingNew);
    assert_eq!(register(&warehouse).await, before);
}

#[tokio::test]
async fn consumer_that_was_taken_off_the_register_comes_back_where_it_stands() {
    let warehouse = Warehouse::in_memory();
    warehouse.ingest([book("a")]).await;
    let first = warehouse.compact().await;
    let mut raw = warehouse.raw().await;
    let id = *raw.fold().consumers().keys().next().unwrap();
    drop(raw.leave(id).await.unwrap());

    warehouse.compact().await;

    let position = first.ledger.source.consumed_sequence;
    assert_eq!(register(&warehouse).await.0, Some(("default/books".to_owned(), position)));
}

#[tokio::test]
async fn crash_between_commit_and_register_is_made_good_by_the_next_run() {
    for fate in [Fate::DiesBefore, Fate::DiesAfter] {
        let mut lagged = 0;
        for fatal in 0.. {
            let warehouse = Warehouse::in_memory();
            warehouse.ingest([book("a").titled("old").at(0), book("b").at(1)]).await;
            warehouse.compact().await;
            warehouse.ingest([book("a").titled("new").at(2)]).await;
            drop(run_dying_at(&warehouse, fatal, fate).await);
            let told = register(&warehouse).await.0.map(|(_, position)| position);
            let committed = warehouse.position().await;
            assert!(told.is_some_and(|told| told <= committed), "{told:?} is ahead of {committed}, dead at {fatal}");
            lagged += usize::from(committed > 2 && told < Some(committed));

            warehouse.compact().await;

            let position = warehouse.position().await;
            assert_eq!(register(&warehouse).await.0.map(|(_, told)| told), Some(position), "dead at {fatal}");
            assert_eq!(warehouse.rows().await, ["a new 2020", "b untitled 2020"], "dead at {fatal}");
            if told == Some(position) {
                break;
            }
        }
        assert!(lagged > 5, "only {lagged} crashes lay between commit and register");
    }
}
