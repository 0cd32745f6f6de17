//! What the processes of a run share, and the scheduler that lets one of them go on at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use gristmill_core::log::layout;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

use super::Violation;
use super::checker::Checker;
use super::faults::{FaultPlan, FaultStore};
use crate::store::{MemoryStore, Store, StoreClock, StorePath, ZoneUrl};
use crate::zone::rules::Rules;
use crate::zone::{Clock, Ids, Surroundings};

/// Steps after which a run is taken for stuck: a hundred times what the longest needs.
const STUCK_AFTER: u64 = 5_000_000;

/// What the processes of a run share.
#[derive(Clone)]
pub(super) struct World {
    pub(super) memory: MemoryStore,
    state: Arc<Mutex<State>>,
    ghost: Ghost,
}

/// What each slot held when it was first taken, and each staged file when it was closed: the log and its rows as they were,
/// also after truncation and sweeping. A slot that is taken again afterwards is not in it.
#[derive(Clone, Default)]
pub(super) struct Ghost {
    first: Arc<Mutex<BTreeMap<String, Bytes>>>,
}

impl Ghost {
    pub(super) fn content(&self, path: &str) -> Option<Bytes> {
        self.lock().get(path).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.first.lock().expect("no process panics while it holds the ghost")
    }
}

#[derive(Clone)]
struct State {
    time: DateTime<Utc>,
    ids: u128,
    operations: u64,
    changes: u64,
    hung: Vec<HungRename>,
    dead: BTreeSet<usize>,
    processes: usize,
    meddled: bool,
}

/// A rename that the NameNode has not executed yet although its caller has given up.
#[derive(Clone)]
struct HungRename {
    from: StorePath,
    to: StorePath,
    /// Lands once the world has seen so many operations; never, if the scheduler is to choose.
    lands_at: Option<u64>,
}

impl World {
    pub(super) fn new() -> Self {
        let time = "2026-11-23T05:00:00Z".parse().expect("a time");
        let state = State {
            time,
            ids: 0,
            operations: 0,
            changes: 0,
            hung: Vec::new(),
            dead: BTreeSet::new(),
            processes: 0,
            meddled: false,
        };
        let state = Arc::new(Mutex::new(state));
        Self { memory: MemoryStore::with_clock(clock_of(&state)), state, ghost: Ghost::default() }
    }

