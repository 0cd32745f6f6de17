//! The pure core of Gristmill.

pub mod raw;
mod xml;
