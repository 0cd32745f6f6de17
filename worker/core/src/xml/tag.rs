//! Start tags: the attributes as written, and their values as XML normalizes them.

use std::borrow::Cow;

use super::characters::{is_space, skip_space};
use super::name::QualifiedName;
use super::{Excerpt, Fault, Span, Stop, reference};
use crate::raw::Reason;

/// An attribute as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attribute {
    pub(super) name: QualifiedName,
    /// What stands between the quotes; its references are known to be valid.
    pub(crate) value: Span,
}

impl Attribute {
    /// The name without its prefix.
    pub(crate) fn local<'t>(&self, text: &'t str) -> &'t str {
        self.name.local.of(text)
    }

    /// Offset behind its closing quote.
    pub(super) fn end(&self) -> usize {
        self.value.end as usize + 1
    }

    /// True for `xmlns="..."` and `xmlns:prefix="..."`.
    pub(crate) fn is_declaration(&self, text: &str) -> bool {
        self.declared_prefix(text).is_some()
    }

    /// The prefix that the attribute declares; empty for the default namespace.
    pub(super) fn declared_prefix<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self.name.prefix.map(|prefix| prefix.of(text)) {
            Some("xmlns") => Some(self.local(text)),
            None if self.local(text) == "xmlns" => Some(""),
            _ => None,
        }
    }
}

/// How a start tag ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TagEnd {
    /// Offset behind its `>`.
    pub(super) end: usize,
    /// True for an empty-element tag, `<a/>`.
    pub(super) is_empty: bool,
}

/// Reads the rest of the start tag at `tag`, from the end of its name, and its attributes into `attributes`.
#[inline]
pub(super) fn read_attributes(
    text: &str,
    tag: usize,
    from: usize,
    max_attributes: usize,
    attributes: &mut Vec<Attribute>,
) -> Result<TagEnd, Stop> {
    attributes.clear();
    // Most elements have none.
    match text.as_bytes().get(from) {
        Some(b'>') => Ok(TagEnd { end: from + 1, is_empty: false }),
        _ => read_some(text, tag, from, max_attributes, attributes),
    }
}

fn read_some(
    text: &str,
    tag: usize,
    from: usize,
    max_attributes: usize,
    attributes: &mut Vec<Attribute>,
) -> Result<TagEnd, Stop> {
    let mut at = from;
    loop {
        let start = skip_space(text, at);
        match text.as_bytes()[start..] {
            [b'>', ..] => return Ok(TagEnd { end: start + 1, is_empty: false }),
            [b'/', b'>', ..] => return Ok(TagEnd { end: start + 2, is_empty: true }),
            [] | [b'/'] => return Err(Stop::unfinished(tag, "the tag has no end; write >")),
            _ => {}
        }
        if attributes.len() == max_attributes {
            let message = format!("the element has more than {max_attributes} attributes");
            return Err(Fault::new(Reason::TooManyAttributes, start, message).into());
        }
        let Some(attribute) = read_attribute(text, at)? else { continue };
        at = attribute.end();
        attributes.push(attribute);
    }
}

/// Reads the attribute that stands behind white space at `from`; none at the end of the text.
pub(super) fn read_attribute(text: &str, from: usize) -> Result<Option<Attribute>, Stop> {
    let bytes = text.as_bytes();
    let start = skip_space(text, from);
    if start == bytes.len() {
        return Ok(None);
    }
    if start == from {
        let found = text[from..].chars().next().map_or(String::new(), |c| c.to_string());
        let message = format!("expected white space or the end of the tag, found {found:?}");
        return Err(Fault::malformed(from, message).into());
    }
    let name = QualifiedName::read(text, start)?;
    let fault =
        |at: usize, problem: &str| Fault::malformed(at, format!("the attribute {} {problem}", Excerpt(name.of(text))));
    let at_end =
        |at: usize, fault: Fault| if at == bytes.len() { Stop::Unfinished(fault) } else { Stop::Broken(fault) };
    let equals = skip_space(text, name.end());
    if bytes.get(equals) != Some(&b'=') {
        return Err(at_end(equals, fault(start, "has no value")));
    }
    let open = skip_space(text, equals + 1);
    let Some(quote) = bytes.get(open).copied().filter(|byte| matches!(byte, b'"' | b'\'')) else {
        return Err(at_end(open, fault(start, "has a value without quotes")));
    };
    let mut at = open + 1;
    loop {
        let Some(length) = memchr::memchr3(quote, b'<', b'&', &bytes[at..]) else {
            return Err(Stop::Unfinished(fault(start, "has no closing quote")));
        };
        at += length;
        match bytes[at] {
            b'<' => return Err(fault(at, r#"has a value with "<"; write &lt;"#).into()),
            b'&' => at = reference::read(text, at)?.1,
            _ => return Ok(Some(Attribute { name, value: Span::new(open + 1, at) })),
        }
    }
}

/// The value of an attribute: references resolved, white space as blanks.
pub(crate) fn attribute_text(written: &str) -> Cow<'_, str> {
    let special = |byte: &u8| matches!(byte, b'&' | b'\t' | b'\n' | b'\r');
    if !written.as_bytes().iter().any(special) {
        return Cow::Borrowed(written);
    }
    let mut value = String::with_capacity(written.len());
    let mut at = 0;
    while let Some(c) = written[at..].chars().next() {
        if c == '&' {
            let (resolved, next) = reference::read(written, at).expect("the tag's reader checked it");
            value.push(resolved);
            at = next;
            continue;
        }
        at += c.len_utf8();
        if c == '\r' && written[at..].starts_with('\n') {
            at += 1;
        }
        value.push(if c.is_ascii() && is_space(c as u8) { ' ' } else { c });
    }
    Cow::Owned(value)
}
