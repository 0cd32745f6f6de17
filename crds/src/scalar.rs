//! The scalars of the API that YAML writes in more than one way: bounds, sizes and durations.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A scalar that does not read as what its field needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not {expected}")]
pub struct InvalidScalar {
    /// The text as written.
    pub value: String,
    /// What the field takes, with an example.
    pub expected: &'static str,
}

/// An integer, or a quoted text that the column's type reads: `1450`, `"0.01"`, `"2026-01-31"`.
///
/// A bare decimal such as `0.5` is refused by the API server, since floats lose digits on the way: quote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Bound {
    /// A bare integer.
    Int(i64),
    /// A quoted text.
    Text(String),
}

impl Bound {
    /// The text that the column's type parses.
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Bound::Int(value) => Cow::Owned(value.to_string()),
            Bound::Text(value) => Cow::Borrowed(value),
        }
    }
}

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BoundVisitor)
    }
}

struct BoundVisitor;

impl Visitor<'_> for BoundVisitor {
    type Value = Bound;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an integer or a quoted text")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Bound, E> {
        Ok(Bound::Int(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Bound, E> {
        i64::try_from(value).map(Bound::Int).map_err(|_| E::custom(format!("{value} has too many digits; quote it")))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Bound, E> {
        Err(E::custom(format!("{value} is a decimal, which the API server refuses here; quote it: \"{value}\"")))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Bound, E> {
        Ok(Bound::Text(value.to_owned()))
    }
}

impl JsonSchema for Bound {
    fn schema_name() -> Cow<'static, str> {
        "Bound".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "maxLength": 256
        })
    }
}

/// The pattern by which the API server checks a [`Quantity`]; the same that Kubernetes' own CRDs carry.
const QUANTITY_PATTERN: &str = r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$";

/// A size or an amount in Kubernetes' notation: `128Mi`, `500m`, `2`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Quantity(pub String);

impl Quantity {
    /// The whole number of bytes that this size stands for.
    ///
    /// # Errors
    /// A size that is negative, not whole, above 2^63 - 1 bytes, or written with a suffix other than
    /// `Ki Mi Gi Ti k M G T`.
    pub fn to_bytes(&self) -> Result<u64, InvalidScalar> {
        let text = self.0.as_str();
        let invalid = || InvalidScalar { value: text.to_owned(), expected: "a size in bytes such as 128Mi" };
        let digits_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, suffix) = text.split_at(digits_end);
        let number: u64 = digits.parse().map_err(|_| invalid())?;
        let factor: u64 = match suffix {
            "" => 1,
            "Ki" => 1 << 10,
            "Mi" => 1 << 20,
            "Gi" => 1 << 30,
            "Ti" => 1 << 40,
            "k" => 1_000,
            "M" => 1_000_000,
            "G" => 1_000_000_000,
            "T" => 1_000_000_000_000,
            _ => return Err(invalid()),
        };
        number.checked_mul(factor).filter(|bytes| *bytes <= i64::MAX as u64).ok_or_else(invalid)
    }

    /// The CPU that this amount stands for, in thousandths of a core, rounded up.
    ///
    /// # Errors
    /// An amount below a thousandth of a core, above 100,000 cores, or not written as `500m` or `1.5`.
    pub fn to_millicores(&self) -> Result<u32, InvalidScalar> {
        let invalid = || InvalidScalar { value: self.0.clone(), expected: "an amount of CPU such as 500m or \"1.5\"" };
        // An API server stores a thousand cores as `1k`, and what it stores is read back.
        let suffixes = [('m', 1.0), ('k', 1e6), ('M', 1e9)];
        let suffixed = suffixes.iter().find_map(|(suffix, scale)| Some((self.0.strip_suffix(*suffix)?, *scale)));
        let (number, scale) = suffixed.unwrap_or((self.0.as_str(), 1000.0));
        let amount = number.parse::<f64>().map_err(|_| invalid())? * scale;
        // A thousandth is what Kubernetes counts in; more than a node of today has is a slip.
        if !(1.0..=1e8).contains(&amount) {
            return Err(invalid());
        }
        // Binary floating point makes 1100.0000000000002 of "1.1": what is below a millionth is not meant.
        Ok((amount - 1e-6).ceil() as u32)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Bound::deserialize(deserializer).map(|written| Quantity(written.to_text().into_owned()))
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": QUANTITY_PATTERN,
            "maxLength": 32
        })
    }
}

/// A length of time in hours, minutes, seconds and milliseconds: `5m`, `1h30m`, `500ms` (GEP-2257).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HumanDuration(pub String);

