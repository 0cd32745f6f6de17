//! The reader: one event after the other, with the stack of open elements.

use super::characters::{find_end_of_text, is_space, skip_space};
use super::name::{QualifiedName, is_local};
use super::namespaces::Namespaces;
use super::tag::{Attribute, TagEnd, read_attributes};
use super::{Excerpt, Fault, ReadLimits, Source, Span, Stop, reference};
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

/// An element without attributes, with nothing in it but text as it is written: what most elements of a feed are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// The name, which has no prefix.
    pub(crate) local: Span,
    /// Offset of its `<`.
    pub(crate) offset: usize,
    /// Its text, with line ends as written.
    pub(crate) text: Span,
}

/// What [`Reader::next_or_leaf`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item {
    Leaf(Leaf),
    Event(Event),
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

/// What is kept of each buffer: one great document does not hold memory for ever.
const KEPT_ENTRIES: usize = 1024;

/// What a reader allocates, for the next one to use again.
#[derive(Debug, Default)]
pub(crate) struct ReadBuffers {
    open: Vec<Open>,
    attributes: Vec<Attribute>,
}

/// Reads one document.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    /// Where the next event begins.
    at: usize,
    /// Why the document is not read at all.
    refused: Option<Fault>,
    /// Why the text ends before the document does.
    broken: Option<Fault>,
    limits: ReadLimits,
    open: Vec<Open>,
    namespaces: Namespaces<'a>,
    attributes: Vec<Attribute>,
    root: Option<Root<'a>>,
    /// An empty-element tag was read and its end is the next event.
    ends_at_once: bool,
    /// A leaf was read, which is open until the next event is asked for.
    has_open_leaf: bool,
}

impl<'a> Reader<'a> {
    /// A reader that refuses a document beyond the limits.
    pub(crate) fn new(source: &'a Source<'_>, limits: ReadLimits) -> Self {
        Self::with_buffers(source, limits, ReadBuffers::default())
    }

    /// That, with the buffers of a reader that is done.
    pub(crate) fn with_buffers(source: &'a Source<'_>, limits: ReadLimits, buffers: ReadBuffers) -> Self {
        let ReadBuffers { mut open, mut attributes } = buffers;
        open.clear();
        open.shrink_to(KEPT_ENTRIES);
        attributes.clear();
        attributes.shrink_to(KEPT_ENTRIES);
        Self {
            text: source.text(),
            at: source.body,
            refused: source.refused.clone(),
            broken: source.broken.clone(),
            limits,
            open,
            namespaces: Namespaces::default(),
            attributes,
            root: None,
            ends_at_once: false,
            has_open_leaf: false,
        }
    }

    /// What the next reader may use.
    pub(crate) fn into_buffers(self) -> ReadBuffers {
        ReadBuffers { open: self.open, attributes: self.attributes }
    }

    /// Attributes of the element that has just begun.
    pub(crate) fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// Namespace of the innermost open element, if it has one.
    pub(crate) fn namespace(&self) -> Option<&str> {
        let prefix = self.open.last()?.name.prefix.map_or("", |prefix| prefix.of(self.text));
        self.namespaces.resolve(prefix).filter(|uri| !uri.is_empty())
    }

    /// Namespace of an attribute of that element; without a prefix it has none.
    pub(crate) fn attribute_namespace(&self, attribute: &Attribute) -> Option<&str> {
        self.namespaces.resolve(attribute.name.prefix?.of(self.text))
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

    /// Passes over white space before a tag, a comment and their like, for who takes no text there.
    #[inline]
    pub(crate) fn pass_over_blanks(&mut self) {
        let end = skip_space(self.text, self.at);
        if self.text.as_bytes().get(end) == Some(&b'<') && !self.ends_at_once {
            self.at = end;
        }
    }

    /// The next event; or a whole leaf instead of its three, if its text has at most so many bytes. The leaf is the innermost
    /// open element until the next event is asked for.
    #[inline(always)]
    pub(crate) fn next_or_leaf(&mut self, max_text_bytes: usize) -> Result<Item, Fault> {
        self.close_leaf();
        match self.leaf(max_text_bytes) {
            Some(leaf) => Ok(Item::Leaf(leaf)),
            None => self.next().map(Item::Event),
        }
    }

    /// Closes the leaf that is still open, before the next event is asked for.
    #[inline]
    pub(crate) fn close_leaf(&mut self) {
        if std::mem::take(&mut self.has_open_leaf) {
            self.close();
        }
    }

    /// The leaf that begins here. What is none, or is not well-formed, is left to the events.
    #[inline]
    fn leaf(&mut self, max_text_bytes: usize) -> Option<Leaf> {
        let (bytes, offset) = (self.text.as_bytes(), self.at);
        if bytes.get(offset) != Some(&b'<') || self.ends_at_once {
            return None;
        }
        // The root is none, so that what is to be done for it is done in one place.
        if self.open.is_empty() || self.open.len() == self.limits.depth {
            return None;
        }
        let name = QualifiedName::read_plain(self.text, offset + "<".len())?;
        let start = name.end() + ">".len();
        if bytes.get(name.end()) != Some(&b'>') {
            return None;
        }
        let end = find_end_of_text(self.text, start);
        let behind = bytes[end..].strip_prefix(b"</")?.strip_prefix(name.of(self.text).as_bytes())?;
        if behind.first() != Some(&b'>') || end - start > max_text_bytes {
            return None;
        }
        self.attributes.clear();
        self.open.push(Open { name, namespaces: self.namespaces.mark() });
        self.has_open_leaf = true;
        self.at = bytes.len() - behind.len() + ">".len();
        Some(Leaf { local: name.local, offset, text: Span::new(start, end) })
    }

    /// The next event.
    // Where it is called, the event stays in registers: handed over in memory, a short one costs more than it takes to read.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Result<Event, Fault> {
        debug_assert!(!self.has_open_leaf, "who asks for leaves goes on by next_or_leaf");
        if std::mem::take(&mut self.ends_at_once) {
            return Ok(self.close());
        }
        self.advance().map_err(|stop| match stop {
            Stop::Broken(fault) => fault,
            Stop::Unfinished(fault) => self.broken.take().unwrap_or(fault),
        })
    }

