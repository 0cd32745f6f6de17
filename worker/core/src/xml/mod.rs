//! A strict reader of one XML document: its events in order, or where and why it is not well-formed.
//!
//! Every rule of XML 1.0 (fifth edition) and of Namespaces in XML that concerns a document without a DTD is
//! checked, in one pass over the text and in time proportional to it:
//!
//! - [`source`] turns bytes into text: byte order mark, [`encoding`], [`declaration`], illegal [`characters`];
//! - [`reader`] finds the markup and keeps the stack of open elements;
//! - [`tag`] reads start tags and their attributes, [`name`] names, [`reference`] `&...;`;
//! - [`namespaces`] knows which prefixes are declared;
//! - [`place`] turns an offset into line and position.
//!
//! Why not a parser from a crate: those are lenient by design and leave most of these rules to their caller
//! (decision 0009 lists what quick-xml lets through, the tests show each refused here).

mod characters;
mod declaration;
mod encoding;
mod name;
mod namespaces;
mod place;
mod reader;
mod reference;
mod source;
mod tag;
#[cfg(test)]
mod tests;

pub(crate) use place::{Place, Places};
pub(crate) use reader::{Event, Item, Leaf, ReadBuffers, Reader, Root};
pub(crate) use source::Source;
pub(crate) use tag::attribute_text;

use crate::raw::Reason;

/// What a document may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadLimits {
    /// Deepest nesting of elements: `TooDeep`.
    pub(crate) depth: usize,
    /// Most attributes of one element, declarations of namespaces included: `TooManyAttributes`.
    pub(crate) attributes: usize,
}

/// Why a document can't be read, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) reason: Reason,
    /// Offset in the text of the document, in bytes.
    pub(crate) offset: usize,
    /// What is wrong, for a person.
    pub(crate) message: String,
}

impl Fault {
    fn new(reason: Reason, offset: usize, message: impl Into<String>) -> Self {
        Self { reason, offset, message: message.into() }
    }

    fn malformed(offset: usize, message: impl Into<String>) -> Self {
        Self::new(Reason::NotWellFormed, offset, message)
    }
}

/// Why a piece of markup can't be read.
#[derive(Debug)]
enum Stop {
    /// It breaks a rule, whatever follows.
    Broken(Fault),
    /// The text ends inside it. Should the text end early, at a byte that can't be read, that byte is the error.
    Unfinished(Fault),
}

impl Stop {
    fn unfinished(offset: usize, message: impl Into<String>) -> Self {
        Stop::Unfinished(Fault::malformed(offset, message))
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Stop::Broken(fault)
    }
}

/// A part of a document's text. 32 bits suffice: the decoder reads no message above 1 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    #[inline]
    pub(crate) fn new(start: usize, end: usize) -> Self {
        let narrow = |offset: usize| u32::try_from(offset).expect("a message has at most 1 GiB");
        Self { start: narrow(start), end: narrow(end) }
    }

    #[inline]
    pub(crate) fn of(self, text: &str) -> &str {
        &text[self.start as usize..self.end as usize]
    }
}

/// The beginning of a text, for messages: names and values of a document may be megabytes long.
pub(crate) struct Excerpt<'a>(pub(crate) &'a str);

impl std::fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const LENGTH: usize = 60;
        match self.0.char_indices().nth(LENGTH) {
            None => f.write_str(self.0),
            Some((end, _)) => write!(f, "{}…", &self.0[..end]),
        }
    }
}
