//! Who decides about the size, from what can be seen of the workers.

pub mod flink;
pub mod gristmill;
pub mod keda;
pub mod peak;

use gristmill_sizing::Size;

use crate::cluster::Cluster;
use crate::trace::Trace;

/// A way to size a stream.
pub trait Policy {
    /// Name in tables.
    fn name(&self) -> &'static str;

    /// The next size, if it is another one. Called after each step of the model.
    fn decide(&mut self, cluster: &Cluster) -> Option<Resize>;
}

/// A change of the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    /// Workers are added and removed one by one, CPU is given in place.
    InPlace(Size),
    /// Everything starts anew.
    Restart(Size),
}

/// All but ours, for one trace; the last is the one that core-hours are compared with.
pub fn peers(trace: Trace) -> Vec<Box<dyn Policy>> {
    vec![
        Box::new(keda::Keda::by_default()),
        Box::new(keda::Keda::of_a_minute()),
        Box::new(flink::Flink::default()),
        Box::new(peak::Peak::of(trace)),
    ]
}
