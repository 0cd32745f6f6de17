//! One message, read to its end: where its rows begin and what text each column has.
//!
//! Nothing here is typed or written: that begins when the end has been found well-formed.

use gristmill_crds::UnknownElements;
use gristmill_crds::plan::{MessageLimits, Origin, RecordPlan};

use super::found::{Found, FoundTexts};
use super::limits::{KEPT_BUFFER_BYTES, MAX_VALUES};
use super::paths::{Keep, NodeId, PathTree, Target};
use super::reason::Reason;
use super::text::{Sources, Text, TextBuffer};
use crate::xml::{Event, Excerpt, Fault, Item, Leaf, Reader, Span, attribute_text};

/// A column whose element or attribute stands a second time and may not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Repeat {
    pub(super) column: usize,
    /// Offset of the second element's start.
    pub(super) offset: usize,
}

/// An element that no path leads to or through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unknown {
    /// The element that it lies in.
    pub(super) parent: NodeId,
    pub(super) name: Span,
    pub(super) offset: usize,
}

/// A row of the message.
#[derive(Debug, Clone, Copy)]
pub(super) struct StagedRow {
    /// Offset of its start.
    pub(super) offset: usize,
    /// Its number among its parent's rows, from 1.
    pub(super) ordinal: usize,
    /// The first repetition in it.
    pub(super) repeat: Option<Repeat>,
    /// The first unknown element in it.
    pub(super) unknown: Option<Unknown>,
    /// Where its texts begin among all.
    found: usize,
}

/// An open element on a path.
#[derive(Debug)]
struct Open {
    node: NodeId,
    /// Where the guess of its next child stands.
    last_child: Successor,
    offset: usize,
    /// Set for a row.
    ordinal: Option<usize>,
    /// Rows among its children so far.
    rows: usize,
    /// Own pieces of text begin here; those of children are gone when the children have ended.
    pieces: usize,
    /// Bytes of its text so far, if a column takes it.
    captured: Option<usize>,
}

/// Where the guess stands of which child comes next: behind the last one, or first in its parent.
#[derive(Debug, Clone, Copy)]
struct Successor(usize);

impl Successor {
    fn first_in(parent: NodeId) -> Self {
        Self(2 * parent)
    }

    fn behind(child: NodeId) -> Self {
        Self(2 * child + 1)
    }
}

/// What a message holds, in buffers that are used again for the next.
#[derive(Debug)]
pub(super) struct Staging {
    open: Vec<Open>,
    /// Which node came last behind which: messages of one feed have their elements in one order, so that most elements
    /// are found by a comparison of one name.
    successors: Vec<NodeId>,
    /// Open elements off every path; they lie in the innermost one on a path.
    passed_over: usize,
    texts: TextBuffer,
    rows: Vec<StagedRow>,
    /// Texts of the rows, one row's behind the other's.
    found: FoundTexts,
    /// Texts from outside the rows.
    absolute: FoundTexts,
    absolute_repeat: Option<Repeat>,
    /// The first unknown element outside the rows.
    unknown: Option<Unknown>,
    rejects_unknown: bool,
    max_rows: usize,
    max_text_bytes: usize,
}

impl Staging {
    pub(super) fn new(plan: &RecordPlan, tree: &PathTree) -> Self {
        let columns = plan.columns.len();
        let MessageLimits { rows, text_bytes, message_bytes: _, depth: _, attributes: _ } = plan.limits;
        Self {
            open: Vec::new(),
            successors: vec![PathTree::ROOT; 2 * tree.len()],
            passed_over: 0,
            texts: TextBuffer::default(),
            rows: Vec::new(),
            found: FoundTexts::new(columns),
            absolute: FoundTexts::new(columns),
            absolute_repeat: None,
            unknown: None,
            rejects_unknown: plan.unknown_elements == UnknownElements::Reject,
            max_rows: rows.min(MAX_VALUES / columns.max(1)),
            max_text_bytes: text_bytes,
        }
    }

