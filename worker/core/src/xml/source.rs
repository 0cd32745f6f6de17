//! Bytes into text: byte order mark, encoding, declaration, and the characters that XML allows.

use std::borrow::Cow;

use super::Fault;
use super::characters::first_illegal;
use super::declaration::Declaration;
use super::encoding::{self, ByteOrder, Encoding, Transcoded};
use crate::raw::Reason;
use crate::xml::Excerpt;

/// The text of a document as far as it can be read.
///
/// What ends it early is an error only if nothing before it is: a document type declaration in front of a
/// broken byte is refused as such.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    /// Without the byte order mark; a document in UTF-8 is not copied.
    text: Cow<'a, str>,
    /// Where the text behind the XML declaration begins.
    pub(super) body: usize,
    /// Why the document is not read at all.
    pub(super) refused: Option<Fault>,
    /// What stands behind the text, if that is not the end of the document.
    pub(super) broken: Option<Fault>,
}

impl<'a> Source<'a> {
    /// The text of a message's bytes, which may need at most `max_bytes` as UTF-8.
    pub(crate) fn read(bytes: &'a [u8], max_bytes: usize) -> Self {
        match Form::of(bytes) {
            Form::Utf32 => Self::refused("", unsupported("the bytes begin as UTF-32 does", 0)),
            Form::Utf16 { order, marked } => Self::utf16(order, marked, &bytes[2 * usize::from(marked)..], max_bytes),
            Form::Bytes { marked } => Self::bytes(marked, &bytes[3 * usize::from(marked)..], max_bytes),
        }
    }

    /// The text, for whoever needs the places in it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// A document in UTF-16; `marked` if it began with a byte order mark.
    fn utf16(order: ByteOrder, marked: bool, bytes: &'a [u8], max_bytes: usize) -> Self {
        let transcoded = encoding::utf16(order, bytes, max_bytes);
        let end = Declaration::find(transcoded.text.as_bytes());
        let declaration = match end.map(|end| Declaration::read(&transcoded.text[..end])).transpose() {
            Ok(declaration) => declaration,
            Err(fault) => return Self::refused(transcoded.text, fault),
        };
        let declared = match declaration.and_then(|declaration| declaration.encoding) {
            Some((name, offset)) => match known(name, offset) {
                Ok(Encoding::Utf16(declared)) if declared.is_none_or(|declared| declared == order) => Ok(()),
                Ok(_) => {
                    Err(contradiction(name, offset, "another: UTF-16, in the other byte order if UTF-16 is declared"))
                }
                Err(fault) => Err(fault),
            },
            None if marked => Ok(()),
            None => {
                let message =
                    "the document is in UTF-16 and has neither a byte order mark nor a declaration that says so";
                Err(Fault::new(Reason::InvalidEncoding, 0, message))
            }
        };
        match declared {
            Ok(()) => Self::checked(transcoded, body(end)),
            Err(fault) => Self::refused(transcoded.text, fault),
        }
    }

    /// A document whose ASCII characters are bytes; `marked` if it began with the mark of UTF-8.
    fn bytes(marked: bool, bytes: &'a [u8], max_bytes: usize) -> Self {
        // A declaration that is not UTF-8 is left to the decoding, which finds the byte.
        let declared = Declaration::find(bytes).and_then(|end| std::str::from_utf8(&bytes[..end]).ok());
        let encoding = match declared.map(|text| (text, declared_encoding(text, marked))) {
            None => Encoding::Utf8,
            Some((_, Ok(encoding))) => encoding,
            Some((text, Err(fault))) => return Self::refused(text, fault),
        };
        let transcoded = match encoding {
            Encoding::Utf8 | Encoding::Utf16(_) => encoding::utf8(bytes),
            Encoding::Ascii => encoding::ascii(bytes),
            Encoding::Latin1 => encoding::latin1(bytes, max_bytes),
            Encoding::Windows(page) => encoding::windows(page, bytes, max_bytes),
        };
        Self::checked(transcoded, body(declared.map(str::len)))
    }

    fn refused(text: impl Into<Cow<'a, str>>, fault: Fault) -> Self {
        Self { text: text.into(), body: 0, refused: Some(fault), broken: None }
    }

    /// Ends the text at its first character that XML does not allow.
    fn checked(transcoded: Transcoded<'a>, body: usize) -> Self {
        let Transcoded { mut text, mut broken } = transcoded;
        if let Some((offset, c)) = first_illegal(&text) {
            let message = format!("the character U+{:04X} is not allowed in XML", u32::from(c));
            broken = Some(Fault::malformed(offset, message));
            text = match text {
                Cow::Borrowed(text) => Cow::Borrowed(&text[..offset]),
                Cow::Owned(mut text) => {
                    text.truncate(offset);
                    Cow::Owned(text)
                }
            };
        }
        Self { body: body.min(text.len()), text, refused: None, broken }
    }
}

/// Where the text behind a declaration begins that ends, less its `?>`, at `end`.
fn body(end: Option<usize>) -> usize {
    end.map_or(0, |end| end + "?>".len())
}

/// What the first bytes of a document say of its encoding.
enum Form {
    Utf32,
    Utf16 { order: ByteOrder, marked: bool },
    Bytes { marked: bool },
}

impl Form {
    fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0, 0, 0xFE, 0xFF, ..] | [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0, b'<', ..] | [b'<', 0, 0, 0, ..] => Form::Utf32,
            [0xFE, 0xFF, ..] => Form::Utf16 { order: ByteOrder::Big, marked: true },
            [0xFF, 0xFE, ..] => Form::Utf16 { order: ByteOrder::Little, marked: true },
            [0, b'<', ..] => Form::Utf16 { order: ByteOrder::Big, marked: false },
            [b'<', 0, ..] => Form::Utf16 { order: ByteOrder::Little, marked: false },
            [0xEF, 0xBB, 0xBF, ..] => Form::Bytes { marked: true },
            _ => Form::Bytes { marked: false },
        }
    }
}

/// The encoding that a declaration in bytes names, UTF-8 if none; `marked` if the mark of UTF-8 stands before it.
fn declared_encoding(declaration: &str, marked: bool) -> Result<Encoding, Fault> {
    let Some((name, offset)) = Declaration::read(declaration)?.encoding else { return Ok(Encoding::Utf8) };
    match known(name, offset)? {
        Encoding::Utf16(_) => Err(contradiction(name, offset, "one byte a character")),
        encoding if marked && encoding != Encoding::Utf8 => {
            Err(contradiction(name, offset, "the byte order mark of UTF-8"))
        }
        encoding => Ok(encoding),
    }
}

fn known(name: &str, offset: usize) -> Result<Encoding, Fault> {
    Encoding::named(name)
        .ok_or_else(|| unsupported(&format!("the document declares the encoding {}", Excerpt(name)), offset))
}

fn unsupported(what: &str, offset: usize) -> Fault {
    Fault::new(Reason::UnsupportedEncoding, offset, format!("{what}; {}", encoding::READ))
}

fn contradiction(name: &str, offset: usize, found: &str) -> Fault {
    let message = format!("the document declares the encoding {} and its bytes have {found}", Excerpt(name));
    Fault::new(Reason::InvalidEncoding, offset, message)
}
