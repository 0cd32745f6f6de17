//! Resizes that are refused: when they are tried again, and what is remembered of them. Pure.

use std::time::Duration;

use gristmill_sizing::{Resize, Size};

use super::sizing::{Memory, Refusal};

/// Shortest time between two tries of a resize that is refused.
const BETWEEN_TRIES: Duration = Duration::from_secs(60);

/// Whether a resize gives or takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// It gives.
    More,
    /// It takes.
    Less,
}

impl Direction {
    /// The direction from what a pod has to what it is to have.
    pub fn of(has: u32, wanted: u32) -> Self {
        if wanted > has { Self::More } else { Self::Less }
    }
}

/// The tries of one reconcile.
#[derive(Debug)]
pub struct Tries<'a> {
    memory: &'a mut Memory,
    /// What was refused before, in the order of [`Direction`].
    more_before: Option<Refusal>,
    less_before: Option<Refusal>,
    now: u64,
}

impl<'a> Tries<'a> {
    /// The tries of now. What was refused and is not asked for any more is forgotten.
    pub fn new(memory: &'a mut Memory, now: u64) -> Self {
        let (more_before, less_before) = (memory.refused.take(), memory.less_refused.take());
        Self { memory, more_before, less_before, now }
    }

    /// Whether the cluster can change pods in place, as far as is known.
    pub fn is_resize_served(&self) -> bool {
        !self.memory.is_resize_missing
    }

    /// The cluster can't.
    pub fn not_served(&mut self) {
        self.memory.is_resize_missing = true;
    }

    /// Whether a resize in this direction is not to be tried now: it was refused a moment ago.
    pub fn waits(&mut self, direction: Direction) -> bool {
        let before = self.before(direction).cloned();
        let is_recent = |refused: &Refusal| self.now.saturating_sub(refused.tried) < BETWEEN_TRIES.as_secs();
        let is_recent = before.as_ref().is_some_and(is_recent);
        let known = self.known(direction);
        if is_recent && known.is_none() {
            *known = before;
        }
        known.is_some()
    }

    /// A resize of a pod that has this much was refused.
    pub fn refused(&mut self, direction: Direction, has: u32, message: &str) {
        let refusal = Refusal::new(message, has, self.now, self.before(direction));
        *self.known(direction) = Some(refusal);
    }

    /// What none of the pods can do without is part of the size that was decided: driving on to less would only be refused
    /// again. The refusal stays known, and keeps the next decisions from it for a while. `least` is what each pod has, and
    /// `before` the size that was in effect, with the last change that took away: if nothing has become of this one, it is no
    /// change for which the next one would have to wait.
    pub fn end(self, least: Option<u32>, before: Option<(Size, Option<Resize>)>) {
        let Some(decided) = self.memory.decided.as_mut() else { return };
        match &self.memory.less_refused {
            Some(_) => {
                decided.cpu = decided.cpu.max(least.unwrap_or(0));
                if let Some((_, last_down)) = before.filter(|(running, _)| running == decided) {
                    self.memory.history.last_down = last_down;
                }
            }
            None => self.memory.less_refused = self.less_before,
        }
    }

    fn before(&self, direction: Direction) -> Option<&Refusal> {
        match direction {
            Direction::More => self.more_before.as_ref(),
            Direction::Less => self.less_before.as_ref(),
        }
    }

    fn known(&mut self, direction: Direction) -> &mut Option<Refusal> {
        match direction {
            Direction::More => &mut self.memory.refused,
            Direction::Less => &mut self.memory.less_refused,
        }
    }
}
