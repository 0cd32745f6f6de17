//! Which encodings are read, and that a declaration that lies is refused.

use rstest::rstest;
use serde_json::json;

use crate::{Decoded, decode, plan};

fn decoded(document: &[u8]) -> Decoded {
    decode(
        &plan("/a", json!([{"name": "b", "path": "@b"}, {"name": "text", "path": "text()", "trim": false}])),
        document,
    )
}

fn outcome(document: &[u8]) -> String {
    decoded(document).outcome()
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

fn declaring(encoding: &str, rest: &[u8]) -> Vec<u8> {
    [format!("<?xml version='1.0' encoding='{encoding}'?>").as_bytes(), rest].concat()
}

#[rstest]
#[case::utf_8(declaring("UTF-8", "<a b='é'>€</a>".as_bytes()), "é", "€")]
#[case::latin_1(declaring("ISO-8859-1", b"<a b='\xE9'>\xA4\xFF</a>"), "é", "¤ÿ")]
#[case::latin_1_is_not_windows_1252(declaring("iso-8859-1", b"<a b=''>\x80\x9F</a>"), "", "\u{80}\u{9F}")]
#[case::latin_1_in_ascii(declaring("latin1", b"<a b='x'>y</a>"), "x", "y")]
#[case::windows_1250(declaring("windows-1250", b"<a b=''>\xA3\xF3d\x9F</a>"), "", "Łódź")]
#[case::windows_1251(declaring("Windows-1251", b"<a b='\xCC'>\xEC\xE8\xF0</a>"), "М", "мир")]
#[case::windows_1252(declaring("windows-1252", b"<a b='\x93x\x94'>5 \x80</a>"), "“x”", "5 €")]
#[case::windows_1253(declaring("windows-1253", b"<a b=''>\xE1\xE2</a>"), "", "αβ")]
#[case::windows_1254(declaring("cp1254", b"<a b=''>\xDD\xFE</a>"), "", "İş")]
#[case::windows_1255(declaring("windows-1255", b"<a b=''>\xF9</a>"), "", "ש")]
#[case::windows_1256(declaring("windows-1256", b"<a b=''>\xC7</a>"), "", "ا")]
#[case::windows_1257(declaring("windows-1257", b"<a b=''>\xF0</a>"), "", "š")]
#[case::windows_1258(declaring("windows-1258", b"<a b=''>\xFE</a>"), "", "₫")]
#[case::us_ascii(declaring("us-ascii", b"<a b='&#233;'>x</a>"), "é", "x")]
#[case::little_endian(utf16("\u{FEFF}<a b='é'>€😀</a>", u16::to_le_bytes), "é", "€😀")]
#[case::big_endian(utf16("\u{FEFF}<a b='é'>€😀</a>", u16::to_be_bytes), "é", "€😀")]
#[case::declared_too(utf16("\u{FEFF}<?xml version='1.0' encoding='utf-16'?><a b=''>x</a>", u16::to_le_bytes), "", "x")]
#[case::order_declared_too(
    utf16("\u{FEFF}<?xml version='1.0' encoding='UTF-16BE'?><a b=''>x</a>", u16::to_be_bytes),
    "",
    "x"
)]
#[case::only_declared(utf16("<?xml version='1.0' encoding='UTF-16'?><a b=''>x</a>", u16::to_be_bytes), "", "x")]
#[case::only_order_declared(utf16("<?xml version='1.0' encoding='UTF-16LE'?><a b=''>x</a>", u16::to_le_bytes), "", "x")]
fn read(#[case] document: Vec<u8>, #[case] attribute: &str, #[case] text: &str) {
    assert_eq!(decoded(&document).row(), [attribute, text]);
}

