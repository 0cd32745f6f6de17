//! A strict reader of one XML document: its events in order, or where and why it is not well-formed.

mod place;

pub(crate) use place::Place;
