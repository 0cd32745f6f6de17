//! Five fields as robfig/cron's standard parser reads them, in a form that every cron parser reads alike.

/// Names of the months, from 1, and of the weekdays, from 0.
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// What may stand in a field.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", least: 0, most: 59, names: &[] },
    Field { name: "hour", least: 0, most: 23, names: &[] },
    Field { name: "day", least: 1, most: 31, names: &[] },
    Field { name: "month", least: 1, most: 12, names: &MONTHS },
    Field { name: "weekday", least: 0, most: 6, names: &WEEKDAYS },
];

/// The fields as `*`, `*/n` or a list of numbers.
///
/// # Errors
/// What is wrong, if more can be said than that there are not five fields.
pub(super) fn five(schedule: &str) -> Result<Vec<String>, Option<String>> {
    let texts: Vec<&str> = schedule.split_whitespace().collect();
    if texts.first().is_some_and(|first| first.starts_with("TZ=") || first.starts_with("CRON_TZ=")) {
        return Err(Some("the time zone goes into spec.timeZone".to_owned()));
    }
    if texts.len() != FIELDS.len() {
        return Err(None);
    }
    FIELDS.iter().zip(texts).map(|(field, text)| field.normal(text).map_err(Some)).collect()
}

/// A part of a field: numbers from one to another in steps.
struct Part {
    from: u32,
    to: u32,
    step: u32,
    /// It is `*` or `?`, in steps of one: the field then restricts nothing (of day and weekday the other one decides).
    is_any: bool,
}

impl Field {
    fn normal(&self, text: &str) -> Result<String, String> {
        // Empty parts are passed over, as CronJob does.
        let parts = text.split(',').filter(|part| !part.is_empty());
        let parts = parts.map(|part| self.part(part)).collect::<Result<Vec<_>, _>>()?;
        if parts.is_empty() {
            return Err(format!("the {} is empty", self.name));
        }
        if parts.iter().any(|part| part.is_any) {
            return Ok("*".to_owned());
        }
        // Where the clock goes back, a schedule of every n hours is told from one of a time of the day by its form.
        if let ([Part { from, to, step, .. }], "minute" | "hour") = (parts.as_slice(), self.name)
            && (*from, *to) == (self.least, self.most)
            && *step <= self.most
        {
            return Ok(format!("*/{step}"));
        }
        let is_in = |number: &u32| {
            parts
                .iter()
                .any(|part| (part.from..=part.to).contains(number) && (number - part.from).is_multiple_of(part.step))
        };
        let numbers: Vec<String> = (self.least..=self.most).filter(is_in).map(|number| number.to_string()).collect();
        Ok(numbers.join(","))
    }

    fn part(&self, text: &str) -> Result<Part, String> {
        let mut around = text.split('/');
        let (range, step, more) = (around.next().unwrap_or_default(), around.next(), around.next());
        if more.is_some() {
            return Err(format!("{text:?} has two steps"));
        }
        let mut ends = range.split('-');
        let (first, last, more) = (ends.next().unwrap_or_default(), ends.next(), ends.next());
        let step_number = step.map(|step| self.number(step)).transpose()?;
        if matches!(first, "*" | "?") {
            let step = step_number.unwrap_or(1);
            return self.checked(Part { from: self.least, to: self.most, step, is_any: step == 1 }, text);
        }
        if more.is_some() {
            return Err(format!("{text:?} has two ranges"));
        }
        let from = self.value(first)?;
        let to = match (last, step) {
            (Some(last), _) => self.value(last)?,
            // From there to the end, in steps.
            (None, Some(_)) => self.most,
            (None, None) => from,
        };
        self.checked(Part { from, to, step: step_number.unwrap_or(1), is_any: false }, text)
    }

    fn checked(&self, part: Part, text: &str) -> Result<Part, String> {
        let Part { from, to, step, is_any: _ } = part;
        let Self { name, least, most, .. } = self;
        if from < *least || to > *most {
            let sunday = if *name == "weekday" { ", Sunday is 0" } else { "" };
            return Err(format!("{text:?} is no {name}, {least} to {most}{sunday}"));
        }
        match (from > to, step) {
            (true, _) => Err(format!("{text:?} ends before it begins")),
            (false, 0) => Err(format!("{text:?} has steps of 0")),
            (false, _) => Ok(part),
        }
    }

    fn value(&self, text: &str) -> Result<u32, String> {
        let first = self.least;
        let named = self.names.iter().zip(first..).find(|(name, _)| name.eq_ignore_ascii_case(text));
        named.map_or_else(|| self.number(text), |(_, number)| Ok(number))
    }

    fn number(&self, text: &str) -> Result<u32, String> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.parse().ok().filter(|_| is_number);
        number.ok_or_else(|| format!("{text:?} is no number or name of the {}", self.name))
    }
}
