//! The reader: one event after the other, with the stack of open elements.

use quick_xml::errors::{IllFormedError, SyntaxError};
use quick_xml::events::Event as Markup;

use super::name::{QualifiedName, is_local, is_space};
use super::namespaces::Namespaces;
use super::tag::{Attribute, read_attributes};
use super::{Excerpt, Fault, MAX_DEPTH, Source, Span, reference};
use crate::raw::Reason;

/// What comes next in a document. Comments and processing instructions are checked and passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// An element begins; its attributes are [`Reader::attributes`] until the next event.
    Start {
        /// The name without its prefix.
        local: Span,
        /// Offset of its `<`.
        offset: usize,
    },
    /// The innermost open element ends; an empty-element tag has a start and an end.
    End,
    /// Text or CDATA of the innermost element, with line ends as written.
    Text(Span),
    /// A reference in the innermost element's text.
    Character(char),
    /// The document was well-formed to its end.
    Finished,
}

/// An element that has begun and not ended.
#[derive(Debug)]
struct Open {
    name: QualifiedName,
    /// Declarations before it.
    namespaces: usize,
}

/// The root element.
#[derive(Debug)]
pub(crate) struct Root<'a> {
    namespace: Option<String>,
    local: &'a str,
    pub(crate) offset: usize,
}

impl Root<'_> {
    /// The local name, shortened if it is very long.
    pub(crate) fn name(&self) -> Excerpt<'_> {
        Excerpt(self.local)
    }
}

impl std::fmt::Display for Root<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(f, "{{{}}}", Excerpt(namespace))?;
        }
        self.name().fmt(f)
    }
}

