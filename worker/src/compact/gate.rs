//! A share of the memory: who enters takes bytes of it, and waits until there are as many.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::Error;

/// Bytes are counted by so many.
const UNIT: usize = 4 << 10;

/// A share of the memory.
pub(super) struct Gate {
    units: usize,
    free: Semaphore,
    /// The memory with which so many bytes would fit into this share.
    memory_for: fn(usize) -> u64,
}

impl Gate {
    pub(super) fn new(bytes: usize, memory_for: fn(usize) -> u64) -> Self {
        // A semaphore counts its permits of one waiter in 32 bits.
        let units = (bytes / UNIT).clamp(1, u32::MAX as usize >> 4);
        Self { units, free: Semaphore::new(units), memory_for }
    }

    /// Waits for bytes; they are given back when the permit is dropped.
    ///
    /// # Errors
    /// The share has never so many.
    pub(super) async fn enter(
        &self,
        bytes: usize,
        what: impl FnOnce() -> String,
    ) -> Result<SemaphorePermit<'_>, Error> {
        let units = bytes.div_ceil(UNIT).max(1);
        if units > self.units {
            let (needed, share) = (bytes as u64, (self.units * UNIT) as u64);
            return Err(Error::Memory { what: what(), needed, share, memory: (self.memory_for)(bytes) });
        }
        Ok(self.acquire(units).await)
    }

    /// Waits for bytes, or for the whole share if they are more.
    pub(super) async fn enter_clamped(&self, bytes: usize) -> SemaphorePermit<'_> {
        self.acquire(bytes.div_ceil(UNIT).clamp(1, self.units)).await
    }

    async fn acquire(&self, units: usize) -> SemaphorePermit<'_> {
        let units = u32::try_from(units).expect("a share has no more units");
        self.free.acquire_many(units).await.expect("nobody closes it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_never_fits_is_refused_with_the_memory_that_would_do() {
        let gate = Gate::new(1 << 20, |bytes| bytes as u64 * 4);
        let error = gate.enter(3 << 20, || "a row group of x".to_owned()).await.err().unwrap().to_string();
        assert!(error.contains("a row group of x takes 3 MiB"), "{error}");
        assert!(error.contains("1 MiB for it") && error.contains("--memory 12Mi"), "{error}");
    }

    #[tokio::test]
    async fn who_comes_when_there_is_too_little_waits() {
        let gate = Gate::new(1 << 20, |bytes| bytes as u64);
        let first = gate.enter(800 << 10, String::new).await.unwrap();
        let second = gate.enter(800 << 10, String::new);
        tokio::pin!(second);
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        assert!(second.await.is_ok());
    }
}
