//! The fields of our kinds that the API server does not serve: its definitions are older than this operator.
//!
//! An API server drops a field of a spec that its definition lacks, and refuses a whole status that has one. So the
//! resources say what is lacking, and a status is written without it. Nothing else depends on it: an API server that
//! does not tell its schema leaves things as they are.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use futures::Stream;
use gristmill_crds::{HourlyCompaction, StreamIngest, definition};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::{Client, Resource};
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tracing::{info, warn};

/// Where the API server tells the schema of our kinds; whoever may authenticate may read it.
const PATH: &str = "/openapi/v3/apis/gristmill.dev/v1alpha1";
/// An API server that is up answers in less than a second; the controllers start after the first answer.
const LONGEST_LOOK: Duration = Duration::from_secs(10);
/// Definitions change with an upgrade, and that begins with a new leader.
const BETWEEN_LOOKS: Duration = Duration::from_secs(600);
/// While somebody is asked to apply them. Two requests a minute leave an idle cluster below 20.
pub const WHILE_OUTDATED: Duration = Duration::from_secs(30);
/// From a refused status to the next look: an API server tells a new definition about as late, and several are refused together.
const AFTER_REFUSAL: Duration = Duration::from_secs(1);
/// Fields that a message names.
const NAMED_FIELDS: usize = 8;

/// What the API server was seen to lack, by kind. Empty until it has told.
pub struct ServedSchema {
    outdated: watch::Sender<BTreeMap<String, Outdated>>,
    while_outdated: Duration,
    refused: Notify,
}

/// What the definition of a kind lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outdated {
    kind: String,
    fields: Vec<Field>,
}

/// A field of a spec or a status.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Field(Vec<Step>);

/// A step to a field.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// Into the property of this name.
    Property(String),
    /// Into each item of a list.
    Items,
    /// Into each value of a map.
    Values,
}

impl ServedSchema {
    /// Nothing is known yet; `while_outdated` lies between two looks at outdated definitions.
    pub fn new(while_outdated: Duration) -> Self {
        Self { outdated: watch::channel(BTreeMap::new()).0, while_outdated, refused: Notify::new() }
    }

    /// What the definition of `K` lacks, if anything.
    pub fn outdated<K: Resource<DynamicType = ()>>(&self) -> Option<Outdated> {
        self.outdated.borrow().get(K::kind(&()).as_ref()).cloned()
    }

    /// One line for each kind whose definition lacks something.
    pub fn notes(&self) -> Vec<String> {
        self.outdated.borrow().values().map(ToString::to_string).collect()
    }

    /// Yields whenever another answer is known.
    pub fn changes(&self) -> impl Stream<Item = ()> + Send + use<> {
        futures::stream::unfold(self.outdated.subscribe(), |mut outdated| async {
            outdated.changed().await.ok()?;
            Some(((), outdated))
        })
    }

    /// Asks the API server. What was known stays known where it does not answer.
    pub async fn look(&self, client: &Client) {
        let next = match tokio::time::timeout(LONGEST_LOOK, served(client)).await {
            Ok(Ok(document)) => outdated(&document),
            Ok(Err(error)) => return warn!(%error, "the API server does not tell the schema that it serves"),
            Err(_) => {
                return warn!(limit = ?LONGEST_LOOK, "the API server does not tell the schema that it serves in time");
            }
        };
        self.outdated.send_if_modified(|known| {
            let differs = *known != next;
            if differs {
                next.values().for_each(|outdated| warn!(%outdated, "definition is outdated"));
                known.values().filter(|old| !next.contains_key(&old.kind)).for_each(|old| {
                    info!(kind = old.kind, "definition is up to date");
                });
                *known = next;
            }
            differs
        });
    }

    /// Takes note of a status that was refused for a field: the definition is another one than was seen. For some seconds
    /// after definitions were changed an API server still tells those of before.
    pub fn note_refusal(&self) {
        self.refused.notify_one();
    }

    /// Asks again and again, for ever: soon after a refusal, else from time to time.
    pub async fn keep_looking(&self, client: &Client) {
        loop {
            let outdated = !self.outdated.borrow().is_empty();
            let pause = if outdated { self.while_outdated } else { BETWEEN_LOOKS };
            if tokio::time::timeout(pause, self.refused.notified()).await.is_ok() {
                tokio::time::sleep(AFTER_REFUSAL).await;
            }
            self.look(client).await;
        }
    }
}

impl Outdated {
    /// The document without what the API server would refuse.
    pub fn without_missing(&self, mut document: Value) -> Value {
        self.fields.iter().for_each(|field| remove(&mut document, &field.0));
        document
    }
}

