//! Bytes into text: byte order mark, encoding, declaration, and the characters that XML allows.

use super::name::is_legal;
use super::tag::{Attribute, read_attributes};
use super::{Excerpt, Fault};
use crate::raw::Reason;

/// The text of a document as far as it can be read.
///
/// What ends it early is an error only if nothing before it is: a document type declaration in front of a
/// broken byte is refused as such.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    /// Without the byte order mark.
    pub(super) text: &'a str,
    /// What stands behind the text, if that is not the end of the document.
    pub(super) broken: Option<Fault>,
}

impl<'a> Source<'a> {
    /// The text of a message's bytes; or why it can't be read, with the text that the offset belongs to.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, (Fault, &'a str)> {
        if let Some(encoding) = foreign_encoding(bytes) {
            let message = format!("the bytes begin as {encoding} does; only UTF-8 is read");
            return Err((Fault::new(Reason::UnsupportedEncoding, 0, message), ""));
        }
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let (text, mut broken) = match std::str::from_utf8(bytes) {
            Ok(text) => (text, None),
            Err(error) => {
                let (valid, rest) = bytes.split_at(error.valid_up_to());
                let text = std::str::from_utf8(valid).expect("valid up to here");
                let byte = rest.first().copied().unwrap_or_default();
                let message = format!("the byte 0x{byte:02X} is not UTF-8 here");
                (text, Some(Fault::new(Reason::InvalidEncoding, text.len(), message)))
            }
        };
        if declared_encoding(text).map_err(|fault| (fault, text))? == Declared::Ascii
            && let Some(offset) = text.bytes().position(|byte| !byte.is_ascii())
        {
            let message = "the document declares US-ASCII and has another character here";
            broken = Some(Fault::new(Reason::InvalidEncoding, offset, message));
        }
        if let Some((offset, c)) = illegal_character(text)
            && broken.as_ref().is_none_or(|fault| offset < fault.offset)
        {
            let message = format!("the character U+{:04X} is not allowed in XML", u32::from(c));
            broken = Some(Fault::malformed(offset, message));
        }
        let end = broken.as_ref().map_or(text.len(), |fault| fault.offset);
        Ok(Self { text: &text[..end], broken })
    }

    /// The text, for whoever needs the places in it.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }
}

/// The encoding whose byte order mark, or whose `<` in two or four bytes, the document begins with.
fn foreign_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0, 0, 0xFE, 0xFF, ..] | [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0, b'<', ..] | [b'<', 0, 0, 0, ..] => Some("UTF-32"),
        [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] | [0, b'<', ..] | [b'<', 0, ..] => Some("UTF-16"),
        _ => None,
    }
}

fn illegal_character(text: &str) -> Option<(usize, char)> {
    // U+FFFE and U+FFFF begin with 0xEF; everything else that is illegal in a str is a control character.
    let suspect = |byte: &u8| (*byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) || *byte == 0xEF;
    let mut from = 0;
    while let Some(length) = text.as_bytes()[from..].iter().position(suspect) {
        let at = from + length;
        let c = text[at..].chars().next()?;
        if !is_legal(c) {
            return Some((at, c));
        }
        from = at + c.len_utf8();
    }
    None
}

#[derive(Debug, PartialEq, Eq)]
enum Declared {
    Utf8,
    Ascii,
}

/// True if the text begins with an XML declaration.
fn has_declaration(text: &str) -> bool {
    text.strip_prefix("<?xml").is_some_and(|rest| rest.starts_with([' ', '\t', '\n', '\r', '?']))
}

/// Checks the XML declaration, if there is one.
fn declared_encoding(text: &str) -> Result<Declared, Fault> {
    // A declaration without an end is left to the reader, which reports it as any unclosed markup.
    let end = if has_declaration(text) { text.find("?>") } else { None };
    let Some(end) = end else { return Ok(Declared::Utf8) };
    let mut attributes = Vec::new();
    read_attributes(text, "<?xml".len(), end, &mut attributes)?;
    let written = |attribute: &Attribute| (attribute.name.of(text), attribute.value.of(text), attribute.name.start());
    let mut rest = attributes.iter().map(written).peekable();
    let Some((_, version, offset)) = rest.next_if(|(name, ..)| *name == "version") else {
        return Err(Fault::malformed(0, "the XML declaration does not begin with version"));
    };
    check_version(version, offset)?;
    let encoding = rest.next_if(|(name, ..)| *name == "encoding");
    let standalone = rest.next_if(|(name, ..)| *name == "standalone");
    if let Some((name, _, offset)) = rest.next() {
        let message = format!("{} is not allowed here in the XML declaration", Excerpt(name));
        return Err(Fault::malformed(offset, message));
    }
    if let Some((_, value, offset)) = standalone
        && !matches!(value, "yes" | "no")
    {
        return Err(Fault::malformed(offset, "standalone is neither yes nor no"));
    }
    encoding.map_or(Ok(Declared::Utf8), |(_, name, offset)| check_encoding(name, offset))
}

fn check_version(version: &str, offset: usize) -> Result<(), Fault> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match version.split_once('.') {
        Some(("1", "0")) => Ok(()),
        Some((major, minor)) if digits(major) && digits(minor) => {
            let message = format!("the document is XML {}; only XML 1.0 is read", Excerpt(version));
            Err(Fault::new(Reason::UnsupportedVersion, offset, message))
        }
        _ => Err(Fault::malformed(offset, format!("{:?} is not a version of XML", Excerpt(version).to_string()))),
    }
}

fn check_encoding(name: &str, offset: usize) -> Result<Declared, Fault> {
    let legal = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if !legal {
        let message = format!("{:?} is not the name of an encoding", Excerpt(name).to_string());
        return Err(Fault::malformed(offset, message));
    }
    match name.to_ascii_uppercase().as_str() {
        "UTF-8" | "UTF8" => Ok(Declared::Utf8),
        "US-ASCII" | "ASCII" => Ok(Declared::Ascii),
        _ => {
            let message = format!("the document declares {}; only UTF-8 is read", Excerpt(name));
            Err(Fault::new(Reason::UnsupportedEncoding, offset, message))
        }
    }
}
