//! Writes the bytes of a file into a store as a worker does with a RAW file, and nothing else.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gristmill::cpu;
use gristmill::store::{self, HadoopAccess, ZoneUrl};
use gristmill_bench::Failure;
use gristmill_core::log::{CommitId, Incarnation, layout};
use serde_json::{Value, json};
use uuid::Uuid;

/// What leaves the encoder at a time.
const PIECE: usize = 1 << 20;
/// Times that the file is written.
const FILES: usize = 5;

pub(crate) async fn write(url: &str, file: &Path, user: Option<&str>) -> Result<Value, Failure> {
    let bytes = fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let bytes = Bytes::from(bytes);
    let url: ZoneUrl = url.parse()?;
    let access = HadoopAccess { user: user.map(str::to_owned), ..HadoopAccess::default() };
    let store = store::open(&url, &access)?;
    let incarnation = Incarnation::new(Uuid::new_v4());
    let mut took = Took::default();
    let used = cpu::used();
    for _ in 0..FILES {
        let path = url.join(&layout::prepared(incarnation, CommitId::new(Uuid::new_v4())));
        let began = Instant::now();
        let mut writer = store.create(&path).await?;
        took.create += began.elapsed();
        let began = Instant::now();
        let mut rest = bytes.clone();
        while !rest.is_empty() {
            writer.write(rest.split_to(PIECE.min(rest.len()))).await?;
        }
        took.write += began.elapsed();
        let began = Instant::now();
        writer.close().await?;
        took.close += began.elapsed();
        store.delete(&path).await?;
    }
    let cpu = cpu::used() - used;
    let a_file = |time: Duration| time.as_secs_f64() / FILES as f64;
    Ok(json!({
        "bytes": bytes.len(),
        "files": FILES,
        "create": a_file(took.create),
        "write": a_file(took.write),
        "close": a_file(took.close),
        "cpu": a_file(cpu),
    }))
}

/// Time that passed.
#[derive(Default)]
struct Took {
    create: Duration,
    write: Duration,
    close: Duration,
}
