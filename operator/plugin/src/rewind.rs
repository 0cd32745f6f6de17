//! `rewind`: reads a part of the topic again, or tells what that would be.

use gristmill_crds::plan::Position;
use gristmill_crds::report::{PartitionMove, RewindReport, partition_offset};
use gristmill_crds::{PartitionOffset, StartPosition};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::error::Error;
use crate::resource::Resource;
use crate::table::{Column, Table, paragraph};
use crate::worker;

/// Where the rewind goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Target {
    /// To the oldest message that the brokers hold.
    #[arg(long)]
    pub to_earliest: bool,
    /// To the end of each partition: what lies before it is never read.
    #[arg(long)]
    pub to_latest: bool,
    /// To the first message of this time or later (RFC 3339), for example 2026-11-23T02:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub to_timestamp: Option<Timestamp>,
    /// To an offset of a partition, for example 0:1044; may be repeated. Partitions that are not named stay as they are.
    #[arg(long, value_name = "PARTITION:OFFSET", value_parser = partition_offset)]
    pub to_offset: Vec<PartitionOffset>,
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| format!("{text:?} is not a time; write RFC 3339 such as 2026-11-23T02:00:00Z"))
}

impl Target {
    fn position(&self) -> StartPosition {
        // clap lets exactly one of them through.
        match self {
            Self { to_timestamp: Some(_), .. } => StartPosition::Timestamp,
            Self { to_offset, .. } if !to_offset.is_empty() => StartPosition::Offsets,
            Self { to_latest: true, .. } => StartPosition::Latest,
            Self { .. } => StartPosition::Earliest,
        }
    }

    fn timestamp(&self) -> Option<String> {
        self.to_timestamp.map(|time| time.to_string())
    }

    /// Refuses what the operator would refuse later.
    ///
    /// # Errors
    /// A partition stands there twice, or the time lies before 1970.
    pub fn check(&self) -> Result<(), Error> {
        Position::of_rewind(self.position(), self.timestamp().as_deref(), &self.to_offset)
            .map(drop)
            .map_err(|error| Error::Usage(error.to_string()))
    }

    /// The question to a worker. Words, digits and a time in UTC need no escapes.
    fn question(&self) -> String {
        let mut question = format!("/rewind-plan?position={:?}", self.position());
        if let Some(time) = self.timestamp() {
            question += &format!("&timestamp={time}");
        }
        if !self.to_offset.is_empty() {
            let pair = |PartitionOffset { partition, offset }: &PartitionOffset| format!("{partition}:{offset}");
            question += &format!("&offsets={}", self.to_offset.iter().map(pair).collect::<Vec<_>>().join(","));
        }
        question
    }

    /// The merge patch: what a former rewind said beside it goes.
    fn patch(&self, nonce: &str) -> Value {
        let offsets = (!self.to_offset.is_empty()).then_some(&self.to_offset);
        json!({"spec": {"rewind": {
            "nonce": nonce, "position": self.position(), "timestamp": self.timestamp(), "offsets": offsets,
        }}})
    }
}

/// Asks a worker what the rewind would read again. Nothing is changed.
///
/// # Errors
/// No worker answers, or the position is not there.
pub async fn plan(cluster: &Cluster, stream: &Resource, target: &Target) -> Result<RewindReport, Error> {
    target.check()?;
    worker::of(cluster, &stream.name).await?.ask(&target.question()).await
}

/// Asks for the rewind. Says what it did.
///
/// # Errors
/// The API server does not take it.
pub async fn apply(cluster: &Cluster, stream: &Resource, target: &Target, nonce: &str) -> Result<String, Error> {
    target.check()?;
    if stream.text("/rewind/nonce") == nonce {
        return Err(Error::Usage(format!(
            "nonce {nonce:?} stands in spec.rewind already, and each acts once; leave --nonce out to get a new one"
        )));
    }
    cluster.patch(stream, target.patch(nonce)).await?;
    let name = stream.to_name();
    let mut text = format!("{name}: spec.rewind is set, nonce {nonce}\n");
    text += if stream.is_suspended() {
        "it is suspended: its workers rewind when it is resumed\n"
    } else {
        "its workers are replaced one by one, and the first rewinds\n"
    };
    Ok(text + &format!("see: kubectl gristmill status {name} -n {}\n", cluster.namespace))
}

/// What the rewind would do, as a person reads it.
pub fn render(stream: &Resource, report: &RewindReport) -> String {
    let RewindReport { total, read_again, skipped, moved, moves } = report;
    let mut text = paragraph(
        &format!(
            "{} in {}: {moved} of {total} partitions would move; {read_again} offsets would be read again, {skipped} \
             would be skipped",
            stream.to_name(),
            stream.namespace
        ),
        0,
    );
    let mut table = Table::new(&[
        Column::Figure("PARTITION"),
        Column::Figure("FROM"),
        Column::Figure("TO"),
        Column::Figure("MESSAGES"),
        Column::Text("EFFECT"),
    ]);
    for PartitionMove { partition, stands_at, goes_to } in moves {
        let (from, to, effect) = match goes_to < stands_at {
            true => (goes_to, stands_at, "read again"),
            false => (stands_at, goes_to, "skipped"),
        };
        table.row([
            partition.to_string(),
            from.to_string(),
            to.to_string(),
            to.saturating_sub(*from).to_string(),
            effect.to_owned(),
        ]);
    }
    text += &table.render();
    if moves.len() < *moved {
        text += &format!("and {} partitions more\n", moved - moves.len());
    }
    text += "messages are counted by offsets: there are fewer in a topic that is compacted or has transactions\n";
    text + "nothing was changed\n"
}

/// The same for scripts.
pub fn json(stream: &Resource, report: &RewindReport) -> Value {
    json!({"namespace": stream.namespace, "name": stream.name, "plan": report})
}
