//! A share of the memory: who enters takes bytes of it, and waits until there are as many.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::Error;
use super::budget::Need;

/// Bytes are counted by so many.
const UNIT: usize = 4 << 10;

/// A share of the memory.
pub(super) struct Gate {
    units: usize,
    free: Semaphore,
    /// Who takes more than there is, up to so many bytes, enters alone.
    most: usize,
    /// The memory with which more would do.
    need: Need,
}

impl Gate {
    pub(super) fn new(bytes: usize, need: Need) -> Self {
        // A semaphore counts its permits of one waiter in 32 bits.
        let units = (bytes / UNIT).clamp(1, u32::MAX as usize >> 4);
        Self { units, free: Semaphore::new(units), most: units * UNIT, need }
    }

    /// Lets somebody in alone who takes more than there is, up to so many bytes.
    pub(super) fn alone_up_to(self, bytes: usize) -> Self {
        Self { most: bytes.max(self.most), ..self }
    }

    /// Waits for bytes; they are given back when the permit is dropped.
    ///
    /// # Errors
    /// There are never so many.
    pub(super) async fn enter(
        &self,
        bytes: usize,
        what: impl FnOnce() -> String,
    ) -> Result<SemaphorePermit<'_>, Error> {
        if bytes > self.most {
            let (needed, share) = (bytes as u64, self.most as u64);
            return Err(Error::Memory { what: what(), needed, share, memory: self.need.of(bytes) });
        }
        Ok(self.enter_clamped(bytes).await)
    }

    /// Waits for bytes, or for the whole share if they are more.
    pub(super) async fn enter_clamped(&self, bytes: usize) -> SemaphorePermit<'_> {
        let units = bytes.div_ceil(UNIT).clamp(1, self.units);
        let units = u32::try_from(units).expect("a share has no more units");
        self.free.acquire_many(units).await.expect("nobody closes it")
    }
}

#[cfg(test)]
mod tests {
    use super::super::Budget;
    use super::*;

    fn gate() -> Gate {
        Gate::new(1 << 20, Budget::default().to_settle())
    }

    #[tokio::test]
    async fn what_never_fits_is_refused_with_the_memory_that_would_do() {
        let error = gate().enter(3 << 20, || "a row group of x".to_owned()).await.err().unwrap().to_string();
        assert!(error.contains("a row group of x takes 3 MiB"), "{error}");
        // 96 MiB beside the buffers, of which a sixth is for this.
        assert!(error.contains("1 MiB for it") && error.contains("--memory 114Mi"), "{error}");
    }

    #[tokio::test]
    async fn who_comes_when_there_is_too_little_waits() {
        let gate = gate();
        let first = gate.enter(800 << 10, String::new).await.unwrap();
        let second = gate.enter(800 << 10, String::new);
        tokio::pin!(second);
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        assert!(second.await.is_ok());
    }

    #[tokio::test]
    async fn who_takes_more_than_there_is_waits_for_all_others() {
        let gate = gate().alone_up_to(2 << 20);
        let small = gate.enter(1, String::new).await.unwrap();
        let large = gate.enter(2 << 20, String::new);
        tokio::pin!(large);
        assert!(futures::poll!(&mut large).is_pending());
        drop(small);
        assert!(large.await.is_ok());
        assert!(gate.enter((2 << 20) + 1, String::new).await.is_err());
    }
}
