//! When the size changes.
//!
//! Up at once and to all that is needed, down late and by steps: too little makes a backlog, too much only costs.

use std::time::Duration;

use crate::decision::{Change, Decision, Figures, Note, Reason};
use crate::demand::{capacity, fullest, need};
use crate::facts::{Facts, Limits, MOST_REPLICAS, Mode, Obstacle, ObstacleKind, Refuser, Size};
use crate::history::{Adds, Granted, History, Need, Resize};
use crate::observation::{Observation, observe};
use crate::shape::{Shape, bounded, most_cpu, shape};

/// Largest part of the size that one step takes away: the default of Flink's
/// `job.autoscaler.scale-down.max-factor`. What was measured while little arrived may be wrong; what is left is
/// enough to notice that in time.
pub const SCALE_DOWN_MAX_FACTOR: f64 = 0.6;

/// A worker may need this much more than it has before more is given. At the default target of 70 % it then uses
/// 77 %: enough is left for peaks, and noise of a tenth changes nothing.
pub(crate) const BAND_UP: f64 = 1.1;
/// What is enough must cost less than this part of what there is. It is wide, since what is taken away a little too
/// early is asked back at once.
const BAND_DOWN: f64 = 0.8;

/// A step up that brings less than this part of what it should did not help: Flink's default of
/// `job.autoscaler.scaling.effectiveness.threshold`.
const LEAST_GAIN: f64 = 0.1;
/// A backlog of less than this is what lies between two fetches.
const BEHIND: f64 = 60.0;
/// Workers that use more than this of their CPU have used it up.
const USED_UP_PERCENT: f64 = 80.0;

/// The size for these facts, and what to remember for the next decision.
///
/// The decision only says what is to be: a caller that can't carry it out tells so in the next facts. It may be
/// asked as often as one likes; the same facts again change nothing more.
pub fn decide(facts: &Facts, history: &History) -> (Decision, History) {
    let limits = facts.limits.consistent();
    if limits.mode == Mode::Manual {
        return (Decision::manual(limits, facts.running), History { advised: None, ..history.clone() });
    }
    let is_foreign = facts.obstacles.iter().any(|obstacle| matches!(obstacle.kind, ObstacleKind::ForeignOwner(_)));
    let acts = limits.mode == Mode::Auto && !is_foreign;
    let running = if acts { facts.running } else { history.advised.unwrap_or(facts.running) };
    let bounds = limits.keeping(kept_cpu(facts, running));
    let target = bounded(running, facts.partitions, &bounds);
    let target = Size { cpu: target.cpu.max(kept_cpu(facts, running)), ..target };
    let mut decision = Decision {
        running,
        target,
        change: Change::Stay,
        acts,
        short: false,
        may_need_more: true,
        reason: Reason::DesiredWithinRange,
        hold: None,
        figures: None,
        notes: facts.obstacles.iter().filter_map(of_obstacle).collect(),
        limits,
    };
    if target.cpu > bounded(running, facts.partitions, &decision.limits).cpu {
        decision.notes.push(Note::LessRefused);
    }
    let mut history = history.clone().until(facts.time);
    match observe(facts, history.cost) {
        Err(hold) => {
            history.short_since = None;
            decision.reason = hold.reason();
            decision.hold = Some(hold);
        }
        Ok(observation) => history = computed(&mut decision, facts, bounds, &observation, history),
    }
    if decision.change == Change::Stay && decision.target != running {
        decision.change = Change::Bounds;
        history = history.changed(facts, running, decision.target, 0.0, Adds::Less);
    }
    history.advised = (!acts).then_some(decision.target);
    (decision, history)
}

