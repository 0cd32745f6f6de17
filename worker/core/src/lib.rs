//! The pure core of Gristmill.