    #[inline(always)]
    fn advance(&mut self) -> Result<Event, Stop> {
        if let Some(refused) = self.refused.take() {
            return Err(refused.into());
        }
        loop {
            let event = match self.text.as_bytes()[self.at..] {
                [b'<', b'/', ..] => Some(self.end()?),
                [b'<', b'!', ..] => self.bang()?,
                [b'<', b'?', ..] => {
                    self.instruction()?;
                    None
                }
                [b'<', ..] => Some(self.start()?),
                [b'&', ..] => Some(self.reference()?),
                [_, ..] => self.text()?,
                [] => Some(self.finish()?),
            };
            if let Some(event) = event {
                return Ok(event);
            }
        }
    }

    #[inline]
    fn start(&mut self) -> Result<Event, Stop> {
        let start = self.at;
        if self.open.is_empty() && self.root.is_some() {
            return Err(Fault::malformed(start, "the document has a second root element").into());
        }
        if self.open.len() == self.limits.depth {
            let message = format!("elements are nested more than {} deep", self.limits.depth);
            return Err(Fault::new(Reason::TooDeep, start, message).into());
        }
        let name = QualifiedName::read(self.text, start + "<".len())?;
        let TagEnd { end, is_empty } =
            read_attributes(self.text, start, name.end(), self.limits.attributes, &mut self.attributes)?;
        let namespaces = self.namespaces.mark();
        if !self.attributes.is_empty() {
            self.namespaces.enter(self.text, &self.attributes)?;
            self.namespaces.check_attributes(self.text, &self.attributes)?;
        }
        if let Some(prefix) = name.prefix {
            self.namespaces.check_prefix(prefix.of(self.text), name.start())?;
        }
        if self.root.is_none() {
            let prefix = name.prefix.map_or("", |prefix| prefix.of(self.text));
            let namespace = self.namespaces.resolve(prefix).filter(|uri| !uri.is_empty()).map(str::to_owned);
            self.root = Some(Root { namespace, local: name.local.of(self.text), offset: start });
        }
        self.open.push(Open { name, namespaces });
        self.ends_at_once = is_empty;
        self.at = end;
        Ok(Event::Start { local: name.local, offset: start })
    }

    #[inline]
    fn end(&mut self) -> Result<Event, Stop> {
        let name = self.at + "</".len();
        let Some(expected) = self.open.last().map(|open| open.name.of(self.text)) else {
            return Err(self.wrong_end(None));
        };
        let bytes = self.text.as_bytes();
        if !bytes[name..].starts_with(expected.as_bytes()) {
            return Err(self.wrong_end(Some(expected)));
        }
        let mut end = name + expected.len();
        if bytes.get(end) != Some(&b'>') {
            end = skip_space(self.text, end);
            if bytes.get(end) != Some(&b'>') {
                return Err(self.wrong_end(Some(expected)));
            }
        }
        self.at = end + ">".len();
        Ok(self.close())
    }

    /// What is wrong with the end tag that begins here.
    fn wrong_end(&self, expected: Option<&str>) -> Stop {
        let (start, rest) = (self.at, &self.text[self.at + "</".len()..]);
        let Some(length) = rest.find('>') else { return Stop::unfinished(start, "the end tag has no end; write >") };
        let found = Excerpt(rest[..length].trim_end_matches(|c: char| c.is_ascii() && is_space(c as u8)));
        let message = match expected {
            Some(expected) => format!("expected </{}>, found </{found}>", Excerpt(expected)),
            None => format!("</{found}> ends no element"),
        };
        Fault::malformed(start, message).into()
    }

