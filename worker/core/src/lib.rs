//! The pure core of Gristmill.

pub mod compact;
pub mod log;
pub mod raw;
mod xml;
