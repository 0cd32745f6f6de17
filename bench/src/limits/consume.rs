//! Reads a topic to its end as a worker reads it, and does nothing with what comes.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use gristmill::cpu;
use gristmill::documents::Documents;
use gristmill::ingest::Options;
use gristmill::kafka::{Brokers, Delivered, Feed, KafkaSource, Member, Position, Source, SourceEvent};
use gristmill::zone::SystemClock;
use gristmill_bench::Failure;
use serde_json::{Value, json};

pub(crate) async fn consume(document: &Path) -> Result<Value, Failure> {
    let plan = Documents::read(&[document.to_owned()])?.ingest_plan(None)?;
    let options = Options::new(&plan);
    let (budget, connection) = (options.budget, options.connection);
    let source = KafkaSource {
        reception: budget.reception(&connection, plan.record.limits.message_bytes as u64),
        connection,
        topic: plan.topic.clone(),
        group: plan.consumer_group.clone(),
        wait: None,
    };
    let mut open: BTreeSet<i32> = source.brokers()?.ends().await?.into_keys().collect();
    let (used, began) = (cpu::used(), Instant::now());
    let (member, changes) = source.join("bench-limits")?;
    let (mut messages, mut bytes) = (0_u64, 0_u64);
    let mut feed = Feed::new(&member, changes, Arc::new(SystemClock), budget.held);
    while !open.is_empty() {
        match feed.next().await {
            SourceEvent::Assigned(partitions) => {
                let begin = |partition| Position { partition, offset: 0, leader_epoch: None };
                feed.assign(&partitions.into_iter().map(begin).collect::<Vec<_>>())?;
            }
            SourceEvent::Message(message) => {
                messages += 1;
                bytes += message.payload().map_or(0, <[u8]>::len) as u64;
            }
            SourceEvent::EndOfPartition(partition) => {
                open.remove(&partition);
            }
            SourceEvent::Begun(_) => feed.prove().await?,
            other => return Err(format!("the topic can't be read alone and to its end: {other:?}").into()),
        }
    }
    let told = json!({
        "messages": messages,
        "bytes": bytes,
        "seconds": began.elapsed().as_secs_f64(),
        "cpu": (cpu::used() - used).as_secs_f64(),
    });
    drop(feed);
    member.leave().await;
    Ok(told)
}
