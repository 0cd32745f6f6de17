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
        field if name.starts_with('[') => format!("{field}{name}"),
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
        return Misfit { field: field.to_owned(), message: mistyped_sentence(found, expected) };
    }
    Misfit { field: field.to_owned(), message: message.to_owned() }
}

/// `found` and `expected` are serde's words, for example ``integer `7` `` and `a string`.
fn mistyped_sentence(found: &str, expected: &str) -> String {
    let (kind, value) = found.split_once(' ').unwrap_or((found, ""));
    let value = value.trim_matches('`');
    let found = match kind {
        "map" => "a block of fields".to_owned(),
        "sequence" => "a list".to_owned(),
        "null" => "empty".to_owned(),
        "string" => format!("the text {value}"),
        "boolean" | "integer" => format!("the {kind} {value}"),
        "floating" => format!("the decimal {}", value.trim_start_matches("point `")),
        _ => found.to_owned(),
    };
    match expected {
        "a string" if !value.is_empty() => {
            format!("is {found}, and a text is needed; quote it: \"{}\"", value.trim_start_matches("point `"))
        }
        "i32" | "i64" | "u32" | "u64" => format!("is {found}; write an integer"),
        "a sequence" => format!("is {found}; write a list"),
        "a map" => format!("is {found}; write a block of names and texts"),
        // How serde calls a type of ours.
        other if other.starts_with("struct ") => format!("is {found}; write a block of fields"),
        other => format!("is {found}; write {other}"),
    }
}

/// The name in backticks behind `prefix`, and what follows it.
fn quoted<'a>(message: &'a str, prefix: &str) -> Option<(&'a str, &'a str)> {
    message.strip_prefix(prefix)?.strip_prefix('`')?.split_once('`')
}

/// serde's `, expected one of ...` without backticks.
fn choices(rest: &str) -> Option<String> {
    Some(rest.strip_prefix(", expected ")?.replace('`', ""))
}
