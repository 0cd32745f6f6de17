//! Writes events of resources, and none twice within ten minutes.
//!
//! A fact that comes and goes, such as a quota that is full at times, would otherwise be a write with each turn, and push
//! what else happened out of what `kubectl describe` shows. The conditions tell how it is now.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, Recorder};

/// The same words of the same resource are told again after this time, while they still come.
const TOLD_FOR: SignedDuration = SignedDuration::from_mins(10);

/// The events of one operator.
pub struct Events {
    recorder: Recorder,
    told: Mutex<HashMap<Words, Timestamp>>,
}

/// What an event says, and of which object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Words {
    uid: Option<String>,
    reason: String,
    note: Option<String>,
}

impl Events {
    /// Events that this recorder writes.
    pub fn new(recorder: Recorder) -> Self {
        Self { recorder, told: Mutex::default() }
    }

    /// Writes an event, unless the same was written a moment ago.
    ///
    /// # Errors
    /// The API server refuses it or can't be reached. It counts as told all the same: the next one would end likewise.
    pub async fn publish(&self, event: &Event, of: &ObjectReference, now: Timestamp) -> Result<(), kube::Error> {
        let words = Words { uid: of.uid.clone(), reason: event.reason.clone(), note: event.note.clone() };
        if self.is_news(words, now) {
            self.recorder.publish(event, of).await?;
        }
        Ok(())
    }

    fn is_news(&self, words: Words, now: Timestamp) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back leaves times in the future, which tell nothing.
        told.retain(|_, time| *time <= now && now.duration_since(*time) < TOLD_FOR);
        if told.contains_key(&words) {
            return false;
        }
        told.insert(words, now);
        true
    }
}
