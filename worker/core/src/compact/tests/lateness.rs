//! Which rows are late.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Date32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use gristmill_crds::LatePolicy;
use gristmill_crds::plan::LatenessPlan;
use proptest::prelude::*;
use rstest::rstest;

use crate::compact::{LateRule, late_rejects};
use crate::log::LogTime;
use crate::raw::json_value;

fn plan(allowed: Duration) -> LatenessPlan {
    LatenessPlan { column: "at".to_owned(), allowed, policy: LatePolicy::Merge }
}

fn time(text: &str) -> LogTime {
    text.parse().expect("a time")
}

fn micros(text: &str) -> i64 {
    time(text).utc().timestamp_micros()
}

fn batch(column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([("at", column, true)]).expect("one column")
}

fn late(rule: &LateRule, column: ArrayRef) -> Vec<bool> {
    rule.late(&batch(column)).expect("the column tells time").iter().map(|late| late == Some(true)).collect()
}

fn rule(allowed: Duration) -> LateRule {
    LateRule::of(Some(&plan(allowed)), Some(time("2026-11-23T05:00:00Z"))).expect("there is a limit")
}

#[test]
fn row_before_the_limit_is_late_and_one_at_it_is_not() {
    let rule = rule(Duration::from_secs(3600));
    let limit = micros("2026-11-23T04:00:00Z");
    let rows = TimestampMicrosecondArray::from(vec![Some(limit - 1), Some(limit), None]).with_timezone("UTC");
    assert_eq!(rule.limit(), time("2026-11-23T04:00:00Z"));
    assert_eq!(late(&rule, Arc::new(rows)), [true, false, false]);
}

#[rstest]
#[case::day_of_the_limit(0, false)]
#[case::day_before(-1, true)]
#[case::day_after(1, false)]
fn date_is_late_when_all_of_its_day_is(#[case] days: i32, #[case] expected: bool) {
    let day = i32::try_from(micros("2026-11-23T00:00:00Z") / 86_400_000_000).expect("few days") + days;
    assert_eq!(late(&rule(Duration::from_secs(60)), Arc::new(Date32Array::from(vec![Some(day)]))), [expected]);
}

#[test]
fn date_is_late_at_the_midnight_that_ends_it() {
    let rule = LateRule::of(Some(&plan(Duration::ZERO)), Some(time("2026-11-24T00:00:00Z"))).expect("a limit");
    let day = i32::try_from(micros("2026-11-23T00:00:00Z") / 86_400_000_000).expect("few days");
    assert_eq!(late(&rule, Arc::new(Date32Array::from(vec![day, day + 1]))), [true, false]);
}

#[test]
fn nothing_is_late_without_a_rule_or_before_it_can_be_said() {
    let through = Some(time("2026-11-23T05:00:00Z"));
    assert_eq!(LateRule::of(None, through), None);
    assert_eq!(LateRule::of(Some(&plan(Duration::ZERO)), None), None);
}

#[test]
fn column_that_tells_no_time_is_refused() {
    let error = rule(Duration::ZERO).late(&batch(Arc::new(StringArray::from(vec!["x"])))).expect_err("a text");
    assert_eq!(error.to_string(), r#"column "at" is a Utf8, which tells no time"#);
}

#[test]
fn late_row_is_kept_whole_beside_its_coordinates() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a \"b\""), None]));
    let times: ArrayRef =
        Arc::new(TimestampMicrosecondArray::from(vec![micros("2026-11-23T03:00:00Z"); 2]).with_timezone("UTC"));
    let usual = super::rows::batch(&[super::rows::row("a").at(7), super::rows::row("b").at(8).generation(1)]);
    let schema = usual.schema();
    // Behind id and score stand the coordinates.
    let carried = schema.fields().iter().zip(usual.columns()).skip(2);
    let carried = carried.map(|(field, column)| (field.name().as_str(), Arc::clone(column), field.is_nullable()));
    let columns = [("title", texts, true), ("at", times, true)].into_iter().chain(carried);
    let rows = RecordBatch::try_from_iter_with_nullable(columns).expect("two rows each");

    let rejects = late_rejects(&rows, 2, "books", &rule(Duration::from_secs(3600))).expect("all columns are there");

    let text = |name: &str, row: usize| json_value(rejects.column_by_name(name).expect("a column").as_ref(), row);
    let payloads = rejects.column_by_name("payload").expect("a column").as_binary::<i32>();
    assert_eq!(payloads.value(0), br#"{"title":"a \"b\"","at":"2026-11-23T03:00:00Z"}"#);
    assert_eq!(payloads.value(1), br#"{"title":null,"at":"2026-11-23T03:00:00Z"}"#);
    assert_eq!(
        (text("reason", 0), text("stage", 0), text("column", 1)),
        ("Late".into(), "Compact".into(), "at".into())
    );
    assert_eq!(
        (text("kafka_topic", 1), text("kafka_offset", 1), text("generation", 1)),
        ("books".into(), 8.into(), 1.into())
    );
    assert_eq!(text("payload_length", 0), serde_json::Value::from(payloads.value(0).len()));
    assert_eq!(
        text("message", 0),
        "at lies before 2026-11-23T04:00:00.000Z, what the zone was processed through less the lateness that is allowed"
    );
}

proptest! {
    #[test]
    fn more_is_allowed_fewer_are_late(
        times in proptest::collection::vec(proptest::option::of(0..4_000_000_000_000_000i64), 1..20),
        less in 0..4_000_000_000u64,
        more in 0..4_000_000_000u64,
    ) {
        let late_of = |seconds| {
            let rows = TimestampMicrosecondArray::from(times.clone()).with_timezone("UTC");
            late(&rule(Duration::from_secs(seconds)), Arc::new(rows))
        };
        let (strict, generous) = (late_of(less.min(more)), late_of(less.max(more)));
        prop_assert!(strict.iter().zip(&generous).all(|(strict, generous)| *strict || !generous));
    }
}
