//! The `gristmill-operator` binary.
fn main() {}
