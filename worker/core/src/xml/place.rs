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

/// Distance of the places that are kept, in bytes.
const STEP: usize = 4096;

/// Finds places in one document.
///
/// One pass keeps a place for every 4 KiB, so that a message of 100,000 invalid rows is not read again for each,
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
