//! Which columns of live files go on in a layout.

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

/// What a file that was written with `COLUMNS` says of a layout.
fn kept_by(columns: &[(&str, &str)]) -> Result<(), Conflict> {
    layout(columns).keeps_columns(layout(&COLUMNS).file())
}

fn year(value: TypedValue) -> [PartitionValue; 1] {
    [PartitionValue { column: "year".to_owned(), value }]
}

#[rstest]
#[case::same(&COLUMNS)]
#[case::more(&[("id", "String"), ("year", "Int32"), ("pages", "Int32"), ("shelf", "String")])]
#[case::other_order(&[("pages", "Int32"), ("id", "String"), ("year", "Int32")])]
fn file_whose_columns_are_all_there_goes_on(#[case] columns: &[(&str, &str)]) {
    assert_eq!(kept_by(columns), Ok(()));
}

#[test]
fn column_that_the_resource_lacks_is_a_conflict() {
    let conflict = kept_by(&[("id", "String"), ("year", "Int32")]).expect_err("pages would be dropped");

    assert_snapshot!(conflict, @r#"column "pages" is a Int32 there and not among the columns of the resource; add the column back to spec.record.columns of the StreamIngest (it may stay empty in new messages), and to spec.columns of the HourlyCompaction if that names any: a rewrite would drop its values; `gristmill compact --rebuild` drops the column for good"#);
}

#[rstest]
fn column_of_any_other_type_is_a_conflict(
    #[values("String", "Int64", "Float64", "Boolean", "Date")] column_type: &str,
) {
    let conflict = kept_by(&[("id", "String"), ("year", "Int32"), ("pages", column_type)]).expect_err("another type");

    assert_eq!(conflict.column, "pages");
}

#[test]
fn conflict_of_types_names_both_and_the_ways_out() {
    let conflict = kept_by(&[("id", "String"), ("year", "Int32"), ("pages", "String")]).expect_err("another type");

    assert_snapshot!(conflict, @r#"column "pages" is a Int32 there and a Utf8 in the resource; keep the column with its old type and give the new type a column of a new name, or create a new HourlyCompaction with its own processed.path"#);
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
