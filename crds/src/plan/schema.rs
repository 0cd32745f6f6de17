//! What the API server would refuse by the schema of a resource, said offline.
//!
//! The plan reads each field with a sentence of its own; this walk finds what is left, a text that is too long or a list
//! with too many entries, so that a document which passes here is not refused at `kubectl apply`. It knows the words that
//! our schemas use. CEL rules are not evaluated: the plan says the same for each of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{LazyLock, Mutex, PoisonError};

use kube::CustomResourceExt;
use regex::Regex;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Problems;
use crate::hourly_compaction::HourlyCompaction;
use crate::stream_ingest::StreamIngest;

static STREAM_INGEST: LazyLock<Value> = LazyLock::new(spec_schema::<StreamIngest>);
static HOURLY_COMPACTION: LazyLock<Value> = LazyLock::new(spec_schema::<HourlyCompaction>);

fn spec_schema<K: CustomResourceExt>() -> Value {
    let crd = serde_json::to_value(K::crd()).expect("a CRD is JSON");
    crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").expect("our kinds have a spec").clone()
}

/// Adds what the schema of StreamIngest refuses in `spec` and no problem tells of yet.
pub(super) fn check_stream_ingest(spec: &impl Serialize, problems: &mut Problems) {
    check(&STREAM_INGEST, spec, problems);
}

/// Adds what the schema of HourlyCompaction refuses in `spec` and no problem tells of yet.
pub(super) fn check_hourly_compaction(spec: &impl Serialize, problems: &mut Problems) {
    check(&HOURLY_COMPACTION, spec, problems);
}

fn check(schema: &Value, spec: &impl Serialize, problems: &mut Problems) {
    let told: BTreeSet<String> = problems.0.iter().map(|problem| problem.path.clone()).collect();
    let mut found = Problems::default();
    let spec = serde_json::to_value(spec).expect("our resources have text keys only");
    walk("spec", schema, &spec, &mut found);
    // The plan's sentence about a field, or about a block around it, is the better one.
    let covered = |path: &str| told.iter().any(|told| path == told || path.starts_with(&format!("{told}.")));
    problems.0.extend(found.0.into_iter().filter(|problem| !covered(&problem.path)));
}

fn walk(at: &str, schema: &Value, value: &Value, problems: &mut Problems) {
    let Value::Object(schema) = schema else { return };
    match value {
        Value::String(text) => check_text(at, schema, text, problems),
        Value::Number(number) => check_number(at, schema, number, problems),
        Value::Array(items) => check_list(at, schema, items, problems),
        Value::Object(fields) => check_block(at, schema, fields, problems),
        Value::Null | Value::Bool(_) => {}
    }
}

fn check_text(at: &str, schema: &Map<String, Value>, text: &str, problems: &mut Problems) {
    let length = text.chars().count() as u64;
    if let Some(most) = limit(schema, "maxLength").filter(|most| length > *most) {
        problems.add(at, format!("has {length} characters; at most {most} are possible"));
    } else if let Some(fewest) = limit(schema, "minLength").filter(|fewest| length < *fewest) {
        problems.add(at, format!("has {length} characters; at least {fewest} are needed"));
    } else if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
        && !matches(pattern, text)
    {
        problems.add(at, format!("{text:?} is not of the form {pattern}"));
    } else if let Some(Value::Array(values)) = schema.get("enum")
        && !values.iter().any(|value| value == text)
    {
        let values: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
        problems.add(at, format!("{text:?} is none of its values; write one of {}", values.join(", ")));
    }
}

fn check_number(at: &str, schema: &Map<String, Value>, number: &serde_json::Number, problems: &mut Problems) {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let Some(value) = number.as_f64() else { return };
    if bound("minimum").is_some_and(|least| value < least) || bound("maximum").is_some_and(|most| value > most) {
        let show = |key: &str| bound(key).map_or("any".to_owned(), |bound| bound.to_string());
        problems.add(at, format!("{number} is outside {} to {}", show("minimum"), show("maximum")));
    }
}

