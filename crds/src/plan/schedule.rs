//! When runs of a compaction start: CronJob's dialect, in a time zone.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// Names that stand for five fields, as CronJob knows them.
const MACROS: [&str; 7] = ["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"];

/// Names of months and weekdays.
const NAMES: [&str; 19] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC", "SUN", "MON", "TUE", "WED",
    "THU", "FRI", "SAT",
];

/// A schedule in a time zone.
///
/// Where the clock goes forward, a time of the day that does not exist is taken right after the gap; where it goes back, a
/// time of the day is taken once, and each hour of an hourly schedule.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    zone: Tz,
}

/// Why a text is not a schedule, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchedule {
    /// It is no five fields that cron knows.
    #[error(
        "{text:?} is not a schedule{why}; write five fields such as \"5 * * * *\" (minute hour day month weekday) or @hourly"
    )]
    Cron {
        /// The text.
        text: String,
        /// What is wrong, after ": ", or nothing.
        why: String,
    },
    /// The time zone is not known.
    #[error("{0:?} is not a time zone; write a name of the tz database such as Europe/Berlin, or Etc/UTC")]
    TimeZone(String),
}

impl Schedule {
    /// Reads a schedule and the name of its time zone.
    ///
    /// # Errors
    /// The first that is not one.
    pub fn try_new(schedule: &str, time_zone: &str) -> Result<Self, InvalidSchedule> {
        let cron = cron(schedule)?;
        let zone = time_zone.parse().map_err(|_| InvalidSchedule::TimeZone(time_zone.to_owned()))?;
        Ok(Self { cron, zone })
    }

    /// The first start after a moment; `None` if there is none, as on 30 February.
    pub fn next_after(&self, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = moment.with_timezone(&self.zone);
        self.cron.find_next_occurrence(&local, false).ok().map(|next| next.with_timezone(&Utc))
    }
}

/// Starts that are looked at for the longest time between two; of a schedule by the minute they are a week.
const STARTS: usize = 10_000;
/// And so long: a leap day comes every four years.
const YEARS: i64 = 5;

impl Schedule {
    /// The longest time between two starts in the coming years, of as many as are worth the look; `None` if there are not
    /// two. It does not depend on when it is asked.
    pub fn longest_gap(&self) -> Option<TimeDelta> {
        let mut last = self.next_after(DateTime::from_timestamp(1_767_225_600, 0)?)?;
        let end = last + TimeDelta::days(366 * YEARS);
        let mut longest = None;
        for _ in 0..STARTS {
            let Some(next) = self.next_after(last).filter(|next| *next <= end) else { break };
            longest = longest.max(Some(next - last));
            last = next;
        }
        longest
    }
}

/// Reads five fields or a name that stands for them.
///
/// # Errors
/// It is neither.
pub(super) fn cron(schedule: &str) -> Result<Cron, InvalidSchedule> {
    let invalid = |why| InvalidSchedule::Cron { text: schedule.to_owned(), why };
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    if !MACROS.contains(&schedule) && (fields.len() != 5 || !fields.iter().all(|field| is_plain(field))) {
        return Err(invalid(String::new()));
    }
    // The parser takes 7 for Sunday, CronJob does not.
    if fields.get(4).is_some_and(|weekdays| parts(weekdays).any(|part| part == "7")) {
        return Err(invalid(": 7 is no weekday, Sunday is 0".to_owned()));
    }
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(schedule).map_err(|error| invalid(format!(": {error}")))
}

/// Whether a field has only what CronJob knows: letters stand in names of months and weekdays, not for the last day.
fn is_plain(field: &str) -> bool {
    parts(field).all(|part| {
        let is_name = NAMES.contains(&part.to_ascii_uppercase().as_str());
        is_name || part == "?" || part.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn parts(field: &str) -> impl Iterator<Item = &str> {
    field.split(['*', ',', '-', '/']).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn starts(schedule: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::try_new(schedule, zone).expect("a schedule");
        let mut moment: DateTime<Utc> = after.parse().expect("a time");
        let mut starts = Vec::new();
        for _ in 0..count {
            moment = schedule.next_after(moment).expect("it comes again");
            starts.push(moment.format("%m-%d %H:%M").to_string());
        }
        starts
    }

    #[rstest]
    #[case::hourly("5 * * * *", "Etc/UTC", "2026-11-23T05:05:00Z", &["11-23 06:05", "11-23 07:05"])]
    #[case::by_name("@daily", "Etc/UTC", "2026-11-23T05:05:00Z", &["11-24 00:00", "11-25 00:00"])]
    #[case::in_its_zone("30 2 * * *", "Europe/Berlin", "2026-11-23T05:05:00Z", &["11-24 01:30"])]
    #[case::half_an_hour_off("0 * * * *", "Asia/Kolkata", "2026-11-23T05:00:00Z", &["11-23 05:30"])]
    #[case::weekdays("0 8 * * MON-FRI", "Etc/UTC", "2026-11-27T09:00:00Z", &["11-30 08:00"])]
    #[case::gap_is_followed_at_once("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", &["03-29 01:00", "03-30 00:30"])]
    #[case::overlap_once("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", &["10-25 00:30", "10-26 01:30"])]
    #[case::overlap_each_hour("5 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", &["10-25 00:05", "10-25 01:05", "10-25 02:05"])]
    fn starts_follow_the_clock_of_the_zone(
        #[case] schedule: &str,
        #[case] zone: &str,
        #[case] after: &str,
        #[case] expected: &[&str],
    ) {
        assert_eq!(starts(schedule, zone, after, expected.len()), expected);
    }

    #[rstest]
    #[case::words("hourly")]
    #[case::minute("61 * * * *")]
    #[case::six_fields("0 5 * * * *")]
    #[case::last_day("0 0 L * *")]
    #[case::last_friday("0 0 * * 5L")]
    #[case::sunday_is_0("0 0 * * 7")]
    #[case::backwards("0 0 * * 5-")]
    #[case::name("@reboot")]
    fn what_cronjob_refuses_is_refused_with_what_to_write(#[case] schedule: &str) {
        let error = Schedule::try_new(schedule, "Etc/UTC").expect_err("no schedule").to_string();
        assert!(error.contains("5 * * * *") && error.contains(schedule), "{error}");
    }

    #[test]
    fn a_time_zone_that_is_not_known_is_refused() {
        let error = Schedule::try_new("@hourly", "Berlin").expect_err("no zone");
        assert_eq!(error, InvalidSchedule::TimeZone("Berlin".to_owned()));
    }

    #[rstest]
    #[case::hourly("5 * * * *", "Etc/UTC", 60)]
    #[case::each_minute("* * * * *", "Etc/UTC", 1)]
    #[case::over_the_weekend("0 8 * * MON-FRI", "Etc/UTC", 3 * 24 * 60)]
    #[case::over_a_change_of_the_clock("0 8 * * *", "Europe/Berlin", 25 * 60)]
    #[case::from_year_to_leap_year("0 0 1 1 *", "Etc/UTC", 366 * 24 * 60)]
    fn longest_gap_is_that_of_years(#[case] schedule: &str, #[case] zone: &str, #[case] minutes: i64) {
        let schedule = Schedule::try_new(schedule, zone).expect("a schedule");
        assert_eq!(schedule.longest_gap(), Some(TimeDelta::minutes(minutes)));
    }

    #[test]
    fn a_day_that_never_comes_has_no_start() {
        let schedule = Schedule::try_new("0 0 30 2 *", "Etc/UTC").expect("five fields");
        assert_eq!(schedule.next_after("2026-11-23T05:05:00Z".parse().expect("a time")), None);
    }
}
