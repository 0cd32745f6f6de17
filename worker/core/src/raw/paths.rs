//! The paths of a plan as one tree of element names, so that each element of a message is looked up once.

use gristmill_crds::plan::{Name, NamespaceTest, Origin, RecordPlan, Repetition, Selector};

/// Position of a node in the tree.
pub(super) type NodeId = usize;

/// Which occurrences of a column's element or attribute are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// The first; a second one makes the row invalid.
    Only,
    /// The first; others are passed over.
    First,
    /// All.
    All,
}

/// A column that takes its text from a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    /// Index among the plan's columns.
    pub(super) column: usize,
    /// Whether the text belongs to one row or to the message.
    pub(super) origin: Origin,
    pub(super) keep: Keep,
}

/// An element that a path leads to or through.
#[derive(Debug, Default)]
pub(super) struct Node {
    parent: NodeId,
    /// None above the root element.
    name: Option<Name>,
    /// Sorted by local name.
    children: Vec<(Name, NodeId)>,
    /// True for the element that is a row.
    pub(super) is_row: bool,
    /// True for that element and what lies in it.
    pub(super) in_row: bool,
    /// Path from the row's element, else from the root; empty for the two themselves.
    pub(super) path: String,
    /// Columns that take the element's own text.
    pub(super) text: Vec<Target>,
    /// Columns that take an attribute, sorted by its local name.
    attributes: Vec<(Name, Target)>,
}

impl Node {
    pub(super) fn has_attributes(&self) -> bool {
        !self.attributes.is_empty()
    }

    /// The columns that take the attribute of this name.
    pub(super) fn attribute<'n>(&'n self, local: &'n str, namespace: Option<&'n str>) -> impl Iterator<Item = Target> {
        of_name(&self.attributes, local).filter(move |(name, _)| matches(name, namespace)).map(|(_, target)| *target)
    }
}

/// The entries of a list sorted by local name that have this one.
fn of_name<'n, T>(sorted: &'n [(Name, T)], local: &'n str) -> impl Iterator<Item = &'n (Name, T)> {
    let from = sorted.partition_point(|(name, _)| name.local.as_bytes() < local.as_bytes());
    sorted[from..].iter().take_while(move |(name, _)| name.local == local)
}

fn matches(name: &Name, namespace: Option<&str>) -> bool {
    match &name.namespace {
        NamespaceTest::Any => true,
        NamespaceTest::Absent => namespace.is_none(),
        NamespaceTest::Uri(uri) => namespace == Some(uri),
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

    pub(super) fn new(plan: &RecordPlan) -> Self {
        let mut tree = Self { nodes: vec![Node::default()] };
        let row = tree.insert(Self::ROOT, plan.row_path.steps());
        let node = &mut tree.nodes[row];
        (node.is_row, node.in_row) = (true, true);
        node.path.clear();
        for (column, plan) in plan.columns.iter().enumerate() {
            let origin = plan.path.origin;
            let from = match origin {
                Origin::Row => row,
                Origin::Root => Self::ROOT,
            };
            let id = tree.insert(from, &plan.path.steps);
            let keep = match plan.repeated {
                Repetition::Refused => Keep::Only,
                Repetition::First => Keep::First,
                Repetition::Last | Repetition::Join(_) | Repetition::List => Keep::All,
            };
            let target = Target { column, origin, keep };
            match &plan.path.selector {
                Selector::Text => tree.nodes[id].text.push(target),
                Selector::Attribute(name) => tree.nodes[id].attributes.push((name.clone(), target)),
            }
        }
        for node in &mut tree.nodes {
            node.attributes.sort_by(|(a, _), (b, _)| a.local.cmp(&b.local));
        }
        tree
    }

    fn insert(&mut self, from: NodeId, steps: &[Name]) -> NodeId {
        steps.iter().fold(from, |id, step| {
            let children = &self.nodes[id].children;
            // Two prefixes may stand for one namespace.
            let same = |(name, _): &&(Name, NodeId)| name.namespace == step.namespace;
            if let Some((_, child)) = of_name(children, &step.local).find(same) {
                return *child;
            }
            let index = children.partition_point(|(name, _)| name.local <= step.local);
            let child = self.nodes.len();
            let parent = &mut self.nodes[id];
            parent.children.insert(index, (step.clone(), child));
            let (path, in_row) = (format!("{}/{step}", parent.path), parent.in_row);
            self.nodes.push(Node { parent: id, name: Some(step.clone()), path, in_row, ..Node::default() });
            child
        })
    }

    /// Number of nodes; their ids are below it.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// True if the node is that of the child element of this name; `namespace` is asked only if the name fits.
    pub(super) fn is_child<'n>(
        &self,
        id: NodeId,
        parent: NodeId,
        local: &str,
        namespace: impl Fn() -> Option<&'n str>,
    ) -> bool {
        let Node { parent: of, name: Some(name), .. } = &self.nodes[id] else { return false };
        *of == parent && name.local == local && (name.namespace == NamespaceTest::Any || matches(name, namespace()))
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// The node of the child element of this name, if a path leads there; `namespace` is asked only if the name fits.
    pub(super) fn child<'n>(&self, id: NodeId, local: &str, namespace: impl Fn() -> Option<&'n str>) -> Option<NodeId> {
        let fits = |(name, _): &&(Name, NodeId)| name.namespace == NamespaceTest::Any || matches(name, namespace());
        of_name(&self.nodes[id].children, local).find(fits).map(|(_, child)| *child)
    }
}
