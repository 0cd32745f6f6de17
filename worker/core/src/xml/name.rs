//! Names as XML 1.0 (fifth edition) and Namespaces in XML define them.

use super::{Excerpt, Fault, Span, Stop};

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

/// By byte: true if it is ASCII and a name may contain it.
const ASCII_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let c = byte as u8;
        table[byte] = c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.');
        byte += 1;
    }
    table
};

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
    #[inline]
    pub(super) fn read(text: &str, start: usize) -> Result<Self, Stop> {
        // Most names are plain.
        match Self::read_plain(text, start) {
            Some(name) => Ok(name),
            None => Self::read_any(text, start),
        }
    }

    /// Reads the name that begins at `start` if it is ASCII and has no prefix.
    #[inline]
    pub(super) fn read_plain(text: &str, start: usize) -> Option<Self> {
        let bytes = text.as_bytes();
        let mut end = start;
        while bytes.get(end).is_some_and(|byte| ASCII_NAME[usize::from(*byte)]) {
            end += 1;
        }
        let begins = bytes.get(start).is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
        let ends = bytes.get(end).is_none_or(|byte| byte.is_ascii() && *byte != b':');
        (begins && ends).then(|| Self { prefix: None, local: Span::new(start, end) })
    }

    fn read_any(text: &str, start: usize) -> Result<Self, Stop> {
        let end =
            text[start..].find(|c: char| c != ':' && !continues_name(c)).map_or(text.len(), |length| start + length);
        let name = match text[start..end].split_once(':') {
            None => Self { prefix: None, local: Span::new(start, end) },
            Some((prefix, _)) => {
                let colon = start + prefix.len();
                Self { prefix: Some(Span::new(start, colon)), local: Span::new(colon + 1, end) }
            }
        };
        name.check(text)
    }

    fn check(self, text: &str) -> Result<Self, Stop> {
        let begins = |part: Span| part.of(text).starts_with(starts_name);
        let local = self.local.of(text);
        if self.prefix.is_none_or(begins) && begins(self.local) && !local.contains(':') {
            return Ok(self);
        }
        let start = self.start();
        let found = match self.of(text) {
            "" => text[start..].chars().next().map_or(String::new(), |c| c.to_string()),
            written => Excerpt(written).to_string(),
        };
        let fault = Fault::malformed(start, format!("expected a name, found {found:?}"));
        let ends_early = local.is_empty() && self.end() == text.len() && self.prefix.is_none_or(begins);
        Err(if ends_early { Stop::Unfinished(fault) } else { Stop::Broken(fault) })
    }

    #[inline]
    pub(super) fn start(self) -> usize {
        self.prefix.unwrap_or(self.local).start as usize
    }

    #[inline]
    pub(super) fn end(self) -> usize {
        self.local.end as usize
    }

    /// The name as written.
    #[inline]
    pub(super) fn of(self, text: &str) -> &str {
        &text[self.start()..self.end()]
    }
}
