//! Columns that come, go and change their type while a zone has files.

use gristmill::exit::{Exit, Failure};
use gristmill_crds::{Column, HourlyCompaction, StreamIngest};
use rstest::rstest;

use crate::books::{Book, book};
use crate::warehouse::{Warehouse, counts};

/// A zone's orderBy stays: a column of it can't be removed.
fn unordered(_: &mut StreamIngest, compaction: &mut HourlyCompaction) {
    compaction.spec.deduplication.order_by.clear();
}

fn without_rating(ingest: &mut StreamIngest, compaction: &mut HourlyCompaction) {
    ingest.spec.record.columns.retain(|column| column.name != "rating");
    unordered(ingest, compaction);
}

/// The rating is left out of the Processed zone alone.
fn projected_without_rating(ingest: &mut StreamIngest, compaction: &mut HourlyCompaction) {
    let names = ingest.spec.record.columns.iter().map(|column| column.name.clone());
    compaction.spec.columns = names.filter(|name| name != "rating").collect();
    unordered(ingest, compaction);
}

fn as_text(name: &str) -> impl FnOnce(&mut StreamIngest, &mut HourlyCompaction) {
    move |ingest, _| {
        let column = ingest.spec.record.columns.iter_mut().find(|column| column.name == name).unwrap();
        *column = serde_json::from_value(serde_json::json!({"name": name, "path": name, "type": "String"})).unwrap();
    }
}

fn with_shelf(ingest: &mut StreamIngest, _: &mut HourlyCompaction) {
    let column = r#"{"name": "shelf", "path": "shelf"}"#;
    ingest.spec.record.columns.push(serde_json::from_str::<Column>(column).unwrap());
}

/// A run that must be refused for its columns and leave the Processed zone as it is; its message.
async fn refused(warehouse: &Warehouse) -> String {
    let before = warehouse.tree("processed").await;
    let failure = Failure::from(warehouse.try_compact().await.unwrap_err());
    assert_eq!((failure.exit, failure.reason), (Exit::Zone, "SchemaConflict"), "{failure}");
    assert_eq!(warehouse.tree("processed").await, before, "the zone is as it was");
    failure.message
}

async fn ratings(warehouse: &Warehouse) -> Vec<(String, Option<f64>)> {
    warehouse.live().await.iter().map(|book| (book.summary(), book.rating)).collect()
}

/// Two rows of one file: a run that replaces the first carries the second over.
async fn with_a_and_rated_b() -> Warehouse {
    holding_a_and_rated_b(Warehouse::in_memory()).await
}

async fn holding_a_and_rated_b(warehouse: Warehouse) -> Warehouse {
    warehouse.ingest([book("a").titled("old").at(0), book("b").rated(4.5).at(1)]).await;
    warehouse.compact().await;
    warehouse
}

#[tokio::test]
async fn removed_column_is_refused_and_nothing_is_lost() {
    let warehouse = holding_a_and_rated_b(Warehouse::in_memory().edited(unordered)).await;
    let narrow = warehouse.edited(without_rating);
    narrow.ingest([book("a").titled("new").at(2)]).await;

    let message = refused(&narrow).await;

    assert!(message.contains("publication_year=2020/"), "{message}");
    assert!(
        message.contains("column \"rating\" is a Float64 there and not among the columns of the resource"),
        "{message}"
    );
    assert!(message.contains("add the column back to spec.record.columns"), "{message}");
    let kept = [("a old 2020".to_owned(), None), ("b untitled 2020".to_owned(), Some(4.5))];
    assert_eq!(ratings(&warehouse).await, kept);
}

#[tokio::test]
async fn removed_column_that_is_added_back_goes_on_with_its_values() {
    let warehouse = holding_a_and_rated_b(Warehouse::in_memory().edited(unordered)).await;
    let narrow = warehouse.edited(without_rating);
    narrow.ingest([book("a").titled("new").at(2)]).await;
    refused(&narrow).await;

    let report = warehouse.compact().await;

    assert_eq!(counts(&report), [1, 0, 0, 1]);
    let carried_over = [("a new 2020".to_owned(), None), ("b untitled 2020".to_owned(), Some(4.5))];
    assert_eq!(ratings(&warehouse).await, carried_over);
}

