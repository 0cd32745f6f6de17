//! The zone log: what an entry says, what the entries so far add up to, and what may come next.
//!
//! ```text
//! entry ──decode──▶ Entry ──valid(fold)──▶ fold.apply ──▶ Fold        (facts: next offsets, live files, positions)
//!                                              └────────▶ Publication (renames that make the entry visible)
//! ```
//!
//! Everything here is pure: the worker reads slots, asks, and acts. The contract is `docs/zone-protocol.md`; the numbers in the
//! comments ("rule 8") are its lines.

mod decide;
mod entry;
mod fold;
mod inspect;
pub mod layout;
mod maintain;
mod names;
mod publication;
mod rejected_budget;
mod retention;
mod rewind;
mod valid;
mod wire;

#[cfg(test)]
mod tests;

pub use decide::{AfterAttempt, AfterWin, BeforeAttempt, after_attempt, after_win, before_attempt, is_overtaken};
pub use entry::{
    BucketRange, BucketSpan, Consumer, Data, Entry, Fence, FileEntry, FileSchema, FileZone, Genesis, Hold, HoldReason,
    Kind, MessageCounts, PartitionRange, PartitionRewind, PartitionStart, PartitionValue, ProcessedData,
    ProcessedGenesis, RawData, RawGenesis, RemovalReason, Remove, RemovedFile, Resume, Rewind, RunCost, RunFiles,
    RunKind, RunRows, RunSummary, SchemaColumn, TypedValue,
};
pub use fold::{
    AppliedRewind, ConsumerState, FileKey, Fold, Held, LastCommit, LiveFile, LiveRecord, PartitionState, Reading,
    RejectCounts, RemovedTotals, Run, SchemaState, Source, UnreadableFold,
};
/// As the resource has them: genesis holds what may never change.
pub use gristmill_crds::{Keep, PartitionField, PartitionTransform};
pub use inspect::{
    ConsumerFacts, CostFacts, FileFacts, HoldFacts, Inspection, PartitionOffset, ProcessedInspection, RawInspection,
    RowFacts, RunFacts, inspect,
};
pub use layout::ZonePath;
pub use maintain::{
    CHECKPOINT_EVERY, ENTRIES_KEPT, Signs, Staged, Truncation, checkpoint_is_due, expired, suspects, to_sweep,
    to_truncate,
};
pub use names::{CommitId, Digest, Incarnation, InvalidName, LogTime, Sequence, ZoneId};
pub use publication::{Publication, Publish, Retire, due};
pub use rejected_budget::{exceeds, rejects_in_window};
pub use retention::{
    Expiry, FILES_A_PASS, Holder, RetentionAges, expiry, expiry_without, oldest_file, outlived, still_due,
};
pub use rewind::{RewindPlan, rewind_entry};
pub use valid::{Refusal, Refused, valid, valid_genesis};
pub use wire::{FORMAT, Unreadable, decode_entry, decode_zone_file, encode_entry, encode_zone_file};
