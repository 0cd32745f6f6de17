//! Appending an entry (rules 5 to 7).

use gristmill_core::log::Data;

use super::{Appended, Zone, ZoneError};

impl Zone {
    /// Reads the entries that came since.
    ///
    /// # Errors
    /// The log is corrupt or of another version, or the store fails.
    pub async fn refresh(&mut self) -> Result<(), ZoneError> {
        todo!()
    }

    /// Appends an entry and does not return before it is decided, or the store was unavailable for too long.
    ///
    /// # Errors
    /// `Undecided` if an earlier append is not decided; after an error of the store this one is undecided:
    /// [`Self::decide`] goes on with it. `Replaced` if the zone is no longer ours.
    pub async fn append(&mut self, _data: Data) -> Result<Appended, ZoneError> {
        todo!()
    }

    /// Goes on with an append whose outcome is unknown; `None` if there is none.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn decide(&mut self) -> Result<Option<Appended>, ZoneError> {
        todo!()
    }
}
