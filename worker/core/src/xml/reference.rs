//! References: `&lt;` and its four siblings, and characters by number. Without a DTD there are no others.

use super::characters::is_legal;
use super::name::is_local;
use super::{Excerpt, Fault, Stop};

/// Reads the reference at `offset`: its character, and the offset behind its semicolon.
pub(super) fn read(text: &str, offset: usize) -> Result<(char, usize), Stop> {
    let inside = &text[offset + 1..];
    // No further than what can't be part of a reference.
    match inside.find(|c: char| c == ';' || c == '&' || c == '<' || c.is_ascii_whitespace()) {
        Some(length) if inside.as_bytes()[length] == b';' => {
            Ok((resolve(&inside[..length], offset)?, offset + 1 + length + 1))
        }
        Some(_) => Err(no_reference(offset).into()),
        None => Err(Stop::Unfinished(no_reference(offset))),
    }
}

/// The character that `&<inside>;` stands for; `offset` is that of the ampersand.
fn resolve(inside: &str, offset: usize) -> Result<char, Fault> {
    match inside {
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "amp" => return Ok('&'),
        "quot" => return Ok('"'),
        "apos" => return Ok('\''),
        _ => {}
    }
    let Some(number) = inside.strip_prefix('#') else {
        return Err(match is_local(inside) {
            true => Fault::malformed(offset, format!("the entity &{}; is not defined", Excerpt(inside))),
            false => no_reference(offset),
        });
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

fn no_reference(offset: usize) -> Fault {
    Fault::malformed(offset, "\"&\" is not followed by a reference; write &amp;")
}
