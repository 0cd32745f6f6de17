//! What is valid and probably not meant: `gristmill lint` says it, nothing refuses it.

use std::time::Duration;

use super::{CompactionPlan, IngestPlan, Problem, Schedule};
use crate::rejected::{BudgetAction, PayloadPolicy};
use crate::source::SaslMechanism;

/// Seconds of a day.
const DAY: u64 = 24 * 3600;
/// Files of a day and worker that are worth a word: one a minute.
const MANY_FILES: u64 = 1440;

impl IngestPlan {
    /// Files that one worker closes by age in a day at the most: when messages keep coming, and each file stays small.
    ///
    /// Files that are closed by size or number of records come on top.
    pub fn files_per_day(&self) -> u64 {
        let seconds = self.max_age.as_secs().max(1);
        DAY.div_ceil(seconds)
    }

    /// What is valid and probably not meant, in the order of the document.
    pub fn warnings(&self) -> Vec<Problem> {
        let mut warnings = Vec::new();
        let mut warn = |path: &str, message: String| warnings.push(Problem { path: path.to_owned(), message });
        let plain = self.security.sasl.as_ref().is_some_and(|sasl| sasl.mechanism == SaslMechanism::Plain);
        if plain && self.security.tls.is_none() {
            let message = "sends the password readable over the network; add security.tls, or use ScramSha512";
            warn("spec.source.kafka.security.sasl.mechanism", message.to_owned());
        }
        for (index, column) in self.record.columns.iter().enumerate() {
            if let Some(around) = self.record.parent_in_common(&column.path) {
                let message = format!(
                    "leads through {around}, in which the rows stand too; where a message has several of it, a row does not \
                     take what its own one has, but what any has: send one in a message, or have the value in the row"
                );
                warn(&format!("spec.record.columns[{index}].path"), message);
            }
        }
        if self.rejected.budget.action == BudgetAction::Continue && self.rejected.budget.max_percent() == "100" {
            let message = "with action Continue no share of rejects is ever reported; lower it to see a broken feed";
            warn("spec.rejected.maxPercent", message.to_owned());
        }
        if self.rejected.payload == PayloadPolicy::Full && self.rejected.retention.is_none() {
            let message = "keeps whole messages for ever, which may hold personal data; add rejected.retention";
            warn("spec.rejected.payload", message.to_owned());
        }
        if let Some(message) = only_local(&self.raw_path) {
            warn("spec.raw.path", message);
        }
        let files = self.files_per_day();
        if files > MANY_FILES {
            let message = format!("closes up to {files} files a day and worker; 5m, the default, is 288");
            warn("spec.raw.files.maxAge", message);
        }
        if let Some(retention) = self.retention.as_ref().filter(|retention| retention.after < Duration::from_secs(DAY))
        {
            let hours = retention.after.as_secs_f64() / 3600.0;
            let message = format!("is {hours:.1} hours: a compaction that is registered later finds older rows gone");
            warn("spec.raw.retention.after", message);
        }
        if self.raw_path.starts_with("hdfs://") && self.hadoop.is_none() {
            let message = "is missing: in a cluster the pods have no user name for HDFS; write simple or kerberos";
            warn("spec.hadoop", message.to_owned());
        }
        if let Some(message) = self.short_memory(self.pod_memory) {
            warn("spec.pod.memory", message);
        }
        warnings
    }
}

impl CompactionPlan {
    /// What is valid and probably not meant, in the order of the document.
    pub fn warnings(&self) -> Vec<Problem> {
        let warn = |path: &str, message| Problem { path: path.to_owned(), message };
        let schedule = Schedule::try_new(&self.schedule, &self.time_zone).ok();
        let never = schedule.filter(|schedule| schedule.longest_gap().is_none()).map(|_| {
            let message = format!("{:?} never starts a run: no such day comes; correct day or month", self.schedule);
            warn("spec.schedule", message)
        });
        let short = self.short_retention().map(|message| warn("spec.schedule", message));
        let local = only_local(&self.processed_path).map(|message| warn("spec.processed.path", message));
        never.into_iter().chain(short).chain(local).collect()
    }

    /// A compaction holds RAW's rows from its first run on; until then they go by age, and one run may fail.
    fn short_retention(&self) -> Option<String> {
        let after = self.ingest.retention.as_ref()?.after;
        let gap = Schedule::try_new(&self.schedule, &self.time_zone).ok()?.longest_gap()?.to_std().ok()?;
        (after < 2 * gap).then(|| {
            format!(
                "has up to {} between two starts, and spec.raw.retention.after of StreamIngest {} is {}: rows may leave \
                 before a first run has registered; write at least {} there",
                span(gap),
                self.ingest.name,
                span(after),
                span(2 * gap)
            )
        })
    }
}

/// As a resource has it, in the largest unit that it is whole in.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let unit = [(3600, "h"), (60, "m")].into_iter().find(|(length, _)| seconds.is_multiple_of(*length));
    unit.map_or(format!("{seconds}s"), |(length, unit)| format!("{}{unit}", seconds / length))
}

fn only_local(url: &str) -> Option<String> {
    url.starts_with("file://")
        .then(|| format!("{url:?} is for a laptop; the operator refuses it, since it would be gone with a pod"))
}
