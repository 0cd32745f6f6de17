//! What arrives in a day, and what goes wrong in it.

use crate::PARTITIONS;

const HOUR: u64 = 3600;
/// Length of every trace, in seconds.
pub const DAY: u64 = 24 * HOUR;
/// Records a second of an ordinary stream.
const BASE: f64 = 1000.0;

/// A day of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// The same all day.
    Steady,
    /// Little at night, sixteen times as much in the afternoon.
    Diurnal,
    /// Ten times as much from the second hour on, until the end of the tenth.
    Step,
    /// Ten times as much for ten minutes.
    Spike,
    /// Six hours from little to much, and six hours back.
    Ramp,
    /// The store is away for two hours; what arrived meanwhile waits.
    Burst,
    /// Each minute something else, by a seed.
    Noisy(u64),
    /// For four hours one partition has 45 % of twice as much.
    Skewed,
    /// The brokers are away for an hour; what producers kept comes within ten minutes after it.
    BrokerOutage,
    /// Every other node is half as fast for six hours.
    SlowNodes,
    /// A tenth of an ordinary stream, and four times as much of it from the second to the fourth hour.
    Quarter,
}

/// What does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// All does.
    None,
    /// Brokers can't be reached: nothing arrives, nothing is read, and no offsets are told.
    Brokers,
    /// The store can't be reached: records arrive and are not processed.
    Store,
}

impl Trace {
    /// The traces that policies are compared on, in the order of the table.
    pub const ALL: [Trace; 10] = [
        Trace::Steady,
        Trace::Diurnal,
        Trace::Step,
        Trace::Spike,
        Trace::Ramp,
        Trace::Burst,
        Trace::Noisy(0),
        Trace::Skewed,
        Trace::BrokerOutage,
        Trace::SlowNodes,
    ];

    /// Name in tables and of files.
    pub fn name(self) -> &'static str {
        match self {
            Trace::Steady => "steady",
            Trace::Diurnal => "diurnal",
            Trace::Step => "step x10",
            Trace::Spike => "spike x10",
            Trace::Ramp => "slow ramp",
            Trace::Burst => "burst after 2h",
            Trace::Noisy(_) => "noisy",
            Trace::Skewed => "skewed",
            Trace::BrokerOutage => "broker outage",
            Trace::SlowNodes => "slow nodes",
            Trace::Quarter => "small x4",
        }
    }

    /// When the load first becomes another, in seconds: convergence is counted from here.
    pub fn event(self) -> u64 {
        match self {
            Trace::Steady | Trace::Diurnal | Trace::Ramp | Trace::Noisy(_) => 0,
            Trace::Step | Trace::Spike | Trace::Skewed | Trace::SlowNodes | Trace::Quarter => 2 * HOUR,
            // From its end: before, no policy can do anything.
            Trace::Burst => 4 * HOUR,
            Trace::BrokerOutage => 3 * HOUR,
        }
    }

    /// Records a second that arrive.
    pub fn arrival(self, time: u64) -> f64 {
        let hour = time as f64 / HOUR as f64;
        match self {
            Trace::Steady | Trace::Burst => BASE,
            Trace::Diurnal => {
                let day = (1.0 - ((hour - 2.0) / 24.0 * std::f64::consts::TAU).cos()) / 2.0;
                500.0 + 7500.0 * day
            }
            Trace::Step => {
                if (2 * HOUR..10 * HOUR).contains(&time) {
                    10.0 * BASE
                } else {
                    BASE
                }
            }
            Trace::Spike => {
                if (2 * HOUR..2 * HOUR + 600).contains(&time) {
                    10.0 * BASE
                } else {
                    BASE
                }
            }
            Trace::Ramp => 500.0 + 7500.0 * (1.0 - ((hour - 8.0).abs() / 6.0).min(1.0)),
            Trace::Noisy(seed) => 3.0 * BASE * (0.3 * normal(seed * DAY + time / 60)).exp(),
            Trace::Skewed => {
                if self.is_skewed(time) {
                    4.0 * BASE
                } else {
                    2.0 * BASE
                }
            }
            Trace::BrokerOutage => match time {
                t if (2 * HOUR..3 * HOUR).contains(&t) => 0.0,
                t if (3 * HOUR..3 * HOUR + 600).contains(&t) => 2.0 * BASE * 7.0,
                _ => 2.0 * BASE,
            },
            Trace::SlowNodes => 3.0 * BASE,
            Trace::Quarter => BASE / 10.0 * if (2 * HOUR..4 * HOUR).contains(&time) { 4.0 } else { 1.0 },
        }
    }

    /// Part of what arrives that goes to each partition.
    pub fn parts(self, time: u64) -> [f64; PARTITIONS] {
        let mut parts = [1.0 / PARTITIONS as f64; PARTITIONS];
        if self.is_skewed(time) {
            parts = [0.55 / (PARTITIONS - 1) as f64; PARTITIONS];
            parts[5] = 0.45;
        }
        parts
    }

    /// Records that wait when what did not work works again.
    pub fn left_behind(self) -> f64 {
        match self {
            Trace::Burst => 2.0 * HOUR as f64 * BASE,
            _ => 0.0,
        }
    }

    /// What does not work.
    pub fn trouble(self, time: u64) -> Trouble {
        match self {
            Trace::Burst if (2 * HOUR..4 * HOUR).contains(&time) => Trouble::Store,
            Trace::BrokerOutage if (2 * HOUR..3 * HOUR).contains(&time) => Trouble::Brokers,
            _ => Trouble::None,
        }
    }

    /// How much more a record costs on the node of a worker.
    pub fn slowness(self, time: u64, worker: usize) -> f64 {
        let is_slow = self == Trace::SlowNodes && (2 * HOUR..8 * HOUR).contains(&time) && worker.is_multiple_of(2);
        if is_slow { 2.0 } else { 1.0 }
    }

    fn is_skewed(self, time: u64) -> bool {
        self == Trace::Skewed && (2 * HOUR..6 * HOUR).contains(&time)
    }
}

/// A number of the normal distribution, the same for the same seed: twelve uniform ones, less six.
fn normal(seed: u64) -> f64 {
    (0..12).map(|part| uniform(seed * 12 + part)).sum::<f64>() - 6.0
}

/// SplitMix64 of a seed, as a number from 0 to 1.
fn uniform(seed: u64) -> f64 {
    let mut bits = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}
