//! How many pods the next run of an HourlyCompaction takes, with how much CPU and memory each, and why.
//!
//! `cores = bytes / (bytes of a core-second x targetDuration)`. A run can't be changed while it is under way, so the
//! bytes are those that it will find: what waits now and what arrives until it starts.

mod explain;

use std::time::Duration;

use crate::facts::Mode;

/// What the next run is sized by.
#[derive(Debug, Clone, PartialEq)]
pub struct CompactionFacts {
    /// Who decides.
    pub mode: Mode,
    /// Time in which a run is to end.
    pub target: Duration,
    /// CPU of a pod at the most, in thousandths of a core.
    pub max_cpu: u32,
    /// Memory of a pod at the most, in bytes.
    pub max_memory: u64,
    /// Pods that may share a run.
    pub max_parallelism: u32,
    /// Buckets of the zone: no two pods share one.
    pub buckets: u32,
    /// What `spec.pod` asks for. Its memory is the least in every mode.
    pub document: PodSize,
    /// Bytes of RAW files that no run has consumed.
    pub backlog_bytes: u64,
    /// Bytes a second that RAW grows by.
    pub growth: f64,
    /// Time until the next run starts.
    pub until_start: Duration,
    /// The last runs, in any order.
    pub runs: Vec<PastRun>,
    /// Memory of a pod that was ended for want of it, or that a run asked for when it refused.
    pub memory_refused: Option<MemoryRefused>,
    /// The size that was decided last, carried out or not.
    pub current: Option<RunSize>,
}

/// Pods of a run, and the size of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunSize {
    /// CPU and memory of each pod.
    pub pod: PodSize,
    /// Pods.
    pub parallelism: u32,
}

/// CPU and memory of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PodSize {
    /// Thousandths of a core.
    pub cpu: u32,
    /// Bytes.
    pub memory: u64,
}

/// What a run took.
#[derive(Debug, Clone, PartialEq)]
pub struct PastRun {
    /// Bytes of RAW files that it consumed.
    pub bytes: u64,
    /// Rows in them.
    pub rows: u64,
    /// CPU seconds of all its pods.
    pub cpu_seconds: f64,
    /// Time that it took.
    pub duration: Duration,
    /// CPU of all its pods, in thousandths of a core; 0 where it is not known.
    pub cpu: u32,
}

/// How a run ran out of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryRefused {
    /// Its pod was ended (OOMKilled) with so many bytes.
    Ended(u64),
    /// It said that so many bytes would do.
    Needs(u64),
}

impl MemoryRefused {
    /// Memory that the next run is to have for it: what was too little says nothing of what is enough.
    pub fn least(self) -> u64 {
        match self {
            MemoryRefused::Ended(had) => had.saturating_mul(2),
            MemoryRefused::Needs(needs) => needs,
        }
    }
}

/// The size of the next run.
#[derive(Debug, Clone, PartialEq)]
pub struct CompactionDecision {
    /// CPU and memory of each pod.
    pub pod: PodSize,
    /// Pods.
    pub parallelism: u32,
    /// Whether it is to be carried out.
    pub acts: bool,
    /// Whether pods, CPU or memory are those of before, since little less would do.
    pub kept: bool,
    /// What keeps it from what is needed.
    pub limits: Vec<CompactionLimit>,
    /// The figures; None in mode Manual, and before a run could be measured.
    pub figures: Option<CompactionFigures>,
    /// Why that is, for `status.sizing.explanation`. [`CompactionDecision::explanation`] has it at length.
    pub sentence: String,
}

/// What the size of a run was computed from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CompactionFigures {
    /// Bytes that the run will find.
    pub bytes: f64,
    /// Rows in them.
    pub rows: f64,
    /// Runs that it was computed from.
    pub runs: u64,
    /// Bytes that a core works off in a second.
    pub bytes_per_core_second: f64,
    /// Share of its cores that a run used.
    pub used: f64,
    /// Cores needed, in thousandths.
    pub need: f64,
    /// Memory that this takes in one pod, in bytes.
    pub memory: f64,
}

/// What keeps a run from the size that is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompactionLimit {
    /// maxCpuPerPod, with one pod because the zone has one bucket.
    OneBucket,
    /// maxParallelism.
    MaxParallelism,
    /// As many pods as buckets.
    Buckets,
    /// maxMemoryPerPod: what it does not hold goes to local disk.
    MaxMemory,
}

