//! When runs of a compaction start: CronJob's dialect, in a time zone.
//!
//! The API server accepts what robfig/cron's standard parser accepts, but no time zone inside the schedule.

mod fields;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// Names that stand for five fields, as CronJob knows them, and the fields.
const MACROS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// A schedule in a time zone.
///
/// Where the clock goes forward, a time of the day that does not exist is taken right after the gap; where it goes back, a
/// time of the day is taken once, and each hour of an hourly schedule.
#[derive(Debug, Clone)]
pub struct Schedule {
    starts: Starts,
    zone: Tz,
}

/// What starts are found by.
#[derive(Debug, Clone)]
pub(super) enum Starts {
    /// Five fields.
    Fields(Box<Cron>),
    /// `@every`: so long after the one before, whatever the clock says.
    Every(TimeDelta),
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
        let starts = starts(schedule)?;
        let zone = time_zone.parse().map_err(|_| InvalidSchedule::TimeZone(time_zone.to_owned()))?;
        Ok(Self { starts, zone })
    }

    /// The first start after a moment; `None` if there is none, as on 30 February.
    pub fn next_after(&self, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.starts {
            Starts::Fields(cron) => {
                let local = moment.with_timezone(&self.zone);
                cron.find_next_occurrence(&local, false).ok().map(|next| next.with_timezone(&Utc))
            }
            Starts::Every(delay) => moment.trunc_subsecs(0).checked_add_signed(*delay),
        }
    }
}

/// Schedule of a compaction that names none.
pub const DEFAULT_SCHEDULE: &str = "5 * * * *";
/// Time zone of a schedule that names none.
pub const DEFAULT_TIME_ZONE: &str = "Etc/UTC";

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
pub(super) fn starts(schedule: &str) -> Result<Starts, InvalidSchedule> {
    let invalid = |why: String| InvalidSchedule::Cron { text: schedule.to_owned(), why };
    if let Some(delay) = schedule.strip_prefix("@every ") {
        let delay = every(delay).ok_or_else(|| invalid(": @every is followed by a time such as 1h30m".to_owned()))?;
        return Ok(Starts::Every(delay));
    }
    let fields = MACROS.iter().find(|(name, _)| *name == schedule).map_or(schedule, |(_, fields)| fields);
    let five = fields::five(fields).map_err(|why| invalid(why.map_or_else(String::new, |why| format!(": {why}"))))?;
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let cron = parser.parse(&five.join(" ")).map_err(|error| invalid(format!(": {error}")))?;
    Ok(Starts::Fields(Box::new(cron)))
}

/// A duration as Go writes it, in whole seconds and at least one, as CronJob takes it.
fn every(text: &str) -> Option<TimeDelta> {
    const UNITS: [(&str, f64); 7] =
        [("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, after) = rest.split_at(digits);
        let end = after.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        seconds += number.parse::<f64>().ok()? * UNITS.iter().find(|(name, _)| *name == unit)?.1;
        rest = after;
    }
    // Go counts nanoseconds in 63 bits, which is 292 years.
    (!text.is_empty() && seconds < 9.2e9).then(|| TimeDelta::seconds((seconds as i64).max(1)))
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
    #[case::nothing("")]
    #[case::minute("60 * * * *")]
    #[case::hour("0 24 * * *")]
    #[case::day_0("0 0 0 * *")]
    #[case::month_13("0 0 1 13 *")]
    #[case::six_fields("0 5 * * * *")]
    #[case::four_fields("5 * * *")]
    #[case::last_day("0 0 L * *")]
    #[case::last_friday("0 0 * * 5L")]
    #[case::second_friday("0 0 * * 5#2")]
    #[case::nearest_weekday("0 0 15W * *")]
    #[case::sunday_is_0("0 0 * * 7")]
    #[case::sunday_ends_no_range("0 0 * * 5-7")]
    #[case::open_range("0 0 * * 5-")]
    #[case::backwards("0 0 * * 5-1")]
    #[case::step_of_nothing("*/0 * * * *")]
    #[case::no_step("*/ * * * *")]
    #[case::two_steps("*/2/3 * * * *")]
    #[case::two_ranges("1-2-3 * * * *")]
    #[case::name_of_another_field("0 0 * MON *")]
    #[case::whole_name("0 0 * * Monday")]
    #[case::negative("-5 * * * *")]
    #[case::fraction("1.5 * * * *")]
    #[case::name("@reboot")]
    #[case::macros_are_lower_case("@Hourly")]
    #[case::zone_inside("TZ=Europe/Berlin 5 * * * *")]
    #[case::cron_zone_inside("CRON_TZ=Europe/Berlin 5 * * * *")]
    #[case::every_what("@every day")]
    #[case::every_number("@every 5")]
    fn what_cronjob_refuses_is_refused_with_what_to_write(#[case] schedule: &str) {
        let error = Schedule::try_new(schedule, "Etc/UTC").expect_err("no schedule").to_string();
        assert!(error.contains("5 * * * *") && error.contains(schedule), "{error}");
    }

    // 23 November 2026 is a Monday. The starts are those that robfig/cron 3.0.1 computes.
    #[rstest]
    #[case::step_of_7("0 0 * * */7", &["11-29 00:00", "12-06 00:00"])]
    #[case::steps_of_a_day("0 */8 * * *", &["11-23 08:00", "11-23 16:00"])]
    #[case::step_beyond_the_end("*/100 * * * *", &["11-23 06:00", "11-23 07:00"])]
    #[case::step_from("50/5 * * * *", &["11-23 05:50", "11-23 05:55"])]
    #[case::step_from_a_weekday("0 0 * * 1/3", &["11-26 00:00", "11-30 00:00"])]
    #[case::step_of_a_range("0 0 * * 0-6/3", &["11-25 00:00", "11-28 00:00"])]
    #[case::names("0 0 * jan,DEC mon-Fri", &["12-01 00:00", "12-02 00:00"])]
    #[case::question_mark("0 0 ? * 3", &["11-25 00:00", "12-02 00:00"])]
    #[case::empty_parts(",7, 5 * * *", &["11-23 05:07", "11-24 05:07"])]
    #[case::day_or_weekday("0 0 1 * 3", &["11-25 00:00", "12-01 00:00"])]
    #[case::step_of_1_is_any_day("0 0 1 * */1", &["12-01 00:00", "01-01 00:00"])]
    #[case::step_is_a_weekday("0 0 1 * */7", &["11-29 00:00", "12-01 00:00"])]
    #[case::step_is_a_day("0 0 */20 * 3", &["11-25 00:00", "12-01 00:00"])]
    #[case::zeros_and_plus("005 +6 * * *", &["11-23 06:05", "11-24 06:05"])]
    #[case::tabs("5\t6 * * *", &["11-23 06:05", "11-24 06:05"])]
    #[case::every("@every 1h30m", &["11-23 06:35", "11-23 08:05"])]
    #[case::every_less_than_a_second("@every 10ms", &["11-23 05:05", "11-23 05:05"])]
    fn what_cronjob_accepts_is_accepted_and_starts_when_it_does(#[case] schedule: &str, #[case] expected: &[&str]) {
        assert_eq!(starts(schedule, "Etc/UTC", "2026-11-23T05:05:00Z", expected.len()), expected);
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
