//! The characters that XML 1.0 allows in a document.

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