#[tokio::test]
async fn projection_leaves_columns_out_of_the_zone_and_not_of_raw() {
    let warehouse = holding_a_and_rated_b(Warehouse::in_memory().edited(projected_without_rating)).await;
    let [file] = warehouse.listed_files().await.try_into().expect("both are of one year");
    let columns = warehouse.columns_of(&file).await;
    for column in ["title", "kafka_offset", "generation"] {
        assert!(columns.iter().any(|other| other == column), "{column} is not among {columns:?}");
    }
    assert!(!columns.iter().any(|column| column == "rating"), "{columns:?}");
}

#[tokio::test]
async fn column_of_the_zone_can_not_be_left_out_later() {
    let warehouse = holding_a_and_rated_b(Warehouse::in_memory().edited(unordered)).await;
    let narrow = warehouse.edited(projected_without_rating);
    narrow.ingest([book("a").titled("new").at(2)]).await;

    let message = refused(&narrow).await;

    assert!(message.contains("column \"rating\" is a Float64 there"), "{message}");
    assert!(message.contains("spec.columns of the HourlyCompaction"), "{message}");
}

/// Whether the column stands in files or names their directories.
#[rstest]
#[case("rating", "a Float64 there and a Utf8 in the resource")]
#[case("publication_year", "a Int32 there and a Utf8 in the resource")]
#[tokio::test]
async fn changed_type_is_refused_although_the_delta_has_only_the_new_one(#[case] column: &str, #[case] types: &str) {
    let warehouse = with_a_and_rated_b().await;
    let retyped = warehouse.edited(as_text(column));
    retyped.ingest([book("c").rated(1.0).at(2)]).await;

    let message = refused(&retyped).await;

    assert!(message.contains(&format!("column {column:?} is {types}")), "{message}");
    assert!(message.contains("create a new HourlyCompaction with its own processed.path"), "{message}");
    assert_eq!(warehouse.rows().await, ["a old 2020", "b untitled 2020"]);
}

/// The zone's newest file may be as the resource says and an older one not.
#[tokio::test]
async fn column_is_refused_for_the_one_live_file_that_has_it() {
    let warehouse = Warehouse::in_memory();
    warehouse.ingest([book("a").of(2019).at(0)]).await;
    warehouse.compact().await;
    let wider = warehouse.edited(with_shelf);
    wider.ingest([book("b").on_shelf("A1").of(2020).at(1)]).await;
    wider.compact().await;
    warehouse.ingest([book("c").of(2021).at(2)]).await;

    let message = refused(&warehouse).await;

    assert!(message.contains("publication_year=2020/"), "{message}");
    assert!(message.contains("column \"shelf\""), "{message}");
}

#[tokio::test]
async fn added_column_goes_on_and_is_null_in_older_rows() {
    let warehouse = with_a_and_rated_b().await;
    let wider = warehouse.edited(with_shelf);
    wider.ingest([book("a").titled("moved").on_shelf("A1").at(2), book("c").on_shelf("A2").of(2021).at(3)]).await;

    wider.compact().await;

    let shelf = |book: &Book| (book.summary(), book.shelf.clone());
    let shelves: Vec<_> = wider.live().await.iter().map(shelf).collect();
    let expected = [("a moved 2020", Some("A1")), ("b untitled 2020", None), ("c untitled 2021", Some("A2"))];
    assert_eq!(shelves, expected.map(|(book, shelf)| (book.to_owned(), shelf.map(str::to_owned))));
    assert_eq!(wider.rows().await.len(), 3);
}

#[tokio::test]
async fn column_of_the_delta_that_has_another_type_is_refused_with_both_types() {
    let warehouse = Warehouse::in_memory();
    warehouse.edited(as_text("publication_year")).ingest([book("a")]).await;

    let failure = Failure::from(warehouse.try_compact().await.unwrap_err());

    assert_eq!((failure.exit, failure.reason), (Exit::Zone, "SchemaConflict"));
    assert!(failure.message.contains("\"publication_year\" is a Utf8 there and a Int32 in the resource"), "{failure}");
}
