//! The pure core of Gristmill.

pub mod log;
