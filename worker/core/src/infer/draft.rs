//! The draft as YAML, with what was seen beside each choice.

use std::collections::HashSet;
use std::fmt::Write as _;

use gristmill_crds::plan::{ColumnPath, DIRECTORY_COLUMNS, METADATA_COLUMNS, Prefixes, RowPath};

use super::column::Column;
use super::row::Row;
use super::survey::Survey;
use super::texts::Inferred;

/// Most columns that a resource may have.
const MAX_COLUMNS: usize = 1_000;

/// Everything that the draft says.
pub(super) struct Draft<'d> {
    pub(super) survey: &'d Survey,
    pub(super) row: &'d Row,
    pub(super) columns: &'d [Column],
    /// Documents that could not be read, and why.
    pub(super) left_out: &'d [String],
    pub(super) name: Option<&'d str>,
}

pub(super) fn yaml(draft: &Draft<'_>) -> String {
    let Draft { survey, row, columns, left_out, name } = draft;
    let element = survey.get(row.element);
    let name = name.map_or_else(|| resource_name(&element.name), str::to_owned);
    let mut yaml = format!(
        "# Drafted by `gristmill infer`: it says what was in {}, not what may come.\n\
         # Read the comments, loosen what is too narrow, add rules, and set what is marked SET.\n",
        counted(survey.documents, "document"),
    );
    for why in *left_out {
        line(&mut yaml, 0, &format!("# left out: {}", printable(why)));
    }
    let row_path = survey.path(row.element);
    for (indent, text) in [
        (0, "apiVersion: gristmill.dev/v1alpha1"),
        (0, "kind: StreamIngest"),
        (0, "metadata:"),
        (1, &format!("name: {}", scalar(&name))),
        (0, "spec:"),
        (1, "source:"),
        (2, "kafka:"),
        (3, "bootstrapServers: localhost:9092  # SET: your brokers"),
        (3, &format!("topic: {}  # SET", scalar(&name))),
        (1, "record:"),
        (
            2,
            &format!(
                "# {} in {}; {}",
                counted(element.occurrences, "row"),
                counted(survey.documents, "document"),
                row.why
            ),
        ),
    ] {
        line(&mut yaml, indent, text);
    }
    for (path, count) in &row.others {
        line(
            &mut yaml,
            2,
            &format!(
                "# {} repeats too, {}; for those write another resource",
                printable(path),
                counted(*count, "time")
            ),
        );
    }
    line(&mut yaml, 2, &format!("rowPath: {}", scalar(&row_path)));
    write_columns(&mut yaml, columns);
    line(&mut yaml, 1, "raw:");
    line(
        &mut yaml,
        2,
        &format!(
            "path: {}  # SET: hdfs://, or file:// on a laptop",
            scalar(&format!("file:///tmp/gristmill/{name}/raw"))
        ),
    );
    if RowPath::parse(&row_path, &Prefixes::default()).is_err() {
        yaml.insert_str(0, "# The row path has a name that paths cannot write: this draft is not valid.\n");
    }
    yaml
}

fn write_columns(yaml: &mut String, columns: &[Column]) {
    line(yaml, 2, "columns:");
    let mut names = HashSet::new();
    let mut written = 0;
    for column in columns {
        let path = column.path();
        let why_not = if ColumnPath::parse(&path, &Prefixes::default()).is_err() {
            Some("paths cannot write its name")
        } else if column.repeats {
            Some("it repeats outside of the rows")
        } else if written == MAX_COLUMNS {
            Some("a resource has at most 1000 columns")
        } else {
            None
        };
        if let Some(why_not) = why_not {
            line(yaml, 3, &format!("# left out: {}: {why_not}", printable(&path)));
            continue;
        }
        line(yaml, 3, &format!("# {}", seen(column)));
        line(yaml, 3, &format!("- {{{}}}", fields(column, &path, &mut names)));
        written += 1;
    }
}

