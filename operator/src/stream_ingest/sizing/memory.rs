//! What is remembered of a StreamIngest's size from one reconcile to the next.
//!
//! It is held in memory, and what is worth it stands in an annotation of the Deployment, written by the apply that
//! carries a decision out. Losing it is safe: the size stays as the pods have it, and nothing is taken away before a
//! whole scaleDownInterval has been seen again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gristmill_sizing::{History, Refuser, Size};
use kube::api::DynamicObject;
use kube::runtime::reflector::ObjectRef;
use serde::{Deserialize, Serialize};

use crate::admission::is_by_namespace;

/// Shortest time between two writes that no decision asks for.
const BETWEEN_WRITES: Duration = Duration::from_secs(60);
/// Parts of the scale-down interval, after each of which needs are written. The decision begins the interval anew after a
/// twelfth of it that nobody watched: an operator that starts has the other half of that time.
const PARTS: u32 = 24;

/// What is remembered of one resource.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// The size that is being carried out; none where the document says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided: Option<Size>,
    /// Since when the template's CPU is off by more than a factor of two, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_off_since: Option<u64>,
    /// More CPU for a pod is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
    /// Less CPU for a pod is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub less_refused: Option<Refusal>,
    /// The cluster has no `pods/resize`. Found out anew by each process, since clusters are upgraded.
    #[serde(skip)]
    pub is_resize_missing: bool,
    /// What the decision remembers.
    pub history: History,
}

/// Most characters of a refusal that are remembered: a webhook's may be long.
const LONGEST_REFUSAL: usize = 500;

/// A resize that is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Since when, in seconds since 1970.
    pub since: u64,
    /// When it was tried last.
    pub tried: u64,
    /// CPU that the pod has, and keeps.
    pub cpu: u32,
    /// The API server's words, the first of them if they are many.
    pub message: String,
}

impl Refusal {
    /// What refuses it, by its words.
    pub fn by(&self) -> Refuser {
        if is_by_namespace(&self.message) { Refuser::Namespace } else { Refuser::Policy }
    }

    /// A refusal of now, for a pod with this CPU; `before` is the one before it, if nothing was accepted in between.
    pub fn new(message: &str, cpu: u32, now: u64, before: Option<&Refusal>) -> Self {
        let since = before.map_or(now, |before| before.since);
        Self { since, tried: now, cpu, message: message.chars().take(LONGEST_REFUSAL).collect() }
    }
}

impl Memory {
    /// Reads what an operator before this one wrote; what does not read is forgotten.
    pub fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// What the annotation is to say: what it says already, unless there is news to write.
    ///
    /// A change of the size is news at once. Needs are, a part of the scale-down interval after the last ones. That an idle
    /// resource still needs nothing is none: it writes nothing.
    pub fn to_write(&self, written: Option<&str>, scale_down: Duration) -> Option<String> {
        let lasting = self.lasting();
        if lasting == Memory::default() {
            return None;
        }
        let Some(text) = written else { return Some(lasting.to_text()) };
        // Both as they are read back: the last digit of a number may be another one then, which is no news.
        let (before, lasting) = (Memory::read(text), Memory::read(&lasting.to_text()));
        let is_due = before.decision() != lasting.decision() || {
            let passed = match (before.history.observed, lasting.history.observed) {
                (Some(before), Some(now)) => Duration::from_secs(now.abs_diff(before)),
                (None, Some(_)) => Duration::MAX,
                (_, None) => Duration::ZERO,
            };
            let is_idle = lasting.needs().ends_with(&[(0, 0)]) && before.needs() == lasting.needs();
            passed >= BETWEEN_WRITES.max(scale_down / PARTS) && !is_idle
        };
        Some(if is_due { lasting.to_text() } else { text.to_owned() })
    }

    /// What is worth writing. A need of this moment is not: after a restart it would count as one that has lasted.
    fn lasting(&self) -> Memory {
        let history = History { recent: Vec::new(), short_since: None, ..self.history.clone() };
        let without_tries =
            |refused: &Option<Refusal>| refused.clone().map(|refused| Refusal { tried: refused.since, ..refused });
        Memory {
            history,
            refused: without_tries(&self.refused),
            less_refused: without_tries(&self.less_refused),
            is_resize_missing: false,
            ..self.clone()
        }
    }

