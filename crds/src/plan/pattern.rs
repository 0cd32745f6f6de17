//! The expression that a String must match, and how much memory all of a resource may take.

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// A compiled expression.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: Regex,
    run: Option<Run>,
}

impl Pattern {
    /// True if the text has a match anywhere.
    pub fn is_match(&self, text: &str) -> bool {
        match &self.run {
            Some(run) => run.is_match(text.as_bytes()),
            None => self.regex.is_match(text),
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        self.regex.as_str()
    }
}

/// `^[class]{min,max}$` over ASCII, the form of most patterns for identifiers.
///
/// Checked without the engine, which takes longer for a text of 36 characters than the decoder for the whole element.
#[derive(Debug, Clone)]
struct Run {
    /// By byte: whether the class has it.
    class: Box<[bool; 256]>,
    min: usize,
    max: usize,
}

impl Run {
    fn of(pattern: &str) -> Option<Self> {
        let hir = regex_syntax::parse(pattern).ok()?;
        let HirKind::Concat(parts) = hir.kind() else { return None };
        let [first, middle, last] = parts.as_slice() else { return None };
        let looks = |hir: &Hir, look: Look| matches!(hir.kind(), HirKind::Look(found) if *found == look);
        let HirKind::Repetition(repetition) = middle.kind() else { return None };
        let HirKind::Class(Class::Unicode(ranges)) = repetition.sub.kind() else { return None };
        if !looks(first, Look::Start) || !looks(last, Look::End) || !ranges.is_ascii() {
            return None;
        }
        let mut class = Box::new([false; 256]);
        for range in ranges.iter() {
            class[range.start() as usize..=range.end() as usize].fill(true);
        }
        let count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        Some(Self { class, min: count(repetition.min), max: repetition.max.map_or(usize::MAX, count) })
    }

    fn is_match(&self, bytes: &[u8]) -> bool {
        (self.min..=self.max).contains(&bytes.len()) && bytes.iter().all(|byte| self.class[usize::from(*byte)])
    }
}

/// Memory that the compiled patterns of one resource may take together.
///
/// A pattern of ten characters can compile to 10 MiB, a resource has up to 1000 of them, and the operator compiles those
/// of everybody: without a limit one resource takes the memory of all others.
pub(super) struct PatternBudget {
    left: usize,
}

impl PatternBudget {
    /// Room for about a hundred usual patterns with `\d`, and for many more without.
    const BYTES: usize = 8 << 20;
    /// Sizes that a pattern is tried with and counted as; the crate does not tell the size of what it has compiled.
    const SIZES: [usize; 5] = [8 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20];

    pub(super) fn new() -> Self {
        Self { left: Self::BYTES }
    }

    pub(super) fn compile(&mut self, pattern: &str) -> Result<Pattern, String> {
        for size in Self::SIZES.into_iter().filter(|size| *size <= self.left) {
            match RegexBuilder::new(pattern).size_limit(size).build() {
                Ok(regex) => {
                    self.left -= size;
                    return Ok(Pattern { run: Run::of(pattern), regex });
                }
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(error) => {
                    // The crate's text is a drawing of several lines; its last line is the sentence.
                    let text = error.to_string();
                    let sentence = text.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned();
                    return Err(format!("{pattern:?} is not a regular expression (Rust regex): {sentence}"));
                }
            }
        }
        Err(format!(
            "{pattern:?} is too large: 4 MiB is the most that one pattern takes when compiled, and {} MiB all of a \
             resource; repeat less, or write [0-9] for \\d and [A-Za-z0-9_] for \\w, which stand for all of Unicode",
            Self::BYTES >> 20
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("^[0-9a-f-]{36}$", true)]
    #[case("^[a-c]+$", true)]
    #[case("^[a-c]*$", true)]
    #[case("^a?$", false)]
    #[case("[a-c]+", false)]
    #[case("^[a-cé]+$", false)]
    #[case("(?m)^[a-c]+$", false)]
    #[case("^[a-c]+?$", true)]
    #[case("^[^a]+$", false)]
    fn a_run_of_one_class_is_found_and_matches_as_the_engine_does(#[case] pattern: &str, #[case] is_run: bool) {
        let pattern = PatternBudget::new().compile(pattern).expect("it is an expression");
        assert_eq!(pattern.run.is_some(), is_run);
        for text in ["", "a", "abc", "abcd", "ab\n", "é", "aé", "0123456789abcdef-0123456789abcdef0123"] {
            assert_eq!(pattern.is_match(text), pattern.regex.is_match(text), "{text:?}");
        }
    }
}
