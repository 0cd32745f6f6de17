//! The elements of all documents as one tree, with how often each occurs.

use std::collections::HashMap;

use super::reader;
use crate::xml::{Event, Source};

/// Position of an element in the survey.
pub(super) type ElementId = usize;

/// All elements of one path.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) parent: Option<ElementId>,
    /// In the order in which they were first seen.
    pub(super) children: Vec<ElementId>,
    pub(super) occurrences: usize,
    /// Most in one parent.
    pub(super) most_in_parent: usize,
    /// True if one has text of its own that is not white space.
    pub(super) has_text: bool,
    pub(super) has_attributes: bool,
}

/// The tree; its roots are the root elements.
#[derive(Debug, Default)]
pub(super) struct Survey {
    elements: Vec<Element>,
    by_name: HashMap<(Option<ElementId>, String), ElementId>,
    /// Documents in it.
    pub(super) documents: usize,
}

impl Survey {
    /// Counts documents that are known to be well-formed.
    pub(super) fn of(sources: &[&Source<'_>]) -> Self {
        let mut survey = Self { documents: sources.len(), ..Self::default() };
        for source in sources {
            survey.add(source);
        }
        survey
    }

    fn add(&mut self, source: &Source<'_>) {
        let text = source.text();
        let mut reader = reader(source);
        // The open elements, and how many of each child they have so far.
        let mut open: Vec<(ElementId, HashMap<ElementId, usize>)> = Vec::new();
        while let Ok(event) = reader.next() {
            match event {
                Event::Start { local, .. } => {
                    let id = self.element(open.last().map(|(parent, _)| *parent), local.of(text));
                    let siblings = open.last_mut().map_or(1, |(_, children)| {
                        let count = children.entry(id).or_default();
                        *count += 1;
                        *count
                    });
                    let element = &mut self.elements[id];
                    element.occurrences += 1;
                    element.most_in_parent = element.most_in_parent.max(siblings);
                    element.has_attributes |= reader.attributes().iter().any(|other| !other.is_declaration(text));
                    open.push((id, HashMap::new()));
                }
                Event::End => {
                    open.pop();
                }
                Event::Text(span) => self.note_text(&open, !span.of(text).trim_ascii().is_empty()),
                Event::Character(c) => self.note_text(&open, !c.is_ascii_whitespace()),
                Event::Finished => return,
            }
        }
    }

    /// Whether an element, or one around it, occurs several times in one parent.
    pub(super) fn repeats(&self, id: ElementId) -> bool {
        self.outwards(id).any(|id| self.elements[id].most_in_parent > 1)
    }

    fn note_text(&mut self, open: &[(ElementId, HashMap<ElementId, usize>)], is_text: bool) {
        if let Some((id, _)) = open.last() {
            self.elements[*id].has_text |= is_text;
        }
    }

    fn element(&mut self, parent: Option<ElementId>, name: &str) -> ElementId {
        let key = (parent, name.to_owned());
        if let Some(id) = self.by_name.get(&key) {
            return *id;
        }
        let id = self.elements.len();
        self.elements.push(Element { name: name.to_owned(), parent, ..Element::default() });
        if let Some(parent) = parent {
            self.elements[parent].children.push(id);
        }
        self.by_name.insert(key, id);
        id
    }

    pub(super) fn get(&self, id: ElementId) -> &Element {
        &self.elements[id]
    }

    pub(super) fn ids(&self) -> std::ops::Range<ElementId> {
        0..self.elements.len()
    }

    /// The element of this name below `parent`; a root element without parent.
    pub(super) fn find(&self, parent: Option<ElementId>, name: &str) -> Option<ElementId> {
        self.by_name.get(&(parent, name.to_owned())).copied()
    }

    /// The element and what it stands in, from the inside.
    pub(super) fn outwards(&self, id: ElementId) -> impl Iterator<Item = ElementId> {
        std::iter::successors(Some(id), |id| self.elements[*id].parent)
    }

    /// Names from the element behind `ancestor`, or from the root, to this one.
    pub(super) fn steps(&self, id: ElementId, ancestor: Option<ElementId>) -> Vec<&str> {
        let mut steps: Vec<&str> = self
            .outwards(id)
            .take_while(|id| Some(*id) != ancestor)
            .map(|id| self.elements[id].name.as_str())
            .collect();
        steps.reverse();
        steps
    }

    /// `/root/element`.
    pub(super) fn path(&self, id: ElementId) -> String {
        self.steps(id, None).iter().map(|step| format!("/{step}")).collect()
    }
}
