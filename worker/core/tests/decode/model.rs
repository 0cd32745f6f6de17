//! The decoder against a naive model: a tree of elements, walked once for each column of each row.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{decode, plan};

#[derive(Debug, Clone)]
struct Element {
    name: &'static str,
    attribute: Option<String>,
    children: Vec<Child>,
}

#[derive(Debug, Clone)]
enum Child {
    Text(String),
    Element(Element),
}

/// Columns of every way to stand more than once, on few names, so that they often do.
const COLUMNS: [(&str, &str, bool); 12] = [
    ("t", "", false),
    ("t", "First", true),
    ("t", "Last", false),
    ("t", "Join", true),
    ("t", "List", false),
    ("t/u", "List", true),
    ("t/@a", "Join", false),
    ("@a", "", false),
    ("text()", "First", true),
    ("/l/t", "List", false),
    ("/l/u/@a", "First", false),
    ("/l/b/t", "Last", false),
];

fn columns() -> Value {
    let column = |(index, (path, repeated, collapse)): (usize, &(&str, &str, bool))| {
        let mut column = json!({"name": format!("c{index}"), "path": path, "collapse": collapse, "nullIf": ["x"]});
        if !repeated.is_empty() {
            column["repeated"] = json!(repeated);
        }
        column
    };
    COLUMNS.iter().enumerate().map(column).collect()
}

impl Element {
    fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|child| match child {
            Child::Element(element) => Some(element),
            Child::Text(_) => None,
        })
    }

    /// What is at the end of a path: the texts, or the attributes if it ends so.
    fn find(&self, path: &[&str]) -> Vec<String> {
        match path {
            [] | ["text()"] => {
                let text = |child: &Child| if let Child::Text(text) = child { text.clone() } else { String::new() };
                vec![self.children.iter().map(text).collect()]
            }
            ["@a"] => self.attribute.iter().cloned().collect(),
            [name, rest @ ..] => {
                self.elements().filter(|element| element.name == *name).flat_map(|element| element.find(rest)).collect()
            }
        }
    }

    fn write(&self, out: &mut String) {
        let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
        *out += &format!("<{}", self.name);
        if let Some(value) = &self.attribute {
            *out += &format!(" a=\"{}\"", escape(value).replace('\n', "&#10;"));
        }
        if self.children.is_empty() {
            *out += "/>";
            return;
        }
        *out += ">";
        for child in &self.children {
            match child {
                Child::Text(text) => *out += &escape(text),
                Child::Element(element) => element.write(out),
            }
        }
        *out += &format!("</{}>", self.name);
    }
}

/// Trim, collapse and nullIf of one text.
fn formatted(text: &str, collapse: bool) -> Option<String> {
    let words: Vec<&str> = text.split([' ', '\n']).filter(|word| !word.is_empty()).collect();
    let text = if collapse { words.join(" ") } else { text.trim_matches([' ', '\n']).to_owned() };
    (text != "x").then_some(text)
}

/// The value of a column that has these texts; an error if they are too many.
fn value(texts: &[String], repeated: &str, collapse: bool) -> Result<Option<String>, ()> {
    let formatted = |text: &String| formatted(text, collapse);
    Ok(match repeated {
        "" if texts.len() > 1 => return Err(()),
        "" | "First" => texts.first().and_then(formatted),
        "Last" => texts.last().and_then(formatted),
        "Join" => {
            let parts: Vec<String> = texts.iter().filter_map(formatted).collect();
            (!parts.is_empty()).then(|| parts.join(","))
        }
        "List" => {
            let items: Vec<String> = texts.iter().map(|text| formatted(text).unwrap_or_default()).collect();
            (!items.is_empty()).then(|| format!("[{}]", items.join(", ")))
        }
        other => unreachable!("{other}"),
    })
}

fn row(root: &Element, row: &Element) -> Result<Vec<Option<String>>, ()> {
    let column = |(path, repeated, collapse): &(&str, &str, bool)| {
        let texts = match path.strip_prefix("/l/") {
            Some(rest) => root.find(&rest.split('/').collect::<Vec<_>>()),
            None => row.find(&path.split('/').collect::<Vec<_>>()),
        };
        value(&texts, repeated, *collapse)
    };
    COLUMNS.iter().map(column).collect()
}

fn text() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["x", "a b", " a  b ", "&\n<", "", " ", " x\n", "é"]).prop_map(str::to_owned)
}

fn element(depth: u32) -> impl Strategy<Value = Element> {
    let leaf = children(text().prop_map(Child::Text).boxed()).boxed();
    leaf.prop_recursive(depth, 24, 4, |inner| {
        let child = prop_oneof![1 => text().prop_map(Child::Text), 3 => inner.prop_map(Child::Element)];
        children(child.boxed())
    })
}

fn children(child: BoxedStrategy<Child>) -> impl Strategy<Value = Element> {
    let name = prop::sample::select(vec!["b", "t", "u"]);
    let all = prop::collection::vec(child, 0..4);
    (name, prop::option::of(text()), all).prop_map(|(name, attribute, children)| Element { name, attribute, children })
}

proptest! {
    #[test]
    fn a_document_becomes_what_a_naive_model_says(
        elements in prop::collection::vec(element(3), 1..6),
    ) {
        let children = elements.into_iter().map(Child::Element).collect();
        let root = Element { name: "l", attribute: None, children };
        let mut document = String::new();
        root.write(&mut document);
        let decoded = decode(&plan("/l/b", columns()), &document);

        let expected: Vec<_> = root.elements().filter(|child| child.name == "b").map(|book| row(&root, book)).collect();
        if expected.is_empty() {
            prop_assert_eq!(decoded.outcome(), "NoRows");
            return Ok(());
        }
        let rows: Vec<_> = expected.iter().flatten().cloned().collect();
        prop_assert_eq!(decoded.rows(), rows, "{}", document);
        let rejected: Vec<_> = (0..expected.len()).filter(|index| expected[*index].is_err()).collect();
        let records: Vec<_> = decoded.rejects().iter().map(|reject| reject.record_index.unwrap() as usize).collect();
        prop_assert_eq!(records, rejected, "{}", document);
        prop_assert!(decoded.rejects().iter().all(|reject| reject.reason == "RepeatedElement"));
    }
}