/// The decision where all figures are there.
fn computed(
    decision: &mut Decision,
    facts: &Facts,
    limits: Limits,
    observation: &Observation,
    mut history: History,
) -> History {
    let need = need(observation, &limits);
    history.cost = observation.cost.or(history.cost);
    history = history.with(facts.time, need, observation.window / 2, &limits);
    let lasting = history.lasting(need);
    let peak = history.peak(facts.time, &limits);
    let wanted = shape(need, observation.partitions, &limits);
    let within = decision.target;
    let situation = Situation { facts, limits: &limits, observation, need, lasting, running: decision.running, within };
    let is_short = situation.is_short();
    decision.short = is_short;
    let seen = history.largest().unwrap_or(need);
    decision.may_need_more =
        is_short || (situation.lacks(seen) && situation.is_larger(situation.larger(seen, situation.limits)));
    history.short_since = if is_short { history.short_since.or(Some(facts.time)) } else { None };
    if situation.has_more_than_granted(&history) {
        history.most_granted = None;
    }
    let ineffective = if decision.acts { situation.did_not_help(&history) } else { None };

    let step = match is_short {
        true => situation.up(&history, ineffective, &mut decision.notes),
        false => situation.down(&history, peak, &mut decision.notes),
    };
    if let Some((size, change)) = step {
        decision.target = size;
        decision.change = change;
        let adds = if change == Change::Up { Adds::More } else { Adds::Less };
        history = history.changed(facts, within, size, observation.throughput, adds);
        if decision.notes.contains(&Note::WorkersInstead) {
            history.most_granted = Some(Granted { time: facts.time, cpu: within.cpu });
        }
    }
    decision.reason = reason(facts, &decision.notes, wanted, ineffective);
    let target = decision.target;
    let sharing = situation.sharing().unwrap_or(target.replicas).min(target.replicas);
    decision.notes.extend(circumstances(observation, need, target, ineffective));
    decision.figures = Some(Figures {
        arrival: observation.arrival,
        backlog: observation.backlog,
        seconds_per_record: observation.cost.map_or(0.0, |cost| cost.seconds),
        need: need.total,
        peak: peak.map(|peak| peak.total),
        wanted: wanted.size,
        fullest: fullest(need, observation.partitions, sharing),
        partitions: observation.partitions,
        sharing,
        stuck: observation.stuck,
        throughput: observation.throughput,
        used_percent: observation.used_percent,
        waiting_percent: observation.waiting_percent,
    });
    history
}

/// What a step is judged by.
struct Situation<'a> {
    facts: &'a Facts,
    limits: &'a Limits,
    observation: &'a Observation,
    /// The need of now.
    need: Need,
    /// The part of it that has lasted for half a measurement.
    lasting: Need,
    /// The size now.
    running: Size,
    /// That, within its bounds.
    within: Size,
}

