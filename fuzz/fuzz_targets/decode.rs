//! Any bytes as a message: `make fuzz-decode`.
#![no_main]

// The promises that the decoder's own tests check on the committed corpus.
#[path = "../../worker/core/tests/decode/invariants.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|document: &[u8]| invariants::check(document));