    /// Reads the document of `text` to its end.
    pub(super) fn read(&mut self, tree: &PathTree, text: &str, reader: &mut Reader<'_>) -> Result<(), Fault> {
        self.begin(text);
        loop {
            if !self.takes_text() {
                reader.pass_over_blanks();
            }
            match reader.next_or_leaf(self.max_text_bytes)? {
                Item::Leaf(leaf) => self.leaf(tree, text, reader, leaf)?,
                Item::Event(Event::Start { local, offset }) => self.start(tree, text, reader, local, offset)?,
                Item::Event(Event::End) => self.end(tree, text)?,
                Item::Event(Event::Text(span)) => {
                    if self.grow((span.end - span.start) as usize)? {
                        let mark = self.mark();
                        self.texts.add_text(text, span, mark);
                    }
                }
                Item::Event(Event::Character(c)) => {
                    if self.grow(c.len_utf8())? {
                        let mark = self.mark();
                        self.texts.add_character(c, mark);
                    }
                }
                Item::Event(Event::Finished) => return Ok(()),
            }
        }
    }

    fn begin(&mut self, document: &str) {
        self.open.clear();
        self.passed_over = 0;
        self.texts.begin(document, KEPT_BUFFER_BYTES);
        self.rows.clear();
        self.rows.shrink_to(KEPT_BUFFER_BYTES / size_of::<StagedRow>());
        self.found.clear();
        self.absolute.clear();
        self.absolute.begin_row();
        self.absolute_repeat = None;
        self.unknown = None;
    }

    /// Takes an element that is one event.
    #[inline]
    fn leaf(&mut self, tree: &PathTree, text: &str, reader: &mut Reader<'_>, leaf: Leaf) -> Result<(), Fault> {
        let Leaf { local, offset, text: span } = leaf;
        if self.passed_over > 0 {
            return Ok(());
        }
        let Some(id) = self.enter(tree, text, reader, local, offset) else { return Ok(()) };
        let node = tree.node(id);
        if node.is_row {
            self.start_row(offset)?;
        }
        let mut is_taken = false;
        for target in &node.text {
            is_taken |= self.meet(*target, offset);
        }
        if is_taken {
            // Its text is kept behind its end, as that of an element of three events: a fault is told at the same place.
            reader.close_leaf();
            let whole = self.texts.whole(text, span);
            self.keep_text(tree, id, offset, whole)?;
        }
        Ok(())
    }

    fn start(
        &mut self,
        tree: &PathTree,
        text: &str,
        reader: &Reader<'_>,
        local: Span,
        offset: usize,
    ) -> Result<(), Fault> {
        if self.passed_over > 0 {
            self.passed_over += 1;
            return Ok(());
        }
        let Some(id) = self.enter(tree, text, reader, local, offset) else {
            self.passed_over = 1;
            return Ok(());
        };
        let node = tree.node(id);
        let ordinal = if node.is_row { Some(self.start_row(offset)?) } else { None };
        let mut captured = None;
        for target in &node.text {
            if self.meet(*target, offset) {
                captured = Some(0);
            }
        }
        let (last_child, pieces) = (Successor::first_in(id), self.texts.mark());
        self.open.push(Open { node: id, last_child, offset, ordinal, rows: 0, pieces, captured });
        if node.has_attributes() {
            self.take_attributes(tree, id, text, reader, offset)?;
        }
        Ok(())
    }