impl Situation<'_> {
    fn partitions(&self) -> u32 {
        self.observation.partitions
    }

    /// Whether the fullest worker needs more than it has, by more than chance, and a larger size is allowed.
    fn is_short(&self) -> bool {
        self.lacks(self.need) && self.is_larger(self.larger(self.need, self.limits))
    }

    fn lacks(&self, need: Need) -> bool {
        let sharing = self.sharing().unwrap_or(self.within.replicas);
        fullest(need, self.partitions(), sharing) > f64::from(self.within.cpu) * BAND_UP
    }

    /// Workers that share the partitions, where they are fewer than there are to be: no node or no quota has room for
    /// the others.
    fn sharing(&self) -> Option<u32> {
        let owners = self.facts.workers.iter().filter(|worker| worker.partitions > 0).count();
        let sharing = u32::try_from(owners).unwrap_or(u32::MAX).max(1);
        let is_without_room = self.facts.obstacles.iter().any(|obstacle| obstacle.kind.refuses_pod());
        Some(sharing).filter(|sharing| is_without_room && *sharing < self.within.replicas)
    }

    fn is_larger(&self, size: Size) -> bool {
        let capacity = |size| capacity(size, self.need, self.partitions());
        size != self.within && capacity(size) > capacity(self.within)
    }

    /// The size for a need. It has no fewer workers than there are, since that would move partitions to workers that
    /// lack CPU already; but for where maxCpu is enough for fewer only.
    fn larger(&self, need: Need, limits: &Limits) -> Size {
        if let Some(sharing) = self.sharing() {
            // Those that have no room help nobody: the others need the CPU.
            let replicas = self.within.replicas;
            let max_cpu_per_worker = most_cpu(replicas, limits);
            let only = Limits { min_replicas: sharing, max_replicas: sharing, max_cpu_per_worker, ..limits.clone() };
            return Size { replicas, ..shape(need, self.partitions(), &only).size };
        }
        let least = limits.min_replicas.max(self.within.replicas.min(limits.max_replicas));
        let kept = shape(need, self.partitions(), &Limits { min_replicas: least, ..limits.clone() }).size;
        let fewest = shape(need, self.partitions(), limits).size;
        let capacity = |size| capacity(size, need, self.partitions());
        let is_enough = fullest(need, self.partitions(), kept.replicas) <= f64::from(kept.cpu);
        if is_enough || capacity(kept) >= capacity(fewest) { kept } else { fewest }
    }

    fn up(&self, history: &History, ineffective: Option<Resize>, notes: &mut Vec<Note>) -> Option<(Size, Change)> {
        if ineffective.is_some() {
            return None;
        }
        // A rate is whole only after it has been counted for a whole window. Before, a step of the load looks like a
        // part of it, and would take two changes. Half a window more tells a step from a peak: what counts is the
        // least need of it.
        let confirmation = self.observation.window.saturating_add(self.observation.window / 2);
        let short = history.short_since.map_or(0, |since| self.facts.time.saturating_sub(since));
        if let Some(left) = left(confirmation, Duration::from_secs(short)) {
            notes.push(Note::Confirming { left });
            return None;
        }
        if let Some(left) = self.stabilizes_for(history) {
            notes.push(Note::Stabilizing { left });
            return None;
        }
        let size = self.keeping(self.passing_obstacles(notes)?);
        self.is_larger(size).then_some((size, Change::Up))
    }

    /// The larger size as far as quota and nodes let it be. A pod that can't be given more CPU for as long as a
    /// decision takes is helped by more workers.
    fn passing_obstacles(&self, notes: &mut Vec<Note>) -> Option<Size> {
        let mut limits = self.limits.clone();
        let mut is_pod_refused = false;
        for obstacle in &self.facts.obstacles {
            match obstacle.kind {
                ObstacleKind::ResizeRefused(_) | ObstacleKind::ResizeNodeFull => {
                    let age = Duration::from_secs(self.facts.time.saturating_sub(obstacle.since));
                    if age < self.limits.stabilization {
                        return None;
                    }
                    limits.max_cpu_per_worker = limits.max_cpu_per_worker.min(self.within.cpu);
                    notes.push(Note::WorkersInstead);
                }
                ObstacleKind::PodOverQuota | ObstacleKind::PodUnschedulable => is_pod_refused = true,
                ObstacleKind::LessCpuRefused { .. } | ObstacleKind::ForeignOwner(_) => {}
            }
        }
        notes.dedup();
        let size = self.larger(self.lasting, &limits);
        (!is_pod_refused || size.replicas <= self.within.replicas).then_some(size)
    }

    fn down(&self, history: &History, peak: Option<Need>, notes: &mut Vec<Note>) -> Option<(Size, Change)> {
        // Another worker is never less, however little CPU all have together.
        let is_less = |size: Size| {
            size.replicas <= self.within.replicas && size.total() as f64 <= BAND_DOWN * self.within.total() as f64
        };
        // Fewer workers with CPU that was refused before would soon be more workers again.
        let granted = history.most_granted(self.facts.time);
        let most = granted.unwrap_or(u32::MAX);
        // Nor has a node more for a worker than it has, where none has room for another one.
        let is_full = self.facts.obstacles.iter().any(|obstacle| obstacle.kind == ObstacleKind::PodUnschedulable);
        let most = if is_full { most.min(self.within.cpu) } else { most };
        let within =
            |most: u32| Limits { max_cpu_per_worker: self.limits.max_cpu_per_worker.min(most), ..self.limits.clone() };
        let limits = within(most);
        let smaller = |need: Need| shape(need, self.partitions(), &limits).size;
        let wanted = smaller(self.need);
        let free = shape(self.need, self.partitions(), self.limits).size;
        // A node without room may be what keeps them, and not the refusal.
        let keeps =
            |granted: &u32| free.replicas < shape(self.need, self.partitions(), &within(*granted)).size.replicas;
        if let Some(cpu) = granted.filter(keeps) {
            notes.push(Note::GrantedBefore { cpu });
        }
        // A size that is not allowed is first made so.
        if self.within != self.running {
            return None;
        }
        let least = peak.filter(|peak| !self.lacks(*peak)).map(smaller).filter(|least| is_less(*least));
        // What could be taken away lasts as the peak does. The need of this moment comes and goes.
        let is_refused = least.is_some_and(|least| self.keeping(least) != least);
        if is_refused && !notes.contains(&Note::LessRefused) {
            notes.push(Note::LessRefused);
        }
        if !is_less(self.keeping(wanted)) {
            return None;
        }
        let Some(peak) = peak else {
            notes.push(Note::TooEarlyForLess { seen: history.seen(self.facts.time) });
            return None;
        };
        let Some(least) = least else {
            notes.push(Note::PeakKeeps);
            return None;
        };
        let enough = self.keeping(least);
        if !is_less(enough) {
            return None;
        }
        if let Some(left) = self.stabilizes_for(history) {
            notes.push(Note::Stabilizing { left });
            return None;
        }
        let least = (1.0 - SCALE_DOWN_MAX_FACTOR) * capacity(self.within, peak, self.partitions());
        let size = self.keeping(smaller(Need { total: peak.total.max(least), ..peak }));
        if size != enough {
            notes.push(Note::StepOfDown);
        }
        is_less(size).then_some((size, Change::Down))
    }

    /// A size with no less CPU for a worker than it can be given, as far as it has that now.
    fn keeping(&self, size: Size) -> Size {
        Size { cpu: size.cpu.max(kept_cpu(self.facts, self.within)), ..size }
    }

    /// Whether workers have long had more CPU than what they could be given once.
    fn has_more_than_granted(&self, history: &History) -> bool {
        let is_at_rest = self.stabilizes_for(history).is_none();
        let is_refused = self.facts.obstacles.iter().any(|obstacle| obstacle.kind.refuses_cpu());
        let has_more = |granted: Granted| self.facts.workers.iter().all(|worker| worker.cpu > granted.cpu);
        is_at_rest && !is_refused && history.most_granted.is_some_and(has_more)
    }

    fn stabilizes_for(&self, history: &History) -> Option<Duration> {
        left(self.limits.stabilization, history.since_change(self.facts.time)?)
    }

    /// The last step up, if it brought nothing: records wait, CPU is left, and no more is processed than before.
    ///
    /// It is tried again after a scale-down interval, since what the workers wait for may have become faster.
    fn did_not_help(&self, history: &History) -> Option<Resize> {
        let up = history.last_up.filter(|up| up.to == self.within && up.from.total() > 0)?;
        let since = Duration::from_secs(self.facts.time.saturating_sub(up.time));
        let settled = self.limits.stabilization.max(self.observation.window);
        if since < settled || since >= settled.saturating_add(self.limits.scale_down) {
            return None;
        }
        let Observation { arrival, backlog, throughput, used_percent, .. } = *self.observation;
        let is_behind = backlog > 0.0 && backlog > arrival * BEHIND;
        let expected = up.throughput * (up.to.total() as f64 / up.from.total() as f64 - 1.0);
        let has_gained = throughput - up.throughput >= LEAST_GAIN * expected;
        (is_behind && used_percent < USED_UP_PERCENT && !has_gained).then_some(up)
    }
}

