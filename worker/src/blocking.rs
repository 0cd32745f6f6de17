//! CPU work beside the async threads: encoding, decoding and sorting take milliseconds, in which nothing else would move.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, mpsc};
use std::thread;

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// As many threads as there are processors, and always the same ones: the C library's allocator keeps memory apart for
/// each thread that ever asked for some, and a compaction on tokio's threads for blocking work took twice its memory.
static THREADS: LazyLock<mpsc::Sender<Job>> = LazyLock::new(|| {
    let (jobs, queue) = mpsc::channel::<Job>();
    let queue = Arc::new(Mutex::new(queue));
    let wanted = thread::available_parallelism().map_or(1, NonZero::get);
    let begun = (0..wanted).filter(|number| {
        let queue = Arc::clone(&queue);
        thread::Builder::new().name(format!("gristmill-cpu-{number}")).spawn(move || work(&queue)).is_ok()
    });
    if begun.count() == 0 {
        // A process that may have no threads works all the same, one job after the other.
        tracing::warn!("the system refuses threads for decoding and encoding");
    }
    jobs
});

fn work(queue: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        job();
    }
}

#[cfg(test)]
thread_local! {
    /// Pieces of work that this thread has given away: a test on one thread sees its own.
    pub(crate) static SENT: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Runs work on a thread of its own, or here where there is no runtime that has any: the executor of the simulation. A
/// panic in it is one here.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    #[cfg(test)]
    SENT.with(|sent| sent.set(sent.get() + 1));
    if tokio::runtime::Handle::try_current().is_err() {
        return work();
    }
    let (done, result) = oneshot::channel();
    let job = Box::new(move || {
        // Whoever waited may be gone.
        drop(done.send(catch_unwind(AssertUnwindSafe(work))));
    });
    if let Err(mpsc::SendError(job)) = THREADS.send(job) {
        job();
    }
    match result.await.expect("a job always sends") {
        Ok(made) => made,
        Err(panic) => resume_unwind(panic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_elsewhere_and_its_result_comes_back() {
        let here = thread::current().id();
        assert_ne!(blocking(|| thread::current().id()).await, here);
    }

    #[tokio::test]
    async fn panic_of_the_work_is_one_here_and_the_next_work_is_done() {
        let panicked = tokio::spawn(blocking(|| panic!("on purpose"))).await;
        assert!(panicked.unwrap_err().is_panic());
        assert_eq!(blocking(|| 7).await, 7);
    }
}
