//! Why a zone cannot be opened, written or read, and whose fault that is.

use gristmill_core::log::{Refused, Sequence, Unreadable};

use crate::store::{StoreError, StoreErrorKind};

/// Why a zone cannot be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum ZoneError {
    /// The store failed, or was unavailable for longer than the caller waits.
    #[error("zone {zone}: the store failed")]
    Store {
        /// The zone.
        zone: String,
        /// The failure.
        source: StoreError,
    },
    /// There is no zone in this place, and the caller only reads.
    #[error("{zone} is not a zone: {why}; check the path, or run what creates it first")]
    NotAZone {
        /// The directory.
        zone: String,
        /// What is missing.
        why: &'static str,
    },
    /// The zone can't be shown as it was at an entry.
    #[error("zone {zone} can't be shown as of entry {sequence}: {why}; its newest entry is {head}")]
    NoSuchEntry {
        /// The zone.
        zone: String,
        /// The entry that was asked for.
        sequence: Sequence,
        /// The newest entry.
        head: Sequence,
        /// Why not.
        why: &'static str,
    },
    /// The directory holds something else.
    #[error("{zone} is not empty and not a zone: it holds {found}; choose an empty directory")]
    ForeignDirectory {
        /// The directory.
        zone: String,
        /// One of the names in it.
        found: String,
    },
    /// The zone was made for something else.
    #[error("zone {zone} belongs to {what} {theirs}, not to {ours}; use another directory, or the {what} of the zone")]
    OtherGenesis {
        /// The zone.
        zone: String,
        /// Which fact differs.
        what: GenesisFact,
        /// What the zone's genesis says.
        theirs: String,
        /// What the opener expects.
        ours: String,
    },
    /// Another zone stands where ours stood: nothing that we committed since counts.
    #[error("zone {zone} was replaced while this process wrote to it; start again")]
    Replaced {
        /// The zone.
        zone: String,
    },
    /// The log was written by another version.
    #[error("cannot read {path}")]
    NewerFormat {
        /// The file.
        path: String,
        /// Why.
        source: Unreadable,
    },
    /// The log cannot be understood.
    #[error("the log is corrupt: cannot read {path}; restore the file, nothing was changed")]
    CorruptFile {
        /// The file.
        path: String,
        /// Why.
        source: Unreadable,
    },
    /// A slot is missing below others.
    #[error(
        "the log of zone {zone} is corrupt: entry {sequence} is missing below entry {head}; restore it, nothing was changed"
    )]
    MissingEntry {
        /// The zone.
        zone: String,
        /// The slot that is missing.
        sequence: Sequence,
        /// A slot above it.
        head: Sequence,
    },
    /// An entry of the log breaks its rules.
    #[error("the log of zone {zone} is corrupt; nothing was changed")]
    CorruptLog {
        /// The zone.
        zone: String,
        /// The entry and the rule.
        source: Refused,
    },
    /// A file that the log says is live is nowhere, or is not what was committed.
    #[error("zone {zone} has lost {path} of entry {sequence}: {why}; restore the file, nothing was changed")]
    LostFile {
        /// The zone.
        zone: String,
        /// The file's published name.
        path: String,
        /// The entry that added it.
        sequence: Sequence,
        /// What was found.
        why: String,
    },
    /// What this writer had staged is gone: others have taken it for dead and swept it.
    #[error("zone {zone}: {path} was swept, since this writer was taken for dead; it goes on under a new incarnation")]
    Swept {
        /// The zone.
        zone: String,
        /// The file.
        path: String,
    },
    /// Our clock and the store's tell different times.
    #[error(
        "zone {zone}: the clock of this machine is {seconds} s off the store's; set it right, nothing was committed"
    )]
    ClockSkew {
        /// The zone.
        zone: String,
        /// By how much.
        seconds: i64,
    },
    /// Another append has begun and its outcome is unknown.
    #[error("zone {zone}: an append is undecided; decide it before anything else is done")]
    Undecided {
        /// The zone.
        zone: String,
    },
}

