//! The cases: small zones, each with the processes, the activities and the faults that it is about.

use crate::state::{Budget, PROCESSES};

/// A small zone, and who does what in it.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// What it is about.
    pub name: &'static str,
    /// What each process may do; a process without any role does not exist.
    pub(crate) roles: [Role; PROCESSES],
    /// Sets of partitions that one file may hold.
    pub(crate) partition_sets: &'static [&'static [u8]],
    /// Offsets of each partition.
    pub(crate) offsets: u8,
    /// Whether a second file may be closed while the first is appended.
    pub(crate) queues: bool,
    /// Whether it is a Processed zone.
    pub(crate) is_processed: bool,
    pub(crate) budget: Budget,
}

/// What a process may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) crashes: bool,
    pub(crate) restarts: bool,
    /// Looks for news, and publishes what others have left.
    pub(crate) refreshes: bool,
    pub(crate) ingests: bool,
    pub(crate) rewrites: bool,
    pub(crate) sweeps: bool,
    pub(crate) checkpoints: bool,
    pub(crate) rewinds: bool,
    pub(crate) removes: bool,
    pub(crate) consumes: bool,
}

const NOBODY: Role = Role {
    crashes: false,
    restarts: false,
    refreshes: false,
    ingests: false,
    rewrites: false,
    sweeps: false,
    checkpoints: false,
    rewinds: false,
    removes: false,
    consumes: false,
};
const READER: Role = Role { refreshes: true, crashes: true, ..NOBODY };
const WRITER: Role = Role { crashes: true, restarts: true, refreshes: true, ingests: true, ..NOBODY };
const ONE_PARTITION: &[&[u8]] = &[&[0]];
const BOTH_PARTITIONS: &[&[u8]] = &[&[0], &[1], &[0, 1]];
const NOTHING: Budget = Budget {
    crashes: 0,
    late: 0,
    lost_replies: 0,
    fences: 0,
    checkpoints: 0,
    rewinds: 0,
    removals: 0,
    deltas: 0,
    runs: 0,
    revocations: 0,
    replacements: 0,
};
/// Each fault once, in any place.
const FAULTS: Budget = Budget { crashes: 1, late: 1, lost_replies: 1, ..NOTHING };
const CASE: Case = Case {
    name: "",
    roles: [NOBODY; PROCESSES],
    partition_sets: ONE_PARTITION,
    offsets: 1,
    queues: false,
    is_processed: false,
    budget: FAULTS,
};

impl Case {
    /// Number of processes.
    pub(crate) fn processes(&self) -> usize {
        self.roles.iter().rposition(|role| *role != NOBODY).map_or(0, |last| last + 1)
    }

    /// The case with only some of its faults, for a search of seconds.
    #[must_use]
    pub fn with_faults(mut self, crashes: u8, late: u8, lost_replies: u8) -> Self {
        self.budget = Budget { crashes, late, lost_replies, ..self.budget };
        self
    }

    /// A case by its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|case| case.name == name)
    }

    /// All of them.
    pub fn all() -> Vec<Self> {
        vec![
            Self {
                name: "two writers",
                roles: [WRITER, WRITER, NOBODY],
                offsets: 2,
                budget: Budget { revocations: 1, ..FAULTS },
                ..CASE
            },
            Self { name: "three writers", roles: [WRITER; 3], ..CASE },
            Self {
                name: "mutual sweep",
                roles: [Role { sweeps: true, ..WRITER }, Role { sweeps: true, ..WRITER }, NOBODY],
                budget: Budget { fences: 2, ..FAULTS },
                ..CASE
            },
            Self {
                name: "checkpoint and truncation",
                roles: [Role { checkpoints: true, ..WRITER }, WRITER, Role { checkpoints: true, ..READER }],
                budget: Budget { checkpoints: 2, ..FAULTS },
                ..CASE
            },
            Self {
                name: "two rewinds",
                roles: [Role { rewinds: true, ..WRITER }, Role { rewinds: true, ..READER }, NOBODY],
                budget: Budget { rewinds: 2, ..FAULTS },
                ..CASE
            },
            Self {
                name: "retention with a consumer",
                roles: [Role { removes: true, checkpoints: true, ..WRITER }, Role { consumes: true, ..READER }, NOBODY],
                budget: Budget { removals: 1, deltas: 2, checkpoints: 1, ..FAULTS },
                ..CASE
            },
            Self {
                name: "retention below a checkpoint",
                roles: [
                    Role { consumes: true, checkpoints: true, restarts: false, ..WRITER },
                    Role { removes: true, ..READER },
                    READER,
                ],
                budget: Budget { removals: 1, deltas: 1, checkpoints: 1, ..FAULTS },
                ..CASE
            },
            Self {
                name: "chain of rewrites",
                roles: [Role { rewrites: true, ingests: false, ..WRITER }, Role { rewrites: true, ..READER }, NOBODY],
                is_processed: true,
                budget: Budget { runs: 3, ..FAULTS },
                ..CASE
            },
            Self {
                name: "rewrite under three",
                roles: [Role { rewrites: true, ..READER }, Role { rewrites: true, ..READER }, READER],
                is_processed: true,
                budget: Budget { runs: 2, ..FAULTS },
                ..CASE
            },
            Self {
                name: "zone re-created",
                roles: [Role { checkpoints: true, ..WRITER }, Role { checkpoints: true, ..WRITER }, NOBODY],
                budget: Budget { replacements: 1, checkpoints: 2, ..FAULTS },
                ..CASE
            },
            Self {
                name: "file of several partitions",
                roles: [WRITER, WRITER, NOBODY],
                partition_sets: BOTH_PARTITIONS,
                queues: true,
                budget: Budget { revocations: 1, ..FAULTS },
                ..CASE
            },
        ]
    }
}
