//! Labels, annotations and names that the operator writes and others look for.

/// Label with the StreamIngest that an object belongs to.
pub const STREAM_INGEST: &str = "gristmill.dev/stream-ingest";
/// Label with the HourlyCompaction that an object belongs to.
pub const HOURLY_COMPACTION: &str = "gristmill.dev/hourly-compaction";
/// Annotation of a StreamIngest with the token by which a user ends a hold; each token does so once.
pub const RESUME: &str = "gristmill.dev/resume";
/// Annotation of a worker's pod with the CPU that it has, as a quantity such as 750m. A request that was changed in place
/// shows in no file of the process, so it is told by this one.
pub const CPU: &str = "gristmill.dev/cpu";
/// Annotation of a StreamIngest's Deployment with what the operator remembers of its size.
pub const SIZING: &str = "gristmill.dev/sizing";

/// Name of the container; its state and its termination message are read back by it.
pub const CONTAINER: &str = "gristmill";

/// Name of the Deployment and the ServiceAccount of a StreamIngest.
pub fn ingest_name(name: &str) -> String {
    format!("{name}-ingest")
}

/// Name of the CronJob and the ServiceAccount of an HourlyCompaction. At most 51 of 52 possible characters.
pub fn compaction_name(name: &str) -> String {
    format!("{name}-compaction")
}
