//! The characters that XML 1.0 allows in a document.

/// White space of XML; not what Unicode calls so.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Offset of the first byte from `from` that is not white space.
#[inline]
pub(super) fn skip_space(text: &str, from: usize) -> usize {
    let mut at = from;
    while text.as_bytes().get(at).is_some_and(|byte| is_space(*byte)) {
        at += 1;
    }
    at
}

/// Offset of the first byte from `from` that ends a text or may break it: `<`, `&` or `]`; else that of the end.
#[inline]
pub(super) fn find_end_of_text(text: &str, from: usize) -> usize {
    // Most texts are so short that a search by vectors would take longer to begin than to look at some words here.
    const WORDS: usize = 6;
    let bytes = &text.as_bytes()[from..];
    let (words, _) = bytes.as_chunks::<8>();
    let words = &words[..words.len().min(WORDS)];
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = equal(word, b'<') | equal(word, b'&') | equal(word, b']');
        if found != 0 {
            return from + 8 * index + found.trailing_zeros() as usize / 8;
        }
    }
    let searched = 8 * words.len();
    memchr::memchr3(b'<', b'&', b']', &bytes[searched..]).map_or(text.len(), |length| from + searched + length)
}

/// The highest bit of each byte of a word that is this one. Bits above the lowest that is set may be wrong.
fn equal(word: u64, byte: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let difference = word ^ (ONES * u64::from(byte));
    difference.wrapping_sub(ONES) & !difference & (ONES << 7)
}

/// True if a document may contain the character, literally or as a reference.
pub(super) fn is_legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// The first character that no document may contain, and its offset.
pub(super) fn first_illegal(text: &str) -> Option<(usize, char)> {
    // Whole blocks without a branch inside become vector instructions.
    const BLOCK: usize = 64;
    let bytes = text.as_bytes();
    for (index, block) in bytes.chunks(BLOCK).enumerate() {
        if !block.iter().fold(false, |found, byte| found | is_suspect(*byte)) {
            continue;
        }
        let start = index * BLOCK;
        for (offset, _) in block.iter().enumerate().filter(|(_, byte)| is_suspect(**byte)) {
            let at = start + offset;
            if let Some(c) = text[at..].chars().next().filter(|c| !is_legal(*c)) {
                return Some((at, c));
            }
        }
    }
    None
}

/// True for a byte that may begin an illegal character of a `str`: control characters, U+FFFE and U+FFFF.
fn is_suspect(byte: u8) -> bool {
    ((byte < 0x20) & (byte != b'\t') & (byte != b'\n') & (byte != b'\r')) | (byte == 0xEF)
}
