//! Why the size is what it is, in one sentence and at length.

use std::fmt::Write;

use crate::decide::BAND_UP;
use crate::decision::{Change, Decision, Figures, Hold, Note, Reason};
use crate::facts::{Mode, ObstacleKind, Size};
use crate::figure::{cores, count, cpu, duration, significant};

impl Decision {
    /// One sentence with the figures in the formula, for `status.sizing.explanation` and events.
    pub fn sentence(&self) -> String {
        let mut parts = Vec::new();
        match (&self.figures, &self.hold) {
            (Some(figures), _) => parts.push(self.formula(figures)),
            (None, Some(hold)) => parts.push(format!("held: {}", hold.sentence())),
            (None, None) => return "mode Manual: the document says the size, nothing is computed".into(),
        }
        parts.push(self.outcome());
        parts.extend(self.limit());
        parts.extend(self.notes.iter().map(|note| self.note(note)));
        parts.join("; ")
    }

    /// Inputs, formula, result, what capped it, and what would change it, for `explain-sizing`.
    pub fn explanation(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            // Writing into a String can't fail.
            let _written = writeln!(text, "{name:<12} {value}");
        };
        line("mode", self.mode());
        if let Some(hold) = &self.hold {
            line("held", hold.sentence());
        }
        if let Some(figures) = &self.figures {
            for (name, value) in self.inputs(figures) {
                line(name, value);
            }
            line(
                "formula",
                "(arrival + backlog / catchUpDuration) x CPU of a record / targetUtilizationPercent".into(),
            );
            line("needed", self.with_numbers(figures));
            line("fullest", self.spread(figures));
        }
        line("running", of(self.running));
        line("decided", self.outcome());
        line("limited by", self.limit_at_length());
        for note in &self.notes {
            line("note", self.note(note));
        }
        for change in self.would_change() {
            line("would change", change);
        }
        text
    }

    fn mode(&self) -> String {
        match (self.limits.mode, self.acts) {
            (Mode::Manual, _) => "Manual: the document says the size, nothing is computed".into(),
            (Mode::Advise, _) => "Advise: computed and shown, not carried out".into(),
            (Mode::Auto, true) => "Auto: carried out".into(),
            (Mode::Auto, false) => "Auto, not carried out: someone else sets the replicas".into(),
        }
    }

    fn formula(&self, figures: &Figures) -> String {
        let backlog = if figures.backlog >= 1.0 {
            format!(" + backlog {:.0} in {}", figures.backlog, duration(self.limits.catch_up))
        } else {
            String::new()
        };
        let cost = match figures.seconds_per_record * 1000.0 {
            cost if cost > 0.0 || figures.arrival + figures.backlog == 0.0 => {
                format!("{} ms a record", significant(cost))
            }
            _ => "too few records to tell what one costs".into(),
        };
        format!(
            "arrival {}/s{backlog}, {cost}, {} %: {}",
            significant(figures.arrival),
            self.limits.target_utilization_percent,
            cores(figures.need),
        )
    }

    fn with_numbers(&self, figures: &Figures) -> String {
        format!(
            "({}/s + {:.0} / {} s) x {} ms / {} % = {}",
            significant(figures.arrival),
            figures.backlog,
            self.limits.catch_up.as_secs(),
            significant(figures.seconds_per_record * 1000.0),
            self.limits.target_utilization_percent,
            cores(figures.need),
        )
    }

    fn inputs(&self, figures: &Figures) -> Vec<(&'static str, String)> {
        let Figures { arrival, backlog, seconds_per_record, partitions, stuck, throughput, used_percent, .. } =
            *figures;
        let peak = match figures.peak {
            Some(peak) => cores(peak),
            None => "not known: no whole interval was seen yet".into(),
        };
        vec![
            ("arrival", format!("{} records/s", significant(arrival))),
            ("backlog", format!("{backlog:.0} records, to be worked off in {}", duration(self.limits.catch_up))),
            ("cost", format!("{} ms of CPU a record", significant(seconds_per_record * 1000.0))),
            ("processed", format!("{} records/s, with {used_percent:.0} % of the CPU", significant(throughput))),
            ("waiting", format!("{:.0} % of the time for the store", figures.waiting_percent)),
            ("partitions", format!("{partitions} with work, {} stuck", stuck.partitions)),
            ("largest need", format!("{peak}, within {}", duration(self.limits.scale_down))),
        ]
    }

    fn spread(&self, figures: &Figures) -> String {
        let owned = figures.partitions.max(1).div_ceil(figures.sharing.max(1));
        format!(
            "{} of {} on one worker: it needs {}, and has {}",
            owned,
            count(u64::from(figures.partitions), "partition"),
            cpu(figures.fullest.ceil() as u64),
            cpu(u64::from(self.target.cpu)),
        )
    }

    fn outcome(&self) -> String {
        let target = of(self.target);
        match self.change {
            Change::Stay => match self.figures.filter(|figures| figures.wanted != self.target) {
                None => target,
                Some(_) => format!("{target} as before"),
            },
            Change::Up | Change::Down => format!("{target} instead of {}", short(self.running)),
            Change::Bounds => format!("{target} instead of {}, by what spec.scaling allows", short(self.running)),
        }
    }

    fn limit_at_length(&self) -> String {
        match (self.reason.is_limit(), self.limit()) {
            (false, _) => "nothing".into(),
            (true, Some(limit)) => format!("{}: {limit}", self.reason.as_str()),
            (true, None) => self.reason.as_str().into(),
        }
    }

    /// What keeps the size from what is needed, in words that stay the same while it does.
    pub fn limit(&self) -> Option<String> {
        let limits = &self.limits;
        let text = match self.reason {
            Reason::PartitionCount => {
                let partitions = self.figures.map_or(0, |figures| figures.partitions);
                format!("more workers than {} with work do nothing", count(u64::from(partitions), "partition"))
            }
            Reason::MaxReplicas => format!("maxReplicas {} keeps it there", limits.max_replicas),
            Reason::MinReplicas => format!("fewer would do, but for minReplicas {}", limits.min_replicas),
            Reason::MaxCpu => format!("maxCpu {} keeps it there", cpu(u64::from(limits.max_cpu.unwrap_or(0)))),
            Reason::SkewedPartition => {
                format!("one partition needs more than maxCpuPerWorker {}", cpu(u64::from(limits.max_cpu_per_worker)))
            }
            // The others are said by the hold or by a note.
            Reason::DesiredWithinRange
            | Reason::QuotaExceeded
            | Reason::ReplicaFailure
            | Reason::NodeFull
            | Reason::ExternalScaler
            | Reason::NotEffective
            | Reason::MetricsMissing
            | Reason::SourceUnavailable
            | Reason::StoreUnavailable
            | Reason::RejectedBudgetExceeded => return None,
        };
        Some(text)
    }

    fn note(&self, note: &Note) -> String {
        match note {
            Note::Confirming { left } => format!("more is needed, which counts in {}", duration(*left)),
            Note::Stabilizing { left } => {
                format!("the next change may be in {}, by stabilizationInterval", duration(*left))
            }
            Note::TooEarlyForLess { seen } => format!(
                "less would do, which counts once it has been seen for {}, now for {}",
                duration(self.limits.scale_down),
                duration(*seen),
            ),
            Note::PeakKeeps => {
                format!("less would do now, but not at the peak of the last {}", duration(self.limits.scale_down))
            }
            Note::StepOfDown => "one step takes 60 % at the most".into(),
            Note::Uneven { fullest, even } => {
                let even = even.map_or(String::new(), |even| format!(", {even} workers would be even"));
                format!("uneven: {fullest} partitions on the fullest worker{even}")
            }
            Note::Stuck(stuck) => format!(
                "{} left out, with {} that no worker can read",
                count(u64::from(stuck.partitions), "stuck partition"),
                count(stuck.backlog, "record"),
            ),
            Note::Hot { partition, percent } => format!(
                "partition {partition} has {percent:.0} % of the work: more workers cannot help it, a better key of the producer can"
            ),
            Note::SlowWorker { times } => {
                format!("a record costs {} times the average on one worker", significant(*times))
            }
            Note::NotEffective { from, to, before, now } => {
                let waiting = self.figures.map_or(0.0, |figures| figures.waiting_percent);
                format!(
                    "the step from {} to {} did not help: {}/s are processed, {}/s were before it, and CPU is left; \
                     workers wait {waiting:.0} % of the time for the store, look at that and at the brokers",
                    of(*from),
                    short(*to),
                    significant(*now),
                    significant(*before),
                )
            }
            Note::Obstacle(kind) => obstacle(kind),
            Note::WorkersInstead => "workers are added instead of CPU".into(),
            Note::LessRefused => "less would do, but less CPU for a pod is refused".into(),
            Note::GrantedBefore { cpu: granted } => format!(
                "fewer workers would do, but within the last day a worker was refused more than {}, which counts for a day",
                cpu(u64::from(*granted))
            ),
        }
    }

    /// What a user could do about the limit, or wait for.
    pub fn remedy(&self) -> Option<String> {
        let limits = &self.limits;
        let remedy = match self.reason {
            Reason::PartitionCount => "more partitions, or a higher maxCpuPerWorker".into(),
            Reason::MaxReplicas => {
                format!("maxReplicas above {}, or a higher maxCpuPerWorker", limits.max_replicas)
            }
            Reason::MinReplicas => format!("minReplicas below {}", limits.min_replicas),
            Reason::MaxCpu => "a higher maxCpu".into(),
            Reason::QuotaExceeded if self.notes.contains(&Note::LessRefused) => {
                "a lower minimum in the LimitRange of the namespace".into()
            }
            Reason::QuotaExceeded => "a larger ResourceQuota of the namespace".into(),
            Reason::ReplicaFailure if self.notes.contains(&Note::LessRefused) => {
                "another policy of the cluster, where less CPU for a pod is refused".into()
            }
            Reason::ReplicaFailure => {
                "another policy of the cluster, where more CPU for a pod is refused, or a lower maxCpuPerWorker".into()
            }
            Reason::NodeFull => "room on the nodes".into(),
            Reason::ExternalScaler => "mode Advise, or removing what sets the replicas".into(),
            Reason::SkewedPartition => "a higher maxCpuPerWorker, or a better key of the producer".into(),
            Reason::NotEffective => "a faster store or broker".into(),
            Reason::MetricsMissing
            | Reason::SourceUnavailable
            | Reason::StoreUnavailable
            | Reason::RejectedBudgetExceeded => "what the hold waits for".into(),
            Reason::DesiredWithinRange => return None,
        };
        Some(remedy)
    }

    /// What a user could do or wait for, in order of effect.
    fn would_change(&self) -> Vec<String> {
        let mut changes: Vec<String> = self.remedy().into_iter().collect();
        changes.extend(self.more_that_adds());
        if self.limits.mode == Mode::Advise {
            changes.push("mode Auto carries it out".into());
        }
        changes
    }
}