fn check_list(at: &str, schema: &Map<String, Value>, items: &[Value], problems: &mut Problems) {
    let length = items.len() as u64;
    if let Some(most) = limit(schema, "maxItems").filter(|most| length > *most) {
        problems.add(at, format!("has {length} entries; at most {most} are possible"));
        return;
    }
    if let Some(fewest) = limit(schema, "minItems").filter(|fewest| length < *fewest) {
        problems.add(at, format!("has {length} entries; at least {fewest} are needed"));
    }
    let keys: Vec<&str> = schema
        .get("x-kubernetes-list-map-keys")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut seen = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let at = format!("{at}[{index}]");
        if !keys.is_empty() {
            let key: Vec<String> =
                keys.iter().map(|key| item.get(*key).map_or(String::new(), Value::to_string)).collect();
            if !seen.insert(key.clone()) {
                problems.add(format!("{at}.{}", keys[0]), format!("{} stands here twice; remove one", key.join(", ")));
            }
        }
        if let Some(schema) = schema.get("items") {
            walk(&at, schema, item, problems);
        }
    }
}

fn check_block(at: &str, schema: &Map<String, Value>, fields: &Map<String, Value>, problems: &mut Problems) {
    if let Some(most) = limit(schema, "maxProperties").filter(|most| fields.len() as u64 > *most) {
        problems.add(at, format!("has {} entries; at most {most} are possible", fields.len()));
        return;
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, value) in fields {
        let inner = properties.and_then(|known| known.get(name)).or_else(|| schema.get("additionalProperties"));
        if let Some(inner) = inner {
            walk(&format!("{at}.{name}"), inner, value, problems);
        }
    }
}

fn limit(schema: &Map<String, Value>, key: &str) -> Option<u64> {
    schema.get(key).and_then(Value::as_u64)
}

/// Patterns come from our own schemas, and there are few of them.
fn matches(pattern: &str, text: &str) -> bool {
    static COMPILED: LazyLock<Mutex<HashMap<String, Regex>>> = LazyLock::new(Mutex::default);
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let regex = compiled
        .entry(pattern.to_owned())
        .or_insert_with(|| Regex::new(pattern).expect("a pattern of our schema is a regular expression"));
    regex.is_match(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(spec: serde_json::Value) -> Vec<String> {
        let mut problems = Problems::default();
        check_stream_ingest(&spec, &mut problems);
        problems.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_plan_has_no_sentence_for_is_found_with_its_place() {
        let found = problems(json!({
            "record": {"columns": [{"name": "a", "path": "a", "nullIf": ["x".repeat(300)]}]},
            "raw": {"path": "file:///a", "files": {"maxAge": "100000s"}},
            "rewind": {"nonce": "n", "offsets": []},
            "pod": {"tolerations": vec![json!({}); 65], "annotations": {"a": "b".repeat(5000)}},
            "scaling": {"maxReplicas": 5000},
        }));
        insta::assert_snapshot!(found.join("\n"), @r#"
        spec.pod.annotations.a: has 5000 characters; at most 4096 are possible
        spec.pod.tolerations: has 65 entries; at most 64 are possible
        spec.raw.files.maxAge: "100000s" is not of the form ^([0-9]{1,5}(h|m|s|ms)){1,4}$
        spec.record.columns[0].nullIf[0]: has 300 characters; at most 256 are possible
        spec.rewind.offsets: has 0 entries; at least 1 are needed
        spec.scaling.maxReplicas: 5000 is outside 1 to 1000
        "#);
    }

    #[test]
    fn what_the_plan_told_already_is_not_told_again() {
        let mut problems = Problems::default();
        problems.add("spec.raw.path", "is wrong");
        problems.add("spec.pod", "is wrong as a whole");
        check_stream_ingest(&json!({"raw": {"path": ""}, "pod": {"image": ""}}), &mut problems);
        assert_eq!(problems.0.len(), 2);
    }

    #[test]
    fn every_pattern_of_both_schemas_compiles() {
        fn patterns(schema: &Value, found: &mut Vec<String>) {
            match schema {
                Value::Object(map) => {
                    found.extend(map.get("pattern").and_then(Value::as_str).map(str::to_owned));
                    map.values().for_each(|inner| patterns(inner, found));
                }
                Value::Array(items) => items.iter().for_each(|inner| patterns(inner, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        patterns(&STREAM_INGEST, &mut found);
        patterns(&HOURLY_COMPACTION, &mut found);
        assert!(found.len() > 20);
        for pattern in found {
            Regex::new(&pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        }
    }
}
