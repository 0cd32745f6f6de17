//! The encodings that are read, and documents in them as text.
//!
//! They are read strictly: a byte that the encoding leaves unassigned is an error. Web browsers are lenient there, and
//! encoding_rs as they are, so that `iso-8859-1` is not what the web calls so, and what it makes of the unassigned
//! bytes of a Windows code page, control characters, is refused.

use std::borrow::Cow;

use encoding_rs::DecoderResult;

use super::Fault;
use crate::raw::Reason;

/// Order of the two bytes of a unit of UTF-16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

/// An encoding that a document may declare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Ascii,
    Latin1,
    /// Without an order the byte order mark tells it, or the first character.
    Utf16(Option<ByteOrder>),
    /// A code page of Windows, 1250 to 1258.
    Windows(&'static encoding_rs::Encoding),
}

impl Encoding {
    /// The encoding of this name, in any case; none if it is not read.
    pub(super) fn named(name: &str) -> Option<Self> {
        // Nearly every document declares this one: no copy of its name.
        if name.eq_ignore_ascii_case("UTF-8") {
            return Some(Encoding::Utf8);
        }
        let name = name.to_ascii_uppercase();
        Some(match name.as_str() {
            "UTF8" => Encoding::Utf8,
            "US-ASCII" | "ASCII" => Encoding::Ascii,
            "ISO-8859-1" | "ISO_8859-1" | "ISO8859-1" | "LATIN1" => Encoding::Latin1,
            "UTF-16" => Encoding::Utf16(None),
            "UTF-16LE" => Encoding::Utf16(Some(ByteOrder::Little)),
            "UTF-16BE" => Encoding::Utf16(Some(ByteOrder::Big)),
            _ => match name.strip_prefix("WINDOWS-").or(name.strip_prefix("CP"))? {
                "1250" => Encoding::Windows(encoding_rs::WINDOWS_1250),
                "1251" => Encoding::Windows(encoding_rs::WINDOWS_1251),
                "1252" => Encoding::Windows(encoding_rs::WINDOWS_1252),
                "1253" => Encoding::Windows(encoding_rs::WINDOWS_1253),
                "1254" => Encoding::Windows(encoding_rs::WINDOWS_1254),
                "1255" => Encoding::Windows(encoding_rs::WINDOWS_1255),
                "1256" => Encoding::Windows(encoding_rs::WINDOWS_1256),
                "1257" => Encoding::Windows(encoding_rs::WINDOWS_1257),
                "1258" => Encoding::Windows(encoding_rs::WINDOWS_1258),
                _ => return None,
            },
        })
    }
}

/// What is read, for a message that refuses something else.
pub(super) const READ: &str = "UTF-8, UTF-16, ISO-8859-1, US-ASCII and windows-1250 to windows-1258 are read";

/// The text of a document, as far as its bytes can be read.
#[derive(Debug)]
pub(super) struct Transcoded<'a> {
    pub(super) text: Cow<'a, str>,
    /// What stands behind the text, if that is not the end of the document.
    pub(super) broken: Option<Fault>,
}

impl<'a> Transcoded<'a> {
    fn whole(text: impl Into<Cow<'a, str>>) -> Self {
        Self { text: text.into(), broken: None }
    }

    fn invalid(text: impl Into<Cow<'a, str>>, message: impl Into<String>) -> Self {
        let text = text.into();
        let broken = Some(Fault::new(Reason::InvalidEncoding, text.len(), message));
        Self { text, broken }
    }
}

/// UTF-8: the bytes are the text.
pub(super) fn utf8(bytes: &[u8]) -> Transcoded<'_> {
    match simdutf8::compat::from_utf8(bytes) {
        Ok(text) => Transcoded::whole(text),
        Err(error) => {
            let (valid, rest) = bytes.split_at(error.valid_up_to());
            let text = std::str::from_utf8(valid).expect("valid up to here");
            let byte = rest.first().copied().unwrap_or_default();
            Transcoded::invalid(text, format!("the byte 0x{byte:02X} is not UTF-8 here"))
        }
    }
}

/// US-ASCII, which is declared: the bytes are the text.
pub(super) fn ascii(bytes: &[u8]) -> Transcoded<'_> {
    let end = bytes.iter().position(|byte| !byte.is_ascii());
    let text = std::str::from_utf8(&bytes[..end.unwrap_or(bytes.len())]).expect("ASCII is UTF-8");
    match end {
        None => Transcoded::whole(text),
        Some(end) => {
            Transcoded::invalid(text, format!("the document declares US-ASCII; the byte 0x{:02X} is not", bytes[end]))
        }
    }
}

/// ISO-8859-1: every byte is the character of its number. `max_bytes` limits the text.
pub(super) fn latin1(bytes: &[u8], max_bytes: usize) -> Transcoded<'_> {
    let beyond_ascii = bytes.iter().filter(|byte| !byte.is_ascii()).count();
    if bytes.len() + beyond_ascii > max_bytes {
        return Transcoded { text: "".into(), broken: Some(too_large(max_bytes)) };
    }
    Transcoded::whole(encoding_rs::mem::decode_latin1(bytes))
}

/// A code page of Windows. `max_bytes` limits the text.
pub(super) fn windows<'a>(
    encoding: &'static encoding_rs::Encoding,
    bytes: &'a [u8],
    max_bytes: usize,
) -> Transcoded<'a> {
    if bytes.is_ascii() {
        return Transcoded::whole(std::str::from_utf8(bytes).expect("ASCII is UTF-8"));
    }
    let unassigned = || format!("the next byte is not assigned in {}", encoding.name());
    let mut transcoded = transcode(encoding, bytes, max_bytes, unassigned);
    if let Some((offset, _)) = transcoded.text.char_indices().find(|(_, c)| matches!(c, '\u{80}'..='\u{9F}')) {
        transcoded.text.to_mut().truncate(offset);
        transcoded.broken = Some(Fault::new(Reason::InvalidEncoding, offset, unassigned()));
    }
    transcoded
}

/// UTF-16, without its mark. `max_bytes` limits the text.
pub(super) fn utf16(order: ByteOrder, bytes: &[u8], max_bytes: usize) -> Transcoded<'_> {
    let encoding = match order {
        ByteOrder::Little => encoding_rs::UTF_16LE,
        ByteOrder::Big => encoding_rs::UTF_16BE,
    };
    transcode(encoding, bytes, max_bytes, || {
        "UTF-16 is broken here: a half of a surrogate pair, or a document of an odd number of bytes".to_owned()
    })
}

fn transcode<'a>(
    encoding: &'static encoding_rs::Encoding,
    bytes: &'a [u8],
    max_bytes: usize,
    broken: impl Fn() -> String,
) -> Transcoded<'a> {
    // What the decoder calls full is within one character of it.
    const CHARACTER: usize = 8;
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let worst = decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or(usize::MAX);
    let mut text = String::with_capacity(worst.min(max_bytes.saturating_add(CHARACTER)));
    let (result, _) = decoder.decode_to_string_without_replacement(bytes, &mut text, true);
    match result {
        DecoderResult::InputEmpty if text.len() <= max_bytes => Transcoded::whole(text),
        DecoderResult::InputEmpty | DecoderResult::OutputFull => {
            Transcoded { text: "".into(), broken: Some(too_large(max_bytes)) }
        }
        DecoderResult::Malformed(..) => Transcoded::invalid(text, broken()),
    }
}

fn too_large(max_bytes: usize) -> Fault {
    let message = format!("the message has more than {max_bytes} bytes as UTF-8; that is the limit");
    Fault::new(Reason::MessageTooLarge, 0, message)
}
