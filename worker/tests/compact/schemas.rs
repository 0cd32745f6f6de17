//! Columns that come, go and change their type while a zone has files.

use arrow::datatypes::DataType;
use gristmill::exit::{Exit, Failure};
use gristmill_crds::plan::CompactionPlan;
use gristmill_crds::{Column, ColumnType, HourlyCompaction, StreamIngest};
use rstest::rstest;

use crate::books::{Book, book};
use crate::late::lateness;
use crate::warehouse::{Warehouse, counts, resources};

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

/// A column that none of the documents has by itself.
pub(crate) fn with_shelf(ingest: &mut StreamIngest, _: &mut HourlyCompaction) {
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

/// The zone with a rating in it, and its documents after the column was removed.
async fn with_dropped_rating() -> (Warehouse, Warehouse) {
    let warehouse = holding_a_and_rated_b(Warehouse::in_memory().edited(unordered)).await;
    let narrow = warehouse.edited(without_rating);
    (warehouse, narrow)
}

/// Whether each published file has a column of this name, by the year of its directory.
async fn files_with(warehouse: &Warehouse, column: &str) -> Vec<(String, bool)> {
    let mut files = Vec::new();
    for file in warehouse.listed_files().await {
        let (_, rest) = file.as_str().split_once("publication_year=").unwrap();
        let has = warehouse.columns_of(&file).await.iter().any(|other| other == column);
        files.push((rest.split('/').next().unwrap().to_owned(), has));
    }
    files
}

#[tokio::test]
async fn dropped_column_stays_with_the_row_that_a_rewrite_carries_over() {
    let (warehouse, narrow) = with_dropped_rating().await;
    narrow.ingest([book("a").titled("new").at(2), book("c").of(2021).at(3)]).await;

    let report = narrow.compact().await;

    assert_eq!(counts(&report), [2, 0, 0, 2]);
    let kept = [("a new 2020", None), ("b untitled 2020", Some(4.5)), ("c untitled 2021", None)];
    assert_eq!(ratings(&warehouse).await, kept.map(|(book, rating)| (book.to_owned(), rating)));
    assert_eq!(files_with(&narrow, "rating").await, [("2020".to_owned(), true), ("2021".to_owned(), false)]);
}

#[tokio::test]
async fn dropped_column_ends_with_the_last_row_that_has_a_value_in_it() {
    let (_, narrow) = with_dropped_rating().await;
    narrow.ingest([book("b").titled("new").at(2)]).await;

    narrow.compact().await;

    assert_eq!(files_with(&narrow, "rating").await, [("2020".to_owned(), false)]);
    assert_eq!(narrow.listed_files().await.len(), 1);
}

/// Also where rows are spilled, and each file by itself goes on as it is.
#[rstest]
#[case::in_memory(Warehouse::in_memory())]
#[case::spilling(Warehouse::in_memory().spilling())]
#[tokio::test]
async fn files_with_a_dropped_column_are_put_together_with_files_without_and_no_value_is_lost(
    #[case] warehouse: Warehouse,
) {
    let warehouse = holding_a_and_rated_b(warehouse.edited(unordered)).await;
    let narrow = warehouse.edited(without_rating);
    for number in 2..4 {
        narrow.ingest([book(&format!("n{number}")).at(number)]).await;
        narrow.compact().await;
    }
    assert_eq!(files_with(&narrow, "rating").await.iter().filter(|(_, has)| *has).count(), 1);

    narrow.ingest([book("n4").at(4)]).await;
    narrow.compact().await;

    assert_eq!(files_with(&narrow, "rating").await, [("2020".to_owned(), true)], "four small files became one");
    let rated: Vec<_> = ratings(&warehouse).await.into_iter().filter(|(_, rating)| rating.is_some()).collect();
    assert_eq!(rated, [("b untitled 2020".to_owned(), Some(4.5))]);
    assert_eq!(ratings(&warehouse).await.len(), 5);
}

/// The resource does not have the column: what new rows have in it is not taken over.
#[tokio::test]
async fn new_rows_with_a_dropped_column_beside_new_rows_without_compact_together() {
    let (warehouse, narrow) = with_dropped_rating().await;
    warehouse.ingest([book("c").rated(1.5).at(2)]).await;
    narrow.ingest([book("d").at(3)]).await;

    let report = narrow.compact().await;

    assert_eq!(counts(&report), [2, 0, 0, 2]);
    let expected =
        [("a old 2020", None), ("b untitled 2020", Some(4.5)), ("c untitled 2020", None), ("d untitled 2020", None)];
    assert_eq!(ratings(&warehouse).await, expected.map(|(book, rating)| (book.to_owned(), rating)));
}

/// A row that differs in a dropped column alone says nothing new.
#[tokio::test]
async fn duplicate_that_lacks_a_dropped_column_rewrites_nothing() {
    let (warehouse, narrow) = with_dropped_rating().await;
    let files = warehouse.listed_files().await;
    narrow.ingest([book("b").at(2)]).await;

    let report = narrow.compact().await;

    assert_eq!(counts(&report), [1, 0, 1, 0]);
    assert_eq!(warehouse.listed_files().await, files);
    assert_eq!(ratings(&warehouse).await[1], ("b untitled 2020".to_owned(), Some(4.5)));
}

#[tokio::test]
async fn dropped_column_that_comes_back_has_its_values_where_rows_kept_them() {
    let (warehouse, narrow) = with_dropped_rating().await;
    narrow.ingest([book("a").titled("new").at(2)]).await;
    narrow.compact().await;
    warehouse.ingest([book("c").rated(2.5).at(3)]).await;

    warehouse.compact().await;

    let expected = [("a new 2020", None), ("b untitled 2020", Some(4.5)), ("c untitled 2020", Some(2.5))];
    assert_eq!(ratings(&warehouse).await, expected.map(|(book, rating)| (book.to_owned(), rating)));
}

#[tokio::test]
async fn dropped_column_comes_back_with_another_type_only_when_no_live_file_has_it() {
    let (warehouse, narrow) = with_dropped_rating().await;
    narrow.ingest([book("a").titled("new").at(2)]).await;
    narrow.compact().await;
    let retyped = warehouse.edited(|ingest, compaction| {
        unordered(ingest, compaction);
        as_text("rating")(ingest, compaction);
    });
    retyped.ingest([book("d").rated(7.0).at(3)]).await;

    let message = refused(&retyped).await;

    assert!(message.contains("column \"rating\" is a Float64 there and a Utf8 in the resource"), "{message}");
    assert!(message.contains("give the column its old type, or a new name for the new type"), "{message}");
    let kept = [("a new 2020".to_owned(), None), ("b untitled 2020".to_owned(), Some(4.5))];
    assert_eq!(ratings(&warehouse).await, kept);
    narrow.ingest([book("b").titled("new").at(4)]).await;
    narrow.compact().await;
    retyped.ingest([book("e").rated(8.0).at(5)]).await;
    retyped.compact().await;
    let mut types = Vec::new();
    for file in retyped.listed_files().await {
        let schema = retyped.schema_of(&file).await;
        types.push(schema.field_with_name("rating").ok().map(|field| field.data_type().clone()));
    }
    types.sort();
    assert_eq!(types, [None, Some(DataType::Utf8)]);
}

/// Rows are told apart and placed by these columns: a zone can't do without them.
#[rstest]
#[case::key("record_id")]
#[case::partition("publication_year")]
#[case::order("rating")]
#[case::lateness("seen_at")]
fn column_that_decides_can_not_be_dropped(#[case] column: &str) {
    let (mut ingest, mut compaction) = resources();
    lateness("Merge")(&mut ingest, &mut compaction);
    ingest.spec.record.columns.retain(|other| other.name != column);

    let refusal = CompactionPlan::try_new(&compaction, &ingest).unwrap_err();

    assert!(refusal.to_string().contains(&format!("{column:?}")), "{refusal}");
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

/// RAW goes on with the column.
#[tokio::test]
async fn column_that_the_zone_leaves_out_later_stays_with_the_rows_that_have_it() {
    let warehouse = holding_a_and_rated_b(Warehouse::in_memory().edited(unordered)).await;
    let narrow = warehouse.edited(projected_without_rating);
    narrow.ingest([book("a").titled("new").rated(3.5).at(2)]).await;

    narrow.compact().await;

    let expected = [("a new 2020".to_owned(), None), ("b untitled 2020".to_owned(), Some(4.5))];
    assert_eq!(ratings(&warehouse).await, expected);
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
async fn type_is_refused_for_the_one_live_file_that_has_another() {
    let warehouse = Warehouse::in_memory();
    warehouse.ingest([book("a").of(2019).at(0)]).await;
    warehouse.compact().await;
    let wider = warehouse.edited(with_shelf);
    wider.ingest([book("b").on_shelf("A1").of(2020).at(1)]).await;
    wider.compact().await;
    let retyped = warehouse.edited(|ingest, compaction| {
        with_shelf(ingest, compaction);
        ingest.spec.record.columns.last_mut().unwrap().column_type = Some(ColumnType::Int32);
    });
    retyped.ingest([book("c").of(2021).at(2)]).await;

    let message = refused(&retyped).await;

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