/// A fact of a genesis that an opener may differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GenesisFact {
    /// RAW or Processed.
    ZoneKind,
    /// Kafka's id of the cluster.
    ClusterId,
    /// Name of the topic.
    Topic,
    /// Kafka's id of the topic.
    TopicId,
    /// The consumer group.
    Group,
    /// The RAW zone that is consumed.
    RawZone,
    /// The columns that identify a row.
    Key,
    /// The columns that name directories.
    PartitionBy,
    /// The number of buckets.
    Buckets,
    /// Which row of a key stays.
    Keep,
    /// The columns that decide which row of a key is the latest.
    OrderBy,
}

impl std::fmt::Display for GenesisFact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ZoneKind => "zone kind",
            Self::ClusterId => "Kafka cluster",
            Self::Topic => "topic",
            Self::TopicId => "topic id",
            Self::Group => "consumer group",
            Self::RawZone => "RAW zone",
            Self::Key => "key",
            Self::PartitionBy => "partitionBy",
            Self::Buckets => "bucket count",
            Self::Keep => "deduplication.keep",
            Self::OrderBy => "deduplication.orderBy",
        })
    }
}

/// Whose fault an error is: what an exit code or a condition is chosen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ZoneFault {
    /// The store is unavailable: waiting may help (exit code 5).
    StoreUnavailable,
    /// The store refuses: login, permission or quota, or fails otherwise (exit code 5).
    StoreRefuses,
    /// The zone refuses (exit code 6).
    ZoneRefuses,
    /// A caller broke the contract of this module (exit code 1).
    Ours,
}

impl ZoneError {
    /// Whether this writer was put out, as far as its staging tells: it discards what it has, takes a new incarnation and
    /// goes on from the fold.
    pub fn is_swept(&self) -> bool {
        matches!(self, Self::Swept { .. })
    }

    /// Whose fault it is.
    pub fn fault(&self) -> ZoneFault {
        match self {
            Self::Store { source, .. } if source.kind == StoreErrorKind::Unavailable => ZoneFault::StoreUnavailable,
            Self::Store { .. } => ZoneFault::StoreRefuses,
            // What was begun is begun anew, from the fold, which then tells of the fence.
            Self::Swept { .. } => ZoneFault::StoreUnavailable,
            Self::Undecided { .. } => ZoneFault::Ours,
            Self::NotAZone { .. }
            | Self::NoSuchEntry { .. }
            | Self::ForeignDirectory { .. }
            | Self::OtherGenesis { .. }
            | Self::Replaced { .. }
            | Self::NewerFormat { .. }
            | Self::CorruptFile { .. }
            | Self::MissingEntry { .. }
            | Self::CorruptLog { .. }
            | Self::LostFile { .. }
            | Self::ClockSkew { .. } => ZoneFault::ZoneRefuses,
        }
    }

    /// A PascalCase reason for conditions, events and metric labels.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Store { source, .. } => match source.kind {
                StoreErrorKind::Unavailable => "StoreUnavailable",
                StoreErrorKind::Denied | StoreErrorKind::LoginFailed => "StoreDenied",
                StoreErrorKind::NotFound | StoreErrorKind::AlreadyExists | StoreErrorKind::Other => "StoreFailed",
            },
            Self::NotAZone { .. } => "NotAZone",
            Self::NoSuchEntry { .. } => "NoSuchEntry",
            Self::ForeignDirectory { .. } => "ForeignDirectory",
            Self::OtherGenesis { what: GenesisFact::ClusterId | GenesisFact::TopicId, .. } => "TopicReplaced",
            Self::OtherGenesis { .. } => "ZoneMismatch",
            Self::Replaced { .. } => "ZoneReplaced",
            Self::NewerFormat { .. } => "UnknownFormat",
            Self::CorruptFile { .. } | Self::MissingEntry { .. } | Self::CorruptLog { .. } => "CorruptLog",
            Self::LostFile { .. } => "LostFile",
            Self::ClockSkew { .. } => "ClockSkew",
            Self::Swept { .. } => "Swept",
            Self::Undecided { .. } => "Internal",
        }
    }
}
