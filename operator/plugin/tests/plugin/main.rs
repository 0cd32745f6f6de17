//! The plugin against an API server in memory, which grants it no more than the Role of the guide does.
#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

#[path = "../../../tests/operator/api_server.rs"]
mod api_server;
mod cluster;
mod explain_sizing;
mod facts;
mod refusals;
mod screens;
mod writes;
