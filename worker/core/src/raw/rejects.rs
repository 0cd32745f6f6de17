//! Gathers reject records: what was wrong, where, and the message itself so that nothing is lost.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Int32Builder, Int64Builder, ListBuilder, RecordBatch, StringBuilder, StructBuilder,
};
use arrow::datatypes::{DataType, SchemaRef};
use gristmill_crds::PayloadPolicy;
use sha2::{Digest, Sha256};

use super::limits::TRUNCATED_PAYLOAD;
use super::message::Message;
use super::reason::Reason;
use super::rows::OriginBuilder;
use super::schema::{header_fields, reject_schema};
use crate::xml::Place;

/// One thing that is wrong with a message or with one of its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reject {
    pub(super) reason: Reason,
    pub(super) column: Option<String>,
    pub(super) path: String,
    pub(super) place: Place,
    pub(super) message: String,
    /// None for a reject of the whole message.
    pub(super) record_index: Option<i32>,
}

/// A message while its rejects are recorded: its digest is computed at the first; payload and headers go with it.
#[derive(Debug)]
pub(super) struct Quarantine<'m> {
    message: &'m Message<'m>,
    payload: &'m [u8],
    sha256: Option<String>,
}

impl<'m> Quarantine<'m> {
    pub(super) fn new(message: &'m Message<'m>, payload: &'m [u8]) -> Self {
        Self { message, payload, sha256: None }
    }
}

/// Reject records that wait for the open file.
#[derive(Debug)]
pub(super) struct RejectBuilder {
    schema: SchemaRef,
    policy: PayloadPolicy,
    origin: OriginBuilder,
    headers: ListBuilder<StructBuilder>,
    payload: BinaryBuilder,
    payload_length: Int64Builder,
    payload_sha256: StringBuilder,
    stage: StringBuilder,
    reason: StringBuilder,
    column: StringBuilder,
    path: StringBuilder,
    line: Int64Builder,
    position: Int64Builder,
    message: StringBuilder,
    record_index: Int32Builder,
    rejects: usize,
    bytes: usize,
}

impl RejectBuilder {
    pub(super) fn new(policy: PayloadPolicy) -> Self {
        let schema = reject_schema();
        let headers = ListBuilder::new(StructBuilder::from_fields(header_fields(), 0));
        let headers = match schema.field_with_name("headers").expect("the schema has headers").data_type() {
            DataType::List(item) => headers.with_field(Arc::clone(item)),
            other => unreachable!("headers are a list, not {other}"),
        };
        Self {
            schema,
            policy,
            origin: OriginBuilder::new(),
            headers,
            payload: BinaryBuilder::new(),
            payload_length: Int64Builder::new(),
            payload_sha256: StringBuilder::new(),
            stage: StringBuilder::new(),
            reason: StringBuilder::new(),
            column: StringBuilder::new(),
            path: StringBuilder::new(),
            line: Int64Builder::new(),
            position: Int64Builder::new(),
            message: StringBuilder::new(),
            record_index: Int32Builder::new(),
            rejects: 0,
            bytes: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rejects
    }

    pub(super) fn memory_size(&self) -> usize {
        self.bytes
    }

    /// Adds one record.
    pub(super) fn append(&mut self, of: &mut Quarantine<'_>, reject: Reject) {
        // No `..`: a new field must reach its column.
        let Reject { reason, column, path, place, message, record_index } = reject;
        self.append_message(of);
        self.origin.append(of.message, 1);
        self.stage.append_value(reason.stage().as_str());
        self.reason.append_value(reason.as_str());
        self.column.append_option(column.as_deref());
        self.path.append_value(&path);
        self.line.append_value(i64::from(place.line));
        self.position.append_value(i64::from(place.position));
        self.message.append_value(&message);
        self.record_index.append_option(record_index);
        self.rejects += 1;
        // Codes, digest, coordinates, numbers and offsets of one record.
        self.bytes += 256
            + message.len()
            + path.len()
            + column.map_or(0, |column| column.len())
            + of.message.topic.len()
            + of.message.topic_id.len()
            + of.message.key.map_or(0, <[u8]>::len);
    }

    /// Payload and headers go with the first record of their message; the others carry length and digest.
    fn append_message(&mut self, of: &mut Quarantine<'_>) {
        self.payload_length.append_value(i64::try_from(of.payload.len()).expect("a slice is shorter than 2^63"));
        if let Some(sha256) = &of.sha256 {
            self.payload.append_null();
            self.payload_sha256.append_value(sha256);
            self.headers.append(false);
            return;
        }
        let stored = match self.policy {
            PayloadPolicy::Full => Some(of.payload),
            PayloadPolicy::Truncated => Some(&of.payload[..of.payload.len().min(TRUNCATED_PAYLOAD)]),
            PayloadPolicy::None => None,
        };
        self.payload.append_option(stored);
        self.bytes += stored.map_or(0, <[u8]>::len);
        let sha256: String = Sha256::digest(of.payload).iter().map(|byte| format!("{byte:02x}")).collect();
        self.payload_sha256.append_value(&sha256);
        of.sha256 = Some(sha256);
        self.append_headers(of.message);
    }

    fn append_headers(&mut self, message: &Message<'_>) {
        let entries = self.headers.values();
        for header in message.headers.read() {
            let key = entries.field_builder::<StringBuilder>(0).expect("field 0 of a header is its key");
            key.append_value(&header.key);
            let value = entries.field_builder::<BinaryBuilder>(1).expect("field 1 of a header is its value");
            value.append_option(header.value);
            entries.append(true);
            self.bytes += 16 + header.key.len() + header.value.map_or(0, <[u8]>::len);
        }
        self.headers.append(true);
    }

    /// The records so far as one batch; none if there is no record.
    pub(super) fn take(&mut self) -> Option<RecordBatch> {
        if self.rejects == 0 {
            return None;
        }
        (self.rejects, self.bytes) = (0, 0);
        let (origin, generation) = self.origin.finish();
        let mut arrays: Vec<ArrayRef> = origin.into();
        arrays.extend([
            Arc::new(self.headers.finish()) as ArrayRef,
            Arc::new(self.payload.finish()),
            Arc::new(self.payload_length.finish()),
            Arc::new(self.payload_sha256.finish()),
            Arc::new(self.stage.finish()),
            Arc::new(self.reason.finish()),
            Arc::new(self.column.finish()),
            Arc::new(self.path.finish()),
            Arc::new(self.line.finish()),
            Arc::new(self.position.finish()),
            Arc::new(self.message.finish()),
            Arc::new(self.record_index.finish()),
            generation,
        ]);
        let schema = Arc::clone(&self.schema);
        Some(RecordBatch::try_new(schema, arrays).expect("every record adds one value to every column"))
    }
}
