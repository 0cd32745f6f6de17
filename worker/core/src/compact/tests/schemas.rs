//! Which columns of live files go on in a layout.

use arrow::datatypes::{FieldRef, SchemaRef};
use gristmill_crds::StreamIngest;
use gristmill_crds::plan::IngestPlan;
use insta::assert_snapshot;
use rstest::rstest;
use serde_json::json;

use crate::compact::{Conflict, Layout};
use crate::log::{PartitionField, PartitionTransform, PartitionValue, TypedValue};

/// A layout of these columns, `year` being the one that names directories.
fn layout(columns: &[(&str, &str)]) -> Layout {
    let columns: Vec<_> =
        columns.iter().map(|(name, column_type)| json!({"name": name, "path": name, "type": column_type})).collect();
    let ingest: StreamIngest = serde_json::from_value(json!({
        "apiVersion": "gristmill.dev/v1alpha1", "kind": "StreamIngest", "metadata": {"name": "books"}, "spec": {
            "source": {"kafka": {"bootstrapServers": "kafka:9092", "topic": "books"}},
            "record": {"rowPath": "/library/book", "columns": columns},
            "raw": {"path": "file:///raw"}}}))
    .expect("that is a StreamIngest");
    let plan = IngestPlan::try_from(&ingest).expect("that is a plan");
    Layout::new(
        &plan.record.columns,
        &[PartitionField { column: "year".to_owned(), transform: PartitionTransform::Identity }],
    )
}

const COLUMNS: [(&str, &str); 3] = [("id", "String"), ("year", "Int32"), ("pages", "Int32")];

/// The columns of a file that was written with `COLUMNS` which a layout lacks.
fn dropped_by(columns: &[(&str, &str)]) -> Result<Vec<FieldRef>, Conflict> {
    let mut dropped = Vec::new();
    layout(columns).take_dropped(layout(&COLUMNS).file(), &mut dropped)?;
    Ok(dropped)
}

fn year(value: TypedValue) -> [PartitionValue; 1] {
    [PartitionValue { column: "year".to_owned(), value }]
}

fn names(schema: &SchemaRef) -> Vec<&str> {
    schema.fields().iter().map(|field| field.name().as_str()).take_while(|name| *name != "kafka_topic_id").collect()
}

#[rstest]
#[case::same(&COLUMNS)]
#[case::more(&[("id", "String"), ("year", "Int32"), ("pages", "Int32"), ("shelf", "String")])]
#[case::other_order(&[("pages", "Int32"), ("id", "String"), ("year", "Int32")])]
fn file_whose_columns_are_all_there_goes_on(#[case] columns: &[(&str, &str)]) {
    assert_eq!(dropped_by(columns), Ok(vec![]));
}

#[test]
fn column_that_the_resource_lacks_is_a_dropped_one_and_stands_behind_the_user_s() {
    let narrow = layout(&[("id", "String"), ("year", "Int32")]);
    let dropped = dropped_by(&[("id", "String"), ("year", "Int32")]).expect("it may be dropped");

    let wide = narrow.with_dropped(&dropped);

    assert_eq!((names(wide.rows()), names(wide.file())), (vec!["id", "year", "pages"], vec!["id", "pages"]));
    assert_eq!((wide.dropped_in_file(), narrow.dropped_in_file()), (vec![1], vec![]));
    assert_eq!(wide.user_columns(), narrow.user_columns());
    assert_eq!(wide.with_dropped(&[]).rows(), narrow.rows());
}

#[test]
fn dropped_column_of_two_types_is_a_conflict() {
    let other = layout(&[("id", "String"), ("year", "Int32"), ("pages", "String")]);
    let narrow = layout(&[("id", "String"), ("year", "Int32")]);
    let mut dropped = dropped_by(&[("id", "String"), ("year", "Int32")]).expect("it may be dropped");

    let conflict = narrow.take_dropped(other.file(), &mut dropped).expect_err("another type");

    assert_snapshot!(conflict, @r#"column "pages" is a Utf8 there and a Int32 in another file of the zone, and not among the columns of the resource; drop it for good with `gristmill compact --rebuild`, or create a new HourlyCompaction with its own processed.path"#);
}

#[rstest]
fn column_of_any_other_type_is_a_conflict(
    #[values("String", "Int64", "Float64", "Boolean", "Date")] column_type: &str,
) {
    let conflict =
        dropped_by(&[("id", "String"), ("year", "Int32"), ("pages", column_type)]).expect_err("another type");

    assert_eq!(conflict.column, "pages");
}

#[test]
fn conflict_of_types_names_both_and_the_ways_out() {
    let conflict = dropped_by(&[("id", "String"), ("year", "Int32"), ("pages", "String")]).expect_err("another type");

    assert_snapshot!(conflict, @r#"column "pages" is a Int32 there and a Utf8 in the resource; give the column its old type, or a new name for the new type, or create a new HourlyCompaction with its own processed.path"#);
}

/// Also where the value of the column is null: it has a type all the same.
#[rstest]
#[case(TypedValue::String(Some("2020".to_owned())))]
#[case(TypedValue::String(None))]
#[case(TypedValue::Int64(Some(2020)))]
fn column_of_directories_that_has_another_type_is_a_conflict(#[case] value: TypedValue) {
    let conflict = layout(&COLUMNS).keeps_partition(&year(value)).expect_err("another type");

    assert_eq!(conflict.column, "year");
}

#[rstest]
#[case(TypedValue::Int32(Some(2020)))]
#[case(TypedValue::Int32(None))]
fn column_of_directories_with_its_type_goes_on(#[case] value: TypedValue) {
    assert_eq!(layout(&COLUMNS).keeps_partition(&year(value)), Ok(()));
}
