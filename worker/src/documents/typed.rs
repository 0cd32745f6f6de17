//! A document as a type of ours, or a sentence about the first field that does not fit.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// A field that does not fit, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misfit {
    pub(super) field: String,
    pub(super) message: String,
}

/// Reads a document as a type.
pub(super) fn read<T: DeserializeOwned>(value: Value) -> Result<T, Misfit> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let field = error.path().to_string();
        sentence(if field == "." { "" } else { &field }, &error.inner().to_string())
    })
}

/// serde's messages say what is there and what was expected; a person wants to know what to write.
fn sentence(field: &str, message: &str) -> Misfit {
    let below = |name: &str| match field {
        "" => name.to_owned(),
        // serde's path names an unknown field already, and a missing one never.
        field if field.rsplit('.').next() == Some(name) => field.to_owned(),
        field => format!("{field}.{name}"),
    };
    if let Some((name, _)) = quoted(message, "missing field ") {
        return Misfit { field: below(name), message: "is missing; write it, it is required".to_owned() };
    }
    if let Some((name, rest)) = quoted(message, "unknown field ") {
        let message = match choices(rest) {
            Some(known) => format!("is no field of this version; write {known}, or remove it"),
            None => format!("is no field of this version{rest}"),
        };
        return Misfit { field: below(name), message };
    }
    if let Some((name, rest)) = quoted(message, "unknown variant ")
        && let Some(known) = choices(rest)
    {
        return Misfit { field: field.to_owned(), message: format!("{name:?} is none of its values; write {known}") };
    }
    let mistyped = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    if let Some((found, expected)) = mistyped.and_then(|text| text.split_once(", expected ")) {
        let expected = match expected {
            "i32" | "i64" | "u32" | "u64" => "an integer",
            // How serde calls a type of ours.
            other if other.starts_with("struct ") => "a block of fields",
            "a sequence" => "a list",
            "a map" => "a block of names and texts",
            other => other,
        };
        let quote = if expected == "a string" && !found.starts_with(['s', 'm']) { ": quote it" } else { "" };
        return Misfit { field: field.to_owned(), message: format!("is {found}; write {expected}{quote}") };
    }
    Misfit { field: field.to_owned(), message: message.to_owned() }
}

/// The name in backticks behind `prefix`, and what follows it.
fn quoted<'a>(message: &'a str, prefix: &str) -> Option<(&'a str, &'a str)> {
    message.strip_prefix(prefix)?.strip_prefix('`')?.split_once('`')
}

/// serde's `, expected one of ...` without backticks.
fn choices(rest: &str) -> Option<String> {
    Some(rest.strip_prefix(", expected ")?.replace('`', ""))
}