#[rstest]
#[case::broken_utf_8(b"<a>\xC3</a>".to_vec())]
#[case::overlong_utf_8(b"<a>\xC0\x80</a>".to_vec())]
#[case::surrogate_in_utf_8(b"<a>\xED\xA0\x80</a>".to_vec())]
#[case::beyond_unicode(b"<a>\xF4\x90\x80\x80</a>".to_vec())]
#[case::broken_in_tag(b"<a b='\xFF'/>".to_vec())]
#[case::broken_after_root(b"<a/>\xFF".to_vec())]
#[case::broken_in_the_declaration(b"<?xml version='1.0' \xFF?><a/>".to_vec())]
#[case::latin_1_declared_as_utf_8(declaring("UTF-8", b"<a>\xE9</a>"))]
#[case::ascii_that_is_not(declaring("US-ASCII", "<a>é</a>".as_bytes()))]
#[case::unassigned_in_windows_1252(declaring("windows-1252", b"<a>\x81</a>"))]
#[case::unassigned_in_windows_1251(declaring("windows-1251", b"<a>\x98</a>"))]
#[case::unassigned_in_windows_1253(declaring("windows-1253", b"<a>\xAA</a>"))]
#[case::first_of_two_unassigned(declaring("windows-1253", b"<a>\x81</b>\xAA</a>"))]
#[case::utf_16_declared_in_bytes(declaring("UTF-16", b"<a/>"))]
#[case::utf_16_order_declared_in_bytes(declaring("UTF-16LE", b"<a/>"))]
#[case::mark_of_utf_8_and_latin_1([b"\xEF\xBB\xBF", &declaring("ISO-8859-1", b"<a/>")[..]].concat())]
#[case::utf_8_declared_in_utf_16(utf16("\u{FEFF}<?xml version='1.0' encoding='UTF-8'?><a/>", u16::to_le_bytes))]
#[case::other_byte_order(utf16("\u{FEFF}<?xml version='1.0' encoding='UTF-16BE'?><a/>", u16::to_le_bytes))]
#[case::neither_mark_nor_declaration(utf16("<a/>", u16::to_le_bytes))]
#[case::declaration_without_encoding(utf16("<?xml version='1.0'?><a/>", u16::to_be_bytes))]
#[case::half_a_unit([utf16("\u{FEFF}<a/>", u16::to_le_bytes), vec![b' ']].concat())]
#[case::truncated_in_a_tag(utf16("\u{FEFF}<a b='x'/>", u16::to_be_bytes)[..15].to_vec())]
#[case::truncated_in_a_pair(utf16("\u{FEFF}<a>😀", u16::to_le_bytes)[..10].to_vec())]
#[case::lone_surrogate([utf16("\u{FEFF}<a>", u16::to_le_bytes), vec![0, 0xD8], utf16("</a>", u16::to_le_bytes)].concat())]
fn invalid(#[case] document: Vec<u8>) {
    assert_eq!(outcome(&document), "InvalidEncoding");
}

#[rstest]
#[case::utf_32_big(b"\0\0\xFE\xFF\0\0\0<".to_vec())]
#[case::utf_32_little(b"\xFF\xFE\0\0<\0\0\0".to_vec())]
#[case::utf_32_without_mark(b"<\0\0\0a\0\0\0".to_vec())]
#[case::other_latin(declaring("ISO-8859-15", b"<a/>"))]
#[case::japanese(declaring("Shift_JIS", b"<a/>"))]
#[case::code_page_of_dos(declaring("cp437", b"<a/>"))]
#[case::no_code_page(declaring("windows-1259", b"<a/>"))]
#[case::unknown(declaring("x", b"<a/>"))]
#[case::unknown_in_utf_16(utf16("\u{FEFF}<?xml version='1.0' encoding='UCS-2'?><a/>", u16::to_le_bytes))]
fn unsupported(#[case] document: Vec<u8>) {
    assert_eq!(outcome(&document), "UnsupportedEncoding");
}

#[rstest]
#[case::mismatched_tag(utf16("\u{FEFF}<a></b>", u16::to_le_bytes), "NotWellFormed", (1, 4))]
#[case::cut_document(utf16("\u{FEFF}<a>\n<b>", u16::to_be_bytes), "NotWellFormed", (2, 4))]
#[case::no_mark_inside(utf16("\u{FEFF}\u{FEFF}<a/>", u16::to_be_bytes), "NotWellFormed", (1, 1))]
#[case::noncharacter(utf16("\u{FEFF}<a>\u{FFFE}</a>", u16::to_be_bytes), "NotWellFormed", (1, 4))]
#[case::doctype(utf16("\u{FEFF}<!DOCTYPE a><a/>", u16::to_le_bytes), "DoctypeNotAllowed", (1, 1))]
#[case::version(utf16("\u{FEFF}<?xml version='1.1'?><a/>", u16::to_le_bytes), "UnsupportedVersion", (1, 7))]
#[case::characters_are_counted(declaring("ISO-8859-1", b"\n<a>\xE9\xE9&x;</a>"), "NotWellFormed", (2, 6))]
#[case::characters_of_utf_16_too(utf16("\u{FEFF}<a>é€😀&x;</a>", u16::to_le_bytes), "NotWellFormed", (1, 7))]
#[case::byte_that_cannot_be_read(declaring("windows-1252", b"\n<a>\x80\x81</a>"), "InvalidEncoding", (2, 5))]
fn faults_have_their_place_in_characters(#[case] document: Vec<u8>, #[case] reason: &str, #[case] place: (i64, i64)) {
    let reject = decoded(&document).reject();
    assert_eq!((reject.reason.as_str(), reject.place), (reason, Some(place)));
}

/// A message within the limit of bytes may need three times as many as UTF-8.
#[rstest]
#[case::latin_1(declaring("ISO-8859-1", &[b"<a b=''>", &b"\xE9".repeat(9 << 20)[..], b"</a>"].concat()))]
#[case::windows_1252(declaring("windows-1252", &[b"<a b=''>", &b"\x80".repeat(6 << 20)[..], b"</a>"].concat()))]
#[case::utf_16([utf16("\u{FEFF}<a b=''>", u16::to_le_bytes), utf16("€", u16::to_le_bytes).repeat(6 << 20)].concat())]
fn too_large_as_utf_8(#[case] document: Vec<u8>) {
    assert_eq!(outcome(&document), "MessageTooLarge");
}
