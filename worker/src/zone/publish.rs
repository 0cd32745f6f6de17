//! Making committed entries visible (rules 16 and 17).

use gristmill_core::log::Sequence;

use super::{Zone, ZoneError};

impl Zone {
    /// Publishes an entry, and with it those of other writers that have waited for too long.
    ///
    /// # Errors
    /// `LostFile` if a live file is nowhere or not of its recorded length; the store fails. Publishing again is safe.
    pub async fn publish(&mut self, _sequence: Sequence) -> Result<(), ZoneError> {
        todo!()
    }

    /// Publishes every folded entry that is not known to be published.
    ///
    /// # Errors
    /// As [`Self::publish`].
    pub async fn publish_all(&mut self) -> Result<(), ZoneError> {
        todo!()
    }
}
