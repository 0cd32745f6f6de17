//! What retention takes, what holds it, and which directories are over.

use chrono::TimeDelta;

use super::super::*;
use super::{entry, file, range, raw_data, raw_entry, raw_fold, raw_zone_id, zone_id};

const MONTH: RetentionAges = RetentionAges { raw: Some(TimeDelta::days(30)), rejected: Some(TimeDelta::days(90)) };

/// Files of rows 1 and 2 and of rejects 3 by entries 1 to 3, ten days apart.
fn fold() -> Fold {
    let mut fold = raw_fold();
    for (number, zone) in [(1, FileZone::Raw), (2, FileZone::Raw), (3, FileZone::Rejected)] {
        let from = 100 * i64::try_from(number).expect("small");
        let data = raw_data(vec![range(0, from, from + 100)], vec![file(zone, number)]);
        let time = day(10 * (i64::try_from(number).expect("small") - 1));
        fold.apply(&Entry { time, ..raw_entry(10 + u128::from(number), data) }).expect("valid");
    }
    fold
}

fn day(days: i64) -> LogTime {
    let first: LogTime = "2026-11-23T05:09:41.123Z".parse().expect("a time");
    LogTime::new(first.utc() + TimeDelta::days(days))
}

fn due(fold: &Fold, days: i64) -> Vec<u64> {
    expiry(fold, &MONTH, day(days)).due.iter().map(|live| live.sequence.0).collect()
}

fn consume(fold: &mut Fold, consumer: Consumer) {
    let commit = 100 + u128::from(fold.head().0);
    let time = fold.effective_time();
    fold.apply(&Entry { time, ..entry(commit, Kind::Consumer(consumer)) }).expect("valid");
}

#[test]
fn a_file_is_due_at_its_age_and_not_a_moment_before() {
    let fold = fold();
    let before = LogTime::new(day(30).utc() - TimeDelta::milliseconds(1));
    assert_eq!(expiry(&fold, &MONTH, before), Expiry::default());
    assert_eq!(due(&fold, 30), [1]);
    assert_eq!(due(&fold, 40), [1, 2]);
    assert_eq!(due(&fold, 110), [3, 1, 2], "rejects first");
}

#[test]
fn without_an_age_files_stay_for_ever() {
    assert_eq!(expiry(&fold(), &RetentionAges::default(), day(100_000)), Expiry::default());
}

#[test]
fn the_time_of_the_log_counts_where_a_clock_is_behind() {
    let mut fold = fold();
    let data = raw_data(vec![range(0, 400, 500)], vec![file(FileZone::Raw, 4)]);
    fold.apply(&Entry { time: day(35), ..raw_entry(50, data) }).expect("valid");
    assert_eq!(due(&fold, -40), [1]);
}

#[test]
fn the_consumer_furthest_behind_holds_rows_and_never_rejects() {
    let mut fold = fold();
    let (slow, fast) = (raw_zone_id(), zone_id());
    consume(&mut fold, Consumer::Register { id: slow, name: "slow".to_owned() });
    consume(&mut fold, Consumer::Register { id: fast, name: "fast".to_owned() });
    consume(&mut fold, Consumer::Advance { id: fast, position: 2 });
    let Expiry { due, later, held } = expiry(&fold, &MONTH, day(110));
    assert_eq!((due.len(), later), (1, 0));
    assert_eq!(due[0].file.zone, FileZone::Rejected);
    let held = held.expect("rows are held");
    assert_eq!((held.name.as_str(), held.position, held.files, held.bytes), ("slow", -1, 2, 2000));
    consume(&mut fold, Consumer::Advance { id: slow, position: 1 });
    let expiry = expiry(&fold, &MONTH, day(110));
    assert_eq!(expiry.due.iter().map(|live| live.sequence.0).collect::<Vec<_>>(), [3, 1]);
    assert_eq!(expiry.held.expect("one is held").files, 1);
}

#[test]
fn a_consumer_is_called_silent_after_seven_days() {
    let mut fold = fold();
    consume(&mut fold, Consumer::Register { id: raw_zone_id(), name: "library/books".to_owned() });
    // It registered at day 20, when the first file was not yet old enough.
    let holder = |days| expiry(&fold, &RetentionAges { raw: Some(TimeDelta::days(1)), ..MONTH }, day(days)).held;
    let (soon, late) = (holder(26).expect("held"), holder(27).expect("held"));
    assert_eq!((soon.is_silent, soon.describe()), (false, "library/books".to_owned()));
    assert_eq!(late.describe(), "library/books (silent since 2026-12-13T05:09:41.123Z)");
}

