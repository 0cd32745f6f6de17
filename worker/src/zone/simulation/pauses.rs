//! One process stops at its k-th step while others run to their end, for every k: each place where a writer may fall
//! asleep is tried.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::Violation;
use super::checker::Checker;
use super::world::World;

/// A process of a scene.
pub(super) type Process = Pin<Box<dyn Future<Output = Result<(), Violation>> + Send>>;

/// Who falls asleep, what happens meanwhile, and what is looked at when all have ended.
pub(super) struct Scene {
    pub(super) sleeper: Process,
    pub(super) meanwhile: Process,
    pub(super) afterwards: Process,
}

/// More steps than any sleeper has: one that takes them is stuck.
const STUCK_AFTER: usize = 100_000;

impl Scene {
    pub(super) fn new(
        sleeper: impl Future<Output = Result<(), Violation>> + Send + 'static,
        meanwhile: impl Future<Output = Result<(), Violation>> + Send + 'static,
    ) -> Self {
        Self { sleeper: Box::pin(sleeper), meanwhile: Box::pin(meanwhile), afterwards: Box::pin(async { Ok(()) }) }
    }

    pub(super) fn then(self, afterwards: impl Future<Output = Result<(), Violation>> + Send + 'static) -> Self {
        Self { afterwards: Box::pin(afterwards), ..self }
    }
}

/// Plays a scene once for every step of the sleeper, each in a world of its own; gives the number of steps.
pub(super) fn at_every_step(scene: impl Fn(&World) -> Result<Scene, Violation>) -> Result<usize, Violation> {
    for step in 0..STUCK_AFTER {
        let world = World::new();
        let Scene { mut sleeper, meanwhile, afterwards } = scene(&world)?;
        let mut watch = Watch { world: &world, checker: Checker::new(&world), seen: 0 };
        let at = |violation| format!("asleep after step {step}: {violation}");
        let ended = watch.steps(&mut sleeper, step).map_err(at)?;
        watch.run_out(meanwhile).map_err(at)?;
        if !ended {
            watch.run_out(sleeper).map_err(at)?;
        }
        world.land_all();
        watch.run_out(afterwards).map_err(at)?;
        if ended {
            return Ok(step);
        }
    }
    Err("the sleeper never ends".to_owned())
}

/// Looks at the store after every change.
struct Watch<'w> {
    world: &'w World,
    checker: Checker,
    seen: u64,
}

impl Watch<'_> {
    /// So many steps of a process; whether it has ended.
    fn steps(&mut self, process: &mut Process, count: usize) -> Result<bool, Violation> {
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..count {
            let poll = process.as_mut().poll(&mut context);
            self.look()?;
            if let Poll::Ready(ended) = poll {
                return ended.map(|()| true);
            }
        }
        Ok(false)
    }

    fn run_out(&mut self, mut process: Process) -> Result<(), Violation> {
        if self.steps(&mut process, STUCK_AFTER)? { Ok(()) } else { Err("it never ends".to_owned()) }
    }

    fn look(&mut self) -> Result<(), Violation> {
        let changes = self.world.changes();
        if changes != self.seen {
            self.seen = changes;
            self.checker.check_always()?;
        }
        Ok(())
    }
}