/// A run of less than this says more about its start than about its bytes.
const LEAST_BYTES: u64 = 8_000_000;
/// Below a core, CPU is asked for in quarters; threads are whole above it.
const SMALL_STEP: f64 = 250.0;
/// A run that used less of its cores than this waited for something that more cores do not help.
const LEAST_USED: f64 = 0.5;
/// What a process takes beside its rows: decision 0015.
const PROCESS: f64 = (96u64 << 20) as f64;
/// Memory of a row. A run holds 160 bytes of a row if all are to stay in memory, and spills to local disk what does not
/// fit. With a twentieth of it (60 million rows under 512Mi) it took 12 % more CPU than with all of it, so a tenth is
/// enough: the rest of the memory is worth more to others.
const ROW: f64 = 16.0;
/// Most buckets and pods that a document may ask for.
const MOST: u32 = 256;
/// Fewer pods than before must leave a fifth of what one may have, as less CPU for a worker must cost a fifth less.
const ROOMY: f64 = 0.8;
/// Memory is asked for in steps of 256Mi.
const MEMORY_STEP: f64 = (256u64 << 20) as f64;

/// The size of the next run.
pub fn decide(facts: &CompactionFacts) -> CompactionDecision {
    let acts = facts.mode == Mode::Auto;
    let document = |sentence: String| CompactionDecision {
        pod: facts.document,
        parallelism: 1,
        acts,
        kept: false,
        limits: Vec::new(),
        figures: None,
        sentence,
    };
    if facts.mode == Mode::Manual {
        return document(explain::MANUAL.into());
    }
    let Some(figures) = figures(facts) else {
        let mut limits = Vec::new();
        let memory = pod_memory(facts, PROCESS, 1, &mut limits);
        let pod = PodSize { memory, ..within(facts.document, facts) };
        return CompactionDecision { pod, limits, ..document(explain::unmeasured(facts, pod)) };
    };
    let mut limits = Vec::new();
    let (fewest, pod_cpu) = pods(facts, figures.need, &mut limits);
    let (parallelism, pod_cpu) = steady_pods(facts, figures.need).unwrap_or((fewest, pod_cpu));
    let needed = PodSize { cpu: pod_cpu, memory: pod_memory(facts, figures.memory, parallelism, &mut limits) };
    let pod = steady(facts, needed, parallelism);
    let kept = pod != needed || parallelism != fewest;
    let decision =
        CompactionDecision { pod, parallelism, acts, kept, limits, figures: Some(figures), sentence: String::new() };
    CompactionDecision { sentence: explain::sentence(facts, &decision, &figures), ..decision }
}

fn figures(facts: &CompactionFacts) -> Option<CompactionFigures> {
    let runs: Vec<&PastRun> =
        facts.runs.iter().filter(|run| run.bytes >= LEAST_BYTES && is_positive(run.cpu_seconds)).collect();
    let sum = |value: fn(&PastRun) -> f64| runs.iter().map(|run| value(run)).sum::<f64>();
    let (read, rows, seconds) = (sum(|run| run.bytes as f64), sum(|run| run.rows as f64), sum(|run| run.cpu_seconds));
    let bytes_per_core_second = read / seconds;
    if !is_positive(bytes_per_core_second) {
        return None;
    }
    let given: f64 = runs.iter().map(|run| run.duration.as_secs_f64() * f64::from(run.cpu) / 1000.0).sum();
    let used = if given > 0.0 { (seconds / given).clamp(LEAST_USED, 1.0) } else { 1.0 };
    let growth = if is_positive(facts.growth) { facts.growth * facts.until_start.as_secs_f64() } else { 0.0 };
    let bytes = facts.backlog_bytes as f64 + growth;
    let target = facts.target.as_secs_f64().max(1.0);
    let rows = bytes * rows / read;
    Some(CompactionFigures {
        bytes,
        rows,
        runs: runs.len() as u64,
        bytes_per_core_second,
        used,
        need: (1000.0 * bytes / (bytes_per_core_second * target) / used).min(1e9),
        memory: PROCESS + rows * ROW,
    })
}

