//! The worker of Gristmill: the I/O around `gristmill-core`.

pub mod store;
pub mod zone;
