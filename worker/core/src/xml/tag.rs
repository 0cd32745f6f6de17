//! Start tags: the attributes as written, and their values as XML normalizes them.

use std::borrow::Cow;

use super::name::{QualifiedName, is_space, skip_space};
use super::{Excerpt, Fault, MAX_ATTRIBUTES, Span, reference};
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

/// Reads the attributes between `from`, the end of the element's name, and `end`, into `attributes`.
pub(super) fn read_attributes(
    text: &str,
    from: usize,
    end: usize,
    attributes: &mut Vec<Attribute>,
) -> Result<(), Fault> {
    attributes.clear();
    let text = &text[..end];
    let mut at = from;
    loop {
        let start = skip_space(text, at);
        if start == end {
            return Ok(());
        }
        if start == at {
            let found = text[at..].chars().next().map_or(String::new(), |c| c.to_string());
            return Err(Fault::malformed(at, format!("expected white space or the end of the tag, found {found:?}")));
        }
        if attributes.len() == MAX_ATTRIBUTES {
            let message = format!("the element has more than {MAX_ATTRIBUTES} attributes");
            return Err(Fault::new(Reason::TooManyAttributes, start, message));
        }
        let attribute = read_attribute(text, start)?;
        at = attribute.value.end as usize + 1;
        attributes.push(attribute);
    }
}

fn read_attribute(text: &str, start: usize) -> Result<Attribute, Fault> {
    let bytes = text.as_bytes();
    let name = QualifiedName::read(text, start)?;
    let named = || Excerpt(name.of(text));
    let equals = skip_space(text, name.end());
    if bytes.get(equals) != Some(&b'=') {
        return Err(Fault::malformed(start, format!("the attribute {} has no value", named())));
    }
    let open = skip_space(text, equals + 1);
    let Some(quote) = bytes.get(open).copied().filter(|byte| matches!(byte, b'"' | b'\'')) else {
        return Err(Fault::malformed(start, format!("the value of the attribute {} is not quoted", named())));
    };
    let mut at = open + 1;
    loop {
        match bytes.get(at) {
            Some(byte) if *byte == quote => break,
            Some(b'<') => {
                let message = format!("the value of the attribute {} contains \"<\"; write &lt;", named());
                return Err(Fault::malformed(at, message));
            }
            Some(b'&') => at = reference::read(text, at, text.len())?.1,
            Some(_) => at += 1,
            None => {
                let message = format!("the value of the attribute {} has no closing quote", named());
                return Err(Fault::malformed(start, message));
            }
        }
    }
    Ok(Attribute { name, value: Span::new(open + 1, at) })
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
            let (resolved, next) = reference::read(written, at, written.len()).expect("the tag's reader checked it");
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
