//! The paths of a plan as one tree of element names, so that each element of a message is looked up once.

use gristmill_crds::plan::{ColumnPlan, Origin, RowPath, Selector};

/// Position of a node in the tree.
pub(super) type NodeId = usize;

/// A column that takes its text from a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    /// Index among the plan's columns.
    pub(super) column: usize,
    /// Whether the text belongs to one row or to the message.
    pub(super) origin: Origin,
}

/// An element that a path leads to or through.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Sorted by name.
    children: Vec<(String, NodeId)>,
    /// True for the element that is a row.
    pub(super) is_row: bool,
    /// Columns that take the element's own text.
    pub(super) text: Vec<Target>,
    /// Columns that take an attribute, sorted by its name.
    attributes: Vec<(String, Target)>,
}

impl Node {
    pub(super) fn has_attributes(&self) -> bool {
        !self.attributes.is_empty()
    }

    /// The columns that take the attribute of this name.
    pub(super) fn attribute(&self, name: &str) -> impl Iterator<Item = Target> {
        let from = self.attributes.partition_point(|(other, _)| other.as_str() < name);
        self.attributes[from..].iter().take_while(move |(other, _)| other == name).map(|(_, target)| *target)
    }
}

/// The tree; its root stands above the root element.
#[derive(Debug)]
pub(super) struct PathTree {
    nodes: Vec<Node>,
}

impl PathTree {
    /// The node above the root element.
    pub(super) const ROOT: NodeId = 0;

    pub(super) fn new(row_path: &RowPath, columns: &[ColumnPlan]) -> Self {
        let mut tree = Self { nodes: vec![Node::default()] };
        let row = tree.insert(Self::ROOT, row_path.steps());
        tree.nodes[row].is_row = true;
        for (column, plan) in columns.iter().enumerate() {
            let origin = plan.path.origin;
            let from = match origin {
                Origin::Row => row,
                Origin::Root => Self::ROOT,
            };
            let id = tree.insert(from, &plan.path.steps);
            let target = Target { column, origin };
            match &plan.path.selector {
                Selector::Text => tree.nodes[id].text.push(target),
                Selector::Attribute(name) => tree.nodes[id].attributes.push((name.clone(), target)),
            }
        }
        for node in &mut tree.nodes {
            node.attributes.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        tree
    }

    fn insert(&mut self, from: NodeId, steps: &[String]) -> NodeId {
        steps.iter().fold(from, |id, step| match self.search(id, step) {
            Ok(index) => self.nodes[id].children[index].1,
            Err(index) => {
                let child = self.nodes.len();
                self.nodes.push(Node::default());
                self.nodes[id].children.insert(index, (step.clone(), child));
                child
            }
        })
    }

    fn search(&self, id: NodeId, name: &str) -> Result<usize, usize> {
        self.nodes[id].children.binary_search_by(|(other, _)| other.as_str().cmp(name))
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// The node of the child element with this local name, if a path leads there.
    pub(super) fn child(&self, id: NodeId, name: &str) -> Option<NodeId> {
        self.search(id, name).ok().map(|index| self.nodes[id].children[index].1)
    }
}
