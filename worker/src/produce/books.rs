//! Sample messages: libraries of books as XML, with a known share of duplicates and of bad records.
//!
//! The sequence is a pure function of the seed and the mix, so that every run of a demo or a test sees
//! the same messages.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use uuid::Builder;

/// Share of each kind of message, in percent of all messages; the rest are plain.
///
/// Each message draws its kind anew, so a share is met on average; [`BookMessage::kind`] tells what was drawn. A
/// message is of one kind only, and together the shares are at most 100.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mix {
    /// Messages that repeat an earlier plain one, of the last 4,096 of them: half byte for byte, half with
    /// another price and a newer `updated_at` of each book. Until there is one, a plain message takes the place.
    pub duplicates: u8,
    /// Messages that are not well-formed XML: cut off, a wrong end tag, or a bare `&`.
    pub malformed: u8,
    /// Messages with one book that breaks a rule of `manifests/quickstart/books.yaml`: its `record_id` is none, its year
    /// is below the minimum, its price is no number, or its title is missing. The other books are valid.
    pub invalid: u8,
    /// Messages with new, valid books whose `updated_at` lies 60 to 400 days before that of a plain message.
    pub late: u8,
    /// Messages without a value, keyed as an earlier plain message.
    pub tombstones: u8,
}

impl Mix {
    /// The sum of the shares.
    pub fn percent(&self) -> u32 {
        let Self { duplicates, malformed, invalid, late, tombstones } = *self;
        [duplicates, malformed, invalid, late, tombstones].into_iter().map(u32::from).sum()
    }
}

/// What was done to a message on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// New, valid books.
    Plain,
    /// Books of an earlier message, the same or updated.
    Duplicate,
    /// Not well-formed.
    Malformed,
    /// One of its books breaks a rule.
    Invalid,
    /// New, valid books with an old `updated_at`.
    Late,
    /// No value.
    Tombstone,
}

/// One message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookMessage {
    /// `record_id` of its first book.
    pub key: String,
    /// The XML document; empty for a tombstone.
    pub payload: String,
    /// What was done to it.
    pub kind: Kind,
    /// Books in it, bad ones included.
    pub books: usize,
}

impl BookMessage {
    /// What is sent: nothing for a tombstone.
    pub fn value(&self) -> Option<&[u8]> {
        (self.kind != Kind::Tombstone).then_some(self.payload.as_bytes())
    }
}

/// An endless sequence of messages.
#[derive(Debug)]
pub struct BookMessages {
    random: Xoshiro256PlusPlus,
    mix: Mix,
    clock: DateTime<Utc>,
    /// Earlier plain messages that a duplicate may repeat; a ring, so that memory stays bounded.
    sent: Vec<(&'static str, Vec<Book>)>,
    count: usize,
}

/// Earlier messages that a duplicate chooses from.
const REMEMBERED: usize = 4096;

/// Days by which a late book lies behind: beyond any `allowed` lateness that a manifest of ours has.
const LATE_DAYS: std::ops::RangeInclusive<i64> = 60..=400;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Book {
    record_id: String,
    title: String,
    author: &'static str,
    country: &'static str,
    year: i32,
    cents: u32,
    updated_at: DateTime<Utc>,
}

const ADJECTIVES: [&str; 10] =
    ["Silent", "Golden", "Broken", "Northern", "Hidden", "Burning", "Distant", "Paper", "Iron", "Last"];
const NOUNS: [&str; 10] =
    ["Mill", "River", "Harbour", "Orchard", "Atlas", "Garden", "Letter", "Winter & Spring", "Voyage", "Clock"];
const AUTHORS: [(&str, &str); 8] = [
    ("Ada Brandt", "DE"),
    ("José Álvarez", "ES"),
    ("  Mei Lin ", "CN"),
    ("Zoë van Dijk", "NL"),
    ("Łukasz Nowak", "PL"),
    ("Siobhán O'Neill", "IE"),
    ("Anonymous", "N/A"),
    ("Kaito Tanaka", ""),
];
const REGIONS: [&str; 4] = ["north", "east", "south", "west"];

impl BookMessages {
    /// The sequence of a seed. Shares above 100 percent together leave no plain messages.
    pub fn new(seed: u64, mix: Mix) -> Self {
        Self {
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            mix,
            clock: DateTime::from_timestamp(1_767_225_600, 0).expect("2026-01-01T00:00:00Z is a time"),
            sent: Vec::new(),
            count: 0,
        }
    }

