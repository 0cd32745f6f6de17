//! `rejected`: why messages of an ingest were rejected lately, how often, and where one of each can be seen.

use gristmill_crds::report::{IngestPhase, IngestReport, RejectReason};
use gristmill_crds::{MessageCounts, RowCounts, StreamIngestStatus};
use serde::Serialize;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::error::{Error, describe};
use crate::resource::Resource;
use crate::table::{Column, Table, paragraph};
use crate::worker;

/// What workers and status tell of rejects.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejected {
    /// Messages with a reject in the window of the budget, in percent.
    pub percent: Option<String>,
    /// Messages over the whole log.
    pub messages: Option<MessageCounts>,
    /// Rows over the whole log.
    pub rows: Option<RowCounts>,
    /// Why consumption is held, if it is.
    pub held: Option<String>,
    /// Reasons within the window, the most frequent first.
    pub reasons: Vec<RejectReason>,
    /// Workers that have told of them.
    pub told: usize,
    /// Workers that were asked.
    pub asked: usize,
    /// Why some have not.
    pub silent: Vec<String>,
}

/// Asks the status, and all workers that there are.
///
/// # Errors
/// The pods can't be listed.
pub async fn read(cluster: &Cluster, stream: &Resource) -> Result<Rejected, Error> {
    let status = stream.ingest_status();
    let answers = match worker::of(cluster, &stream.name).await {
        Ok(workers) => workers.ask_all::<IngestReport>("/status").await,
        Err(error @ Error::NoWorker { .. }) => vec![Err(error)],
        Err(error) => return Err(error),
    };
    let held = stream.condition("Ready").filter(|_| stream.is_held()).map(|ready| ready.message.clone());
    Ok(merge(status, held, answers))
}

/// One picture of what all have told. Pure.
pub fn merge(status: StreamIngestStatus, held: Option<String>, answers: Vec<Result<IngestReport, Error>>) -> Rejected {
    let StreamIngestStatus { messages, rows, rejected_percent, .. } = status;
    let mut rejected = Rejected {
        percent: rejected_percent,
        messages,
        rows,
        held,
        reasons: Vec::new(),
        told: 0,
        asked: answers.len(),
        silent: Vec::new(),
    };
    for answer in answers {
        match answer {
            Ok(report) => rejected.hear(report),
            Err(error) => rejected.silent.push(describe(&error)),
        }
    }
    rejected.reasons.sort_by(|a, b| b.records.cmp(&a.records).then_with(|| a.reason.cmp(&b.reason)));
    rejected
}

impl Rejected {
    fn hear(&mut self, report: IngestReport) {
        self.told += 1;
        if report.zone.is_some() {
            // All workers read one log, and fresher than the status.
            (self.messages, self.rows) = (Some(report.messages), Some(report.rows));
        }
        if report.rejected_percent.is_some() {
            self.percent = report.rejected_percent;
        }
        if report.phase == IngestPhase::Held {
            self.held = Some(report.message);
        }
        for reason in report.reject_reasons {
            match self.reasons.iter_mut().find(|known| known.reason == reason.reason) {
                Some(known) => known.records += reason.records,
                None => self.reasons.push(reason),
            }
        }
    }
}

/// The picture as a person reads it.
pub fn render(stream: &Resource, rejected: &Rejected) -> String {
    let Rejected { percent, messages, rows, held, reasons, told, asked, silent } = rejected;
    let mut text = paragraph(&format!("{} in {}", stream.to_name(), stream.namespace), 0);
    if let Some(held) = held {
        text += &paragraph(&format!("HELD: {held}"), 2);
    }
    if let Some(percent) = percent {
        text += &format!("  {percent} % of the messages in the window of the budget have rejects\n");
    }
    if let (Some(messages), Some(rows)) = (messages, rows) {
        text += &paragraph(
            &format!("over the whole log: {} messages rejected, {} reject records", messages.rejected, rows.rejected),
            2,
        );
    }
    let mut table = Table::new(&[Column::Text("REASON"), Column::Figure("RECORDS"), Column::Text("FOR EXAMPLE")]);
    for RejectReason { reason, records, topic, partition, offset } in reasons {
        table.row([reason.clone(), records.to_string(), format!("{topic}/{partition}/{offset}")]);
    }
    text += &format!("\n{}", table.render());
    if *told > 0 {
        let nothing = if reasons.is_empty() { "nothing was rejected " } else { "" };
        text += &format!("{nothing}in the window of the budget, as {told} of {asked} workers have read it\n");
    }
    for why in silent {
        text += &paragraph(why, 0);
    }
    text + &next(stream, rejected)
}

/// The same for scripts.
pub fn json(stream: &Resource, rejected: &Rejected) -> Value {
    json!({"namespace": stream.namespace, "name": stream.name, "rejected": rejected})
}

fn next(stream: &Resource, Rejected { held, reasons, .. }: &Rejected) -> String {
    let mut text = String::new();
    if let Some(RejectReason { partition, offset, .. }) = reasons.first() {
        let zone = stream.text("/raw/path");
        text += &format!("\nnext: gristmill rejected show {zone} {partition}/{offset}\n");
    }
    if held.is_some() {
        text += &format!(
            "then: correct spec.record or the producer, and kubectl gristmill resume {} -n {}\n",
            stream.to_name(),
            stream.namespace
        );
    }
    text
}