fn fields(column: &Column, path: &str, names: &mut HashSet<String>) -> String {
    let mut fields = format!("name: {}, path: {}", scalar(&column_name(column, names)), scalar(path));
    match column.texts.inferred() {
        Inferred::String => {}
        Inferred::Decimal { precision, scale } => {
            write!(fields, ", type: Decimal, precision: {precision}, scale: {scale}")
                .expect("a String takes every write");
        }
        other => write!(fields, ", type: {other:?}").expect("a String takes every write"),
    }
    if column.most > 1 {
        fields.push_str(", repeated: List");
    } else if column.present == column.of {
        fields.push_str(", required: true");
    }
    fields
}

/// What was seen of a column, in one line.
fn seen(column: &Column) -> String {
    let Column { texts, present, of, most, is_absolute, .. } = column;
    let unit = if *is_absolute { "document" } else { "row" };
    let mut seen = format!("in {present} of {}", counted(*of, unit));
    if *most > 1 {
        write!(seen, ", up to {most} in one").expect("a String takes every write");
    }
    if texts.empty > 0 {
        write!(seen, ", empty {}", counted(texts.empty, "time")).expect("a String takes every write");
    }
    if let Some(example) = &texts.example {
        write!(seen, "; such as {}", printable(example)).expect("a String takes every write");
    }
    match texts.inferred() {
        Inferred::String if texts.count == 0 => seen.push_str("; always empty: the type is a guess"),
        Inferred::String if texts.has_padded_number => seen.push_str("; as a number it would lose zeros or signs"),
        Inferred::Timestamp if texts.lacks_offset => seen.push_str("; without an offset it is taken as timeZone, UTC"),
        _ => {}
    }
    seen
}

/// The last steps of the path in snake case; with a number if that is taken.
fn column_name(column: &Column, taken: &mut HashSet<String>) -> String {
    let steps = column.steps.iter().chain(&column.attribute).map(|step| snake_case(step));
    let joined = steps.filter(|step| !step.is_empty()).collect::<Vec<_>>().join("_");
    let mut base = if joined.is_empty() { "text".to_owned() } else { joined };
    base.truncate(100);
    if base.starts_with(|c: char| c.is_ascii_digit()) {
        base.insert(0, '_');
    }
    let is_free = |name: &String| {
        let name = name.as_str();
        !taken.contains(name) && !METADATA_COLUMNS.contains(&name) && !DIRECTORY_COLUMNS.contains(&name)
    };
    let numbered = (2..).map(|number| format!("{base}_{number}"));
    let name = std::iter::once(base.clone()).chain(numbered).find(is_free).expect("numbers do not end");
    taken.insert(name.clone());
    name
}

/// `publicationYear` and `Publication-Year` as `publication_year`; letters beyond ASCII become `_`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    let mut was_small = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && was_small {
            snake.push('_');
        }
        was_small = c.is_ascii_lowercase() || c.is_ascii_digit();
        snake.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    }
    snake.trim_matches('_').to_owned()
}

/// A name that Kubernetes takes, after the element of a row.
fn resource_name(element: &str) -> String {
    let dashed: String = snake_case(element).replace('_', "-").chars().take(40).collect();
    let name = dashed.trim_matches('-');
    if name.starts_with(|c: char| c.is_ascii_lowercase()) { name.to_owned() } else { "rows".to_owned() }
}

/// A scalar of YAML: plain if no reader takes it for anything but text.
fn scalar(text: &str) -> String {
    const WORDS: [&str; 11] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"];
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_/-".contains(c))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

/// A text in a comment: one line, whatever is in it.
fn printable(text: &str) -> String {
    let quoted = format!("{text:?}");
    quoted[1..quoted.len() - 1].to_owned()
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn line(yaml: &mut String, indent: usize, text: &str) {
    writeln!(yaml, "{:1$}{text}", "", 2 * indent).expect("a String takes every write");
}