    fn kind(&mut self) -> Kind {
        let Mix { duplicates, malformed, invalid, late, tombstones } = self.mix;
        let mut lot = self.random.random_range(0..100);
        let kinds = [
            (Kind::Malformed, malformed),
            (Kind::Invalid, invalid),
            (Kind::Duplicate, duplicates),
            (Kind::Late, late),
            (Kind::Tombstone, tombstones),
        ];
        for (kind, share) in kinds {
            if lot < share {
                let repeats = matches!(kind, Kind::Duplicate | Kind::Tombstone);
                return if repeats && self.sent.is_empty() { Kind::Plain } else { kind };
            }
            lot -= share;
        }
        Kind::Plain
    }

    /// New books that were updated long ago.
    fn late_books(&mut self) -> Vec<Book> {
        let mut books = self.new_books();
        for book in &mut books {
            book.updated_at -= TimeDelta::days(self.random.random_range(LATE_DAYS));
        }
        books
    }

    fn new_books(&mut self) -> Vec<Book> {
        let count = self.random.random_range(1..=5);
        (0..count).map(|_| self.new_book()).collect()
    }

    fn new_book(&mut self) -> Book {
        let random = &mut self.random;
        let adjective = ADJECTIVES.choose(random).expect("the list is not empty");
        let noun = NOUNS.choose(random).expect("the list is not empty");
        let (author, country) = AUTHORS.choose(random).copied().expect("the list is not empty");
        Book {
            record_id: Builder::from_random_bytes(random.random()).into_uuid().to_string(),
            title: format!("The {adjective} {noun}"),
            author,
            country,
            year: random.random_range(1990..2026),
            cents: random.random_range(100..10_000),
            updated_at: self.clock,
        }
    }

    /// An earlier message again: as it was, or with a new price and time.
    fn repeated(&mut self) -> (&'static str, Vec<Book>) {
        let (region, mut books) = self.sent.choose(&mut self.random).cloned().unwrap_or_default();
        if self.random.random_bool(0.5) {
            for book in &mut books {
                book.cents = self.random.random_range(100..10_000);
                book.updated_at = self.clock;
            }
        }
        (region, books)
    }

    fn new_region(&mut self) -> &'static str {
        REGIONS.choose(&mut self.random).copied().expect("the list is not empty")
    }

    fn remember(&mut self, region: &'static str, books: Vec<Book>) {
        if self.sent.len() < REMEMBERED {
            self.sent.push((region, books));
        } else {
            self.sent[self.count % REMEMBERED] = (region, books);
        }
    }
}

impl Iterator for BookMessages {
    type Item = BookMessage;

    fn next(&mut self) -> Option<BookMessage> {
        self.count += 1;
        self.clock += TimeDelta::seconds(1);
        let kind = self.kind();
        let (region, books) = match kind {
            Kind::Duplicate => self.repeated(),
            Kind::Late => (self.new_region(), self.late_books()),
            Kind::Tombstone => self.sent.choose(&mut self.random).cloned().unwrap_or_default(),
            Kind::Plain | Kind::Malformed | Kind::Invalid => (self.new_region(), self.new_books()),
        };
        let key = books.first().map(|book| book.record_id.clone()).unwrap_or_default();
        let count = if kind == Kind::Tombstone { 0 } else { books.len() };
        let payload = match kind {
            Kind::Tombstone => String::new(),
            Kind::Plain | Kind::Duplicate | Kind::Late => document(region, &books, None),
            Kind::Invalid => {
                let fault = (self.random.random_range(0..count), self.random.random_range(0..4));
                document(region, &books, Some(fault))
            }
            Kind::Malformed => break_document(document(region, &books, None), self.random.random_range(0..3)),
        };
        if kind == Kind::Plain {
            self.remember(region, books);
        }
        Some(BookMessage { key, payload, kind, books: count })
    }
}

/// The XML of a message; `fault` names a book and the rule that it breaks.
fn document(region: &str, books: &[Book], fault: Option<(usize, u8)>) -> String {
    let mut xml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<library region=\"{region}\">\n");
    for (index, book) in books.iter().enumerate() {
        let fault = fault.filter(|(at, _)| *at == index).map(|(_, rule)| rule);
        book.write(&mut xml, fault);
    }
    xml.push_str("</library>\n");
    xml
}

