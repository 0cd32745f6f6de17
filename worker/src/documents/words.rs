//! What kubectl reads otherwise than we do, or lets pass although it is a slip.
//!
//! kubectl reads YAML 1.1: `NO` is false there and a text here, `027` is 23 there and 27 here. And of a key that stands
//! twice it takes the last. A document that means one thing on a laptop and another in a cluster is refused.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle};

/// A place that is to be written otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slip {
    /// Position of the document in the file, from 1.
    pub(super) number: usize,
    /// Path of the field.
    pub(super) field: String,
    /// What is wrong and what to write.
    pub(super) message: String,
}

/// The slips of a text, in its order; what is not YAML ends the search.
pub(super) fn slips(text: &str) -> Vec<Slip> {
    let mut found = Vec::new();
    let mut place = Place::default();
    for step in Parser::new_from_str(text) {
        let Ok((event, span)) = step else { break };
        let line = span.start.line();
        match event {
            Event::DocumentStart(..) => place.begin_document(),
            Event::MappingStart(..) => place.enter(Level::Mapping { key: None, lines: HashMap::new() }),
            Event::SequenceStart(..) => place.enter(Level::Sequence { index: 0 }),
            Event::MappingEnd | Event::SequenceEnd => place.leave(),
            Event::Alias(_) => place.pass(None),
            Event::Scalar(word, style, _, tag) => {
                let meaning = (style == ScalarStyle::Plain && tag.is_none()).then(|| meaning(&word)).flatten();
                let message = match (meaning, place.first_line_of_key(&word, line)) {
                    (Some(meaning), _) => Some(meaning.message(&word, line)),
                    (None, Some(first)) => Some(format!("stands in lines {first} and {line}; remove one of them")),
                    (None, None) => None,
                };
                found.extend(message.map(|message| Slip { number: place.document, field: place.path(&word), message }));
                place.pass(Some(&word));
            }
            _ => {}
        }
    }
    found
}

/// What kubectl takes a plain scalar for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    True,
    False,
    Octal,
    Binary,
    Number,
}

impl Meaning {
    fn message(self, word: &str, line: usize) -> String {
        let (meaning, act) = match self {
            Meaning::True => ("the boolean true", "write true, or quote it if it is a text"),
            Meaning::False => ("the boolean false", "write false, or quote it if it is a text"),
            Meaning::Octal => ("an octal number", "quote it"),
            Meaning::Binary => ("a binary number", "quote it"),
            Meaning::Number => ("a number without its underscores", "quote it"),
        };
        format!("kubectl reads {word} in line {line} as {meaning}; {act}: \"{word}\"")
    }
}

/// What YAML 1.1 as kubectl reads it (go-yaml 2) makes of a scalar, where that is not what YAML 1.2 makes of it.
fn meaning(word: &str) -> Option<Meaning> {
    match word {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Some(Meaning::True),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Some(Meaning::False),
        _ => {}
    }
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    let all = |text: &str, legal: fn(char) -> bool| !text.is_empty() && text.chars().all(legal);
    if digits.len() > 1 && digits.starts_with('0') && all(digits, |c| c.is_digit(8) || c == '_') {
        return Some(Meaning::Octal);
    }
    if digits.strip_prefix("0b").is_some_and(|rest| all(rest, |c| matches!(c, '0' | '1' | '_'))) {
        return Some(Meaning::Binary);
    }
    let underscored = digits.contains('_') && digits.starts_with(|c: char| c.is_ascii_digit());
    if underscored && all(digits, |c| c.is_ascii_digit() || c == '_') {
        return Some(Meaning::Number);
    }
    None
}

/// Where in a file the parser is.
#[derive(Debug, Default)]
struct Place {
    document: usize,
    levels: Vec<Level>,
}

#[derive(Debug)]
enum Level {
    /// `lines` has the keys so far.
    Mapping {
        key: Option<String>,
        lines: HashMap<String, usize>,
    },
    Sequence {
        index: usize,
    },
}

impl Place {
    fn begin_document(&mut self) {
        self.document += 1;
        self.levels.clear();
    }

    fn enter(&mut self, level: Level) {
        self.levels.push(level);
    }

    fn leave(&mut self) {
        self.levels.pop();
        self.pass(None);
    }

    /// The line where this key stood before in the mapping that waits for one.
    fn first_line_of_key(&mut self, word: &str, line: usize) -> Option<usize> {
        match self.levels.last_mut() {
            Some(Level::Mapping { key: None, lines }) => lines.insert(word.to_owned(), line),
            Some(Level::Mapping { key: Some(_), .. } | Level::Sequence { .. }) | None => None,
        }
    }

    /// A node has ended: a key if a mapping waits for one, else a value or an item.
    fn pass(&mut self, scalar: Option<&str>) {
        match self.levels.last_mut() {
            Some(Level::Mapping { key: key @ None, .. }) => *key = Some(scalar.unwrap_or("?").to_owned()),
            Some(Level::Mapping { key, .. }) => *key = None,
            Some(Level::Sequence { index }) => *index += 1,
            None => {}
        }
    }

    /// Path of the node that begins; a key names itself.
    fn path(&self, scalar: &str) -> String {
        let mut path = String::new();
        for level in &self.levels {
            match level {
                Level::Mapping { key, .. } => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(key.as_deref().unwrap_or(scalar));
                }
                Level::Sequence { index } => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        slips(text).into_iter().map(|Slip { number, field, message }| format!("{number} {field}: {message}")).collect()
    }

    #[test]
    fn words_of_yaml_1_1_are_found_with_their_place() {
        let text = "a: {b: [x, NO], c: {on: 1}}\n---\n# the second\nd:\n- e: Off\n  f: 027\n- - y\n";
        insta::assert_snapshot!(found(text).join("\n"), @r#"
        1 a.b[1]: kubectl reads NO in line 1 as the boolean false; write false, or quote it if it is a text: "NO"
        1 a.c.on: kubectl reads on in line 1 as the boolean true; write true, or quote it if it is a text: "on"
        2 d[0].e: kubectl reads Off in line 5 as the boolean false; write false, or quote it if it is a text: "Off"
        2 d[0].f: kubectl reads 027 in line 6 as an octal number; quote it: "027"
        2 d[1][0]: kubectl reads y in line 7 as the boolean true; write true, or quote it if it is a text: "y"
        "#);
    }

    #[test]
    fn quoted_words_and_words_of_both_versions_are_left_alone() {
        let text =
            "a: [\"NO\", 'off', true, null, ~, 0, 10, 0x1F, none, Nope, 1.5, 2026-11-23, !!str no]\nb: |\n  no\n";
        assert_eq!(found(text), [""; 0]);
    }

    #[test]
    fn numbers_that_the_versions_read_differently_are_found() {
        let slips = slips("[010, -07, 1_000, 0b11, 089, 1_a]");
        let fields: Vec<&str> = slips.iter().map(|slip| slip.field.as_str()).collect();
        assert_eq!(fields, ["[0]", "[1]", "[2]", "[3]"]);
    }

    #[test]
    fn key_that_stands_twice_is_found_and_the_same_key_elsewhere_is_not() {
        let text = "a: {b: 1, c: b}\nd: {b: 2}\na: 3\n---\na: 1\n";
        assert_eq!(found(text), ["1 a: stands in lines 1 and 3; remove one of them"]);
    }
}