    /// The node of the reader's innermost element, which has just begun in the innermost one on a path; none if no path leads
    /// to it.
    #[inline]
    fn enter(
        &mut self,
        tree: &PathTree,
        text: &str,
        reader: &Reader<'_>,
        local: Span,
        offset: usize,
    ) -> Option<NodeId> {
        let (parent, successor) = match self.open.last() {
            Some(open) => (open.node, open.last_child),
            None => (PathTree::ROOT, Successor::first_in(PathTree::ROOT)),
        };
        let guess = self.successors[successor.0];
        let found = if tree.is_child(guess, parent, local.of(text), || reader.namespace()) {
            Some(guess)
        } else {
            tree.child(parent, local.of(text), || reader.namespace())
        };
        let Some(id) = found else {
            if self.rejects_unknown {
                self.note_unknown(tree, Unknown { parent, name: local, offset });
            }
            return None;
        };
        self.successors[successor.0] = id;
        if let Some(parent) = self.open.last_mut() {
            parent.last_child = Successor::behind(id);
        }
        Some(id)
    }

    fn note_unknown(&mut self, tree: &PathTree, unknown: Unknown) {
        let first = match self.rows.last_mut() {
            Some(row) if tree.node(unknown.parent).in_row => &mut row.unknown,
            _ => &mut self.unknown,
        };
        first.get_or_insert(unknown);
    }

    fn start_row(&mut self, offset: usize) -> Result<usize, Fault> {
        if self.rows.len() == self.max_rows {
            let message = format!("the message has more than {} rows; send them in several messages", self.max_rows);
            return Err(Fault { reason: Reason::TooManyRows, offset, message });
        }
        let ordinal = self.open.last_mut().map_or(1, |parent| {
            parent.rows += 1;
            parent.rows
        });
        self.found.begin_row();
        self.rows.push(StagedRow { offset, ordinal, repeat: None, unknown: None, found: self.found.len() });
        Ok(ordinal)
    }

    /// Notes that a column's element or attribute occurs; false if this occurrence does not count.
    fn meet(&mut self, target: Target, offset: usize) -> bool {
        let Target { column, origin, keep } = target;
        let found = match origin {
            Origin::Row => &mut self.found,
            Origin::Root => &mut self.absolute,
        };
        let is_first = found.meet(column);
        if keep == Keep::Only && !is_first {
            let repeat = match origin {
                Origin::Row => self.rows.last_mut().map(|row| &mut row.repeat),
                Origin::Root => Some(&mut self.absolute_repeat),
            };
            if let Some(repeat) = repeat {
                repeat.get_or_insert(Repeat { column, offset });
            }
        }
        is_first || keep == Keep::All
    }

    fn take_attributes(
        &mut self,
        tree: &PathTree,
        id: NodeId,
        text: &str,
        reader: &Reader<'_>,
        offset: usize,
    ) -> Result<(), Fault> {
        for attribute in reader.attributes() {
            if attribute.is_declaration(text) {
                continue;
            }
            let name = attribute.local(text);
            let mut value = None;
            for target in tree.node(id).attribute(name, reader.attribute_namespace(attribute)) {
                if !self.meet(target, offset) {
                    continue;
                }
                let written = attribute.value.of(text);
                self.check_length(written.len(), offset, format_args!("the attribute {}", Excerpt(name)))?;
                let taken = *value.get_or_insert_with(|| match attribute_text(written) {
                    std::borrow::Cow::Borrowed(_) => Text::Document(attribute.value),
                    std::borrow::Cow::Owned(value) => self.texts.push(&value),
                });
                self.keep(target, offset, taken)?;
            }
        }
        Ok(())
    }

    #[inline]
    fn keep(&mut self, target: Target, offset: usize, text: Text) -> Result<(), Fault> {
        if self.found.len() + self.absolute.len() >= MAX_VALUES {
            let message = format!("the message has more than {MAX_VALUES} values; send them in several messages");
            return Err(Fault { reason: Reason::TooManyRows, offset, message });
        }
        let found = match target.origin {
            Origin::Row => &mut self.found,
            Origin::Root => &mut self.absolute,
        };
        found.push(target.column, offset, text);
        Ok(())
    }

    fn mark(&self) -> usize {
        self.open.last().map_or(0, |open| open.pieces)
    }

