//! Why a run has the size that it has, in one sentence and at length.

use std::fmt::Write;

use super::{CompactionDecision, CompactionFacts, CompactionFigures, CompactionLimit, LEAST_BYTES, PodSize, within};
use crate::facts::Mode;
use crate::figure::{bytes, cores, count, cpu, duration, memory, significant};

pub(super) const MANUAL: &str = "mode Manual: the document says the size, nothing is computed";

/// Nothing to compute by but that memory was lacking.
pub(super) fn unmeasured(facts: &CompactionFacts, size: PodSize) -> String {
    let by = match within(facts.document, facts).memory {
        by_document if by_document < size.memory => {
            format!("by spec.pod, and more memory, since {} was too little", memory(by_document))
        }
        _ => "by spec.pod".into(),
    };
    format!("no run of {} or more was measured yet: {} {by}", bytes(LEAST_BYTES as f64), pod(size))
}

pub(super) fn sentence(facts: &CompactionFacts, decision: &CompactionDecision, figures: &CompactionFigures) -> String {
    let mut sentence = format!(
        "{}; {} rows take {}; {}",
        formula(facts, figures),
        significant(figures.rows),
        memory(figures.memory as u64),
        size(decision)
    );
    for limit in &decision.limits {
        sentence.push_str("; ");
        sentence.push_str(&limit.sentence(facts));
    }
    sentence
}

impl CompactionDecision {
    /// Inputs, formula, result, what capped it, and what would change it, for `explain-sizing`.
    pub fn explanation(&self, facts: &CompactionFacts) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            // Writing into a String can't fail.
            let _written = writeln!(text, "{name:<12} {value}");
        };
        let mode = match (facts.mode, self.acts) {
            (Mode::Manual, _) => MANUAL.trim_start_matches("mode ").into(),
            (_, true) => "Auto: carried out".into(),
            (_, false) => "Advise: computed and shown, not carried out".into(),
        };
        line("mode", mode);
        if let Some(figures) = &self.figures {
            let found = format!("{}, of which {} wait now", bytes(figures.bytes), bytes(facts.backlog_bytes as f64));
            line("bytes", format!("{found}; the run starts in {}", duration(facts.until_start)));
            line(
                "speed",
                format!("{} a core-second, by {}", bytes(figures.bytes_per_core_second), count(figures.runs, "run")),
            );
            line("use", format!("{:.0} % of the cores, by the same runs, 50 % at the least", 100.0 * figures.used));
            line("formula", "bytes / (bytes of a core-second x targetDuration) / use".into());
            line("needed", formula(facts, figures));
            line(
                "memory",
                format!(
                    "96Mi and 16 bytes for each of {} rows: {}",
                    significant(figures.rows),
                    memory(figures.memory as u64)
                ),
            );
        }
        line("decided", size(self));
        match self.limits.as_slice() {
            [] => line("limited by", "nothing".into()),
            limits => limits.iter().for_each(|limit| line("limited by", limit.sentence(facts))),
        }
        let by_limit = self.limits.iter().map(|limit| limit.would_change());
        let by_mode = (facts.mode == Mode::Advise).then_some("mode Auto carries it out");
        let by_time = self.figures.map(|_| "a longer targetDuration takes less CPU, a shorter one more");
        by_limit.chain(by_mode).chain(by_time).for_each(|change| line("would change", change.into()));
        text
    }
}

fn formula(facts: &CompactionFacts, figures: &CompactionFigures) -> String {
    let used = if figures.used < 1.0 { format!(" at {:.0} % use", 100.0 * figures.used) } else { String::new() };
    format!(
        "{} at {}/s a core{used} in {}: {}",
        bytes(figures.bytes),
        bytes(figures.bytes_per_core_second),
        duration(facts.target),
        cores(figures.need),
    )
}

fn size(decision: &CompactionDecision) -> String {
    let before = if decision.kept { " as before, a little less would do" } else { "" };
    match decision.parallelism {
        0 | 1 => format!("{}{before}", pod(decision.pod)),
        pods => format!("{} x {}{before}", count(u64::from(pods), "pod"), pod(decision.pod)),
    }
}

fn pod(size: PodSize) -> String {
    format!("{} and {}", cpu(u64::from(size.cpu)), memory(size.memory))
}

impl CompactionLimit {
    fn sentence(self, facts: &CompactionFacts) -> String {
        match self {
            CompactionLimit::OneBucket => {
                format!(
                    "maxCpuPerPod {} keeps it there, more pods take processed.buckets",
                    cpu(u64::from(facts.max_cpu))
                )
            }
            CompactionLimit::MaxParallelism => format!("maxParallelism {} keeps it there", facts.max_parallelism),
            CompactionLimit::Buckets => format!("no more pods than {} buckets", facts.buckets),
            CompactionLimit::MaxMemory => {
                format!("maxMemoryPerPod {} keeps it there, the rest goes to local disk", memory(facts.max_memory))
            }
        }
    }

    fn would_change(self) -> &'static str {
        match self {
            CompactionLimit::OneBucket => {
                "a new HourlyCompaction with more processed.buckets, or a higher maxCpuPerPod"
            }
            CompactionLimit::MaxParallelism => "a higher maxParallelism or maxCpuPerPod",
            CompactionLimit::Buckets => "a higher maxCpuPerPod; buckets are fixed",
            CompactionLimit::MaxMemory => "a higher maxMemoryPerPod, which saves some CPU",
        }
    }
}