impl fmt::Display for Outdated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<String> = self.fields.iter().take(NAMED_FIELDS).map(ToString::to_string).collect();
        let more = match self.fields.len().saturating_sub(NAMED_FIELDS) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        write!(
            f,
            "the definition of {} in the cluster is older than this operator ({}) and lacks {}{more}: what is written there is dropped; apply the definitions of this version, by `kubectl apply --server-side -f crds/` or by Helm with crds.install=true",
            self.kind,
            env!("CARGO_PKG_VERSION"),
            named.join(", "),
        )
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Property(name) if at == 0 => f.write_str(name)?,
                Step::Property(name) => write!(f, ".{name}")?,
                Step::Items => f.write_str("[]")?,
                Step::Values => f.write_str(".*")?,
            }
        }
        Ok(())
    }
}

async fn served(client: &Client) -> Result<Value, kube::Error> {
    let request = http::Request::get(PATH).header(http::header::ACCEPT, "application/json").body(Vec::new());
    client.request(request.map_err(kube::Error::HttpError)?).await
}

/// What an OpenAPI document lacks of the definitions that this operator was built with.
fn outdated(document: &Value) -> BTreeMap<String, Outdated> {
    let kinds = [
        (StreamIngest::kind(&()), definition::<StreamIngest>()),
        (HourlyCompaction::kind(&()), definition::<HourlyCompaction>()),
    ];
    let lacking = |(kind, definition): (Cow<'_, str>, CustomResourceDefinition)| {
        let fields = missing(schema_of(document, &kind)?, &definition);
        (!fields.is_empty()).then(|| (kind.to_string(), Outdated { kind: kind.into_owned(), fields }))
    };
    kinds.into_iter().filter_map(lacking).collect()
}

/// The served schema of a kind. Others, such as those of lists and options, name more kinds or another one.
fn schema_of<'a>(document: &'a Value, kind: &str) -> Option<&'a Value> {
    let schemas = document.pointer("/components/schemas")?.as_object()?;
    schemas.values().find(|schema| {
        let named = schema["x-kubernetes-group-version-kind"].as_array();
        named.is_some_and(|named| named.len() == 1 && named[0]["kind"] == kind && named[0]["version"] == "v1alpha1")
    })
}

/// Fields of spec and status that the served schema lacks; of a field that it lacks, nothing below.
fn missing(served: &Value, definition: &CustomResourceDefinition) -> Vec<Field> {
    let mut fields = Vec::new();
    let versions = definition.spec.versions.iter();
    for schema in versions.filter_map(|version| version.schema.as_ref()?.open_api_v3_schema.as_ref()) {
        for part in ["spec", "status"] {
            let wanted = schema.properties.as_ref().and_then(|properties| properties.get(part));
            if let Some(wanted) = wanted {
                compare(&served["properties"][part], wanted, &[Step::Property(part.to_owned())], &mut fields);
            }
        }
    }
    fields
}

