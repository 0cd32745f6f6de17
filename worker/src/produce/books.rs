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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mix {
    /// Messages that repeat an earlier one, half of them with newer content of its books.
    pub duplicates: u8,
    /// Messages that are not well-formed XML.
    pub malformed: u8,
    /// Messages with one book that breaks a rule of `manifests/quickstart/books.yaml`.
    pub invalid: u8,
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
}

/// One message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookMessage {
    /// `record_id` of its first book.
    pub key: String,
    /// The XML document.
    pub payload: String,
    /// What was done to it.
    pub kind: Kind,
    /// Books in it, bad ones included.
    pub books: usize,
}

/// An endless sequence of messages.
#[derive(Debug)]
pub struct BookMessages {
    random: Xoshiro256PlusPlus,
    mix: Mix,
    clock: DateTime<Utc>,
    /// Earlier valid messages that a duplicate may repeat; a ring, so that memory stays bounded.
    sent: Vec<Vec<Book>>,
    count: usize,
}

/// Earlier messages that a duplicate chooses from.
const REMEMBERED: usize = 4096;

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
        let Mix { duplicates, malformed, invalid } = self.mix;
        let lot = self.random.random_range(0..100u16);
        let (malformed, invalid, duplicates) = (u16::from(malformed), u16::from(invalid), u16::from(duplicates));
        if lot < malformed {
            Kind::Malformed
        } else if lot < malformed + invalid {
            Kind::Invalid
        } else if lot < malformed + invalid + duplicates && !self.sent.is_empty() {
            Kind::Duplicate
        } else {
            Kind::Plain
        }
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
    fn repeated_books(&mut self) -> Vec<Book> {
        let mut books = self.sent.choose(&mut self.random).cloned().unwrap_or_default();
        if self.random.random_bool(0.5) {
            for book in &mut books {
                book.cents = self.random.random_range(100..10_000);
                book.updated_at = self.clock;
            }
        }
        books
    }

    fn remember(&mut self, books: Vec<Book>) {
        if self.sent.len() < REMEMBERED {
            self.sent.push(books);
        } else {
            self.sent[self.count % REMEMBERED] = books;
        }
    }
}

impl Iterator for BookMessages {
    type Item = BookMessage;

    fn next(&mut self) -> Option<BookMessage> {
        self.count += 1;
        self.clock += TimeDelta::seconds(1);
        let kind = self.kind();
        let books = match kind {
            Kind::Duplicate => self.repeated_books(),
            Kind::Plain | Kind::Malformed | Kind::Invalid => self.new_books(),
        };
        let key = books.first().map(|book| book.record_id.clone()).unwrap_or_default();
        let region = REGIONS.choose(&mut self.random).copied().expect("the list is not empty");
        let count = books.len();
        let payload = match kind {
            Kind::Plain | Kind::Duplicate => document(region, &books, None),
            Kind::Invalid => {
                let fault = (self.random.random_range(0..count), self.random.random_range(0..4));
                document(region, &books, Some(fault))
            }
            Kind::Malformed => break_document(document(region, &books, None), self.random.random_range(0..3)),
        };
        if kind == Kind::Plain {
            self.remember(books);
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
            _ => format!("    <title>{}</title>\n", self.title.replace('&', "&amp;")),
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

    const MIX: Mix = Mix { duplicates: 10, malformed: 10, invalid: 10 };

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
        for kind in [Kind::Duplicate, Kind::Malformed, Kind::Invalid] {
            let share = messages.iter().filter(|message| message.kind == kind).count();
            assert!((120..=280).contains(&share), "{kind:?}: {share} of 2000");
        }
    }

    #[test]
    fn a_cut_document_ends_at_a_character() {
        // Names hold letters of two bytes: cutting inside one must not panic.
        let messages = BookMessages::new(7, Mix { duplicates: 0, malformed: 100, invalid: 0 });
        assert!(messages.take(500).all(|message| message.kind == Kind::Malformed && !message.payload.is_empty()));
    }
}