#[test]
fn a_pass_takes_a_thousand_files_and_says_how_many_are_left() {
    let mut fold = raw_fold();
    let files = (1..=1300).map(|number| file(FileZone::Raw, number)).collect();
    fold.apply(&raw_entry(2, raw_data(vec![range(0, 100, 200)], files))).expect("valid");
    let Expiry { due, later, held } = expiry(&fold, &MONTH, day(30));
    assert_eq!((due.len(), later, held), (1000, 300, None));
}

/// An archive may be away for days, and rejects hold personal data.
#[test]
fn rejects_do_not_wait_behind_rows() {
    let mut fold = raw_fold();
    let files = (1..=1300).map(|number| file(FileZone::Raw, number)).collect();
    fold.apply(&raw_entry(2, raw_data(vec![range(0, 100, 200)], files))).expect("valid");
    let files = vec![file(FileZone::Rejected, 1301)];
    fold.apply(&raw_entry(3, raw_data(vec![range(0, 200, 300)], files))).expect("valid");
    let due = expiry(&fold, &RetentionAges { rejected: Some(TimeDelta::days(30)), ..MONTH }, day(60)).due;
    assert_eq!((due.len(), due[0].file.zone), (1000, FileZone::Rejected));
}

#[test]
fn what_has_left_is_counted_over_the_whole_log() {
    let mut fold = fold();
    let files = expiry(&fold, &MONTH, day(110)).due.into_iter();
    let files = files.map(|live| RemovedFile { zone: live.file.zone, path: live.file.path }).collect();
    let remove = Remove { files, reason: RemovalReason::Retention, archive: None };
    fold.apply(&entry(60, Kind::Remove(remove))).expect("valid");
    assert_eq!(fold.removed(), RemovedTotals { files: 3, bytes: 3000, rejected_files: 1, rows: 20 });
    let restored = Fold::restore(zone_id(), fold.head(), &fold.encode_state(), fold.live_records());
    assert_eq!(restored.expect("read").removed(), fold.removed());
    assert_eq!(oldest_file(&fold), None);
}

#[test]
fn days_before_every_live_file_are_over() {
    let names = ["ingest_date=2026-11-22", "ingest_date=2026-11-23", "ingest_date=2026-12-01", "_log", "other"];
    let names = names.map(str::to_owned);
    assert_eq!(outlived(&fold(), FileZone::Raw, &names), ["ingest_date=2026-11-22"]);
    // With no file left the day of the log itself is kept: somebody may be publishing into it.
    let mut empty = raw_fold();
    assert_eq!(outlived(&empty, FileZone::Raw, &names), ["ingest_date=2026-11-22"]);
    empty.apply(&Entry { time: day(10), ..raw_entry(9, raw_data(vec![range(0, 100, 101)], vec![])) }).expect("valid");
    assert_eq!(
        outlived(&empty, FileZone::Raw, &names),
        ["ingest_date=2026-11-22", "ingest_date=2026-11-23", "ingest_date=2026-12-01"]
    );
}

/// Copying takes time: what was chosen before is judged by what the log says now.
#[test]
fn files_that_were_chosen_are_judged_again() {
    let mut fold = fold();
    let chosen = expiry(&fold, &MONTH, day(110)).due;
    let still = |fold: &Fold, days| {
        still_due(fold, &MONTH, day(days), &chosen).iter().map(|live| live.sequence.0).collect::<Vec<_>>()
    };
    assert_eq!(still(&fold, 110), [3, 1, 2]);
    assert_eq!(still(&fold, 40), [1, 2], "a clock was ahead");
    consume(&mut fold, Consumer::Register { id: raw_zone_id(), name: "late".to_owned() });
    consume(&mut fold, Consumer::Advance { id: raw_zone_id(), position: 1 });
    assert_eq!(still(&fold, 110), [3, 1], "a consumer has registered");
    let file = RemovedFile { zone: chosen[1].file.zone, path: chosen[1].file.path.clone() };
    let remove = Remove { files: vec![file], reason: RemovalReason::Retention, archive: None };
    fold.apply(&entry(70, Kind::Remove(remove))).expect("valid");
    assert_eq!(still(&fold, 110), [3], "another worker was faster");
}

/// A thousand that can't be archived take no place of those that can.
#[test]
fn files_that_were_put_off_take_no_place_of_a_pass() {
    let mut fold = raw_fold();
    let files = (1..=1300).map(|number| file(FileZone::Raw, number)).collect();
    fold.apply(&raw_entry(2, raw_data(vec![range(0, 100, 200)], files))).expect("valid");
    let put_off: std::collections::BTreeSet<_> = expiry(&fold, &MONTH, day(30)).due.iter().map(LiveFile::key).collect();
    assert_eq!(put_off.len(), 1000);
    let Expiry { due, later, held } = expiry_without(&fold, &MONTH, day(30), &put_off);
    assert_eq!((due.len(), later, held), (300, 0, None));
}
