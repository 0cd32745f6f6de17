//! One message, read to its end: where its rows begin and what text each column has.
//!
//! Texts are spans of the message, or of an arena if they had to be put together, so that a row costs no
//! allocation. Nothing here is typed or written: that begins when the end has been found well-formed.

use gristmill_crds::plan::Origin;

use super::limits::{KEPT_BUFFER_BYTES, MAX_ROWS, MAX_TEXT_BYTES, MAX_VALUES};
use super::paths::{NodeId, PathTree, Target};
use super::reason::Reason;
use crate::xml::{Attribute, Event, Excerpt, Fault, Reader, Span, attribute_text};

/// A text of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    /// As it stands in the document.
    Document(Span),
    /// Put together of parts, or with references resolved.
    Arena(Span),
}

impl Text {
    fn span(self) -> Span {
        match self {
            Text::Document(span) | Text::Arena(span) => span,
        }
    }
}

/// The text that a column has in a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    column: u32,
    /// Offset of the element's start.
    offset: u32,
    text: Text,
}

impl Found {
    fn new(column: usize, offset: usize, text: Text) -> Self {
        let narrow = |number: usize| u32::try_from(number).expect("a message has at most 1 GiB, a plan 1,000 columns");
        Self { column: narrow(column), offset: narrow(offset), text }
    }

    pub(super) fn column(&self) -> usize {
        self.column as usize
    }

    /// Offset of the element's start.
    pub(super) fn offset(&self) -> usize {
        self.offset as usize
    }
}

/// A column whose element or attribute stands a second time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Repeat {
    pub(super) column: usize,
    /// Offset of the second element's start.
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
    /// Where its texts begin among all.
    found: usize,
}

/// An open element.
#[derive(Debug)]
struct Open {
    /// None outside of every path.
    node: Option<NodeId>,
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

/// What a message holds, in buffers that are used again for the next.
#[derive(Debug)]
pub(super) struct Staging {
    open: Vec<Open>,
    pieces: Vec<Text>,
    arena: String,
    rows: Vec<StagedRow>,
    found: Vec<Found>,
    /// By column: the last row, as a number from 1, in which it occurred.
    last_row: Vec<usize>,
    /// By column: the text from outside the rows.
    absolute: Vec<Option<Found>>,
    /// By column: an absolute path that was met.
    met: Vec<bool>,
    absolute_repeat: Option<Repeat>,
    max_rows: usize,
}

impl Staging {
    pub(super) fn new(columns: usize) -> Self {
        Self {
            open: Vec::new(),
            pieces: Vec::new(),
            arena: String::new(),
            rows: Vec::new(),
            found: Vec::new(),
            last_row: vec![0; columns],
            absolute: vec![None; columns],
            met: vec![false; columns],
            absolute_repeat: None,
            max_rows: MAX_ROWS.min(MAX_VALUES / columns.max(1)),
        }
    }

    /// Reads the document of `text` to its end.
    pub(super) fn read(&mut self, tree: &PathTree, text: &str, reader: &mut Reader<'_>) -> Result<(), Fault> {
        self.clear();
        loop {
            match reader.next()? {
                Event::Start { local, offset } => {
                    self.start(tree, local.of(text), offset)?;
                    self.take_attributes(tree, text, reader.attributes())?;
                }
                Event::End => self.end(tree, text),
                Event::Text(span) => self.add_text(text, span)?,
                Event::Character(c) => self.add_character(c)?,
                Event::Finished => return Ok(()),
            }
        }
    }

    fn clear(&mut self) {
        fn reset<T>(buffer: &mut Vec<T>) {
            buffer.clear();
            buffer.shrink_to(KEPT_BUFFER_BYTES / size_of::<T>());
        }
        self.open.clear();
        reset(&mut self.pieces);
        reset(&mut self.rows);
        reset(&mut self.found);
        self.arena.clear();
        self.arena.shrink_to(KEPT_BUFFER_BYTES);
        self.last_row.fill(0);
        self.absolute.fill(None);
        self.met.fill(false);
        self.absolute_repeat = None;
    }

