//! The texts of dates and timestamps: formats in the notation of strftime, and the zone of a time without an offset.

use chrono::format::{Item, Parsed, StrftimeItems, parse};
use chrono::{MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset as _, TimeZone as _};
use chrono_tz::Tz;

use super::lexical;

/// Which texts are dates or times.
#[derive(Debug, Clone)]
pub enum Formats {
    /// The form of ISO 8601: XSD's, or RFC 3339.
    Iso,
    /// Tried in their order; at least one.
    Strftime(Vec<Format>),
}

/// One format, parsed.
#[derive(Debug, Clone)]
pub struct Format {
    written: String,
    items: Vec<Item<'static>>,
    /// False if a day is all that it says.
    has_time: bool,
}

/// Days that a format must tell apart; two-digit years stand for 1970 to 2069.
const SAMPLE_DAYS: [(i32, u32, u32); 3] = [(2026, 11, 23), (2024, 2, 29), (1999, 12, 31)];

impl Format {
    /// Reads a format and tries it.
    ///
    /// # Errors
    /// What is wrong with it, for a person.
    pub(super) fn try_new(written: &str) -> Result<Self, String> {
        let items = StrftimeItems::new(written).parse_to_owned().map_err(|_| {
            format!("{written:?} is not a format: it has a specifier that is not known; write for example %Y-%m-%d %H:%M:%S%.f %z")
        })?;
        if written.replace("%%", "").contains("%Z") {
            return Err(format!(
                "{written:?} has %Z, and names of zones can't be read; write %z for an offset, or set timeZone"
            ));
        }
        let mut format = Self { written: written.to_owned(), items, has_time: true };
        if SAMPLE_DAYS.iter().all(|day| format.tells(*day, NaiveTime::from_hms_opt(13, 47, 0))) {
            return Ok(format);
        }
        format.has_time = false;
        if SAMPLE_DAYS.iter().all(|day| format.tells(*day, Some(NaiveTime::MIN))) {
            return Ok(format);
        }
        Err(format!("{written:?} does not say which day; write one with year, month and day, for example %d.%m.%Y"))
    }

    /// True if the sample is the same after it was written and read again.
    fn tells(&self, (year, month, day): (i32, u32, u32), time: Option<NaiveTime>) -> bool {
        let sample = NaiveDate::from_ymd_opt(year, month, day).zip(time).map(|(date, time)| date.and_time(time));
        let Some(sample) = sample else { return false };
        let mut text = String::new();
        let written = std::fmt::Write::write_fmt(
            &mut text,
            format_args!("{}", sample.and_utc().format_with_items(self.items.iter())),
        );
        written.is_ok() && self.read(&text).is_some_and(|(local, offset)| offset.unwrap_or(0) == 0 && local == sample)
    }

    /// The time that a text says, and its offset in seconds if it has one.
    fn read(&self, text: &str) -> Option<(NaiveDateTime, Option<i32>)> {
        let mut parsed = Parsed::new();
        parse(&mut parsed, text, self.items.iter()).ok()?;
        // Seconds since 1970 are UTC by themselves.
        let offset = parsed.offset().or(parsed.timestamp().map(|_| 0));
        let local = if self.has_time {
            parsed.to_naive_datetime_with_offset(offset.unwrap_or(0)).ok()?
        } else {
            parsed.to_naive_date().ok()?.and_time(NaiveTime::MIN)
        };
        Some((local, offset))
    }
}

/// Why a text is no Timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoTimestamp {
    /// It has none of the forms.
    Form,
    /// The local time does not occur: clocks were put forward over it.
    Skipped,
}

impl Formats {
    /// The day of a text.
    pub(super) fn date(&self, text: &str) -> Option<NaiveDate> {
        match self {
            Formats::Iso => lexical::date(text),
            Formats::Strftime(formats) => {
                let day = formats.iter().find_map(|format| format.read(text)).map(|(local, _)| local.date())?;
                lexical::in_four_digits(day).then_some(day)
            }
        }
    }

    /// Microseconds since 1970, UTC, of a text; `zone` is that of a text without an offset.
    pub(super) fn timestamp(&self, text: &str, zone: Zone) -> Result<i64, NoTimestamp> {
        let (local, offset) = match self {
            Formats::Iso => lexical::date_time(text),
            Formats::Strftime(formats) => formats.iter().find_map(|format| format.read(text)),
        }
        .ok_or(NoTimestamp::Form)?;
        let offset = match offset {
            Some(offset) => offset,
            None => zone.offset(local).ok_or(NoTimestamp::Skipped)?,
        };
        lexical::to_utc(local, offset).and_then(lexical::micros).ok_or(NoTimestamp::Form)
    }

    /// The formats for a person; none for ISO.
    pub(super) fn written(&self) -> Option<String> {
        match self {
            Formats::Iso => None,
            Formats::Strftime(formats) => {
                let all: Vec<_> = formats.iter().map(|format| format.written.as_str()).collect();
                Some(all.join(" or "))
            }
        }
    }
}

/// The time zone of a time without an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

impl Zone {
    /// UTC.
    pub const UTC: Zone = Zone(Tz::UTC);

    /// The zone of a name in the tz database.
    ///
    /// # Errors
    /// What is wrong with the name, for a person.
    pub(super) fn try_new(name: &str) -> Result<Self, String> {
        let zone: Tz = name.parse().map_err(|_| {
            format!("{name:?} is not a time zone; write a name of the tz database such as Europe/Berlin")
        })?;
        Ok(if matches!(zone, Tz::Etc__UTC) { Self::UTC } else { Self(zone) })
    }

    /// Seconds east of Greenwich at a local time; none if clocks skip it.
    ///
    /// Of a time that occurs twice it is the earlier one, as Java and Python take it.
    fn offset(self, local: NaiveDateTime) -> Option<i32> {
        if self == Self::UTC {
            return Some(0);
        }
        match self.0.offset_from_local_datetime(&local) {
            MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(offset, _) => {
                Some(offset.fix().local_minus_utc())
            }
            MappedLocalTime::None => None,
        }
    }
}

impl std::fmt::Display for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}
