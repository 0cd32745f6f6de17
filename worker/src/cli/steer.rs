//! A RAW zone that a command steers by one entry, without Kafka: as what its own log says it is.

use gristmill_core::log::{Digest, Genesis, Sequence};

use crate::exit::{Exit, Failure};
use crate::zone::{Appended, Surroundings, Zone, ZoneError, ZoneReader};

/// Opens the RAW zone for writing.
///
/// # Errors
/// There is none, it is a Processed zone, into which nothing was written then, or the store fails.
pub(super) async fn open(surroundings: Surroundings, digest: Digest) -> Result<Zone, Failure> {
    let reader = ZoneReader::open(surroundings).await?;
    match reader.fold().genesis() {
        Genesis::Raw(_) => Ok(Zone::join(&reader, digest).await?),
        Genesis::Processed(_) => Err(not_raw(reader.surroundings())),
    }
}

/// The failure of a Processed zone where a RAW one is needed.
pub(super) fn not_raw(surroundings: &Surroundings) -> Failure {
    Failure {
        exit: Exit::Usage,
        reason: "NotARawZone",
        message: format!("{} is a Processed zone; give the RAW path of its StreamIngest", surroundings.url()),
    }
}

/// Where the entry stands.
///
/// # Errors
/// Another entry made it pointless, or the store is away for longer than the zone waits. Whether the entry stands is
/// unknown then: repeating the command finds out.
pub(super) fn won(appended: Result<Appended, ZoneError>) -> Result<Sequence, Failure> {
    match appended? {
        Appended::Won(sequence) => Ok(sequence),
        Appended::Lost(refusal) => Err(Failure {
            exit: Exit::Zone,
            reason: "Refused",
            message: format!("the zone has moved on, nothing was changed: {refusal}; look with `gristmill inspect`"),
        }),
    }
}
