//! The pure core of Gristmill.

pub mod log;
pub mod raw;
mod xml;
