//! Types of Kubernetes itself inside our resources, with the rules that hold for our own: every list and text is
//! bounded, and an unknown field is refused.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

/// Entries of a list of Kubernetes' types.
const LONGEST_LIST: u64 = 64;
/// Characters of a text in Kubernetes' types, as its own annotations and environment variables rarely exceed it.
const LONGEST_TEXT: u64 = 4096;

/// The schema of a type of Kubernetes, with bounds.
pub(crate) fn bounded<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut value = generator.subschema_for::<T>().to_value();
    add_bounds(&mut value);
    value.try_into().expect("a schema with bounds is a schema")
}

/// The schema of a text-to-text map such as annotations.
pub(crate) fn bounded_map(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": LONGEST_LIST,
        "additionalProperties": {"type": "string", "maxLength": LONGEST_TEXT}
    })
}

fn add_bounds(schema: &mut Value) {
    let Value::Object(schema) = schema else { return };
    let (key, limit) = match schema.get("type").and_then(Value::as_str) {
        Some("string") if !schema.contains_key("enum") => ("maxLength", LONGEST_TEXT),
        Some("array") => ("maxItems", LONGEST_LIST),
        Some("object") if schema.contains_key("additionalProperties") => ("maxProperties", LONGEST_LIST),
        _ => ("", 0),
    };
    if !key.is_empty() {
        schema.entry(key).or_insert(json!(limit));
    }
    // A default below a list makes GitOps tools report an eternal difference.
    schema.remove("default");
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get_mut(key) {
            add_bounds(inner);
        }
    }
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.values_mut().for_each(add_bounds);
    }
}

/// Reads a type of Kubernetes, which by itself skips what it does not know.
pub(crate) fn strict<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<T, D::Error>
where
    T: DeserializeOwned + Serialize,
{
    let written = Value::deserialize(deserializer)?;
    let read: T = serde_json::from_value(written.clone()).map_err(D::Error::custom)?;
    let known = serde_json::to_value(&read).map_err(D::Error::custom)?;
    match unknown_field(&written, &known) {
        Some(field) => Err(D::Error::custom(format!("unknown field `{field}`; see `kubectl explain pod.spec`"))),
        None => Ok(read),
    }
}

/// Path of the first field that was written and not read.
fn unknown_field(written: &Value, known: &Value) -> Option<String> {
    match (written, known) {
        (Value::Object(written), known) => {
            let empty = Map::new();
            let known = known.as_object().unwrap_or(&empty);
            written.iter().filter(|(_, value)| !value.is_null()).find_map(|(key, value)| match known.get(key) {
                None => Some(key.clone()),
                Some(known) => unknown_field(value, known).map(|inner| format!("{key}.{inner}")),
            })
        }
        (Value::Array(written), Value::Array(known)) => {
            let pairs = written.iter().zip(known).enumerate();
            pairs.into_iter().find_map(|(index, (written, known))| {
                unknown_field(written, known).map(|inner| format!("[{index}].{inner}"))
            })
        }
        _ => None,
    }
}