    fn start(&mut self, tree: &PathTree, local: &str, offset: usize) -> Result<(), Fault> {
        let parent = self.open.last().map_or(Some(PathTree::ROOT), |open| open.node);
        let node = parent.and_then(|parent| tree.child(parent, local));
        let mut open = Open { node, offset, ordinal: None, rows: 0, pieces: self.pieces.len(), captured: None };
        if let Some(id) = node {
            if tree.node(id).is_row {
                open.ordinal = Some(self.start_row(offset)?);
            }
            for target in &tree.node(id).text {
                if self.meet(*target, offset) {
                    open.captured = Some(0);
                }
            }
        }
        self.open.push(open);
        Ok(())
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
        self.rows.push(StagedRow { offset, ordinal, repeat: None, found: self.found.len() });
        Ok(ordinal)
    }

    /// Notes that a column's element or attribute occurs; false if it is not the first time.
    fn meet(&mut self, target: Target, offset: usize) -> bool {
        let Target { column, origin } = target;
        let repeat = Repeat { column, offset };
        match origin {
            Origin::Row => {
                let number = self.rows.len();
                let first = std::mem::replace(&mut self.last_row[column], number) != number;
                if let Some(row) = self.rows.last_mut().filter(|row| !first && row.repeat.is_none()) {
                    row.repeat = Some(repeat);
                }
                first
            }
            Origin::Root => {
                let first = !std::mem::replace(&mut self.met[column], true);
                if !first && self.absolute_repeat.is_none() {
                    self.absolute_repeat = Some(repeat);
                }
                first
            }
        }
    }

    fn take_attributes(&mut self, tree: &PathTree, text: &str, attributes: &[Attribute]) -> Result<(), Fault> {
        let Some(Open { node: Some(id), offset, .. }) = self.open.last() else { return Ok(()) };
        let (node, offset) = (tree.node(*id), *offset);
        if !node.has_attributes() {
            return Ok(());
        }
        for attribute in attributes.iter().filter(|attribute| !attribute.is_declaration(text)) {
            let name = attribute.local(text);
            let mut value = None;
            for target in node.attribute(name) {
                if !self.meet(target, offset) {
                    continue;
                }
                let written = attribute.value.of(text);
                check_length(written.len(), offset, format_args!("the attribute {name}"))?;
                let taken = *value.get_or_insert_with(|| match attribute_text(written) {
                    std::borrow::Cow::Borrowed(_) => Text::Document(attribute.value),
                    std::borrow::Cow::Owned(value) => Text::Arena(self.push_arena(&value)),
                });
                self.keep(target, Found::new(target.column, offset, taken));
            }
        }
        Ok(())
    }

    fn keep(&mut self, target: Target, found: Found) {
        match target.origin {
            Origin::Row => self.found.push(found),
            Origin::Root => self.absolute[target.column] = Some(found),
        }
    }

    fn push_arena(&mut self, text: &str) -> Span {
        let start = self.arena.len();
        self.arena.push_str(text);
        Span::new(start, self.arena.len())
    }

    fn add_text(&mut self, text: &str, span: Span) -> Result<(), Fault> {
        if !self.grow((span.end - span.start) as usize)? || span.start == span.end {
            return Ok(());
        }
        let written = span.of(text);
        let mut lines = written.split('\r');
        let first = lines.next().unwrap_or_default();
        if first.len() == written.len() {
            self.pieces.push(Text::Document(span));
            return Ok(());
        }
        // XML hands \r\n and \r on as \n.
        let start = self.arena.len();
        self.arena.push_str(first);
        for line in lines {
            self.arena.push('\n');
            self.arena.push_str(line.strip_prefix('\n').unwrap_or(line));
        }
        self.push_arena_piece(start);
        Ok(())
    }

    fn add_character(&mut self, c: char) -> Result<(), Fault> {
        if self.grow(c.len_utf8())? {
            let start = self.arena.len();
            self.arena.push(c);
            self.push_arena_piece(start);
        }
        Ok(())
    }

