//! Writes events of resources, and none twice within ten minutes.
//!
//! A fact that comes and goes, such as a quota that is full at times, would otherwise be a write with each turn, and push
//! what else happened out of what `kubectl describe` shows. The conditions tell how it is now.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder};

/// The same fact of the same resource is told again after this time, while it still comes.
const TOLD_FOR: SignedDuration = SignedDuration::from_mins(10);

/// The events of one operator.
pub struct Events {
    recorder: Recorder,
    told: Mutex<HashMap<Fact, Timestamp>>,
}

/// What makes an event another one than those before it. Its note does not: most have figures, which differ each time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Fact {
    uid: Option<String>,
    is_warning: bool,
    reason: String,
    action: String,
    subject: Subject,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// How it stands with the spec of this generation: another spec that is refused is another fact.
    Spec(Option<i64>),
    /// A change that was made, in these words. Each is one by itself.
    Change(String),
}

impl Events {
    /// Events that this recorder writes.
    pub fn new(recorder: Recorder) -> Self {
        Self { recorder, told: Mutex::default() }
    }

    /// Writes an event, unless the same was written a moment ago. Returns whether it was news.
    ///
    /// # Errors
    /// The API server refuses it or can't be reached. Where a right is missing it counts as told all the same: the next one
    /// would end likewise.
    pub async fn publish(
        &self,
        event: &Event,
        subject: Subject,
        of: &ObjectReference,
        now: Timestamp,
    ) -> Result<bool, kube::Error> {
        let fact = Fact {
            uid: of.uid.clone(),
            is_warning: event.type_ == EventType::Warning,
            reason: event.reason.clone(),
            action: event.action.clone(),
            subject,
        };
        if !self.is_news(&fact, now) {
            return Ok(false);
        }
        let written = self.recorder.publish(event, of).await;
        if let Err(error) = &written
            && !matches!(error, kube::Error::Api(answer) if answer.code == 403)
        {
            self.told.lock().unwrap_or_else(PoisonError::into_inner).remove(&fact);
        }
        written.map(|()| true)
    }

    fn is_news(&self, fact: &Fact, now: Timestamp) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back leaves times in the future, which tell nothing.
        told.retain(|_, time| *time <= now && now.duration_since(*time) < TOLD_FOR);
        if told.contains_key(fact) {
            return false;
        }
        told.insert(fact.clone(), now);
        true
    }
}