    #[inline]
    fn close(&mut self) -> Event {
        if let Some(open) = self.open.pop() {
            self.namespaces.leave(open.namespaces);
        }
        Event::End
    }

    /// Text up to the next markup; outside the root only white space, which is passed over.
    #[inline]
    fn text(&mut self) -> Result<Option<Event>, Stop> {
        let start = self.at;
        if self.open.is_empty() {
            self.at = skip_space(self.text, start);
            return match self.text.as_bytes().get(self.at) {
                None | Some(b'<') => Ok(None),
                Some(_) => Err(outside(self.at)),
            };
        }
        loop {
            self.at = find_end_of_text(self.text, self.at);
            match self.text.as_bytes()[self.at..] {
                [b']', b']', b'>', ..] => {
                    return Err(Fault::malformed(self.at, "text contains \"]]>\"; write ]]&gt;").into());
                }
                [b']', ..] => self.at += 1,
                _ => return Ok(Some(Event::Text(Span::new(start, self.at)))),
            }
        }
    }

    fn reference(&mut self) -> Result<Event, Stop> {
        if self.open.is_empty() {
            return Err(outside(self.at));
        }
        let (character, end) = reference::read(self.text, self.at)?;
        self.at = end;
        Ok(Event::Character(character))
    }

    /// What begins with `<!`: a comment, CDATA, or what is not allowed.
    fn bang(&mut self) -> Result<Option<Event>, Stop> {
        const COMMENT: &str = "<!--";
        const CDATA: &str = "<![CDATA[";
        const DOCTYPE: &str = "<!DOCTYPE";
        let start = self.at;
        let rest = &self.text[start..];
        if rest.starts_with(COMMENT) {
            return self.comment(start + COMMENT.len()).map(|()| None);
        }
        if rest.starts_with(CDATA) {
            return self.cdata(start + CDATA.len()).map(Some);
        }
        if rest.starts_with(DOCTYPE) {
            let message = "the document has a document type declaration (DOCTYPE); remove it";
            return Err(Fault::new(Reason::DoctypeNotAllowed, start, message).into());
        }
        let fault = Fault::malformed(start, "\"<!\" begins neither a comment nor CDATA");
        let is_cut = [COMMENT, CDATA, DOCTYPE].iter().any(|markup| markup.starts_with(rest));
        Err(if is_cut { Stop::Unfinished(fault) } else { Stop::Broken(fault) })
    }

    /// Passes over a comment whose text begins at `from`.
    fn comment(&mut self, from: usize) -> Result<(), Stop> {
        let unfinished = || Stop::unfinished(self.at, "the comment has no end; write -->");
        let hyphens = from + self.text[from..].find("--").ok_or_else(unfinished)?;
        match self.text.as_bytes().get(hyphens + "--".len()) {
            Some(b'>') => self.at = hyphens + "-->".len(),
            Some(_) => return Err(Fault::malformed(hyphens, "a comment contains \"--\"").into()),
            None => return Err(unfinished()),
        }
        Ok(())
    }

    /// CDATA whose text begins at `from`.
    fn cdata(&mut self, from: usize) -> Result<Event, Stop> {
        if self.open.is_empty() {
            return Err(outside(self.at));
        }
        let Some(length) = self.text[from..].find("]]>") else {
            return Err(Stop::unfinished(self.at, "CDATA has no end; write ]]>"));
        };
        self.at = from + length + "]]>".len();
        Ok(Event::Text(Span::new(from, from + length)))
    }

    /// Passes over a processing instruction. The declaration at the very beginning is not one and was passed before.
    fn instruction(&mut self) -> Result<(), Stop> {
        let start = self.at;
        let from = start + "<?".len();
        let Some(length) = self.text[from..].find("?>") else {
            return Err(Stop::unfinished(start, "the processing instruction has no end; write ?>"));
        };
        let target = self.text[from..from + length].split([' ', '\t', '\n', '\r']).next().unwrap_or_default();
        if !is_local(target) {
            let message = format!("{:?} is not the name of a processing instruction", Excerpt(target).to_string());
            return Err(Fault::malformed(start, message).into());
        }
        if target.eq_ignore_ascii_case("xml") {
            return Err(Fault::malformed(start, "an XML declaration stands only at the very beginning").into());
        }
        self.at = from + length + "?>".len();
        Ok(())
    }

    fn finish(&self) -> Result<Event, Stop> {
        let end = self.text.len();
        match (self.open.last(), &self.root) {
            (Some(open), _) => {
                let message = format!("the document ends before </{}>", Excerpt(open.name.of(self.text)));
                Err(Stop::unfinished(end, message))
            }
            (None, None) => Err(Stop::unfinished(end, "the document has no element")),
            // What stands behind the root may be what can't be read.
            (None, Some(_)) => self.broken.clone().map_or(Ok(Event::Finished), |broken| Err(broken.into())),
        }
    }
}

fn outside(offset: usize) -> Stop {
    Fault::malformed(offset, "text stands outside the root element").into()
}
