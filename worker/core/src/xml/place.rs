//! Lines and positions, computed only when somebody has to be told where something is.

/// A place in a document, as editors show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Line, from 1.
    pub(crate) line: u32,
    /// Position in the line, from 1, in characters.
    pub(crate) position: u32,
}