    /// All that a decision changes. What a quota says of how much is used changes all the time.
    fn decision(&self) -> Memory {
        let History { last_up, last_down, advised, most_granted, .. } = self.history.clone();
        let history = History { last_up, last_down, advised, most_granted, ..History::default() };
        let without_words =
            |refused: &Option<Refusal>| refused.clone().map(|refused| Refusal { message: String::new(), ..refused });
        let (refused, less_refused) = (without_words(&self.refused), without_words(&self.less_refused));
        Memory { history, refused, less_refused, ..self.clone() }
    }

    /// The needs that were seen, without when.
    fn needs(&self) -> Vec<(u64, u64)> {
        let rounded = |need: f64| need.round().max(0.0) as u64;
        let mut needs: Vec<(u64, u64)> =
            self.history.peaks.iter().map(|(_, need)| (rounded(need.total), rounded(need.hottest))).collect();
        needs.dedup();
        needs
    }

    fn to_text(&self) -> String {
        serde_json::to_string(self).expect("fields of a struct have string keys")
    }
}

/// What this process remembers, by resource.
#[derive(Debug, Default)]
pub struct Memories(Mutex<HashMap<ObjectRef<DynamicObject>, Kept>>);

/// The memory of the resource with this uid: another one of its name has another past.
#[derive(Debug)]
struct Kept {
    uid: Option<String>,
    memory: Memory,
}

impl Memories {
    /// What is remembered of the resource with this uid.
    pub fn of(&self, reference: &ObjectRef<DynamicObject>, uid: Option<&str>) -> Option<Memory> {
        let memories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memories.get(reference).filter(|kept| kept.uid.as_deref() == uid).map(|kept| kept.memory.clone())
    }

    /// Remembers.
    pub fn keep(&self, reference: &ObjectRef<DynamicObject>, uid: Option<&str>, memory: Memory) {
        let mut memories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memories.insert(reference.clone(), Kept { uid: uid.map(str::to_owned), memory });
    }

    /// Forgets a resource that is gone.
    pub fn forget(&self, reference: &ObjectRef<DynamicObject>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(reference);
    }
}

#[cfg(test)]
mod tests {
    use gristmill_sizing::{Resize, Size};

    use super::*;

    /// JSON's reader takes one number of ten for its neighbour.
    #[test]
    fn number_that_reads_back_as_its_neighbour_is_no_news() {
        let size = |replicas| Size { replicas, cpu: 100 };
        let scale_down = Duration::from_secs(3600);
        for number in 1..1000 {
            let throughput = 1000.0 * f64::from(number).sqrt() / 7.0;
            let last_up = Resize { time: 1_800_000_000, from: size(1), to: size(2), throughput };
            let history = History { last_up: Some(last_up), observed: Some(1_800_000_000), ..History::default() };
            let memory = Memory { history, ..Memory::default() };
            let written = memory.to_write(None, scale_down).expect("a change is news");
            // What is seen a moment later is not written yet.
            let mut later = memory;
            later.history.observed = Some(1_800_000_015);
            assert_eq!(later.to_write(Some(&written), scale_down), Some(written));
        }
    }

    #[test]
    fn words_of_a_refusal_are_bounded_and_no_news() {
        let words = |used: u32| format!("exceeded quota: small, used: requests.cpu={used}m, {}", "ä".repeat(100_000));
        let first = Refusal::new(&words(100), 500, 1_800_000_000, None);
        let memory = Memory { refused: Some(first.clone()), ..Memory::default() };
        let written = memory.to_write(None, Duration::from_secs(3600)).expect("a refusal is news");
        assert!(written.len() < 2000, "{} bytes", written.len());
        let again = Refusal::new(&words(200), 500, 1_800_000_060, Some(&first));
        let later = Memory { refused: Some(again), ..Memory::default() };
        assert_eq!(later.to_write(Some(&written), Duration::from_secs(3600)), Some(written));
    }
}
