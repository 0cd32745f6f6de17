//! Where a text is kept: texts are spans, so that neither a row nor a value costs an allocation.

use crate::xml::Span;

/// A text of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    /// As it stands in the document.
    Document(Span),
    /// Put together of parts, or with references resolved.
    Arena(Span),
    /// Made of others by collapse or Join.
    Formatted(Span),
    /// The default of this column.
    Default(u32),
}

impl Text {
    /// Bytes of a text that was found or made.
    pub(super) fn length(self) -> usize {
        match self {
            Text::Document(span) | Text::Arena(span) | Text::Formatted(span) => (span.end - span.start) as usize,
            Text::Default(_) => 0,
        }
    }

    /// A part of the text; the offsets count from its beginning. A default is taken whole.
    #[inline]
    pub(super) fn part(self, start: usize, end: usize) -> Self {
        let part = |span: Span| Span::new(span.start as usize + start, span.start as usize + end);
        match self {
            Text::Document(span) => Text::Document(part(span)),
            Text::Arena(span) => Text::Arena(part(span)),
            Text::Formatted(span) => Text::Formatted(part(span)),
            Text::Default(column) => Text::Default(column),
        }
    }
}

/// The texts of a message while it is read: its document, and what was put together of parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sources<'t> {
    pub(super) document: &'t str,
    pub(super) arena: &'t str,
}

impl<'t> Sources<'t> {
    /// A text of the message as it was found.
    #[inline]
    pub(super) fn written(&self, text: Text) -> &'t str {
        match text {
            Text::Document(span) => span.of(self.document),
            Text::Arena(span) => span.of(self.arena),
            Text::Formatted(_) | Text::Default(_) => unreachable!("no text is found that was made"),
        }
    }
}

/// Appends a text with its line ends as XML hands them on: `\r\n` and `\r` are `\n`.
pub(super) fn push_with_line_ends(written: &str, out: &mut String) {
    let mut lines = written.split('\r');
    out.push_str(lines.next().unwrap_or_default());
    for line in lines {
        out.push('\n');
        out.push_str(line.strip_prefix('\n').unwrap_or(line));
    }
}

/// Collects the own text of the open elements.
#[derive(Debug, Default)]
pub(super) struct TextBuffer {
    /// Pieces of the open elements' texts, innermost last.
    pieces: Vec<Text>,
    arena: String,
    line_ends: LineEnds,
}

/// How a document's lines end.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum LineEnds {
    /// As XML hands them on.
    #[default]
    Normal,
    /// With `\r` somewhere.
    ToNormalize,
}

impl TextBuffer {
    /// Begins a document.
    pub(super) fn begin(&mut self, document: &str, kept_bytes: usize) {
        // Once for all of its texts, which are short.
        let has_returns = memchr::memchr(b'\r', document.as_bytes()).is_some();
        self.line_ends = if has_returns { LineEnds::ToNormalize } else { LineEnds::Normal };
        self.pieces.clear();
        self.pieces.shrink_to(kept_bytes / size_of::<Text>());
        self.arena.clear();
        self.arena.shrink_to(kept_bytes);
    }

    pub(super) fn arena(&self) -> &str {
        &self.arena
    }

    /// Number of pieces: those of an element that begins now stand behind them.
    pub(super) fn mark(&self) -> usize {
        self.pieces.len()
    }

    /// Adds text of the element whose pieces begin at `mark`.
    pub(super) fn add_text(&mut self, document: &str, span: Span, mark: usize) {
        let written = span.of(document);
        if self.line_ends == LineEnds::Normal || !written.as_bytes().contains(&b'\r') {
            self.pieces.push(Text::Document(span));
            return;
        }
        let start = self.arena.len();
        push_with_line_ends(written, &mut self.arena);
        self.push_arena_piece(start, mark);
    }

    pub(super) fn add_character(&mut self, c: char, mark: usize) {
        let start = self.arena.len();
        self.arena.push(c);
        self.push_arena_piece(start, mark);
    }

    /// Adds a text that belongs to no element's content.
    pub(super) fn push(&mut self, text: &str) -> Text {
        let start = self.arena.len();
        self.arena.push_str(text);
        Text::Arena(Span::new(start, self.arena.len()))
    }

    /// The text of an element that is `span` and nothing else.
    #[inline]
    pub(super) fn whole(&mut self, document: &str, span: Span) -> Text {
        let written = span.of(document);
        if self.line_ends == LineEnds::Normal || !written.as_bytes().contains(&b'\r') {
            return Text::Document(span);
        }
        let start = self.arena.len();
        push_with_line_ends(written, &mut self.arena);
        Text::Arena(Span::new(start, self.arena.len()))
    }

    /// Adds what the arena holds from `start` as a piece, or to the piece before if that ends there.
    fn push_arena_piece(&mut self, start: usize, mark: usize) {
        let end = self.arena.len();
        if let Some(Text::Arena(span)) = self.pieces[mark..].last_mut()
            && span.end as usize == start
        {
            *span = Span::new(span.start as usize, end);
            return;
        }
        self.pieces.push(Text::Arena(Span::new(start, end)));
    }

    /// The text of the element whose pieces begin at `mark`; it has ended.
    pub(super) fn take(&mut self, document: &str, mark: usize) -> Text {
        let joined = match self.pieces[mark..] {
            [] => Text::Document(Span::new(0, 0)),
            [only] => only,
            _ => self.join(document, mark),
        };
        self.pieces.truncate(mark);
        joined
    }

    fn join(&mut self, document: &str, mark: usize) -> Text {
        let start = self.arena.len();
        for piece in &self.pieces[mark..] {
            match *piece {
                Text::Document(span) => self.arena.push_str(span.of(document)),
                Text::Arena(span) => self.arena.extend_from_within(span.start as usize..span.end as usize),
                Text::Formatted(_) | Text::Default(_) => unreachable!("pieces are of the document or the arena"),
            }
        }
        Text::Arena(Span::new(start, self.arena.len()))
    }
}
