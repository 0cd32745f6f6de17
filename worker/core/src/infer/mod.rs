//! A StreamIngest drafted from sample documents: what a row is, and the columns that its texts allow.
//!
//! - [`survey`] counts the elements of all documents;
//! - [`row`] chooses the path of a row among them;
//! - [`column`] reads the texts of the rows, and [`texts`] finds the narrowest type that holds all of a column;
//! - [`draft`] writes it down, with what was seen beside each choice.

mod column;
mod draft;
mod row;
mod survey;
mod texts;

use gristmill_crds::plan::{MessageLimits, RowPath};

use crate::raw::Reason;
use crate::xml::{Event, Places, ReadLimits, Reader, Source};

/// One document.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// What to call it.
    pub name: &'a str,
    /// The bytes of a message.
    pub payload: &'a [u8],
}

/// What the caller has decided already.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// `metadata.name`; else after the element of a row.
    pub name: Option<String>,
    /// The row path; else the element that repeats most.
    pub row_path: Option<RowPath>,
}

/// Why there is nothing to draft from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoDraft {
    /// No document is one that the decoder would read.
    #[error("no document can be read: {}", .0.join("; "))]
    Unreadable(Vec<String>),
    /// The row path that was asked for matches nothing.
    #[error("no element of the documents matches {0}; leave --row-path out to see what repeats")]
    NoRows(RowPath),
}

/// The YAML of a StreamIngest that accepts every row of the samples that can be read.
///
/// # Errors
/// There is no such row.
pub fn draft(samples: &[Sample<'_>], wishes: &Wishes) -> Result<String, NoDraft> {
    let MessageLimits { message_bytes, .. } = MessageLimits::default();
    let sources: Vec<_> = samples.iter().map(|sample| Source::read(sample.payload, message_bytes)).collect();
    let mut left_out = Vec::new();
    let mut read = Vec::new();
    for (sample, source) in samples.iter().zip(&sources) {
        match why_unreadable(sample.payload, source) {
            None => read.push(source),
            Some(why) => left_out.push(format!("{}{why}", sample.name)),
        }
    }
    if read.is_empty() {
        return Err(NoDraft::Unreadable(left_out));
    }
    let survey = survey::Survey::of(&read);
    let row = row::choose(&survey, wishes.row_path.as_ref())?;
    let columns = column::read(&survey, row.element, &read);
    Ok(draft::yaml(&draft::Draft {
        survey: &survey,
        row: &row,
        columns: &columns,
        left_out: &left_out,
        name: wishes.name.as_deref(),
    }))
}

/// What the decoder would reject the document for, with its place.
fn why_unreadable(payload: &[u8], source: &Source<'_>) -> Option<String> {
    let MessageLimits { message_bytes, .. } = MessageLimits::default();
    if payload.len() > message_bytes {
        return Some(format!(": {}: it has more than {message_bytes} bytes", Reason::MessageTooLarge));
    }
    let mut reader = reader(source);
    loop {
        match reader.next() {
            Ok(Event::Finished) => return None,
            Ok(_) => {}
            Err(fault) => {
                let place = Places::new(source.text()).at(fault.offset);
                return Some(format!(":{}:{}: {}: {}", place.line, place.position, fault.reason, fault.message));
            }
        }
    }
}

fn reader<'a>(source: &'a Source<'_>) -> Reader<'a> {
    let MessageLimits { depth, attributes, .. } = MessageLimits::default();
    Reader::new(source, ReadLimits { depth, attributes })
}
