//! The API of Gristmill.