impl Decision {
    /// The load above which more would be given, where more may be given.
    fn more_that_adds(&self) -> Option<String> {
        let may_add = matches!(self.reason, Reason::DesiredWithinRange | Reason::MinReplicas);
        let figures = self.figures.filter(|figures| may_add && figures.need > 0.0 && figures.fullest > 0.0)?;
        let load = figures.arrival + figures.backlog / self.limits.catch_up.as_secs_f64();
        let most = load * f64::from(self.target.cpu) * BAND_UP / figures.fullest;
        Some(format!("more than {}/s to process, arrival and catching up, adds", significant(most)))
    }
}

impl Hold {
    fn sentence(&self) -> String {
        match self {
            Hold::NoWorker => "no worker runs".into(),
            Hold::PartitionsUnknown => "no worker has told yet how many partitions there are".into(),
            Hold::NoFigures { worker } => format!("worker {worker} gives no figures"),
            Hold::Stale { worker, age } => format!("the figures of worker {worker} are {} old", duration(*age)),
            Hold::Moving { worker } => format!("partitions are being moved, worker {worker} starts or leaves"),
            Hold::PartitionsMissing { known, partitions } => {
                format!("partitions are being moved, there are figures of {known} of {partitions}")
            }
            Hold::ArrivalUnknown { worker } => {
                format!("worker {worker} does not know yet how many records arrive")
            }
            Hold::CostUnknown => "too few records were processed to tell what one costs".into(),
            Hold::Held { worker } => format!("worker {worker} consumes nothing, the rejected budget is spent"),
            Hold::SourceUnavailable { worker } => format!("worker {worker} can't reach Kafka"),
            Hold::StoreUnavailable { worker } => format!("worker {worker} can't reach the store"),
        }
    }
}

fn obstacle(kind: &ObstacleKind) -> String {
    match kind {
        ObstacleKind::ResizeRefused(_) => "more CPU for a pod is refused".into(),
        ObstacleKind::ResizeNodeFull => "the node of a pod has no more CPU for it".into(),
        ObstacleKind::LessCpuRefused { kept, by: _ } => {
            format!("a pod is refused less CPU than {}", cpu(u64::from(*kept)))
        }
        ObstacleKind::PodOverQuota => "a quota refuses another pod".into(),
        ObstacleKind::PodUnschedulable => "no node has room for another pod".into(),
        ObstacleKind::ForeignOwner(owner) => format!("{owner} sets the replicas, so nothing is carried out"),
    }
}

fn of(size: Size) -> String {
    format!("{} x {}", count(u64::from(size.replicas), "worker"), cpu(u64::from(size.cpu)))
}

fn short(size: Size) -> String {
    format!("{} x {}", size.replicas, cpu(u64::from(size.cpu)))
}