/// CPU that a worker keeps, since less is refused; as far as it has that now.
fn kept_cpu(facts: &Facts, running: Size) -> u32 {
    let kept = facts.obstacles.iter().filter_map(|obstacle| match obstacle.kind {
        ObstacleKind::LessCpuRefused { kept, by: _ } => Some(kept.min(running.cpu)),
        ObstacleKind::ResizeRefused(_)
        | ObstacleKind::ResizeNodeFull
        | ObstacleKind::PodOverQuota
        | ObstacleKind::PodUnschedulable
        | ObstacleKind::ForeignOwner(_) => None,
    });
    kept.max().unwrap_or(0)
}

fn left(whole: Duration, passed: Duration) -> Option<Duration> {
    whole.checked_sub(passed).filter(|left| !left.is_zero())
}

fn reason(facts: &Facts, notes: &[Note], wanted: Shape, ineffective: Option<Resize>) -> Reason {
    let obstacle = facts.obstacles.iter().filter_map(|obstacle| match &obstacle.kind {
        ObstacleKind::ForeignOwner(_) => Some(Reason::ExternalScaler),
        ObstacleKind::ResizeRefused(by) => Some(refused(*by)),
        ObstacleKind::PodOverQuota => Some(Reason::QuotaExceeded),
        ObstacleKind::ResizeNodeFull | ObstacleKind::PodUnschedulable => Some(Reason::NodeFull),
        ObstacleKind::LessCpuRefused { kept: _, by } => notes.contains(&Note::LessRefused).then_some(refused(*by)),
    });
    let ineffective = ineffective.map(|_| Reason::NotEffective);
    obstacle
        .min_by_key(|reason| *reason != Reason::ExternalScaler)
        .or(ineffective)
        .or(wanted.limit)
        .unwrap_or(Reason::DesiredWithinRange)
}

