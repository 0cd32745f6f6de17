//! Plain scalars that YAML 1.1 and YAML 1.2 read differently.
//!
//! kubectl reads YAML 1.1: `NO` is false there and a text here, `027` is 23 there and 27 here. A document that means one
//! thing on a laptop and another in a cluster is refused until the scalar is quoted.

use granit_parser::{Event, Parser, ScalarStyle};

/// A plain scalar that is to be quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ambiguous {
    /// Position of the document in the file, from 1.
    pub(super) number: usize,
    /// Line in the file, from 1.
    pub(super) line: usize,
    /// Path of the field.
    pub(super) field: String,
    /// The scalar as written.
    pub(super) word: String,
    /// What kubectl takes it for.
    pub(super) meaning: &'static str,
}

/// The ambiguous scalars of a text, in its order; what is not YAML ends the search.
pub(super) fn ambiguous(text: &str) -> Vec<Ambiguous> {
    let mut found = Vec::new();
    let mut place = Place::default();
    for step in Parser::new_from_str(text) {
        let Ok((event, span)) = step else { break };
        match event {
            Event::DocumentStart(..) => place.begin_document(),
            Event::MappingStart(..) => place.enter(Level::Mapping { key: None }),
            Event::SequenceStart(..) => place.enter(Level::Sequence { index: 0 }),
            Event::MappingEnd | Event::SequenceEnd => place.leave(),
            Event::Alias(_) => place.pass(None),
            Event::Scalar(word, style, _, tag) => {
                let meaning = (style == ScalarStyle::Plain && tag.is_none()).then(|| meaning(&word)).flatten();
                if let Some(meaning) = meaning {
                    found.push(Ambiguous {
                        number: place.document,
                        line: span.start.line(),
                        field: place.path(&word),
                        word: word.to_string(),
                        meaning,
                    });
                }
                place.pass(Some(&word));
            }
            _ => {}
        }
    }
    found
}

/// What YAML 1.1 as kubectl reads it (go-yaml 2) makes of a scalar, where that is not what YAML 1.2 makes of it.
fn meaning(word: &str) -> Option<&'static str> {
    const BOOLEANS: [&str; 16] =
        ["y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF"];
    if BOOLEANS.contains(&word) {
        return Some("a boolean");
    }
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    let all = |text: &str, legal: fn(char) -> bool| !text.is_empty() && text.chars().all(legal);
    if digits.len() > 1 && digits.starts_with('0') && all(digits, |c| c.is_digit(8) || c == '_') {
        return Some("an octal number");
    }
    if digits.strip_prefix("0b").is_some_and(|rest| all(rest, |c| matches!(c, '0' | '1' | '_'))) {
        return Some("a binary number");
    }
    let underscored = digits.contains('_') && digits.starts_with(|c: char| c.is_ascii_digit());
    if underscored && all(digits, |c| c.is_ascii_digit() || c == '_') {
        return Some("a number");
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
    Mapping { key: Option<String> },
    Sequence { index: usize },
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

    /// A node has ended: a key if a mapping waits for one, else a value or an item.
    fn pass(&mut self, scalar: Option<&str>) {
        match self.levels.last_mut() {
            Some(Level::Mapping { key: key @ None }) => *key = Some(scalar.unwrap_or("?").to_owned()),
            Some(Level::Mapping { key }) => *key = None,
            Some(Level::Sequence { index }) => *index += 1,
            None => {}
        }
    }

    /// Path of the node that begins; a key names itself.
    fn path(&self, scalar: &str) -> String {
        let mut path = String::new();
        for level in &self.levels {
            match level {
                Level::Mapping { key } => {
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

    fn found(text: &str) -> Vec<(usize, usize, String, String)> {
        let ambiguous = ambiguous(text).into_iter();
        ambiguous.map(|Ambiguous { number, line, field, word, .. }| (number, line, field, word)).collect()
    }

    fn at(number: usize, line: usize, field: &str, word: &str) -> (usize, usize, String, String) {
        (number, line, field.into(), word.into())
    }

    #[test]
    fn words_of_yaml_1_1_are_found_with_their_place() {
        let text = "a: {b: [x, NO], c: {on: 1}}\n---\n# the second\nd:\n- e: Off\n  f: 027\n- - y\n";
        let expected = [
            at(1, 1, "a.b[1]", "NO"),
            at(1, 1, "a.c.on", "on"),
            at(2, 5, "d[0].e", "Off"),
            at(2, 6, "d[0].f", "027"),
            at(2, 7, "d[1][0]", "y"),
        ];
        assert_eq!(found(text), expected);
    }

    #[test]
    fn quoted_words_and_words_of_both_versions_are_left_alone() {
        let text =
            "a: [\"NO\", 'off', true, null, ~, 0, 10, 0x1F, none, Nope, 1.5, 2026-11-23, !!str no]\nb: |\n  no\n";
        assert_eq!(found(text), []);
    }

    #[test]
    fn numbers_that_the_versions_read_differently_are_found() {
        let words: Vec<String> = found("[010, -07, 1_000, 0b11, 089, 1_a]").into_iter().map(|found| found.3).collect();
        assert_eq!(words, ["010", "-07", "1_000", "0b11"]);
    }
}
