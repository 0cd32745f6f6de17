//! Tests of the pure log.
