//! What `lint` says of documents: the refusals of the API server, the worker and the operator, without any of them.
//!
//! It asks the code that those run, so that it cannot say anything else than they do.

use std::collections::BTreeSet;

use gristmill_crds::plan::{CompactionPlan, IngestPlan, Problem, Reference, ReferenceKind};

use crate::documents::{self, Documents};
use crate::exit::Failure;

/// The verdict on all documents of a call.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// One for each document that is valid, with its warnings below it.
    pub summaries: Vec<String>,
    /// One for each document that is refused, as the command that runs it would print it.
    pub refusals: Vec<String>,
}

/// Judges documents; `unreadable` are those that could not be read at all.
pub fn lint(documents: &Documents, unreadable: Vec<documents::Error>) -> Verdict {
    let mut verdict = Verdict::default();
    for error in unreadable {
        verdict.refusals.push(Failure::from(error).message);
    }
    for ingest in &documents.ingests {
        verdict.add(IngestPlan::try_from(ingest).map_err(Failure::from).map(|plan| of_ingest(&plan)));
    }
    for compaction in &documents.compactions {
        if documents.refused_ingests.contains(&compaction.spec.ingest_ref.name) {
            // It stands in the files; what is wrong with it was said.
            continue;
        }
        let plan = documents.compaction_plan(compaction.metadata.name.as_deref());
        verdict.add(plan.map(|plan| of_compaction(&plan)));
    }
    let titles = documents.titles();
    for (index, title) in titles.iter().enumerate() {
        if titles[..index].contains(title) {
            verdict.refusals.push(format!("{title} stands in the files twice; rename or remove one"));
        }
    }
    if documents.ingests.is_empty() && documents.compactions.is_empty() && verdict.refusals.is_empty() {
        verdict
            .refusals
            .push("the files hold no StreamIngest and no HourlyCompaction; name a file that does with -f".into());
    }
    // A StreamIngest that is refused is refused again for each of its compactions.
    let mut seen = BTreeSet::new();
    verdict.refusals.retain(|refusal| seen.insert(refusal.clone()));
    verdict
}

impl Verdict {
    fn add(&mut self, outcome: Result<String, Failure>) {
        match outcome {
            Ok(summary) => self.summaries.push(summary),
            Err(failure) => self.refusals.push(failure.message),
        }
    }
}

fn of_ingest(plan: &IngestPlan) -> String {
    let mut facts = vec![
        count(plan.record.columns.len(), "column"),
        format!("at most {} a day and worker by age", count(plan.files_per_day(), "file")),
        format!("group {}", plan.consumer_group),
    ];
    facts.extend(needs(&plan.references()));
    summary("StreamIngest", &plan.name, &facts, &plan.warnings())
}

fn of_compaction(plan: &CompactionPlan) -> String {
    let mut facts = vec![format!("from {}", plan.ingest.raw_path), format!("key {}", plan.key.join(", "))];
    facts.extend(needs(&plan.references()));
    summary("HourlyCompaction", &plan.name, &facts, &plan.warnings())
}

fn needs(references: &[Reference]) -> Option<String> {
    let title = |Reference { kind, name }: &Reference| match kind {
        ReferenceKind::Secret => format!("Secret {name}"),
        ReferenceKind::ConfigMap => format!("ConfigMap {name}"),
    };
    let titles: Vec<String> = references.iter().map(title).collect();
    (!titles.is_empty()).then(|| format!("needs {}", titles.join(", ")))
}

fn summary(kind: &str, name: &str, facts: &[String], warnings: &[Problem]) -> String {
    let mut text = format!("ok {kind} {name}: {}", facts.join("; "));
    for warning in warnings {
        text += &format!("\n  warning: {warning}");
    }
    text
}

fn count<N: std::fmt::Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    if number == N::from(1) { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
