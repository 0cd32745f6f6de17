//! What runs do to a Processed zone, one after the other and at once.

use gristmill::compact::{Error, Outcome, ProcessUse};
use gristmill::exit::{Exit, Failure};
use gristmill::zone::ZoneError;
use gristmill_crds::SourcePosition;
use gristmill_crds::report::CompactionReport;
use rstest::rstest;

use crate::books::{book, nameless};
use crate::warehouse::{Warehouse, counts, plan};

#[tokio::test]
async fn first_run_keeps_one_row_of_each_key() {
    let directory = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::on_disk(directory.path());
    warehouse.ingest([book("a").titled("old").at(0), book("b").of(2021).at(1), book("a").titled("new").at(2)]).await;

    let report = warehouse.compact().await;

    assert_eq!(counts(&report), [3, 1, 0, 2]);
    assert_eq!(warehouse.rows().await, ["a new 2020", "b untitled 2021"]);
    assert_eq!(report.ledger.source.consumed_sequence, 2);
    assert_eq!(report.ledger.runs[0].files.after, 2);
    let raw: u64 = warehouse.raw().await.fold().live().values().map(|live| live.file.bytes).sum();
    let cost = report.ledger.runs[0].cost.as_ref().expect("the run is alone in its process");
    assert_eq!(cost.delta_bytes, raw.to_string());
}

#[tokio::test]
async fn run_beside_an_ingest_tells_no_cost() {
    let warehouse = Warehouse::in_memory();
    warehouse.ingest([book("a")]).await;
    let mut beside = warehouse.clone();
    beside.options.process = ProcessUse::Shared;
    let report = beside.compact().await;
    assert_eq!(report.ledger.runs[0].cost, None);
}

#[tokio::test]
async fn second_run_without_new_files_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::on_disk(directory.path());
    warehouse.ingest([book("a")]).await;
    let first = warehouse.compact().await;
    warehouse.ingest_nothing().await;

    let second = warehouse.compact().await;

    assert_eq!(second.outcome, Outcome::NothingNew);
    // Two entries without rows wait: the mark of the first run, and the ingest's.
    let source = SourcePosition { backlog_entries: Some(2), ..first.ledger.source.clone() };
    assert_eq!(second.ledger, CompactionReport { source, ..first.ledger });
}

#[tokio::test]
async fn update_in_a_later_run_replaces_the_row_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::on_disk(directory.path());
    warehouse.ingest([book("a").titled("old").at(0), book("b").at(1), book("c").of(2021).at(2)]).await;
    warehouse.compact().await;
    let files = warehouse.listed_files().await;
    warehouse.ingest([book("a").titled("new").at(3), book("d").at(4)]).await;

    let report = warehouse.compact().await;

    assert_eq!(counts(&report), [2, 0, 0, 2]);
    assert_eq!(warehouse.rows().await, ["a new 2020", "b untitled 2020", "c untitled 2021", "d untitled 2020"]);
    let kept: Vec<_> = warehouse.listed_files().await.into_iter().filter(|file| files.contains(file)).collect();
    assert_eq!(kept.len(), 1, "the file of 2021 is untouched");
}

#[tokio::test]
async fn row_that_is_lower_by_order_than_its_zone_row_changes_nothing() {
    let warehouse = Warehouse::in_memory();
    warehouse.ingest([book("a").titled("best").rated(5.0).at(0)]).await;
    warehouse.compact().await;
    warehouse.ingest([book("a").titled("worse").rated(f64::NAN).at(1), book("a").titled("none").at(2)]).await;

    let report = warehouse.compact().await;

    assert_eq!(counts(&report), [2, 1, 1, 0]);
    assert_eq!(warehouse.rows().await, ["a best 2020"]);
}

#[tokio::test]
async fn key_that_moves_between_years_in_three_runs_stays_unique() {
    let warehouse = Warehouse::in_memory();
    for (offset, year) in [(0, 2020), (1, 2021), (2, 2020)] {
        warehouse
            .ingest([book("a").of(year).at(offset), book(&format!("other of {offset}")).of(year).at(offset)])
            .await;
        warehouse.compact().await;
        let rows = warehouse.rows().await;
        assert_eq!(
            rows.iter().filter(|row| row.starts_with("a ")).collect::<Vec<_>>(),
            [&format!("a untitled {year}")]
        );
    }
    assert_eq!(warehouse.live().await.len(), 4);
}

#[tokio::test]
async fn key_that_moves_between_years_in_one_run_stays_unique() {
    let warehouse = Warehouse::in_memory();
    for (offset, year) in [(0, 2020), (1, 2021), (2, 2020)] {
        warehouse.ingest([book("a").of(year).at(offset)]).await;
    }
    warehouse.compact().await;
    assert_eq!(warehouse.rows().await, ["a untitled 2020"]);
}

#[tokio::test]
async fn file_whose_last_row_moves_away_is_removed() {
    let warehouse = Warehouse::in_memory();
    warehouse.ingest([book("a").of(2020).at(0)]).await;
    warehouse.compact().await;
    warehouse.ingest([book("a").of(2021).at(1)]).await;
    warehouse.compact().await;
    assert_eq!(warehouse.rows().await, ["a untitled 2021"]);
    assert_eq!(warehouse.listed_files().await.len(), 1);
}

