//! The reject records: what was wrong, and where in the message.

use gristmill_crds::plan::{ColumnPlan, NamespaceTest, Origin, RecordPlan, RowPath};

use super::paths::PathTree;
use super::reason::Reason;
use super::rejects::Reject;
use super::staging::{StagedRow, Unknown};
use super::typing::InvalidRow;
use crate::xml::{Excerpt, Fault, Place, Places, Root};

/// A reject of the whole message.
pub(super) fn whole(reason: Reason, path: String, place: Place, message: String) -> Box<Reject> {
    Box::new(Reject { reason, column: None, path, place, message, record_index: None })
}

/// A message that could not be read to its end; `path` is that of the element in which reading ended.
pub(super) fn unreadable(fault: Fault, text: &str, path: String) -> Box<Reject> {
    let Fault { reason, offset, message } = fault;
    whole(reason, path, Places::new(text).at(offset), message)
}

/// A message in which no element is a row.
pub(super) fn no_rows(row_path: &RowPath, root: &Root<'_>, text: &str) -> Box<Reject> {
    let first = &row_path.steps()[0];
    let differs = first.namespace != NamespaceTest::Any && root.name().0 == first.local && row_path.steps().len() > 1;
    let hint = if differs { "; check the namespace of each step of rowPath" } else { "" };
    let message = format!("no element matches {row_path}; the root is {root}{hint}");
    at_root(Reason::NoRows, root, text, message)
}

/// A message whose rows would repeat more than memory holds.
pub(super) fn repeats_too_much(
    row_path: &RowPath,
    root: &Root<'_>,
    text: &str,
    rows: usize,
    bytes: usize,
) -> Box<Reject> {
    let message = format!(
        "each of {rows} rows of {row_path} would repeat {bytes} bytes from outside the rows; at most {} in all are",
        super::limits::MAX_REPEATED_BYTES
    );
    at_root(Reason::MessageTooLarge, root, text, message)
}

fn at_root(reason: Reason, root: &Root<'_>, text: &str, message: String) -> Box<Reject> {
    whole(reason, format!("/{}", root.name()), Places::new(text).at(root.offset), message)
}

/// A message with an unknown element outside its rows.
pub(super) fn unknown_outside(tree: &PathTree, unknown: Unknown, text: &str) -> Box<Reject> {
    let path = format!("{}/{}", tree.node(unknown.parent).path, Excerpt(unknown.name.of(text)));
    whole(Reason::UnknownElement, path, Places::new(text).at(unknown.offset), UNKNOWN.to_owned())
}

const UNKNOWN: &str = "no path of a column leads to or through the element, and unknownElements is Reject";

/// A row that is not valid.
pub(super) fn invalid_row(
    plan: &RecordPlan,
    tree: &PathTree,
    row: &StagedRow,
    record_index: i32,
    invalid: InvalidRow,
    text: &str,
    places: &mut Places<'_>,
) -> Reject {
    let row_path = format!("{}[{}]", plan.row_path, row.ordinal);
    let record_index = Some(record_index);
    match invalid {
        InvalidRow::Column { column, problem, offset } => {
            let column = &plan.columns[column];
            Reject {
                reason: problem.reason,
                column: Some(column.name.clone()),
                path: column_path(column, &row_path),
                place: places.at(offset.unwrap_or(row.offset)),
                message: problem.message,
                record_index,
            }
        }
        InvalidRow::Unknown(Unknown { parent, name, offset }) => Reject {
            reason: Reason::UnknownElement,
            column: None,
            path: format!("{row_path}{}/{}", tree.node(parent).path, Excerpt(name.of(text))),
            place: places.at(offset),
            message: UNKNOWN.to_owned(),
            record_index,
        },
    }
}

/// The path of a column's text, such as `/library/book[2]/author/name`.
fn column_path(column: &ColumnPlan, row_path: &str) -> String {
    match column.path.origin {
        Origin::Row => format!("{row_path}/{}", column.path),
        Origin::Root => column.path.to_string(),
    }
}
