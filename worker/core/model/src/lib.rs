//! Every schedule of small zones, explored over the product's own decisions.
//!
//! ```text
//! case ──▶ world ──▶ search: breadth first, every state once ──▶ report
//!            │
//!            ├─ process      what a process does next, in the order of `worker/src/zone`
//!            ├─ environment  crashes, renames that land late, a zone that is made anew
//!            ├─ history      every log that is met, folded by the product's `Fold`
//!            └─ check, ledger   the invariants, told without the product's code
//! ```
//!
//! One step is one operation on the store, so that between any two of them every other process may do anything, crash, or
//! sleep. A create or a rename may be done with its reply lost, or hang and land at any later time, also when its caller is
//! long gone.
//!
//! # What is the product's
//!
//! `Fold::begin` and `Fold::apply` with `valid` inside and the `Publication` that they give; `before_attempt`,
//! `after_attempt`, `after_win`, `is_overtaken`; `due`; `to_sweep`, `checkpoint_is_due`, `to_truncate`; `rewind_entry`; a checkpoint is what
//! `Fold::encode_state`, `Fold::live_records` and `Fold::restore` make of a fold. Entries are the product's types. Each of
//! these is asked once per log and entry and remembered, so that millions of states are feasible.
//!
//! # What is modelled
//!
//! The order of operations around those functions (`process`), and what the store does (`store`, `environment`). Clocks are
//! not: whatever depends on age may happen at any time, so `suspects`, `expired` and the 30 seconds before an entry is
//! published for another are freely chosen; a checkpoint is due after every entry, and no entries are kept below it.
//!
//! Operations that only one outcome is possible for in a case are no steps of their own: listing checkpoints where none is
//! ever written, reading `zone.json` where the zone is never replaced. The staging directory of a fenced writer is deleted
//! at once, since nothing in it can be committed any more. Listings are snapshots. A listing that tells what is published
//! already is not modelled; every file is looked at instead.
//!
//! Not modelled: holds, buckets, readerGrace, the race for genesis and for `zone.json`, `file://` with its link and unlink,
//! and power loss: the simulation of `worker/src/zone` has those.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod arena;
mod case;
mod check;
mod entries;
mod environment;
mod history;
mod invariant;
mod ledger;
pub mod memory;
mod process;
mod report;
mod rules;
mod search;
mod state;
mod store;
mod world;

pub use case::Case;
pub use invariant::Invariant;
pub use report::{CaseReport, RuleReport, check_case, check_rule};
pub use rules::Rule;
pub use search::{Limits, Model, Outcome, Step, search};
pub use state::State;
pub use world::{Label, World};
