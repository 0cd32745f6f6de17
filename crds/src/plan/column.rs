//! A column as a plan: where its text is found, what is done with it, and what it must be.

use super::path::{ColumnPath, Prefixes};
use super::pattern::PatternBudget;
use super::rules;
use super::value::ValueType;
use super::{DIRECTORY_COLUMNS, METADATA_COLUMNS, Problems};
use crate::record::{Column, ColumnType, Repeated};

/// What a second occurrence of a column's element or attribute in a row means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repetition {
    /// It rejects the row.
    Refused,
    /// It is passed over.
    First,
    /// It counts and the first does not.
    Last,
    /// The texts are put together with this between them.
    Join(String),
    /// The column is a list of all.
    List,
}

/// One column, validated.
#[derive(Debug, Clone)]
pub struct ColumnPlan {
    /// Name in Parquet.
    pub name: String,
    /// Where the text is found.
    pub path: ColumnPath,
    /// What a second occurrence means.
    pub repeated: Repetition,
    /// White space at both ends is removed first.
    pub trim: bool,
    /// Each run of white space becomes one blank.
    pub collapse: bool,
    /// Texts that become null.
    pub null_if: Vec<String>,
    /// Text that stands for null; it is a valid value.
    pub default: Option<String>,
    /// Null rejects the row.
    pub required: bool,
    /// Type and rules of a value, or of each item of a list.
    pub value_type: ValueType,
}

impl ColumnPlan {
    /// True if the column holds lists.
    pub fn is_list(&self) -> bool {
        self.repeated == Repetition::List
    }

    pub(super) fn build(
        at: &str,
        column: &Column,
        prefixes: &Prefixes,
        budget: &mut PatternBudget,
        problems: &mut Problems,
    ) -> Option<Self> {
        let before = problems.0.len();
        check_name(at, &column.name, problems);
        let path = problems.check(&format!("{at}.path"), ColumnPath::parse(&column.path, prefixes));
        let repeated = repetition(at, column, problems);
        check_null_if(at, &column.null_if, problems);
        let value_type = rules::value_type(at, column, budget, problems);
        let default = column.default.as_ref().map(|default| default.to_text().into_owned());
        if let Some((default, value_type)) = default.as_ref().zip(value_type.as_ref())
            && let Err(refusal) = value_type.read(default)
        {
            problems.add(
                format!("{at}.default"),
                format!("{default:?} {refusal}; every row that has none would be rejected"),
            );
        }
        if problems.0.len() > before {
            return None;
        }
        Some(Self {
            name: column.name.clone(),
            path: path?,
            repeated,
            trim: column.trim.unwrap_or(true),
            collapse: column.collapse.unwrap_or(false),
            null_if: column.null_if.clone(),
            default,
            required: column.required.unwrap_or(false),
            value_type: value_type?,
        })
    }
}

fn check_name(at: &str, name: &str, problems: &mut Problems) {
    let at = format!("{at}.name");
    let valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.len() <= 128;
    if !valid {
        problems.add(at, format!("{name:?} is not a column name; write at most 128 letters, digits and \"_\""));
    } else if METADATA_COLUMNS.contains(&name) || DIRECTORY_COLUMNS.contains(&name) {
        problems.add(at, format!("{name:?} is a column that every RAW row has already; choose another name"));
    }
}

fn repetition(at: &str, column: &Column, problems: &mut Problems) -> Repetition {
    let column_type = column.column_type.unwrap_or_default();
    match (column.repeated, &column.separator) {
        (Some(Repeated::Join), separator) => {
            if column_type != ColumnType::String {
                problems.add(
                    format!("{at}.repeated"),
                    format!(
                        "Join makes one text of several, and the type is {column_type:?}; write List, or type String"
                    ),
                );
            }
            let separator = separator.clone().unwrap_or_else(|| ",".to_owned());
            if separator.chars().count() > 64 {
                problems.add(format!("{at}.separator"), "has more than 64 characters; shorten it");
            }
            return Repetition::Join(separator);
        }
        (_, Some(_)) => problems.add(
            format!("{at}.separator"),
            "a separator applies to repeated: Join; remove it, or write repeated: Join",
        ),
        (_, None) => {}
    }
    match column.repeated {
        None | Some(Repeated::Join) => Repetition::Refused,
        Some(Repeated::First) => Repetition::First,
        Some(Repeated::Last) => Repetition::Last,
        Some(Repeated::List) => Repetition::List,
    }
}

fn check_null_if(at: &str, texts: &[String], problems: &mut Problems) {
    if texts.len() > 32 {
        problems.add(format!("{at}.nullIf"), format!("has {} texts; at most 32 are possible", texts.len()));
    }
    for (index, text) in texts.iter().enumerate() {
        if text.chars().count() > 256 {
            problems.add(format!("{at}.nullIf[{index}]"), "has more than 256 characters; shorten it");
        }
    }
}