#[tokio::test]
async fn replay_of_identical_rows_rewrites_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::on_disk(directory.path());
    let id =
        |number: i32| format!("{:032x}", u128::from(number.unsigned_abs()).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C));
    let all = |first: i64| {
        (0..1000).map(move |number| book(&id(number)).of(2000 + number % 20).at(first + i64::from(number)))
    };
    warehouse.ingest(all(0)).await;
    warehouse.compact().await;
    let files = warehouse.listed_files().await;
    warehouse.ingest(all(5000).step_by(100)).await;

    let report = warehouse.compact().await;

    assert_eq!(counts(&report), [10, 0, 10, 0]);
    assert_eq!(warehouse.listed_files().await, files);
    assert_eq!(report.ledger.source.consumed_sequence, 4);
}

#[tokio::test]
async fn replayed_row_without_key_stays_unique_by_its_source() {
    let warehouse = Warehouse::in_memory();
    warehouse.ingest([nameless().titled("old").at(7), nameless().titled("other").at(8)]).await;
    warehouse.compact().await;
    warehouse.ingest([nameless().titled("new").at(7).generation(1)]).await;
    warehouse.compact().await;
    assert_eq!(warehouse.rows().await, ["- new 2020", "- other 2020"]);
}

#[rstest]
#[case::in_one_delta(false)]
#[case::in_two_deltas(true)]
#[tokio::test]
async fn later_generation_of_a_row_wins_even_with_a_lower_order(#[case] run_between: bool) {
    let warehouse = Warehouse::in_memory();
    warehouse.ingest([book("a").titled("first").rated(5.0).at(7)]).await;
    if run_between {
        warehouse.compact().await;
    }
    warehouse.ingest([book("a").titled("second").rated(1.0).at(7).generation(1)]).await;
    warehouse.compact().await;
    assert_eq!(warehouse.rows().await, ["a second 2020"]);
}

#[tokio::test]
async fn null_has_a_directory_of_its_own() {
    let warehouse = Warehouse::in_memory();
    warehouse.ingest([book("a").of_no_year().at(0), book("b").at(1)]).await;
    warehouse.compact().await;
    let files = warehouse.listed_files().await;
    assert!(files[1].as_str().contains("/publication_year=__HIVE_DEFAULT_PARTITION__/"), "{files:?}");
    assert_eq!(warehouse.rows().await, ["a untitled -", "b untitled 2020"]);
}

#[tokio::test]
async fn outputs_above_the_target_size_are_split_without_losing_a_row() {
    let mut warehouse = Warehouse::in_memory();
    warehouse.plan.target_size = 16 << 10;
    warehouse.ingest((0..20_000).map(|number| book(&number.to_string()).at(number))).await;
    warehouse.compact().await;
    assert!(warehouse.listed_files().await.len() > 2);
    assert_eq!(warehouse.rows().await.len(), 20_000);
}

/// The encoder's estimate of what is not compressed yet is several times what it comes to.
#[tokio::test]
async fn files_have_about_their_target_size_after_compression_and_the_next_run_leaves_them() {
    let mut warehouse = Warehouse::in_memory();
    let target = 128 << 10;
    warehouse.plan.target_size = target;
    let titled = |number: i64| book(&format!("{number:09}")).titled(&"The same long title ".repeat(20)).at(number);
    warehouse.ingest((0..120_000).map(titled)).await;
    warehouse.compact().await;
    let files = warehouse.listed_files().await;
    let mut lengths = Vec::new();
    for file in &files {
        lengths.push(warehouse.store.length(file).await.unwrap().unwrap());
    }
    lengths.sort_unstable();
    assert!(lengths.len() > 3, "{lengths:?}");
    // One file has what was left.
    assert!(lengths[1..].iter().all(|length| (target * 3 / 4..target * 5 / 4).contains(length)), "{lengths:?}");

    warehouse.ingest([titled(-1)]).await;
    warehouse.compact().await;

    let after = warehouse.listed_files().await;
    assert!(files.iter().filter(|file| after.contains(file)).count() >= files.len() - 1, "{files:?} {after:?}");
}