    /// Counts text of the innermost element; false if no column takes it.
    fn grow(&mut self, length: usize) -> Result<bool, Fault> {
        let Some(Open { captured: Some(bytes), offset, .. }) = self.open.last_mut() else { return Ok(false) };
        *bytes += length;
        check_length(*bytes, *offset, format_args!("the text of the element"))?;
        Ok(true)
    }

    /// Adds what the arena holds from `start` as a piece, or to the piece before if that ends there.
    fn push_arena_piece(&mut self, start: usize) {
        let own = self.open.last().map_or(0, |open| open.pieces);
        let end = self.arena.len();
        if let Some(Text::Arena(span)) = self.pieces[own..].last_mut()
            && span.end as usize == start
        {
            *span = Span::new(span.start as usize, end);
            return;
        }
        self.pieces.push(Text::Arena(Span::new(start, end)));
    }

    fn end(&mut self, tree: &PathTree, text: &str) {
        let Some(Open { node: Some(id), offset, pieces, captured: Some(_), .. }) = self.open.pop() else { return };
        let joined = match self.pieces[pieces..] {
            [] => Text::Document(Span::new(0, 0)),
            [only] => only,
            _ => self.join(text, pieces),
        };
        self.pieces.truncate(pieces);
        for target in &tree.node(id).text {
            self.keep(*target, Found::new(target.column, offset, joined));
        }
    }

    fn join(&mut self, text: &str, from: usize) -> Text {
        let start = self.arena.len();
        for index in from..self.pieces.len() {
            match self.pieces[index] {
                Text::Document(span) => self.arena.push_str(span.of(text)),
                Text::Arena(span) => self.arena.extend_from_within(span.start as usize..span.end as usize),
            }
        }
        Text::Arena(Span::new(start, self.arena.len()))
    }
}

/// What was found, once the message was read.
impl Staging {
    pub(super) fn rows(&self) -> &[StagedRow] {
        &self.rows
    }

    /// The texts of a row, in the order of the document.
    pub(super) fn found(&self, row: usize) -> &[Found] {
        let end = self.rows.get(row + 1).map_or(self.found.len(), |next| next.found);
        &self.found[self.rows[row].found..end]
    }

    /// The text of a column with an absolute path.
    pub(super) fn absolute(&self, column: usize) -> Option<&Found> {
        self.absolute[column].as_ref()
    }

    /// The first repetition of an absolute path.
    pub(super) fn absolute_repeat(&self) -> Option<Repeat> {
        self.absolute_repeat
    }

    /// Bytes that every row repeats.
    pub(super) fn absolute_bytes(&self) -> usize {
        let length = |found: &Found| (found.text.span().end - found.text.span().start) as usize;
        self.absolute.iter().flatten().map(length).sum()
    }

    pub(super) fn text<'t>(&'t self, text: &'t str, found: &Found) -> &'t str {
        match found.text {
            Text::Document(span) => span.of(text),
            Text::Arena(span) => span.of(&self.arena),
        }
    }

    /// The path of the innermost open element; none if none is open. `names` are those of the open elements.
    pub(super) fn open_path<'n>(&self, names: impl Iterator<Item = &'n str>) -> Option<String> {
        let mut path = String::new();
        for (name, open) in names.zip(&self.open) {
            path.push('/');
            path.push_str(&Excerpt(name).to_string());
            if let Some(ordinal) = open.ordinal {
                path.push_str(&format!("[{ordinal}]"));
            }
        }
        Some(path).filter(|path| !path.is_empty())
    }
}

fn check_length(bytes: usize, offset: usize, what: std::fmt::Arguments<'_>) -> Result<(), Fault> {
    if bytes <= MAX_TEXT_BYTES {
        return Ok(());
    }
    let message = format!("{what} is longer than {MAX_TEXT_BYTES} bytes");
    Err(Fault { reason: Reason::TextTooLong, offset, message })
}
