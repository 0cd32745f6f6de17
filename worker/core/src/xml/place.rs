//! Lines and positions, computed only when somebody has to be told where something is.

/// A place in a document, as editors show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Line, from 1.
    pub(crate) line: u32,
    /// Position in the line, from 1, in characters.
    pub(crate) position: u32,
}

impl Place {
    /// The place after `bytes`, which begin at this one.
    fn after(mut self, bytes: &[u8]) -> Self {
        for byte in bytes {
            if *byte == b'\n' {
                self = Place { line: self.line + 1, position: 1 };
            } else if byte & 0xC0 != 0x80 {
                // A continuation byte of UTF-8 belongs to the character before it.
                self.position += 1;
            }
        }
        self
    }
}

/// Distance of the places that are kept, in bytes. Half of it is read again for each place that is asked for; 16 MiB of text
/// have 256 KiB of places.
const STEP: usize = 512;

/// Finds places in one document.
///
/// One pass keeps a place for every [`STEP`] bytes, so that a message of 100,000 invalid rows is not read again for each,
/// even if it is a single line.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    text: &'a str,
    kept: Vec<Place>,
}

impl<'a> Places<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, kept: Vec::new() }
    }

    /// The place of an offset in the text.
    pub(crate) fn at(&mut self, offset: usize) -> Place {
        let bytes = self.text.as_bytes();
        let offset = offset.min(bytes.len());
        if self.kept.is_empty() {
            let mut place = Place { line: 1, position: 1 };
            self.kept.push(place);
            for chunk in bytes.chunks(STEP) {
                place = place.after(chunk);
                self.kept.push(place);
            }
        }
        let index = offset / STEP;
        self.kept[index].after(&bytes[index * STEP..offset])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_a_count_from_the_beginning() {
        // Lines of all lengths, characters of one to four bytes, across several steps.
        let line =
            |length: usize| "a\u{e9}\u{20ac}\u{1f600}".chars().cycle().take(length).chain(['\n']).collect::<String>();
        let text: String = (0..60).map(line).collect();
        assert!(text.len() > 4 * STEP);
        let mut places = Places::new(&text);
        let (mut line, mut position) = (1, 1);
        for (offset, character) in text.char_indices() {
            assert_eq!(places.at(offset), Place { line, position }, "offset {offset}");
            (line, position) = if character == '\n' { (line + 1, 1) } else { (line, position + 1) };
        }
        assert_eq!(places.at(text.len()), Place { line, position });
        assert_eq!(places.at(text.len() + 1), Place { line, position });
    }
}