/// Pods and the CPU of each: one as long as one may have enough.
fn pods(facts: &CompactionFacts, need: f64, limits: &mut Vec<CompactionLimit>) -> (u32, u32) {
    let max_cpu = facts.max_cpu.max(1);
    let (buckets, most) = (facts.buckets.clamp(1, MOST), facts.max_parallelism.clamp(1, MOST));
    let share = |pods: u32| share(facts, need, pods);
    let allowed = buckets.min(most);
    if let Some(pods) = (1..=allowed).find(|pods| share(*pods) <= f64::from(max_cpu)) {
        return (pods, in_steps(share(pods)).min(max_cpu));
    }
    limits.push(match (buckets, most) {
        (1, _) => CompactionLimit::OneBucket,
        (buckets, most) if buckets <= most => CompactionLimit::Buckets,
        _ => CompactionLimit::MaxParallelism,
    });
    // The fewest pods of which none has more buckets than it must.
    (buckets.div_ceil(buckets.div_ceil(allowed)), max_cpu)
}

/// What the fullest of so many pods needs: it has this part of the buckets.
fn share(facts: &CompactionFacts, need: f64, pods: u32) -> f64 {
    let buckets = facts.buckets.clamp(1, MOST);
    need * f64::from(buckets.div_ceil(pods)) / f64::from(buckets)
}

/// The pods of before where fewer would only just do: hours around what a pod may have would otherwise change between one
/// large pod and two small ones each time.
fn steady_pods(facts: &CompactionFacts, need: f64) -> Option<(u32, u32)> {
    let (max_cpu, allowed) = (facts.max_cpu.max(1), facts.buckets.min(facts.max_parallelism).clamp(1, MOST));
    let before = facts.current.map(|current| current.parallelism).filter(|before| (2..=allowed).contains(before))?;
    // The fewest that have room for a little more: of these the next hour does not ask for another one.
    let roomy = (1..=allowed).find(|pods| share(facts, need, *pods) <= ROOMY * f64::from(max_cpu)).unwrap_or(allowed);
    let is_enough = share(facts, need, before) <= f64::from(max_cpu);
    (is_enough && before <= roomy).then(|| (before, in_steps(share(facts, need, before)).min(max_cpu)))
}

/// What the rows of a pod take, or what an earlier run lacked, within what is allowed. What memory does not hold goes to
/// local disk, which costs time and no row.
fn pod_memory(facts: &CompactionFacts, memory: f64, parallelism: u32, limits: &mut Vec<CompactionLimit>) -> u64 {
    let share = PROCESS + (memory - PROCESS).max(0.0) / f64::from(parallelism.max(1));
    let refused = facts.memory_refused.map_or(0.0, |refused| refused.least() as f64);
    let wanted = (share.max(refused) / MEMORY_STEP).ceil() * MEMORY_STEP;
    let wanted = (wanted as u64).max(facts.document.memory);
    if wanted > facts.max_memory {
        limits.push(CompactionLimit::MaxMemory);
    }
    wanted.min(facts.max_memory)
}

/// The size of before where one step less would do: hours that differ a little would otherwise change it each time.
fn steady(facts: &CompactionFacts, needed: PodSize, parallelism: u32) -> PodSize {
    let Some(RunSize { pod: before, .. }) = facts.current.filter(|current| current.parallelism == parallelism) else {
        return needed;
    };
    let is_close = |before: u64, needed: u64, step: f64, most: u64| {
        before > needed && (before - needed) as f64 <= step && before <= most
    };
    let cpu_step = cpu_step(f64::from(before.cpu));
    let keeps_cpu = is_close(before.cpu.into(), needed.cpu.into(), cpu_step, facts.max_cpu.into());
    let keeps_memory = is_close(before.memory, needed.memory, MEMORY_STEP, facts.max_memory);
    PodSize {
        cpu: if keeps_cpu { before.cpu } else { needed.cpu },
        memory: if keeps_memory { before.memory } else { needed.memory },
    }
}

fn within(pod: PodSize, facts: &CompactionFacts) -> PodSize {
    PodSize { cpu: pod.cpu.min(facts.max_cpu), memory: pod.memory.min(facts.max_memory) }
}

fn cpu_step(cpu: f64) -> f64 {
    if cpu > 1000.0 { 1000.0 } else { SMALL_STEP }
}

fn in_steps(need: f64) -> u32 {
    let step = cpu_step(need);
    ((need / step - 1e-9).ceil().max(1.0) * step) as u32
}

fn is_positive(value: f64) -> bool {
    value.is_finite() && value > 0.0
}
