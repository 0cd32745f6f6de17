//! Which element is a row.

use gristmill_crds::plan::RowPath;

use super::NoDraft;
use super::survey::{ElementId, Survey};

/// The element that was chosen.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) element: ElementId,
    /// Why, for the reader of the draft.
    pub(super) why: String,
    /// Other elements that repeat, and how often they occur.
    pub(super) others: Vec<(String, usize)>,
}

/// The element of the path that is asked for; else the one that repeats most.
///
/// Only what is not part of another element that repeats: the authors of a book are more than the books, and no rows.
/// Where nothing repeats, a row is the innermost element that wraps the rest.
pub(super) fn choose(survey: &Survey, wanted: Option<&RowPath>) -> Result<Row, NoDraft> {
    if let Some(path) = wanted {
        let mut id = None;
        for step in path.steps() {
            id = Some(survey.find(id, &step.local).ok_or_else(|| NoDraft::NoRows(path.clone()))?);
        }
        let element = id.ok_or_else(|| NoDraft::NoRows(path.clone()))?;
        return Ok(Row { element, why: "as asked for".to_owned(), others: Vec::new() });
    }
    let repeats = |id: &ElementId| survey.get(*id).most_in_parent > 1;
    let mut candidates: Vec<ElementId> =
        survey.ids().filter(|id| repeats(id) && !survey.outwards(*id).skip(1).any(|outer| repeats(&outer))).collect();
    let size = |id: ElementId| (survey.get(id).occurrences, survey.get(id).children.len());
    candidates.sort_by_key(|id| std::cmp::Reverse(size(*id)));
    let Some((element, others)) = candidates.split_first() else {
        let element = innermost_wrapper(survey);
        return Ok(Row { element, why: "nothing repeats; one row a document".to_owned(), others: Vec::new() });
    };
    Ok(Row {
        element: *element,
        why: format!("up to {} in one element", survey.get(*element).most_in_parent),
        others: others.iter().map(|id| (survey.path(*id), survey.get(*id).occurrences)).collect(),
    })
}

fn innermost_wrapper(survey: &Survey) -> ElementId {
    // The root that most documents have.
    let roots = survey.ids().filter(|id| survey.get(*id).parent.is_none());
    let mut id = roots.max_by_key(|id| (survey.get(*id).occurrences, std::cmp::Reverse(*id))).unwrap_or_default();
    while let [only] = survey.get(id).children[..]
        && !survey.get(id).has_text
        && !survey.get(only).children.is_empty()
    {
        id = only;
    }
    id
}