fn compare(served: &Value, wanted: &JSONSchemaProps, path: &[Step], missing: &mut Vec<Field>) {
    let to = |step: Step| [path, &[step]].concat();
    if served.is_null() {
        missing.push(Field(path.to_vec()));
        return;
    }
    if served["x-kubernetes-preserve-unknown-fields"] == true {
        return;
    }
    for (name, property) in wanted.properties.iter().flatten() {
        compare(&served["properties"][name], property, &to(Step::Property(name.clone())), missing);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &wanted.items {
        compare(&served["items"], items, &to(Step::Items), missing);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &wanted.additional_properties {
        compare(&served["additionalProperties"], values, &to(Step::Values), missing);
    }
}

fn remove(value: &mut Value, path: &[Step]) {
    match (path, value) {
        ([Step::Property(last)], Value::Object(map)) => {
            map.remove(last);
        }
        ([Step::Property(name), rest @ ..], Value::Object(map)) => {
            if let Some(inner) = map.get_mut(name) {
                remove(inner, rest);
            }
        }
        ([Step::Items, rest @ ..], Value::Array(items)) => items.iter_mut().for_each(|item| remove(item, rest)),
        ([Step::Values, rest @ ..], Value::Object(map)) => map.values_mut().for_each(|inner| remove(inner, rest)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    /// What an API server with the definitions of this version serves.
    fn current() -> Value {
        let schema = |kind: &str, definition: CustomResourceDefinition| {
            let mut schema = serde_json::to_value(&definition.spec.versions[0].schema).expect("a schema is JSON");
            let mut schema = schema["openAPIV3Schema"].take();
            schema["x-kubernetes-group-version-kind"] =
                json!([{"group": "gristmill.dev", "kind": kind, "version": "v1alpha1"}]);
            schema
        };
        json!({"components": {"schemas": {
            "dev.gristmill.v1alpha1.StreamIngest": schema("StreamIngest", definition::<StreamIngest>()),
            "dev.gristmill.v1alpha1.HourlyCompaction": schema("HourlyCompaction", definition::<HourlyCompaction>()),
        }}})
    }

    const SPEC: &str = "/components/schemas/dev.gristmill.v1alpha1.StreamIngest/properties/spec/properties";
    const STATUS: &str = "/components/schemas/dev.gristmill.v1alpha1.StreamIngest/properties/status/properties";

    #[rstest]
    #[case::nothing(SPEC, &[], &[])]
    #[case::of_the_spec(SPEC, &["suspend"], &["spec.suspend"])]
    #[case::of_the_status(STATUS, &["retention", "watermark"], &["status.retention", "status.watermark"])]
    #[case::within_a_block(&format!("{SPEC}/raw/properties/files/properties"), &["maxAge"], &["spec.raw.files.maxAge"])]
    #[case::within_a_list(&format!("{SPEC}/record/properties/columns/items/properties"), &["scale"], &["spec.record.columns[].scale"])]
    #[case::a_block_without_what_is_in_it(SPEC, &["rejected"], &["spec.rejected"])]
    #[case::values_of_a_map(&format!("{SPEC}/pod/properties/annotations"), &["additionalProperties"], &["spec.pod.annotations.*"])]
    fn field_that_the_served_schema_lacks_is_named(
        #[case] place: &str,
        #[case] removed: &[&str],
        #[case] expected: &[&str],
    ) {
        let mut document = current();
        let properties = document.pointer_mut(place).and_then(Value::as_object_mut).expect("the place exists");
        for name in removed {
            properties.remove(*name).expect("the field exists");
        }
        let outdated = outdated(&document);
        let fields: Vec<String> = outdated.values().flat_map(|kind| &kind.fields).map(ToString::to_string).collect();
        assert_eq!(fields, expected);
        assert!(outdated.keys().all(|kind| kind == "StreamIngest"), "{outdated:?}");
    }

    #[rstest]
    #[case::more_than_we_know(|document: &mut Value| document.pointer_mut(SPEC).expect("a spec")["newer"] = json!({"type": "string"}))]
    #[case::anything_is_taken(|document: &mut Value| *document.pointer_mut(SPEC).expect("a spec").get_mut("pod").expect("pod") = json!({"x-kubernetes-preserve-unknown-fields": true}))]
    #[case::another_document(|document: &mut Value| *document = json!({"openapi": "3.0.0"}))]
    #[case::no_document(|document: &mut Value| *document = json!("nothing to see here"))]
    fn nothing_is_missing_where(#[case] change: fn(&mut Value)) {
        let mut document = current();
        change(&mut document);
        assert_eq!(outdated(&document), BTreeMap::new());
    }

    #[test]
    fn message_names_a_bounded_number_of_fields_and_the_next_act() {
        let field =
            |number: usize| Field(vec![Step::Property("spec".to_owned()), Step::Property(format!("f{number}"))]);
        let outdated = Outdated { kind: "StreamIngest".to_owned(), fields: (0..1000).map(field).collect() };
        let message = outdated.to_string();
        assert!(message.contains("lacks spec.f0, spec.f1,") && message.contains("spec.f7 and 992 more: "), "{message}");
        assert!(message.contains("`kubectl apply --server-side -f crds/`"), "{message}");
    }

    #[test]
    fn document_is_left_without_what_is_missing_wherever_it_stands() {
        let steps = |path: &[&str]| {
            let step = |step: &&str| match *step {
                "[]" => Step::Items,
                "*" => Step::Values,
                name => Step::Property(name.to_owned()),
            };
            Field(path.iter().map(step).collect())
        };
        let fields = vec![
            steps(&["status", "zone"]),
            steps(&["status", "runs", "[]", "rows"]),
            steps(&["status", "by", "*", "a"]),
            steps(&["status", "absent", "b"]),
        ];
        let outdated = Outdated { kind: "StreamIngest".to_owned(), fields };
        let status = json!({"status": {"zone": {"id": 1}, "runs": [{"rows": 1, "files": 2}, {}], "by": {"x": {"a": 1, "b": 2}}}});
        let expected = json!({"status": {"runs": [{"files": 2}, {}], "by": {"x": {"b": 2}}}});
        assert_eq!(outdated.without_missing(status), expected);
    }
}
