//! Time and turns: tasks that are ready go on in an order that the seed decides, and time passes only while none is.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

use super::Violation;
use crate::zone::{Clock, Ids};

/// Steps after which a run is taken for stuck.
const STUCK_AFTER: u64 = 20_000_000;
/// Time after which a run is taken for stuck: far longer than any outage of a scenario.
const LATEST: Duration = Duration::from_secs(24 * 3600);

/// The clock, the ids and the dice of one run.
#[derive(Clone)]
pub(super) struct Timeline(Arc<Mutex<State>>);

struct State {
    random: StdRng,
    now: Duration,
    timers: BTreeMap<(Duration, u64), Waker>,
    drawn: u128,
    timers_set: u64,
}

impl Timeline {
    pub(super) fn new(seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed);
        let now = Duration::from_secs(1);
        Self(Arc::new(Mutex::new(State { random, now, timers: BTreeMap::new(), drawn: 0, timers_set: 0 })))
    }

    /// One of so many.
    pub(super) fn lot(&self, of: u64) -> u64 {
        self.lock().random.random_range(0..of.max(1))
    }

    /// Once in so many times.
    pub(super) fn once_in(&self, of: u64) -> bool {
        self.lot(of) == 0
    }

    /// A time below this one.
    pub(super) fn some(&self, below: Duration) -> Duration {
        Duration::from_millis(self.lot(u64::try_from(below.as_millis()).expect("a short time")))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while holding the state")
    }

    /// Goes on to the next timer; false if there is none.
    fn advance(&self) -> bool {
        let woken = {
            let mut state = self.lock();
            let Some(((at, number), waker)) = state.timers.pop_first() else { return false };
            let _ = number;
            state.now = state.now.max(at);
            waker
        };
        woken.wake();
        true
    }
}

#[async_trait]
impl Clock for Timeline {
    fn now(&self) -> DateTime<Utc> {
        let start: DateTime<Utc> = "2026-11-23T05:00:00Z".parse().expect("a time");
        start + TimeDelta::from_std(self.uptime()).expect("a short time")
    }

    fn uptime(&self) -> Duration {
        self.lock().now
    }

    async fn sleep(&self, duration: Duration) {
        let until = self.uptime() + duration;
        Sleep { timeline: self.clone(), until, timer: None }.await;
    }
}

impl Ids for Timeline {
    fn draw(&self) -> Uuid {
        let mut state = self.lock();
        state.drawn += 1;
        // Spread over all digits, as random ids are.
        Uuid::from_u128(state.drawn.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
    }
}

struct Sleep {
    timeline: Timeline,
    until: Duration,
    timer: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let timeline = self.timeline.clone();
        let mut state = timeline.lock();
        if state.now >= self.until && self.timer.is_some() {
            return Poll::Ready(());
        }
        // Asleep for no time gives the turn back as well.
        let number = match self.timer {
            Some(number) => number,
            None => {
                state.timers_set += 1;
                state.timers_set
            }
        };
        self.timer = Some(number);
        state.timers.insert((self.until, number), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(number) = self.timer {
            let timeline = self.timeline.clone();
            timeline.lock().timers.remove(&(self.until, number));
        }
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<(), Violation>> + 'a>>;

/// Runs all tasks until the first has ended well; the others are dropped then.
pub(super) fn run<'a>(timeline: &Timeline, tasks: Vec<Running<'a>>) -> Result<(), Violation> {
    let mut tasks: Vec<Option<(Running<'a>, Arc<Flag>)>> =
        tasks.into_iter().map(|task| Some((task, Arc::new(Flag(AtomicBool::new(true)))))).collect();
    for _ in 0..STUCK_AFTER {
        let is_ready = |task: &Option<(Running<'a>, Arc<Flag>)>| {
            task.as_ref().is_some_and(|(_, flag)| flag.0.load(Ordering::Relaxed))
        };
        let ready: Vec<usize> = (0..tasks.len()).filter(|index| is_ready(&tasks[*index])).collect();
        if ready.is_empty() {
            if timeline.uptime() > LATEST || !timeline.advance() {
                return Err(format!("nothing happens any more at {:?}", timeline.uptime()));
            }
            continue;
        }
        let chosen = ready[usize::try_from(timeline.lot(ready.len() as u64)).expect("an index")];
        let Some((task, flag)) = &mut tasks[chosen] else { continue };
        flag.0.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(flag));
        if let Poll::Ready(ended) = task.as_mut().poll(&mut Context::from_waker(&waker)) {
            ended?;
            tasks[chosen] = None;
            if chosen == 0 {
                return Ok(());
            }
        }
    }
    Err(format!("still running after {STUCK_AFTER} steps, at {:?}", timeline.uptime()))
}
