//! One size for the whole day, which is enough for its highest minute at 70 % use, and to work off what an outage
//! leaves within catchUpDuration: the peak of what is needed, by the same formula as ours.
//!
//! In favour of the peer: whoever chose it knew the day before it began, skew, slow nodes and the outage included.

use gristmill_sizing::Size;

use super::{Policy, Resize};
use crate::cluster::Cluster;
use crate::trace::{DAY, Trace};
use crate::{COST, MAX_CPU, MAX_REPLICAS, PARTITIONS};

const USE: f64 = 0.7;
const MINUTE: u64 = 60;
const CATCH_UP: f64 = 1800.0;

/// A size that stays.
#[derive(Debug)]
pub struct Peak {
    size: Size,
}

impl Peak {
    /// The cheapest size that does.
    pub fn of(trace: Trace) -> Peak {
        let size = |replicas: u32| Size { replicas, cpu: (cpu(trace, replicas as usize) / 50.0).ceil() as u32 * 50 };
        let fits = |size: &Size| size.total() <= u64::from(MAX_CPU);
        let cheapest = (1..=MAX_REPLICAS).map(size).filter(fits).min_by_key(|size| size.total());
        Peak { size: cheapest.unwrap_or(Size { replicas: MAX_REPLICAS, cpu: MAX_CPU / MAX_REPLICAS }) }
    }
}

/// What the fullest of so many workers needs in its worst minute, in thousandths of a core.
fn cpu(trace: Trace, replicas: usize) -> f64 {
    let minutes = (0..DAY).step_by(MINUTE as usize);
    let needs = minutes.flat_map(|time| {
        (0..replicas).map(move |worker| {
            let parts = trace.parts(time);
            let part: f64 = (worker..PARTITIONS).step_by(replicas).map(|partition| parts[partition]).sum();
            (trace.arrival(time) + trace.left_behind() / CATCH_UP) * part * COST * trace.slowness(time, worker) * 1000.0
                / USE
        })
    });
    needs.fold(0.0, f64::max)
}

impl Policy for Peak {
    fn name(&self) -> &'static str {
        "static at peak"
    }

    fn decide(&mut self, cluster: &Cluster) -> Option<Resize> {
        (cluster.size != self.size).then_some(Resize::InPlace(self.size))
    }
}
