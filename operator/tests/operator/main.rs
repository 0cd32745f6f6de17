//! The operator against an API server in memory, which grants it no more than `manifests/operator` does.
#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod api_server;
mod builds;
mod cluster;
mod conditions;
mod describe;
mod documents;
mod election;
mod hourly_compaction;
mod installation;
mod objects;
mod permissions;
mod resizes;
mod rollout;
mod run_size;
mod runs_under_way;
mod served_schema;
mod sizing;
mod start_from;
mod stream_ingest;
mod whole;
mod workers;
