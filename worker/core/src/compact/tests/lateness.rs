//! Which rows are late.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Date32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use gristmill_crds::LatePolicy;
use gristmill_crds::plan::LatenessPlan;
use proptest::prelude::*;
use rstest::rstest;

use crate::compact::LateRule;
use crate::log::LogTime;

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