/// Long enough that footer and columns are fetched one by one, and of many row groups.
#[tokio::test]
async fn file_of_many_row_groups_is_rewritten_without_losing_a_row() {
    let mut warehouse = Warehouse::in_memory();
    warehouse.options.row_group_bytes = 64 << 10;
    let id = |number: i64| {
        format!("{:032x}", (number.unsigned_abs() as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
    };
    warehouse.ingest((0..30_000).map(|number| book(&id(number)).at(number))).await;
    warehouse.compact().await;
    let length = warehouse.store.length(&warehouse.listed_files().await[0]).await.unwrap();
    assert!(length > Some(600 << 10), "{length:?}");
    warehouse.ingest((0..30_000).step_by(1000).map(|number| book(&id(number)).titled("new").at(40_000 + number))).await;

    let report = warehouse.compact().await;

    assert_eq!(counts(&report), [30, 0, 0, 30]);
    let rows = warehouse.rows().await;
    assert_eq!((rows.len(), rows.iter().filter(|row| row.contains(" new ")).count()), (30_000, 30));
}

#[tokio::test]
async fn rows_that_were_spilled_are_in_order_in_their_file() {
    let warehouse = Warehouse::in_memory().spilling();
    let id = |number: i64| format!("{:05}", number * 7919 % 30_000);
    warehouse
        .ingest((0..30_000).map(|number| book(&id(number)).of(2020 + i32::from(number % 3 == 0)).at(number)))
        .await;
    warehouse.compact().await;
    let files = warehouse.listed_files().await;
    assert_eq!(files.len(), 2);
    for file in &files {
        let rows = warehouse.books_in(file).await;
        assert!(rows.len() >= 10_000 && rows.is_sorted_by_key(|book| book.id.clone()), "{file}");
    }
    assert_eq!(warehouse.rows().await.len(), 30_000);
}

#[tokio::test]
async fn row_group_that_does_not_fit_into_memory_is_refused_before_anything_is_written() {
    let mut warehouse = Warehouse::in_memory();
    warehouse.ingest((0..20_000).map(|number| book(&number.to_string()).at(number))).await;
    warehouse.options.budget.reading = 4 << 10;
    warehouse.options.budget.row_group = 4 << 10;

    let error = warehouse.try_compact().await.unwrap_err();

    assert!(matches!(error, Error::Memory { .. }), "{error}");
    assert!(error.to_string().contains("--memory "), "{error}");
    assert_eq!(Failure::from(error).exit, Exit::Usage);
    assert_eq!(warehouse.listed_files().await.len(), 0);
}

#[tokio::test]
async fn spill_directory_that_is_missing_is_named() {
    let mut warehouse = Warehouse::in_memory().spilling();
    warehouse.options.spill_directory = "/nowhere/at/all".into();
    warehouse.ingest([book("a")]).await;

    let error = warehouse.try_compact().await.unwrap_err();

    assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    assert_eq!(Failure::from(error).exit, Exit::Store);
}

/// Both files are read in several batches, so that the rows of a batch must be told from those of the next.
#[tokio::test]
async fn every_row_of_a_long_file_is_compared_with_its_own_version() {
    let warehouse = Warehouse::in_memory();
    let id = |number: i64| format!("{number:05}");
    warehouse.ingest((0..20_000).map(|number| book(&id(number)).at(number))).await;
    warehouse.compact().await;
    warehouse.ingest((0..20_000).map(|number| book(&id(number)).titled("new").at(20_000 + number))).await;

    let report = warehouse.compact().await;

    assert_eq!(counts(&report), [20_000, 0, 0, 20_000]);
    assert_eq!(warehouse.rows().await.iter().filter(|row| row.contains(" new ")).count(), 20_000);
}

#[tokio::test]
async fn of_two_runs_at_once_one_commits_and_the_other_finds_nothing_new() {
    let warehouse = Warehouse::in_memory();
    warehouse.ingest([book("a").titled("old").at(0), book("b").at(1)]).await;
    warehouse.compact().await;
    warehouse.ingest([book("a").titled("new").at(2), book("c").at(3)]).await;

    let (first, second) = tokio::join!(warehouse.compact(), warehouse.compact());

    let committed = |report: &gristmill::compact::Report| report.outcome != Outcome::NothingNew;
    assert_eq!([&first, &second].into_iter().filter(|report| committed(report)).count(), 1);
    assert_eq!(warehouse.rows().await, ["a new 2020", "b untitled 2020", "c untitled 2020"]);
}

#[tokio::test]
async fn raw_zone_that_was_made_again_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::on_disk(directory.path());
    warehouse.ingest([book("a")]).await;
    warehouse.compact().await;
    warehouse.remove("raw").await;
    warehouse.ingest([book("a")]).await;

    let error = warehouse.try_compact().await.unwrap_err();

    assert!(matches!(error, Error::Zone(ZoneError::OtherGenesis { .. })), "{error}");
    assert_eq!(Failure::from(error).exit, Exit::Zone);
}

#[rstest]
#[case::key(plan(|_, compaction| compaction.spec.deduplication.key = vec!["title".into()]))]
#[case::partition(plan(|_, compaction| compaction.spec.processed.partition_by[0].column = "title".into()))]
#[case::keep(plan(|_, compaction| compaction.spec.deduplication.keep = Some(gristmill_crds::Keep::Earliest)))]
#[case::order(plan(|_, compaction| compaction.spec.deduplication.order_by = vec!["title".into()]))]
#[tokio::test]
async fn other_key_partition_or_order_is_refused(#[case] other: gristmill_crds::plan::CompactionPlan) {
    let warehouse = Warehouse::in_memory();
    warehouse.ingest([book("a")]).await;
    warehouse.compact().await;

    let failure = Failure::from(warehouse.clone().planned(other).try_compact().await.unwrap_err());

    assert_eq!((failure.exit, failure.reason), (Exit::Zone, "ZoneMismatch"));
}
