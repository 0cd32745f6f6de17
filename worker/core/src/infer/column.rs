//! The columns: every text and attribute of a row, and what stands once outside of the rows.

use std::collections::HashMap;

use super::reader;
use super::survey::{ElementId, Survey};
use super::texts::Texts;
use crate::xml::{Event, Source, attribute_text};

/// What an element or attribute holds over all rows, or over all documents if it stands outside of them.
#[derive(Debug)]
pub(super) struct Column {
    /// Steps from the row, or from the root with `is_absolute`.
    pub(super) steps: Vec<String>,
    pub(super) attribute: Option<String>,
    pub(super) is_absolute: bool,
    /// Whether it, or an element around it, was seen several times in one parent; of what is outside of the rows only.
    pub(super) repeats: bool,
    pub(super) texts: Texts,
    /// Rows, or documents, that have it with a text that is not empty.
    pub(super) present: usize,
    /// Rows, or documents, in all.
    pub(super) of: usize,
    /// Most in one row or document.
    pub(super) most: usize,
    /// The last row or document that has it, from 1, and how many times.
    last: (usize, usize),
    /// The last row or document in which it is not empty.
    last_present: usize,
}

/// An open element.
struct Open {
    id: ElementId,
    text: String,
}

/// The columns in the order of the documents.
pub(super) fn read(survey: &Survey, row: ElementId, sources: &[&Source<'_>]) -> Vec<Column> {
    let mut reading =
        Reading { survey, row, columns: Vec::new(), by_place: HashMap::new(), rows: 0, documents: 0, in_row: false };
    for source in sources {
        reading.document(source);
    }
    let Reading { mut columns, rows, documents, .. } = reading;
    for column in &mut columns {
        column.of = if column.is_absolute { documents } else { rows };
    }
    columns
}

struct Reading<'s> {
    survey: &'s Survey,
    row: ElementId,
    columns: Vec<Column>,
    by_place: HashMap<(ElementId, Option<String>), usize>,
    rows: usize,
    documents: usize,
    in_row: bool,
}

impl Reading<'_> {
    fn document(&mut self, source: &Source<'_>) {
        self.documents += 1;
        let text = source.text();
        let mut reader = reader(source);
        let mut open: Vec<Open> = Vec::new();
        while let Ok(event) = reader.next() {
            match event {
                Event::Start { local, .. } => {
                    let Some(id) = self.survey.find(open.last().map(|open| open.id), local.of(text)) else { return };
                    if id == self.row {
                        self.rows += 1;
                        self.in_row = true;
                    }
                    for attribute in reader.attributes().iter().filter(|attribute| !attribute.is_declaration(text)) {
                        let name = attribute.local(text).to_owned();
                        self.add(id, Some(name), &attribute_text(attribute.value.of(text)));
                    }
                    open.push(Open { id, text: String::new() });
                }
                Event::Text(span) => {
                    if let Some(open) = open.last_mut() {
                        open.text.push_str(span.of(text));
                    }
                }
                Event::Character(c) => {
                    if let Some(open) = open.last_mut() {
                        open.text.push(c);
                    }
                }
                Event::End => {
                    let Some(Open { id, text }) = open.pop() else { return };
                    let element = self.survey.get(id);
                    // White space between children is no text; an element without children and text may have some later.
                    let is_leaf = element.children.is_empty() && (id != self.row || !element.has_attributes);
                    if element.has_text || is_leaf {
                        self.add(id, None, &text);
                    }
                    if id == self.row {
                        self.in_row = false;
                    }
                }
                Event::Finished => return,
            }
        }
    }

    fn add(&mut self, id: ElementId, attribute: Option<String>, text: &str) {
        let index = self.column(id, attribute);
        let number = if self.in_row { self.rows } else { self.documents };
        let column = &mut self.columns[index];
        column.texts.add(text);
        column.last = if column.last.0 == number { (number, column.last.1 + 1) } else { (number, 1) };
        column.most = column.most.max(column.last.1);
        let is_empty = text.trim_ascii().is_empty();
        if !is_empty && column.last_present != number {
            column.last_present = number;
            column.present += 1;
        }
    }

    fn column(&mut self, id: ElementId, attribute: Option<String>) -> usize {
        let key = (id, attribute);
        if let Some(index) = self.by_place.get(&key) {
            return *index;
        }
        let ancestor = self.in_row.then_some(self.row);
        let steps = self.survey.steps(id, ancestor).into_iter().map(str::to_owned).collect();
        let index = self.columns.len();
        self.columns.push(Column {
            steps,
            attribute: key.1.clone(),
            is_absolute: !self.in_row,
            repeats: !self.in_row && self.survey.repeats(id),
            texts: Texts::default(),
            present: 0,
            of: 0,
            most: 0,
            last: (0, 0),
            last_present: 0,
        });
        self.by_place.insert(key, index);
        index
    }
}

impl Column {
    /// The path as a document of ours writes it.
    pub(super) fn path(&self) -> String {
        let mut steps = self.steps.clone();
        match &self.attribute {
            Some(attribute) => steps.push(format!("@{attribute}")),
            None if steps.is_empty() => steps.push("text()".to_owned()),
            None => {}
        }
        format!("{}{}", if self.is_absolute { "/" } else { "" }, steps.join("/"))
    }
}
