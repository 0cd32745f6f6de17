//! Rows of the tests: books, as a RAW file holds them and as the Processed zone returns them.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{Field, Float64Type, Int32Type, Int64Type, SchemaRef};

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Book {
    pub(crate) id: Option<String>,
    pub(crate) title: String,
    pub(crate) year: Option<i32>,
    pub(crate) rating: Option<f64>,
    pub(crate) shelf: Option<String>,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) index: i32,
    pub(crate) generation: i32,
}

/// A book of 2020 whose title says nothing.
pub(crate) fn book(id: &str) -> Book {
    let id = Some(id.to_owned());
    Book {
        id,
        title: "untitled".into(),
        year: Some(2020),
        rating: None,
        shelf: None,
        partition: 0,
        offset: 0,
        index: 0,
        generation: 0,
    }
}

/// A book whose key is null.
pub(crate) fn nameless() -> Book {
    Book { id: None, ..book("") }
}

impl Book {
    pub(crate) fn titled(self, title: &str) -> Self {
        Self { title: title.into(), ..self }
    }

    pub(crate) fn of(self, year: i32) -> Self {
        Self { year: Some(year), ..self }
    }

    pub(crate) fn of_no_year(self) -> Self {
        Self { year: None, ..self }
    }

    pub(crate) fn rated(self, rating: f64) -> Self {
        Self { rating: Some(rating), ..self }
    }

    pub(crate) fn on_shelf(self, shelf: &str) -> Self {
        Self { shelf: Some(shelf.to_owned()), ..self }
    }

    pub(crate) fn at(self, offset: i64) -> Self {
        Self { offset, ..self }
    }

    pub(crate) fn generation(self, generation: i32) -> Self {
        Self { generation, ..self }
    }

    /// Identity by which a listing shows a row at most once.
    pub(crate) fn identity(&self) -> String {
        match &self.id {
            Some(id) => format!("key {id}"),
            None => format!("source {}/{}/{}", self.partition, self.offset, self.index),
        }
    }

    /// `id title year`, for assertions.
    pub(crate) fn summary(&self) -> String {
        let year = self.year.map_or("-".to_owned(), |year| year.to_string());
        format!("{} {} {year}", self.id.as_deref().unwrap_or("-"), self.title)
    }
}

/// Books as rows of this schema, in its types.
pub(crate) fn batch(books: &[Book], schema: &SchemaRef) -> RecordBatch {
    let typed = |field: &Arc<Field>| cast(&column(books, field.name()), field.data_type()).unwrap();
    let columns = schema.fields().iter().map(typed).collect();
    RecordBatch::try_new(Arc::clone(schema), columns).unwrap()
}

fn column(books: &[Book], name: &str) -> ArrayRef {
    let numbers =
        |number: fn(&Book) -> i32| Arc::new(Int32Array::from_iter_values(books.iter().map(number))) as ArrayRef;
    let texts = |text: &str| Arc::new(StringArray::from(vec![text; books.len()])) as ArrayRef;
    match name {
        "record_id" => Arc::new(books.iter().map(|book| book.id.as_deref()).collect::<StringArray>()),
        "title" => Arc::new(StringArray::from_iter_values(books.iter().map(|book| &book.title))),
        "publication_year" => Arc::new(books.iter().map(|book| book.year).collect::<Int32Array>()),
        "rating" => Arc::new(books.iter().map(|book| book.rating).collect::<Float64Array>()),
        "shelf" => Arc::new(books.iter().map(|book| book.shelf.as_deref()).collect::<StringArray>()),
        "kafka_topic" => texts("books"),
        "kafka_topic_id" => texts("topic-id"),
        "kafka_partition" => numbers(|book| book.partition),
        "kafka_offset" => Arc::new(Int64Array::from_iter_values(books.iter().map(|book| book.offset))),
        "kafka_timestamp" => {
            let timestamps = TimestampMicrosecondArray::from_iter_values(books.iter().map(|book| book.offset * 1000));
            Arc::new(timestamps.with_timezone("UTC"))
        }
        "seen_at" => {
            let every_20_days = books.iter().map(|book| book.offset * 20 * 86_400_000_000);
            Arc::new(TimestampMicrosecondArray::from_iter_values(every_20_days).with_timezone("UTC"))
        }
        "kafka_key" => Arc::new(BinaryArray::from_iter(books.iter().map(|_| None::<&[u8]>))),
        "record_index" => numbers(|book| book.index),
        "generation" => numbers(|book| book.generation),
        other => panic!("no book has a column {other}"),
    }
}

/// The books of a batch that has all their columns; the shelf may be missing.
pub(crate) fn books(batch: &RecordBatch) -> Vec<Book> {
    let number = |name: &str, row| batch.column_by_name(name).unwrap().as_primitive::<Int32Type>().value(row);
    let text = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>();
    let (ids, titles) = (text("record_id"), text("title"));
    let years = batch.column_by_name("publication_year").unwrap().as_primitive::<Int32Type>();
    let ratings = batch.column_by_name("rating").unwrap().as_primitive::<Float64Type>();
    let shelves = batch.column_by_name("shelf").map(|column| column.as_string::<i32>());
    let offsets = batch.column_by_name("kafka_offset").unwrap().as_primitive::<Int64Type>();
    (0..batch.num_rows())
        .map(|row| Book {
            id: ids.is_valid(row).then(|| ids.value(row).to_owned()),
            title: titles.value(row).to_owned(),
            year: years.is_valid(row).then(|| years.value(row)),
            rating: ratings.is_valid(row).then(|| ratings.value(row)),
            shelf: shelves.and_then(|shelves| shelves.is_valid(row).then(|| shelves.value(row).to_owned())),
            partition: number("kafka_partition", row),
            offset: offsets.value(row),
            index: number("record_index", row),
            generation: number("generation", row),
        })
        .collect()
}
