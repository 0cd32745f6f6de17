//! Whether the brokers still hold what comes next, and what to do where they do not.
//!
//! Asked, since a reset policy alone is not trusted (F9): a broker that has lost messages answers like one that has
//! none yet.

use gristmill_crds::OnDataLoss;
use gristmill_crds::plan::IngestPlan;

use crate::exit::{Exit, Failure};
use crate::kafka::OffsetRange;

/// Where the log stands in a partition, beside what the brokers hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// What comes next is there, or will be.
    Held,
    /// Nothing below this offset is there any more: retention was faster.
    Lost { below: i64 },
    /// The partition ends here, before what was read: a leader was elected that had not received it all.
    Truncated { end: i64 },
}

/// Compares the next offset with what the brokers hold.
pub(super) fn standing(next: i64, range: OffsetRange) -> Standing {
    let OffsetRange { low, high } = range;
    if next < low {
        Standing::Lost { below: low }
    } else if next > high {
        Standing::Truncated { end: high }
    } else {
        Standing::Held
    }
}

impl Standing {
    /// What stands here under a policy that takes no loss; a loss that is to be recorded is let pass.
    ///
    /// # Errors
    /// Messages are gone, or the partition was truncated, and `onDataLoss` is `Fail`.
    pub(super) fn allowed(self, plan: &IngestPlan, partition: i32, next: i64) -> Result<Self, Failure> {
        match plan.on_data_loss {
            OnDataLoss::RecordGap => Ok(self),
            OnDataLoss::Fail if self == Self::Held => Ok(self),
            OnDataLoss::Fail => {
                let message = format!(
                    "{}; to go on and have it counted as a gap, set spec.source.kafka.onDataLoss: RecordGap, or choose \
                     where to go on by spec.rewind",
                    self.describe(&plan.topic, partition, next)
                );
                Err(Failure { exit: Exit::DataLoss, reason: "DataLoss", message })
            }
        }
    }

    /// What happened, in a sentence.
    pub(super) fn describe(self, topic: &str, partition: i32, next: i64) -> String {
        match self {
            Self::Held => format!("{topic}/{partition} holds offset {next}"),
            Self::Lost { below } => format!(
                "the brokers have deleted offsets {next} to {} of {topic}/{partition} before they were read; lengthen \
                 the topic's retention",
                below - 1
            ),
            Self::Truncated { end } => format!(
                "{topic}/{partition} ends at offset {end} although it was read up to {next}: the partition was truncated"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::before_what_is_held(99, Standing::Lost { below: 100 })]
    #[case::first(100, Standing::Held)]
    #[case::last(199, Standing::Held)]
    #[case::to_come(200, Standing::Held)]
    #[case::beyond_the_end(201, Standing::Truncated { end: 200 })]
    fn next_offset_lies_within_what_the_brokers_hold(#[case] next: i64, #[case] expected: Standing) {
        assert_eq!(standing(next, OffsetRange { low: 100, high: 200 }), expected);
    }
}
