//! How many workers there are to be, with how much CPU each, and why.
//!
//! ```text
//! Facts ──> observation ──> demand ──> shape ──> decide ──> Decision ──> sentence, explanation
//!           complete?        cores      size      when?
//! ```
//!
//! Everything here is pure: time, figures and memory of earlier decisions arrive as arguments. The operator, the
//! simulator and the kubectl plugin therefore say the same of the same facts. No input makes it panic: what is not
//! a number, or is missing, holds the size.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod compaction;
mod decide;
mod decision;
mod demand;
mod explain;
mod facts;
mod figure;
mod history;
mod observation;
#[cfg(feature = "report")]
mod report;
mod shape;

pub use decide::{SCALE_DOWN_MAX_FACTOR, decide};
pub use decision::{Change, Decision, Figures, Hold, Note, Reason};
pub use facts::{
    Facts, HotPartition, Limits, Mode, Obstacle, ObstacleKind, Phase, Refuser, Size, StuckPartitions, Worker,
};
pub use history::{Cost, Granted, History, Need, Resize};
pub use observation::STALE_AFTER;
