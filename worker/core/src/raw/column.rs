//! The Arrow builder of one column of the user's.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int32Builder, Int64Builder, ListArray,
    NullBufferBuilder, OffsetBufferBuilder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, FieldRef};
use gristmill_crds::plan::{ColumnPlan, ValueType};

use super::schema::{UTC, data_type};
use super::value::{Value, Values};

#[derive(Debug)]
pub(super) enum ColumnBuilder {
    String(StringBuilder),
    Boolean(BooleanBuilder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float64(Float64Builder),
    Decimal(Decimal128Builder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    List(ListColumn),
}

/// Lists: the items of all rows behind each other, and how many each row has.
#[derive(Debug)]
pub(super) struct ListColumn {
    item: FieldRef,
    items: Box<ColumnBuilder>,
    lengths: OffsetBufferBuilder<i32>,
    validity: NullBufferBuilder,
}

impl ColumnBuilder {
    pub(super) fn new(column: &ColumnPlan) -> Self {
        let single = Self::of_type(&column.value_type);
        match data_type(column) {
            DataType::List(item) => ColumnBuilder::List(ListColumn {
                item,
                items: Box::new(single),
                lengths: OffsetBufferBuilder::new(0),
                validity: NullBufferBuilder::new(0),
            }),
            _ => single,
        }
    }

    fn of_type(value_type: &ValueType) -> Self {
        match value_type {
            ValueType::String(_) => ColumnBuilder::String(StringBuilder::new()),
            ValueType::Boolean(_) => ColumnBuilder::Boolean(BooleanBuilder::new()),
            ValueType::Int32(_) => ColumnBuilder::Int32(Int32Builder::new()),
            ValueType::Int64(_) => ColumnBuilder::Int64(Int64Builder::new()),
            ValueType::Float64(_) => ColumnBuilder::Float64(Float64Builder::new()),
            ValueType::Decimal { precision, scale, .. } => {
                let scale = i8::try_from(*scale).expect("a scale is at most 38");
                let data_type = DataType::Decimal128(*precision, scale);
                ColumnBuilder::Decimal(Decimal128Builder::new().with_data_type(data_type))
            }
            ValueType::Date { .. } => ColumnBuilder::Date(Date32Builder::new()),
            ValueType::Timestamp { .. } => {
                ColumnBuilder::Timestamp(TimestampMicrosecondBuilder::new().with_timezone(UTC))
            }
        }
    }

    /// Bytes of a value apart from a text's own: a number or an offset, and a bit of validity.
    pub(super) fn fixed_bytes(&self) -> usize {
        match self {
            ColumnBuilder::Decimal(_) => 17,
            _ => 9,
        }
    }

    /// Adds the value of a row; the bytes of its text or of its items.
    pub(super) fn append(&mut self, value: Value, row: &Values<'_>) -> usize {
        match (self, value) {
            (ColumnBuilder::String(builder), Value::Text(text)) => {
                let text = row.texts.of(text);
                builder.append_value(text);
                return text.len();
            }
            (ColumnBuilder::String(builder), Value::Null) => builder.append_null(),
            (ColumnBuilder::Boolean(builder), Value::Boolean(truth)) => builder.append_value(truth),
            (ColumnBuilder::Boolean(builder), Value::Null) => builder.append_null(),
            (ColumnBuilder::Int32(builder), Value::Int32(number)) => builder.append_value(number),
            (ColumnBuilder::Int32(builder), Value::Null) => builder.append_null(),
            (ColumnBuilder::Int64(builder), Value::Int64(number)) => builder.append_value(number),
            (ColumnBuilder::Int64(builder), Value::Null) => builder.append_null(),
            (ColumnBuilder::Float64(builder), Value::Float64(number)) => builder.append_value(number),
            (ColumnBuilder::Float64(builder), Value::Null) => builder.append_null(),
            (ColumnBuilder::Decimal(builder), Value::Decimal(units)) => builder.append_value(units),
            (ColumnBuilder::Decimal(builder), Value::Null) => builder.append_null(),
            (ColumnBuilder::Date(builder), Value::Date(days)) => builder.append_value(days),
            (ColumnBuilder::Date(builder), Value::Null) => builder.append_null(),
            (ColumnBuilder::Timestamp(builder), Value::Timestamp(micros)) => builder.append_value(micros),
            (ColumnBuilder::Timestamp(builder), Value::Null) => builder.append_null(),
            (ColumnBuilder::List(list), Value::List { start, end }) => {
                let items = &row.items[start as usize..end as usize];
                list.lengths.push_length(items.len());
                list.validity.append_non_null();
                let fixed = items.len() * list.items.fixed_bytes();
                return fixed + items.iter().map(|item| list.items.append(*item, row)).sum::<usize>();
            }
            (ColumnBuilder::List(list), Value::Null) => {
                list.lengths.push_length(0);
                list.validity.append_null();
            }
            // A default stands for a list of one.
            (ColumnBuilder::List(list), value) => {
                list.lengths.push_length(1);
                list.validity.append_non_null();
                return list.items.fixed_bytes() + list.items.append(value, row);
            }
            (builder, value) => unreachable!("{value:?} is not of the type of its column {builder:?}"),
        }
        0
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            ColumnBuilder::String(builder) => Arc::new(builder.finish()),
            ColumnBuilder::Boolean(builder) => Arc::new(builder.finish()),
            ColumnBuilder::Int32(builder) => Arc::new(builder.finish()),
            ColumnBuilder::Int64(builder) => Arc::new(builder.finish()),
            ColumnBuilder::Float64(builder) => Arc::new(builder.finish()),
            ColumnBuilder::Decimal(builder) => Arc::new(builder.finish()),
            ColumnBuilder::Date(builder) => Arc::new(builder.finish()),
            ColumnBuilder::Timestamp(builder) => Arc::new(builder.finish()),
            ColumnBuilder::List(ListColumn { item, items, lengths, validity }) => {
                let offsets = std::mem::replace(lengths, OffsetBufferBuilder::new(0)).finish();
                Arc::new(ListArray::new(Arc::clone(item), offsets, items.finish(), validity.finish()))
            }
        }
    }
}