/// Reads one document.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    broken: Option<Fault>,
    markup: quick_xml::Reader<&'a [u8]>,
    open: Vec<Open>,
    namespaces: Namespaces<'a>,
    attributes: Vec<Attribute>,
    root: Option<Root<'a>>,
    /// An empty-element tag was read and its end is the next event.
    ends_at_once: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(source: Source<'a>) -> Self {
        let Source { text, broken } = source;
        let mut markup = quick_xml::Reader::from_str(text);
        // Both are checked here, with messages and offsets of our own.
        markup.config_mut().check_end_names = false;
        markup.config_mut().allow_unmatched_ends = true;
        Self {
            text,
            broken,
            markup,
            open: Vec::new(),
            namespaces: Namespaces::default(),
            attributes: Vec::new(),
            root: None,
            ends_at_once: false,
        }
    }

    /// Attributes of the element that has just begun.
    pub(crate) fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// The root, once it has begun.
    pub(crate) fn root(&self) -> Option<&Root<'a>> {
        self.root.as_ref()
    }

    /// Names of the open elements from the root, without prefixes.
    pub(crate) fn open_names(&self) -> impl Iterator<Item = &'a str> {
        let text = self.text;
        self.open.iter().map(move |open| open.name.local.of(text))
    }

    /// The next event.
    pub(crate) fn next(&mut self) -> Result<Event, Fault> {
        if std::mem::take(&mut self.ends_at_once) {
            return Ok(self.close());
        }
        // quick-xml skips a mark at the beginning without counting it; ours has been removed already.
        if self.text.starts_with('\u{FEFF}') {
            return Err(Fault::malformed(0, "text stands outside the root element"));
        }
        loop {
            let start = self.position();
            if self.text[start..].starts_with("<!DOCTYPE") {
                let message = "the document has a document type declaration (DOCTYPE); remove it";
                return Err(Fault::new(Reason::DoctypeNotAllowed, start, message));
            }
            let markup = match self.markup.read_event() {
                Ok(markup) => markup,
                Err(error) => return Err(self.syntax(error, start)),
            };
            let end = self.position();
            match markup {
                Markup::Start(_) => return self.start(start, end - ">".len()),
                Markup::Empty(_) => {
                    self.ends_at_once = true;
                    return self.start(start, end - "/>".len());
                }
                Markup::End(_) => return self.end(start, end),
                Markup::Text(_) if self.open.is_empty() => self.check_outside(start, end)?,
                Markup::Text(_) => return self.text(start, end),
                Markup::CData(_) => {
                    self.check_inside(start)?;
                    return Ok(Event::Text(Span::new(start + "<![CDATA[".len(), end - "]]>".len())));
                }
                Markup::GeneralRef(_) => {
                    self.check_inside(start)?;
                    return reference::resolve(&self.text[start + 1..end - 1], start).map(Event::Character);
                }
                Markup::Comment(_) => self.check_comment(start, end)?,
                Markup::PI(_) | Markup::Decl(_) => self.check_instruction(start, end)?,
                Markup::DocType(_) => return Err(Fault::malformed(start, "expected <!DOCTYPE in capital letters")),
                Markup::Eof => return self.finish(),
            }
        }
    }

    fn position(&self) -> usize {
        usize::try_from(self.markup.buffer_position()).expect("an offset in a slice")
    }

    /// The error for markup that quick-xml can't delimit.
    fn syntax(&mut self, error: quick_xml::Error, start: usize) -> Fault {
        let rest = self.text.get(start + 1..).unwrap_or_default();
        let (message, ends) = match error {
            quick_xml::Error::Syntax(SyntaxError::InvalidBangMarkup) => {
                ("\"<!\" begins neither a comment nor CDATA".to_owned(), rest.contains('>'))
            }
            quick_xml::Error::IllFormed(IllFormedError::UnclosedReference) => {
                ("\"&\" is not followed by a reference; write &amp;".to_owned(), rest.contains(['<', '&']))
            }
            quick_xml::Error::Syntax(unclosed) => (unclosed.to_string(), false),
            other => (other.to_string(), false),
        };
        // Markup that is open to the end of the text: if that is where a broken byte stands, that is the error.
        self.broken.take().filter(|_| !ends).unwrap_or_else(|| Fault::malformed(start, message))
    }

    /// A start tag: `end` is the offset behind its last attribute.
    fn start(&mut self, start: usize, end: usize) -> Result<Event, Fault> {
        if self.open.is_empty() && self.root.is_some() {
            return Err(Fault::malformed(start, "the document has a second root element"));
        }
        if self.open.len() == MAX_DEPTH {
            let message = format!("elements are nested more than {MAX_DEPTH} deep");
            return Err(Fault::new(Reason::TooDeep, start, message));
        }
        let inside = &self.text[..end];
        let name = QualifiedName::read(inside, start + 1)?;
        read_attributes(inside, name.end(), end, &mut self.attributes)?;
        let namespaces = self.namespaces.mark();
        if !self.attributes.is_empty() {
            self.namespaces.enter(self.text, &self.attributes)?;
            self.namespaces.check_attributes(self.text, &self.attributes)?;
        }
        let prefix = name.prefix.map_or("", |prefix| prefix.of(self.text));
        if !prefix.is_empty() {
            self.namespaces.check_prefix(prefix, name.start())?;
        }
        let local = name.local.of(self.text);
        if self.root.is_none() {
            let namespace = self.namespaces.resolve(prefix).filter(|uri| !uri.is_empty()).map(str::to_owned);
            self.root = Some(Root { namespace, local, offset: start });
        }
        self.open.push(Open { name, namespaces });
        Ok(Event::Start { local: name.local, offset: start })
    }

    fn end(&mut self, start: usize, end: usize) -> Result<Event, Fault> {
        let inside = &self.text[start + "</".len()..end - ">".len()];
        let found = inside.trim_end_matches(|c: char| c.is_ascii() && is_space(c as u8));
        let Some(open) = self.open.last() else {
            return Err(Fault::malformed(start, format!("</{}> ends no element", Excerpt(found))));
        };
        let expected = open.name.of(self.text);
        if found != expected {
            let message = format!("expected </{}>, found </{}>", Excerpt(expected), Excerpt(found));
            return Err(Fault::malformed(start, message));
        }
        Ok(self.close())
    }

    fn close(&mut self) -> Event {
        if let Some(open) = self.open.pop() {
            self.namespaces.leave(open.namespaces);
        }
        Event::End
    }

    fn text(&self, start: usize, end: usize) -> Result<Event, Fault> {
        match self.text[start..end].find("]]>") {
            Some(at) => Err(Fault::malformed(start + at, "text contains \"]]>\"; write ]]&gt;")),
            None => Ok(Event::Text(Span::new(start, end))),
        }
    }

    fn check_inside(&self, start: usize) -> Result<(), Fault> {
        if self.open.is_empty() {
            return Err(Fault::malformed(start, "text stands outside the root element"));
        }
        Ok(())
    }

    fn check_outside(&self, start: usize, end: usize) -> Result<(), Fault> {
        match self.text.as_bytes()[start..end].iter().position(|byte| !is_space(*byte)) {
            Some(at) => Err(Fault::malformed(start + at, "text stands outside the root element")),
            None => Ok(()),
        }
    }

    fn check_comment(&self, start: usize, end: usize) -> Result<(), Fault> {
        match self.text.get(start + "<!--".len()..end - "-->".len()) {
            Some(inside) if !inside.contains("--") && !inside.ends_with('-') => Ok(()),
            _ => Err(Fault::malformed(start, "a comment contains \"--\"")),
        }
    }

    fn check_instruction(&self, start: usize, end: usize) -> Result<(), Fault> {
        let inside = self.text.get(start + "<?".len()..end - "?>".len()).unwrap_or_default();
        let target = inside.split([' ', '\t', '\n', '\r']).next().unwrap_or_default();
        if !is_local(target) {
            let message = format!("{:?} is not the name of a processing instruction", Excerpt(target).to_string());
            return Err(Fault::malformed(start, message));
        }
        // The declaration at the very beginning has been checked by the source.
        if target.eq_ignore_ascii_case("xml") && (start > 0 || target != "xml") {
            return Err(Fault::malformed(start, "an XML declaration stands only at the very beginning"));
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Event, Fault> {
        if let Some(broken) = self.broken.take() {
            return Err(broken);
        }
        let end = self.text.len();
        if let Some(open) = self.open.last() {
            let message = format!("the document ends before </{}>", Excerpt(open.name.of(self.text)));
            return Err(Fault::malformed(end, message));
        }
        match self.root {
            Some(_) => Ok(Event::Finished),
            None => Err(Fault::malformed(end, "the document has no element")),
        }
    }
}