    pub(super) fn url() -> &'static ZoneUrl {
        static URL: LazyLock<ZoneUrl> =
            LazyLock::new(|| "hdfs://simulated:8020/raw/books".parse().expect("a zone URL"));
        &URL
    }

    /// A world of its own that begins where this one is.
    pub(super) fn fork(&self) -> Self {
        let state = Arc::new(Mutex::new(self.lock().clone()));
        let ghost = Ghost { first: Arc::new(Mutex::new(self.ghost.lock().clone())) };
        Self { memory: self.memory.fork(clock_of(&state)), state, ghost }
    }

    /// The surroundings of a new process, whose store fails as planned; with the number of that process.
    pub(super) fn process(&self, plan: FaultPlan, rules: Rules) -> (usize, Surroundings) {
        let number = {
            let mut state = self.lock();
            state.processes += 1;
            state.processes
        };
        let store: Arc<dyn Store> = Arc::new(FaultStore::new(self.clone(), number, plan));
        let world = Arc::new(self.clone());
        let surroundings =
            Surroundings { rules, ..Surroundings::new(store, Self::url().clone(), Arc::<Self>::clone(&world), world) };
        (number, surroundings.with_patience(Duration::from_secs(20)))
    }

    /// Surroundings without faults.
    pub(super) fn calm(&self) -> Surroundings {
        self.process(FaultPlan::none(), Rules::all()).1
    }

    /// Begins an operation: time goes on, and renames that hang until now land.
    pub(super) fn begin_operation(&self) {
        let due: Vec<_> = {
            let mut state = self.lock();
            state.operations += 1;
            state.time += TimeDelta::milliseconds(10);
            let now = state.operations;
            state.hung.extract_if(.., |hung| hung.lands_at.is_some_and(|at| at <= now)).collect()
        };
        due.into_iter().for_each(|hung| self.land(hung));
    }

    pub(super) fn ghost(&self) -> Ghost {
        self.ghost.clone()
    }

    /// Remembers what stands under a name, if it is the first that does.
    pub(super) fn remember(&self, path: &StorePath) {
        let is_slot = layout::slot_sequence(path.name()).is_some();
        if (is_slot || path.name().ends_with(".staged"))
            && let Some(bytes) = self.memory.content(path.as_str())
        {
            self.ghost.lock().entry(path.to_string()).or_insert(bytes);
        }
    }

    /// Removes the zone as somebody with a shell would.
    pub(super) fn remove_zone(&self) {
        self.memory.remove_tree(Self::url().directory());
        self.memory.remove_tree(Self::url().rejected().directory());
        self.ghost.lock().clear();
        self.changed();
    }

    /// Draws other ids than an earlier world did.
    pub(super) fn skip_ids(&self, count: u128) {
        self.lock().ids += count;
    }

    /// Puts the content of a slot into the log as it was.
    pub(super) fn remember_as(&self, path: String, bytes: Bytes) {
        self.ghost.lock().entry(path).or_insert(bytes);
    }

    /// Lets time pass.
    pub(super) fn pass(&self, time: TimeDelta) {
        self.lock().time += time;
    }

    pub(super) fn changes(&self) -> u64 {
        self.lock().changes
    }

    pub(super) fn changed(&self) {
        self.lock().changes += 1;
    }

    /// Puts bytes in the place of a file's; from then on invariants are not looked at.
    pub(super) fn meddle(&self, path: &StorePath, bytes: &'static [u8]) {
        self.memory.replace(path, Bytes::from_static(bytes));
        self.lock().meddled = true;
    }

    pub(super) fn hang(&self, from: &StorePath, to: &StorePath, after: Option<u64>) {
        let mut state = self.lock();
        let lands_at = after.map(|after| state.operations + after);
        state.hung.push(HungRename { from: from.clone(), to: to.clone(), lands_at });
    }

    pub(super) fn die(&self, process: usize) {
        self.lock().dead.insert(process);
    }

    pub(super) fn is_dead(&self, process: usize) -> bool {
        self.lock().dead.contains(&process)
    }

    /// Lands every rename that still hangs.
    pub(super) fn land_all(&self) {
        let hung = std::mem::take(&mut self.lock().hung);
        hung.into_iter().for_each(|hung| self.land(hung));
    }

    fn land_one(&self, random: &mut StdRng) {
        let hung = {
            let mut state = self.lock();
            let count = state.hung.len();
            (count > 0).then(|| state.hung.swap_remove(random.random_range(0..count)))
        };
        if let Some(hung) = hung {
            self.land(hung);
        }
    }

    fn land(&self, HungRename { from, to, .. }: HungRename) {
        // Nobody waits for the outcome.
        drop(self.memory.link(&from, &to).map(|()| self.memory.unlink(&from)));
        self.remember(&to);
        self.changed();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no process panics while it holds the state")
    }
}

/// The store tells the time of the world.
fn clock_of(state: &Arc<Mutex<State>>) -> StoreClock {
    let state = Arc::clone(state);
    Arc::new(move || state.lock().expect("no process panics while it holds the state").time)
}

#[async_trait]
impl Clock for World {
    fn now(&self) -> DateTime<Utc> {
        self.lock().time
    }

    fn uptime(&self) -> Duration {
        (self.now() - DateTime::<Utc>::UNIX_EPOCH).to_std().expect("a time after 1970")
    }

    async fn sleep(&self, duration: Duration) {
        let target = self.now() + TimeDelta::from_std(duration).expect("a short pause");
        turn().await;
        let mut state = self.lock();
        state.time = state.time.max(target);
    }
}

