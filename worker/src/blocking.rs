//! CPU work beside the async threads: encoding, decoding and sorting take milliseconds, in which nothing else would move.

use std::panic::resume_unwind;

/// Runs work on a thread of its own. A panic in it is one here.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // Work that has not begun is cancelled when the runtime ends, and so is this.
            Err(_cancelled) => std::future::pending().await,
        },
    }
}
