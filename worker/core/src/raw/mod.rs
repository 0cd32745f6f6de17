//! Messages into rows and rejects: what the RAW zone and its rejected sibling hold.
//!
//! A [`MessageDecoder`] takes one Kafka message after the other and gathers rows and reject records in
//! Arrow builders; the open file takes them as batches. A message is accepted, rejected or a tombstone,
//! and nothing of it is gathered before its end has been found well-formed.

mod column;
mod decoder;
mod format;
mod found;
mod json;
mod limits;
mod message;
mod paths;
mod reason;
mod refusal;
mod rejects;
mod rows;
mod schema;
mod staging;
mod text;
mod typing;
mod value;

pub use decoder::MessageDecoder;
pub use json::json_value;
pub use message::{Header, Headers, Message, NoHeaders, Verdict};
pub use reason::{Reason, Stage};
pub use schema::{data_type, reject_schema, row_schema, schema_id};
