//! Bounds of what one message may cost, beside the limits that a resource sets.

/// Most values, nulls included, of one message: `TooManyRows`.
///
/// A row of 1,000 columns costs memory for each of them although it may stand in the message as `<r/>`:
/// 100,000 such rows would need 400 MB out of 400 kB. A value takes 8 bytes in a message, as `<a>1</a>` does,
/// so that 16 MiB of rows without gaps stay below.
pub(super) const MAX_VALUES: usize = 2_000_000;

/// Most bytes that the rows of one message may repeat: values from outside the rows and the key: `MessageTooLarge`.
pub(super) const MAX_REPEATED_BYTES: usize = 64 << 20;

/// What is kept of a rejected payload by the policy Truncated; its length and digest are always kept.
pub(super) const TRUNCATED_PAYLOAD: usize = 64 << 10;

/// What the decoder keeps of a buffer for the next message, in bytes: one great message does not hold memory for ever.
pub(super) const KEPT_BUFFER_BYTES: usize = 1 << 20;