impl Ids for World {
    fn draw(&self) -> Uuid {
        let mut state = self.lock();
        state.ids += 1;
        Uuid::from_u128(state.ids)
    }
}

/// Gives the turn back to the scheduler once.
pub(super) async fn turn() {
    let mut given = false;
    std::future::poll_fn(|context| {
        if given {
            return Poll::Ready(());
        }
        given = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

type Running = Pin<Box<dyn Future<Output = Result<(), Violation>> + Send>>;

/// Lets processes take turns, chosen by seed, and has the checker look after every change.
pub(super) struct Scheduler {
    world: World,
    random: StdRng,
    processes: Vec<(usize, Running)>,
    /// None where a look after every change would take too long.
    checker: Option<Checker>,
    /// Whether processes fall asleep for long, each by chance.
    sleepers: Option<BTreeMap<usize, u64>>,
}

impl Scheduler {
    pub(super) fn new(world: &World, seed: u64) -> Self {
        Self {
            world: world.clone(),
            random: StdRng::seed_from_u64(seed),
            processes: Vec::new(),
            checker: Some(Checker::new(world)),
            sleepers: None,
        }
    }

    pub(super) fn checked_at_rest_only(self) -> Self {
        Self { checker: None, ..self }
    }

    /// Has processes fall asleep, for up to as many steps as another needs for a few commits.
    pub(super) fn with_sleepers(self) -> Self {
        Self { sleepers: Some(BTreeMap::new()), ..self }
    }

    /// Who goes on: one that is awake, if anybody is.
    fn choose(&mut self, step: u64) -> usize {
        let chosen = self.random.random_range(0..self.processes.len());
        let Some(sleepers) = &mut self.sleepers else { return chosen };
        if self.random.random_ratio(1, 60) {
            let until = step + self.random.random_range(50..1500);
            sleepers.insert(self.processes[chosen].0, until);
        }
        let awake = |number: &usize| sleepers.get(number).is_none_or(|until| *until <= step);
        let others = (0..self.processes.len()).map(|offset| (chosen + offset) % self.processes.len());
        others.into_iter().find(|index| awake(&self.processes[*index].0)).unwrap_or(chosen)
    }

    pub(super) fn spawn(
        &mut self,
        number: usize,
        process: impl Future<Output = Result<(), Violation>> + Send + 'static,
    ) {
        self.processes.push((number, Box::pin(process)));
    }

    /// Runs until every process has ended or died.
    pub(super) fn run(&mut self) -> Result<(), Violation> {
        let mut context = Context::from_waker(Waker::noop());
        let mut seen_changes = 0;
        for step in 0..STUCK_AFTER {
            let world = &self.world;
            self.processes.retain(|(number, _)| !world.is_dead(*number));
            if self.processes.is_empty() {
                return Ok(());
            }
            if self.random.random_ratio(1, 40) {
                self.world.land_one(&mut self.random);
            }
            let chosen = self.choose(step);
            if let Poll::Ready(ended) = self.processes[chosen].1.as_mut().poll(&mut context) {
                ended?;
                drop(self.processes.swap_remove(chosen));
            }
            let State { changes, meddled, .. } = *self.world.lock();
            if let Some(checker) = self.checker.as_mut().filter(|_| changes != seen_changes && !meddled) {
                seen_changes = changes;
                checker.check_always()?;
            }
        }
        Err(format!("{} processes are still running after {STUCK_AFTER} steps", self.processes.len()))
    }
}

/// Runs one future alone.
pub(super) fn alone<T: Send + 'static>(
    world: &World,
    number: usize,
    process: impl Future<Output = T> + Send + 'static,
) -> Result<Option<T>, Violation> {
    let result = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&result);
    let mut scheduler = Scheduler::new(world, 0);
    scheduler.spawn(number, async move {
        let value = process.await;
        *slot.lock().expect("the only process holds it") = Some(value);
        Ok(())
    });
    scheduler.run()?;
    let value = result.lock().expect("the only process has ended").take();
    Ok(value)
}
