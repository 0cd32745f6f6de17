//! Values of rows as JSON: what `decode --json` prints, and what the quarantine keeps of a row that has no message.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use serde_json::Value;

/// A value of a column of rows as JSON: integers and Float64 as numbers, Decimal, Date and Timestamp as texts, a List as an
/// array. What JSON has no number for, NaN and the infinities, is a text as in XSD.
///
/// # Panics
/// The column has a type that no column of a resource has.
pub fn json_value(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).into(),
        DataType::Boolean => column.as_boolean().value(row).into(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::Float64 => float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Date32 => column.as_primitive::<Date32Type>().value_as_date(row).map(|date| date.to_string()).into(),
        DataType::Decimal128(..) => column.as_primitive::<Decimal128Type>().value_as_string(row).into(),
        DataType::Timestamp(..) => {
            let instant = column.as_primitive::<TimestampMicrosecondType>().value_as_datetime(row);
            // As many digits of a second as it has: none, three or six.
            instant.map(|instant| instant.and_utc().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)).into()
        }
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            (0..items.len()).map(|item| json_value(items.as_ref(), item)).collect()
        }
        other => unreachable!("no column of a resource has the type {other}"),
    }
}

fn float(number: f64) -> Value {
    match number {
        f64::INFINITY => "INF".into(),
        f64::NEG_INFINITY => "-INF".into(),
        number if number.is_nan() => "NaN".into(),
        number => number.into(),
    }
}
