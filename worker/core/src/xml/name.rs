//! Names and characters as XML 1.0 (fifth edition) and Namespaces in XML define them.

use super::{Excerpt, Fault, Span};

/// White space of XML; not what Unicode calls so.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Offset of the first byte from `from` that is not white space.
pub(super) fn skip_space(text: &str, from: usize) -> usize {
    text.as_bytes()[from..].iter().position(|byte| !is_space(*byte)).map_or(text.len(), |length| from + length)
}

/// True if a document may contain the character, literally or as a reference.
pub(super) fn is_legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

fn starts_name(c: char) -> bool {
    matches!(c,
        'a'..='z' | 'A'..='Z' | '_'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}'
        | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
        | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

fn continues_name(c: char) -> bool {
    starts_name(c) || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// True if the text is a name without a colon.
pub(super) fn is_local(text: &str) -> bool {
    text.starts_with(starts_name) && text.chars().all(continues_name)
}

/// A name as written: `local` or `prefix:local`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QualifiedName {
    pub(super) prefix: Option<Span>,
    pub(super) local: Span,
}

impl QualifiedName {
    /// Reads the name that begins at `start`.
    pub(super) fn read(text: &str, start: usize) -> Result<Self, Fault> {
        let bytes = text.as_bytes();
        let ascii = bytes[start..]
            .iter()
            .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')))
            .map_or(text.len(), |length| start + length);
        // Most names end here: ASCII, without a prefix.
        if ascii > start && bytes.get(ascii).is_none_or(|byte| byte.is_ascii() && *byte != b':') {
            return Self::checked(text, None, Span::new(start, ascii));
        }
        let end =
            text[start..].find(|c: char| c != ':' && !continues_name(c)).map_or(text.len(), |length| start + length);
        match text[start..end].split_once(':') {
            None => Self::checked(text, None, Span::new(start, end)),
            Some((prefix, _)) => {
                let colon = start + prefix.len();
                Self::checked(text, Some(Span::new(start, colon)), Span::new(colon + 1, end))
            }
        }
    }

    fn checked(text: &str, prefix: Option<Span>, local: Span) -> Result<Self, Fault> {
        let begins = |part: Span| part.of(text).starts_with(starts_name);
        let name = Self { prefix, local };
        if !prefix.is_none_or(begins) || !begins(local) || local.of(text).contains(':') {
            let start = name.start();
            let found = match name.of(text) {
                "" => text[start..].chars().next().map_or(String::new(), |c| c.to_string()),
                written => Excerpt(written).to_string(),
            };
            return Err(Fault::malformed(start, format!("expected a name, found {found:?}")));
        }
        Ok(name)
    }

    pub(super) fn start(self) -> usize {
        self.prefix.unwrap_or(self.local).start as usize
    }

    pub(super) fn end(self) -> usize {
        self.local.end as usize
    }

    /// The name as written.
    pub(super) fn of(self, text: &str) -> &str {
        &text[self.start()..self.end()]
    }
}