    /// True if a column takes text that comes next.
    #[inline]
    fn takes_text(&self) -> bool {
        self.passed_over == 0 && self.open.last().is_some_and(|open| open.captured.is_some())
    }

    /// Counts text of the innermost element; false if no column takes it.
    fn grow(&mut self, length: usize) -> Result<bool, Fault> {
        if self.passed_over > 0 || length == 0 {
            return Ok(false);
        }
        let Some(Open { captured: Some(bytes), offset, .. }) = self.open.last_mut() else { return Ok(false) };
        *bytes += length;
        let (bytes, offset) = (*bytes, *offset);
        self.check_length(bytes, offset, format_args!("the text of the element"))?;
        Ok(true)
    }

    fn end(&mut self, tree: &PathTree, text: &str) -> Result<(), Fault> {
        if self.passed_over > 0 {
            self.passed_over -= 1;
            return Ok(());
        }
        let Some(Open { node, offset, pieces, captured: Some(_), .. }) = self.open.pop() else { return Ok(()) };
        let joined = self.texts.take(text, pieces);
        self.keep_text(tree, node, offset, joined)
    }

    /// Keeps the text of an element that has ended.
    #[inline]
    fn keep_text(&mut self, tree: &PathTree, id: NodeId, offset: usize, text: Text) -> Result<(), Fault> {
        for target in &tree.node(id).text {
            // An occurrence that did not count at the start of the element has its column's text already.
            let found = if target.origin == Origin::Row { &self.found } else { &self.absolute };
            if target.keep == Keep::All || !found.has(target.column) {
                self.keep(*target, offset, text)?;
            }
        }
        Ok(())
    }

    fn check_length(&self, bytes: usize, offset: usize, what: std::fmt::Arguments<'_>) -> Result<(), Fault> {
        if bytes <= self.max_text_bytes {
            return Ok(());
        }
        let message = format!("{what} is longer than {} bytes", self.max_text_bytes);
        Err(Fault { reason: Reason::TextTooLong, offset, message })
    }
}

/// What was found, once the message was read.
impl Staging {
    pub(super) fn rows(&self) -> &[StagedRow] {
        &self.rows
    }

    /// The texts of a row, in the order in which their elements ended.
    pub(super) fn found(&self, row: usize) -> &[Found] {
        let end = self.rows.get(row + 1).map_or(self.found.len(), |next| next.found);
        &self.found.all()[self.rows[row].found..end]
    }

    /// The texts of all rows.
    pub(super) fn found_texts(&self) -> &FoundTexts {
        &self.found
    }

    /// The texts of the absolute paths.
    pub(super) fn absolute(&self) -> &FoundTexts {
        &self.absolute
    }

    /// Bytes of their texts.
    pub(super) fn absolute_text_bytes(&self) -> usize {
        self.absolute.all().iter().map(|found| found.text.length()).sum()
    }

    /// The first repetition of an absolute path.
    pub(super) fn absolute_repeat(&self) -> Option<Repeat> {
        self.absolute_repeat
    }

    /// The first unknown element outside the rows.
    pub(super) fn unknown(&self) -> Option<Unknown> {
        self.unknown
    }

    pub(super) fn sources<'t>(&'t self, document: &'t str) -> Sources<'t> {
        Sources { document, arena: self.texts.arena() }
    }

    /// The path of the innermost open element, `/` if none is open. `names` are those of the open elements.
    pub(super) fn open_path<'n>(&self, names: impl Iterator<Item = &'n str>) -> String {
        let mut path = String::new();
        let ordinals = self.open.iter().map(|open| open.ordinal).chain(std::iter::repeat(None));
        for (name, ordinal) in names.zip(ordinals) {
            path.push('/');
            path.push_str(&Excerpt(name).to_string());
            if let Some(ordinal) = ordinal {
                path.push_str(&format!("[{ordinal}]"));
            }
        }
        if path.is_empty() { "/".to_owned() } else { path }
    }
}
