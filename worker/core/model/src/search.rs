//! Breadth-first search over every state that a model can reach.
//!
//! States are told apart by 128-bit fingerprints, so that only the frontier is held in full; a schedule is found again by
//! replaying the choices that led to it. Levels are explored by several threads and end together: the first violation
//! that is found is one of the fewest steps.

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use foldhash::quality::FixedState;

use crate::memory;

/// States that a thread takes at a time.
const CHUNK: usize = 256;
/// Parts of the set of fingerprints, each with a lock of its own.
const SHARDS: usize = 64;

/// Something with states, and steps between them.
pub trait Model: Sync {
    /// All that decides what can happen next.
    type State: Copy + Eq + Hash + Send + Sync;
    /// What a step is called.
    type Label: Copy + Send;

    /// Where every schedule begins.
    fn initial(&self) -> Self::State;

    /// Every step from a state, always in the same order.
    fn successors(&self, state: &Self::State, steps: &mut Vec<Step<Self::State, Self::Label>>);
}

/// One step of a schedule.
#[derive(Debug, Clone, Copy)]
pub struct Step<S, L> {
    /// What happened.
    pub label: L,
    /// The state after it.
    pub state: S,
    /// The invariants that it breaks, one bit each.
    pub broken: u32,
}

/// How far a search goes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Threads that explore a level.
    pub threads: usize,
    /// Resident memory at which the search gives up.
    pub bytes: u64,
    /// States at which the search gives up.
    pub states: usize,
}

/// What a search found.
#[derive(Debug, Clone)]
pub struct Outcome<S, L> {
    /// Different states.
    pub states: usize,
    /// Steps taken between them.
    pub transitions: usize,
    /// Steps to the state that is furthest from the first.
    pub depth: usize,
    /// Whether no state is left that was not explored.
    pub exhaustive: bool,
    /// Time that it took.
    pub elapsed: Duration,
    /// The shortest schedule to a broken invariant.
    pub violation: Option<Vec<Step<S, L>>>,
}

/// How a state was reached: by which step of which state of the level before.
#[derive(Clone, Copy)]
struct Origin {
    parent: u32,
    choice: u16,
}

struct Found {
    level: usize,
    origin: Origin,
}

/// Explores a model to the end, or to the first violation, or to the limits.
///
/// `looked_for` has the bits of the invariants that count; steps that break others are taken as if they did not.
pub fn search<M: Model>(model: &M, limits: Limits, looked_for: u32) -> Outcome<M::State, M::Label> {
    let begun = Instant::now();
    let seen = Seen::default();
    let initial = model.initial();
    seen.insert(&initial);
    let mut frontier = vec![initial];
    let mut origins: Vec<Vec<Origin>> = vec![vec![]];
    let (mut states, mut transitions, mut depth) = (1, 0, 0);
    let (mut exhaustive, mut found) = (true, None);
    while !frontier.is_empty() {
        let level = explore_level(model, &frontier, &seen, limits, looked_for);
        transitions += level.transitions;
        if let Some(origin) = level.violation {
            found = Some(Found { level: origins.len() - 1, origin });
            exhaustive = false;
            break;
        }
        states += level.states.len();
        if level.gave_up || states >= limits.states || memory::resident() > limits.bytes {
            exhaustive = false;
            break;
        }
        depth += usize::from(!level.states.is_empty());
        frontier = level.states;
        origins.push(level.origins);
    }
    let violation = found.map(|found| replay(model, &origins, found));
    Outcome { states, transitions, depth, exhaustive, elapsed: begun.elapsed(), violation }
}

struct Level<S> {
    states: Vec<S>,
    origins: Vec<Origin>,
    transitions: usize,
    violation: Option<Origin>,
    gave_up: bool,
}

fn explore_level<M: Model>(
    model: &M,
    frontier: &[M::State],
    seen: &Seen,
    limits: Limits,
    looked_for: u32,
) -> Level<M::State> {
    let cursor = AtomicUsize::new(0);
    let explored = |(): ()| {
        let mut part =
            Level { states: Vec::new(), origins: Vec::new(), transitions: 0, violation: None, gave_up: false };
        let mut steps = Vec::new();
        loop {
            let start = cursor.fetch_add(CHUNK, Ordering::Relaxed);
            let Some(chunk) = frontier.get(start..(start + CHUNK).min(frontier.len())).filter(|c| !c.is_empty()) else {
                return part;
            };
            if memory::resident_rarely(start) > limits.bytes {
                part.gave_up = true;
                return part;
            }
            for (offset, state) in chunk.iter().enumerate() {
                let parent = u32::try_from(start + offset).expect("a level has fewer than 2^32 states");
                steps.clear();
                model.successors(state, &mut steps);
                part.transitions += steps.len();
                for (choice, step) in steps.iter().enumerate() {
                    let choice = u16::try_from(choice).expect("a state has fewer than 2^16 steps");
                    let origin = Origin { parent, choice };
                    if step.broken & looked_for != 0 {
                        let earlier = part.violation.is_some_and(|earlier| earlier.parent < parent);
                        part.violation = if earlier { part.violation } else { Some(origin) };
                    } else if seen.insert(&step.state) {
                        part.states.push(step.state);
                        part.origins.push(origin);
                    }
                }
                if part.violation.is_some() {
                    return part;
                }
            }
        }
    };
    let parts: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..limits.threads).map(|_| scope.spawn(|| explored(()))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread of the search ends by itself")).collect()
    });
    parts
        .into_iter()
        .reduce(|mut all, part| {
            all.states.extend(part.states);
            all.origins.extend(part.origins);
            all.transitions += part.transitions;
            all.violation = [all.violation, part.violation].into_iter().flatten().min_by_key(|origin| origin.parent);
            all.gave_up |= part.gave_up;
            all
        })
        .expect("there is at least one thread")
}

/// Takes the choices that led to a violation once more.
fn replay<M: Model>(model: &M, origins: &[Vec<Origin>], found: Found) -> Vec<Step<M::State, M::Label>> {
    let mut choices = vec![found.origin.choice];
    let mut index = found.origin.parent;
    for level in (1..=found.level).rev() {
        let Origin { parent, choice } = origins[level][index as usize];
        choices.push(choice);
        index = parent;
    }
    let mut state = model.initial();
    let mut steps = Vec::new();
    let mut schedule = Vec::new();
    for choice in choices.into_iter().rev() {
        steps.clear();
        model.successors(&state, &mut steps);
        let step = steps[usize::from(choice)];
        state = step.state;
        schedule.push(step);
    }
    schedule
}

/// The fingerprints of all states so far.
struct Seen {
    shards: Vec<Mutex<HashSet<u128, BuildHasherDefault<Fingerprint>>>>,
    high: FixedState,
    low: FixedState,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            high: FixedState::with_seed(1),
            low: FixedState::with_seed(2),
        }
    }
}

impl Seen {
    /// Whether the state is new.
    fn insert<S: Hash>(&self, state: &S) -> bool {
        let (high, low) = (self.high.hash_one(state), self.low.hash_one(state));
        let shard = &self.shards[(high % SHARDS as u64) as usize];
        let fingerprint = u128::from(high) << 64 | u128::from(low);
        shard.lock().expect("no thread of the search panics").insert(fingerprint)
    }
}

/// Takes a fingerprint as its own hash.
#[derive(Default)]
struct Fingerprint(u64);

impl Hasher for Fingerprint {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only 128-bit fingerprints are hashed")
    }

    fn write_u128(&mut self, fingerprint: u128) {
        self.0 = fingerprint as u64;
    }
}