fn refused(by: Refuser) -> Reason {
    match by {
        Refuser::Namespace => Reason::QuotaExceeded,
        Refuser::Policy => Reason::ReplicaFailure,
    }
}

/// What a reader is told of an obstacle in any case. That less is refused matters only where less would do.
fn of_obstacle(obstacle: &Obstacle) -> Option<Note> {
    match &obstacle.kind {
        ObstacleKind::LessCpuRefused { .. } => None,
        kind => Some(Note::Obstacle(kind.clone())),
    }
}

/// What is remarkable about the load and how it is spread.
fn circumstances(observation: &Observation, need: Need, target: Size, ineffective: Option<Resize>) -> Vec<Note> {
    let mut notes = Vec::new();
    let partitions = observation.partitions;
    if let Some(Resize { from, to, throughput, .. }) = ineffective {
        notes.push(Note::NotEffective { from, to, before: throughput, now: observation.throughput });
    }
    if observation.stuck.partitions > 0 {
        notes.push(Note::Stuck(observation.stuck));
    }
    let is_hot = need.hottest * f64::from(partitions) > 2.0 * need.total && partitions > 1;
    if let Some(hot) = observation.hottest.filter(|_| is_hot) {
        notes.push(Note::Hot { partition: hot.partition, percent: 100.0 * need.hottest / need.total });
    }
    if need.slowest > 1.0 {
        notes.push(Note::SlowWorker { times: need.slowest });
    }
    if target.replicas > 1 && target.replicas < partitions && !partitions.is_multiple_of(target.replicas) {
        let even =
            (target.replicas + 1..=partitions.min(MOST_REPLICAS)).find(|replicas| partitions.is_multiple_of(*replicas));
        notes.push(Note::Uneven { fullest: partitions.div_ceil(target.replicas), even });
    }
    notes
}
