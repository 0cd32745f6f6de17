//! What is done with a text before it has a type: trim, collapse, nullIf; and Join, which does it to each part.

use gristmill_crds::ColumnType;
use gristmill_crds::plan::ColumnPlan;

use super::limits::KEPT_BUFFER_BYTES;
use super::text::{Sources, Text};
use crate::xml::Span;

/// A text after formatting.
#[derive(Debug, Clone, Copy)]
pub(super) enum Formatted {
    /// The element or attribute is missing.
    Missing,
    /// Null because of nullIf, or because only a String may be empty; the text is as it was compared.
    Null(Text),
    /// Not null.
    Text(Text),
}

/// Formats texts; what it has to make anew it keeps in a buffer.
#[derive(Debug, Default)]
pub(super) struct Formatter {
    made: String,
}

impl Formatter {
    pub(super) fn clear(&mut self) {
        self.made.clear();
        self.made.shrink_to(KEPT_BUFFER_BYTES);
    }

    pub(super) fn len(&self) -> usize {
        self.made.len()
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.made.truncate(length);
    }

    pub(super) fn text(&self) -> &str {
        &self.made
    }

    /// Trims, collapses and compares one text of the message.
    #[inline]
    pub(super) fn format(&mut self, column: &ColumnPlan, text: Text, sources: Sources<'_>) -> Formatted {
        let written = sources.written(text);
        let (mut text, mut content) = (text, written);
        if column.trim {
            let (start, end) = trimmed(written);
            (text, content) = (text.part(start, end), &written[start..end]);
        }
        if column.collapse && collapses(content) {
            let start = self.made.len();
            push_collapsed(content, &mut self.made);
            text = Text::Formatted(Span::new(start, self.made.len()));
            content = &self.made[start..];
        }
        if is_null(column, content) { Formatted::Null(text) } else { Formatted::Text(text) }
    }

    /// Formats each of several texts and puts together those that are not null; none if that is longer than `max_bytes`.
    pub(super) fn join(
        &mut self,
        column: &ColumnPlan,
        separator: &str,
        texts: impl Iterator<Item = Text>,
        sources: Sources<'_>,
        max_bytes: usize,
    ) -> Option<Formatted> {
        let start = self.made.len();
        let (mut has_part, mut null) = (false, None);
        for text in texts {
            let before = self.made.len();
            if has_part {
                self.made.push_str(separator);
            }
            let part = self.made.len();
            let written = sources.written(text);
            let (from, to) = if column.trim { trimmed(written) } else { (0, written.len()) };
            if column.collapse {
                push_collapsed(&written[from..to], &mut self.made);
            } else {
                self.made.push_str(&written[from..to]);
            }
            if is_null(column, &self.made[part..]) {
                self.made.truncate(before);
                null = Some(text.part(from, to));
            } else {
                has_part = true;
            }
            if self.made.len() - start > max_bytes {
                return None;
            }
        }
        Some(match null {
            Some(text) if !has_part => Formatted::Null(text),
            _ => Formatted::Text(Text::Formatted(Span::new(start, self.made.len()))),
        })
    }
}

/// White space of XML; not what Unicode calls so.
fn is_space(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Where the text begins and ends without the white space at its ends.
fn trimmed(text: &str) -> (usize, usize) {
    let bytes = text.as_bytes();
    let Some(start) = bytes.iter().position(|byte| !is_space(byte)) else { return (0, 0) };
    let end = bytes.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    (start, end)
}

/// True if collapse would change the text.
fn collapses(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().any(|byte| is_space(byte) && *byte != b' ') || bytes.windows(2).any(|pair| pair == b"  ")
}

fn push_collapsed(text: &str, out: &mut String) {
    let mut in_run = false;
    for c in text.chars() {
        let space = c.is_ascii() && is_space(&(c as u8));
        if !space {
            out.push(c);
        } else if !in_run {
            out.push(' ');
        }
        in_run = space;
    }
}

fn is_null(column: &ColumnPlan, text: &str) -> bool {
    let may_be_empty = column.value_type.column_type() == ColumnType::String;
    (text.is_empty() && !may_be_empty) || column.null_if.iter().any(|null| null == text)
}