impl Book {
    fn write(&self, xml: &mut String, fault: Option<u8>) {
        let record_id = if fault == Some(0) { "not-an-identifier" } else { self.record_id.as_str() };
        let year = if fault == Some(1) { 1066 } else { self.year };
        let price = match fault {
            Some(2) => "free".to_owned(),
            _ => format!("{}.{:02}", self.cents / 100, self.cents % 100),
        };
        let title = match fault {
            Some(3) => String::new(),
            _ => format!("    <title>{}</title>\n", quick_xml::escape::minimal_escape(self.title.as_str())),
        };
        write!(
            xml,
            "  <book>\n    <record_id>{record_id}</record_id>\n{title}    <author>\n      <name>{}</name>\n      \
             <country>{}</country>\n    </author>\n    <publication_year>{year}</publication_year>\n    \
             <price>{price}</price>\n    <updated_at>{}</updated_at>\n  </book>\n",
            self.author,
            self.country,
            self.updated_at.format("%Y-%m-%dT%H:%M:%SZ")
        )
        .expect("a String takes every write");
    }
}

/// Makes a document that is not well-formed, in one of three ways that are seen in practice.
fn break_document(document: String, way: u8) -> String {
    match way {
        0 => document[..document.floor_char_boundary(document.len() * 3 / 4)].to_owned(),
        1 => document.replacen("</author>", "</writer>", 1),
        _ => document.replacen("</title>", " & more</title>", 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIX: Mix = Mix { duplicates: 10, malformed: 10, invalid: 10, late: 10, tombstones: 10 };

    #[test]
    fn equal_seeds_give_equal_messages() {
        let first: Vec<_> = BookMessages::new(42, MIX).take(200).collect();
        let again: Vec<_> = BookMessages::new(42, MIX).take(200).collect();
        let other: Vec<_> = BookMessages::new(43, MIX).take(200).collect();
        assert_eq!(first, again);
        assert_ne!(first, other);
    }

    #[test]
    fn every_kind_appears_in_about_its_share() {
        let messages: Vec<_> = BookMessages::new(1, MIX).take(2_000).collect();
        for kind in [Kind::Duplicate, Kind::Malformed, Kind::Invalid, Kind::Late, Kind::Tombstone] {
            let share = messages.iter().filter(|message| message.kind == kind).count();
            assert!((120..=280).contains(&share), "{kind:?}: {share} of 2000");
        }
    }

    #[test]
    fn a_cut_document_ends_at_a_character() {
        // Names hold letters of two bytes: cutting inside one must not panic.
        let messages = BookMessages::new(7, Mix { malformed: 100, ..Mix::default() });
        assert!(messages.take(500).all(|message| message.kind == Kind::Malformed && !message.payload.is_empty()));
    }

    #[test]
    fn late_books_are_older_than_any_lateness_that_a_manifest_allows() {
        let updated = |mix| {
            let message = BookMessages::new(3, mix).next().expect("the sequence is endless");
            let (_, rest) = message.payload.split_once("<updated_at>").expect("a book has it");
            rest.split_once('<').and_then(|(time, _)| time.parse::<DateTime<Utc>>().ok()).expect("a time")
        };
        let behind = updated(Mix::default()) - updated(Mix { late: 100, ..Mix::default() });
        assert!((60..=400).contains(&behind.num_days()), "{behind}");
    }

    #[test]
    fn half_of_the_duplicates_are_equal_to_what_they_repeat() {
        let messages: Vec<_> = BookMessages::new(9, MIX).take(2_000).collect();
        let is_equal = |(at, message): (usize, &BookMessage)| {
            messages[..at].iter().any(|earlier| (&earlier.key, &earlier.payload) == (&message.key, &message.payload))
        };
        let duplicates = messages.iter().enumerate().filter(|(_, message)| message.kind == Kind::Duplicate);
        let (equal, updated): (Vec<_>, Vec<_>) = duplicates.map(is_equal).partition(|equal| *equal);
        assert!(equal.len() > 50 && updated.len() > 50, "{} and {}", equal.len(), updated.len());
    }

    #[test]
    fn tombstone_has_the_key_of_an_earlier_message_and_no_value() {
        let messages: Vec<_> = BookMessages::new(5, MIX).take(500).collect();
        let tombstone = messages.iter().position(|message| message.kind == Kind::Tombstone).expect("a tenth are");
        assert_eq!(messages[tombstone].value(), None);
        assert!(messages[..tombstone].iter().any(|earlier| earlier.key == messages[tombstone].key));
    }
}
