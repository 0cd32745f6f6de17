//! References: `&lt;` and its four siblings, and characters by number. Without a DTD there are no others.

use super::name::{is_legal, is_local};
use super::{Excerpt, Fault};

/// The character that `&<inside>;` stands for; `offset` is that of the ampersand.
pub(super) fn resolve(inside: &str, offset: usize) -> Result<char, Fault> {
    match inside {
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "amp" => return Ok('&'),
        "quot" => return Ok('"'),
        "apos" => return Ok('\''),
        _ => {}
    }
    let Some(number) = inside.strip_prefix('#') else {
        return Err(Fault::malformed(
            offset,
            if is_local(inside) {
                format!("the entity &{}; is not defined", Excerpt(inside))
            } else {
                "\"&\" is not followed by a reference; write &amp;".to_owned()
            },
        ));
    };
    let (digits, radix) = match number.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    // Any number of leading zeros is legal; what overflows is no character.
    let code = digits
        .chars()
        .try_fold(0_u32, |code, c| c.to_digit(radix).map(|digit| code.saturating_mul(radix).saturating_add(digit)));
    code.filter(|_| !digits.is_empty())
        .and_then(char::from_u32)
        .filter(|c| is_legal(*c))
        .ok_or_else(|| Fault::malformed(offset, format!("&{}; is not a character of XML", Excerpt(inside))))
}

/// Reads the reference at `offset`, which ends before `end`: its character, and the offset behind its semicolon.
pub(super) fn read(text: &str, offset: usize, end: usize) -> Result<(char, usize), Fault> {
    let inside = &text[offset + 1..end];
    // No further than what can't be part of a reference, else many ampersands would take quadratic time.
    match inside.find(|c: char| c == ';' || c == '&' || c == '<' || c.is_ascii_whitespace()) {
        Some(length) if inside.as_bytes()[length] == b';' => {
            Ok((resolve(&inside[..length], offset)?, offset + 1 + length + 1))
        }
        _ => Err(Fault::malformed(offset, "\"&\" is not followed by a reference; write &amp;")),
    }
}