impl HumanDuration {
    /// The length of time as the standard library counts it.
    ///
    /// # Errors
    /// A text outside GEP-2257.
    pub fn to_duration(&self) -> Result<Duration, InvalidScalar> {
        let invalid = || InvalidScalar { value: self.0.clone(), expected: "a duration such as 5m, 1h30m or 500ms" };
        let in_grammar = self.0.chars().all(|c| c.is_ascii_digit() || "hms".contains(c));
        if !in_grammar {
            return Err(invalid());
        }
        humantime::parse_duration(&self.0).map_err(|_| invalid())
    }
}

impl JsonSchema for HumanDuration {
    fn schema_name() -> Cow<'static, str> {
        "HumanDuration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$",
            "maxLength": 32
        })
    }
}

/// A length of time in days of 24 hours, hours, minutes, seconds and milliseconds: `30d`, `1d12h`.
///
/// Days are ours: Kubernetes' durations have none, and nobody writes 720h for a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Period(pub String);

impl Period {
    /// The length of time as the standard library counts it.
    ///
    /// # Errors
    /// A text with another unit than `d h m s ms`, or without one.
    pub fn to_duration(&self) -> Result<Duration, InvalidScalar> {
        let invalid = || InvalidScalar { value: self.0.clone(), expected: "a period such as 30d, 12h or 1d12h" };
        let in_grammar = self.0.chars().all(|c| c.is_ascii_digit() || "dhms".contains(c));
        if !in_grammar {
            return Err(invalid());
        }
        humantime::parse_duration(&self.0).map_err(|_| invalid())
    }
}

impl JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^([0-9]{1,5}(d|h|m|s|ms)){1,5}$",
            "maxLength": 32
        })
    }
}

/// A percentage with at most four decimals: `5`, `"0.5"`.
///
/// The API has no floats: a decimal is a quoted text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Percent(pub Bound);

impl Percent {
    /// The percentage in ten-thousandths of a percent, exactly.
    ///
    /// # Errors
    /// Not a number from 0 to 100 with at most four decimals.
    pub fn to_ten_thousandths(&self) -> Result<u32, InvalidScalar> {
        let text = self.0.to_text();
        let invalid = || InvalidScalar {
            value: text.clone().into_owned(),
            expected: "a percentage such as 5 or \"0.5\", from 0 to 100",
        };
        let (whole, decimals) = text.split_once('.').unwrap_or((&text, "0"));
        let digits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
        if !digits(whole) || !digits(decimals) || whole.len() > 3 || decimals.len() > 4 {
            return Err(invalid());
        }
        let number = format!("{whole}{decimals:0<4}").parse::<u32>().map_err(|_| invalid())?;
        if number > 100 * 10_000 { Err(invalid()) } else { Ok(number) }
    }
}

impl JsonSchema for Percent {
    fn schema_name() -> Cow<'static, str> {
        "Percent".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "minimum": 0,
            "maximum": 100,
            "pattern": r"^(100(\.0{1,4})?|[0-9]{1,2}(\.[0-9]{1,4})?)$",
            "maxLength": 8
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!(5), Some(50_000))]
    #[case(json!("0.5"), Some(5_000))]
    #[case(json!("99.9999"), Some(999_999))]
    #[case(json!("100.0"), Some(1_000_000))]
    #[case(json!("100.0001"), None)]
    #[case(json!("0.00001"), None)]
    #[case(json!(-1), None)]
    #[case(json!("1e1"), None)]
    #[case(json!("5."), None)]
    fn percentage_is_read_exactly(#[case] written: serde_json::Value, #[case] expected: Option<u32>) {
        let percent: Percent = serde_json::from_value(written).expect("an integer or a text");
        assert_eq!(percent.to_ten_thousandths().ok(), expected);
    }

    #[rstest]
    #[case("30d", Some(30 * 86_400))]
    #[case("1d12h", Some(36 * 3600))]
    #[case("90", None)]
    #[case("1w", None)]
    #[case("", None)]
    fn period_has_days(#[case] written: &str, #[case] seconds: Option<u64>) {
        assert_eq!(Period(written.into()).to_duration().ok().map(|duration| duration.as_secs()), seconds);
    }

    #[test]
    fn decimal_that_is_not_quoted_is_refused_with_what_to_write() {
        let error = serde_json::from_value::<Bound>(json!(0.5)).expect_err("a float");
        assert!(error.to_string().contains("quote it: \"0.5\""), "{error}");
    }
}
