//! Where the encoder leaves what is complete, until the store takes it.
//!
//! In pieces: as one buffer a row group would be copied several times while the buffer grows, and would be in memory twice
//! over, the old buffer beside the new one.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::mem;

use bytes::Bytes;

/// Bytes of a piece, and so the most that is copied into memory that the process has not had before.
const PIECE: usize = 1 << 20;

/// Bytes of a file, in pieces of the same length but for the last.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    whole: VecDeque<Bytes>,
    begun: Vec<u8>,
}

impl Encoded {
    /// The next piece, the begun one last; none if all were taken.
    pub(super) fn take_piece(&mut self) -> Option<Bytes> {
        let begun = |begun: &mut Vec<u8>| (!begun.is_empty()).then(|| mem::take(begun).into());
        self.whole.pop_front().or_else(|| begun(&mut self.begun))
    }
}

impl Write for Encoded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.begun.capacity() == 0 {
            self.begun.reserve_exact(PIECE);
        }
        let taken = bytes.len().min(PIECE - self.begun.len());
        self.begun.extend_from_slice(&bytes[..taken]);
        if self.begun.len() == PIECE {
            self.whole.push_back(mem::take(&mut self.begun).into());
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::nothing(0, 0)]
    #[case::less_than_a_piece(PIECE - 1, 1)]
    #[case::a_piece(PIECE, 1)]
    #[case::a_byte_more(PIECE + 1, 2)]
    #[case::several(3 * PIECE + 7, 4)]
    fn what_is_written_comes_back_in_pieces_and_in_order(#[case] length: usize, #[case] pieces: usize) {
        let bytes: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
        let mut encoded = Encoded::default();
        for part in bytes.chunks(70_001) {
            encoded.write_all(part).unwrap();
        }
        let taken: Vec<Bytes> = std::iter::from_fn(|| encoded.take_piece()).collect();
        assert_eq!(taken.len(), pieces);
        assert!(taken.iter().all(|piece| piece.len() <= PIECE));
        assert_eq!(taken.concat(), bytes);
    }

    #[test]
    fn writing_goes_on_after_a_begun_piece_was_taken() {
        let mut encoded = Encoded::default();
        for text in ["first", "second"] {
            encoded.write_all(text.as_bytes()).unwrap();
            assert_eq!(encoded.take_piece().as_deref(), Some(text.as_bytes()));
        }
        assert_eq!(encoded.take_piece(), None);
    }
}
