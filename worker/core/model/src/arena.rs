//! Values that are added and never change, read by every thread without a lock.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

const CHUNK: usize = 1 << 12;
const CHUNKS: usize = 1 << 12;

/// Part of an arena, made when its first value comes.
type Chunk<T> = OnceLock<Box<[OnceLock<T>]>>;

pub(crate) struct Arena<T> {
    chunks: Box<[Chunk<T>]>,
    len: AtomicUsize,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { chunks: (0..CHUNKS).map(|_| OnceLock::new()).collect(), len: AtomicUsize::new(0) }
    }
}

impl<T> Arena<T> {
    /// Adds a value and gives its index.
    pub(crate) fn push(&self, value: T) -> usize {
        let index = self.len.fetch_add(1, Ordering::Relaxed);
        let chunk = self.chunks[index / CHUNK].get_or_init(|| (0..CHUNK).map(|_| OnceLock::new()).collect());
        assert!(chunk[index % CHUNK].set(value).is_ok(), "an index is given once");
        index
    }

    /// The value of an index that `push` gave.
    pub(crate) fn get(&self, index: usize) -> &T {
        let chunk = self.chunks[index / CHUNK].get().expect("the index was given");
        chunk[index % CHUNK].get().expect("the value was set before its index was given")
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }
}
