//! The path grammar: names separated by `/`, where the last step of a column may be `@attribute` or `text()`.
//!
//! It is not XPath: no axes, no predicates, no wildcards. Without declared prefixes a name matches any namespace; with
//! them a name without a prefix matches no namespace, as in XPath.

use std::sync::Arc;

/// A text that is not a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a path: {reason}")]
pub struct InvalidPath {
    text: String,
    reason: String,
}

impl InvalidPath {
    fn new(text: &str, reason: impl Into<String>) -> Self {
        Self { text: text.to_owned(), reason: reason.into() }
    }
}

/// The prefixes that paths may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefixes(Vec<(String, Arc<str>)>);

/// The namespace of `xml:lang` and its like, whose prefix needs no declaration.
pub(super) const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";

impl Prefixes {
    pub(super) fn new(declared: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(declared.into_iter().map(|(prefix, uri)| (prefix, uri.into())).collect())
    }

    /// What a name with this prefix matches; none if the prefix is not declared.
    fn resolve(&self, prefix: Option<&str>) -> Option<NamespaceTest> {
        match prefix {
            None if self.0.is_empty() => Some(NamespaceTest::Any),
            None => Some(NamespaceTest::Absent),
            Some("xml") if !self.0.is_empty() => Some(NamespaceTest::Uri(XML_NAMESPACE.into())),
            Some(prefix) => {
                let (_, uri) = self.0.iter().find(|(declared, _)| declared == prefix)?;
                Some(NamespaceTest::Uri(Arc::clone(uri)))
            }
        }
    }
}

/// Which namespaces a name of a path matches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NamespaceTest {
    /// Any, and none.
    Any,
    /// Only names without a namespace.
    Absent,
    /// This one.
    Uri(Arc<str>),
}

/// One name of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name {
    /// As the path writes it.
    pub prefix: Option<String>,
    /// What it stands for.
    pub namespace: NamespaceTest,
    /// The name without its prefix.
    pub local: String,
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.prefix {
            Some(prefix) => write!(f, "{prefix}:{}", self.local),
            None => f.write_str(&self.local),
        }
    }
}

/// The elements from the root to a row, for example `/library/book`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RowPath(Vec<Name>);

impl RowPath {
    /// Names from the root; at least one.
    pub fn steps(&self) -> &[Name] {
        &self.0
    }

    /// Reads a path.
    ///
    /// # Errors
    /// The text is none, or uses a prefix that is not declared.
    pub fn parse(text: &str, prefixes: &Prefixes) -> Result<Self, InvalidPath> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err(InvalidPath::new(text, "a row path begins with \"/\", for example /library/book"));
        };
        check_length(text)?;
        Ok(Self(rest.split('/').map(|step| name(text, step, prefixes)).collect::<Result<_, _>>()?))
    }
}

impl std::fmt::Display for RowPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|step| write!(f, "/{step}"))
    }
}

/// Where a column path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// At the row's element.
    Row,
    /// At the root of the message; the value may stand before or after the rows.
    Root,
}

/// What is taken from the element that a path ends at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Selector {
    /// Its own text nodes joined, not those of its children.
    Text,
    /// The value of an attribute.
    Attribute(Name),
}

/// Where a column's text is found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ColumnPath {
    /// Where the steps begin.
    pub origin: Origin,
    /// Names; none for the row's own text or attribute. From the root the first names the root element.
    pub steps: Vec<Name>,
    /// What is taken from the last element.
    pub selector: Selector,
}

impl ColumnPath {
    /// Reads a path.
    ///
    /// # Errors
    /// The text is none, or uses a prefix that is not declared.
    pub fn parse(text: &str, prefixes: &Prefixes) -> Result<Self, InvalidPath> {
        check_length(text)?;
        let (origin, rest) = match text.strip_prefix('/') {
            Some(rest) => (Origin::Root, rest),
            None => (Origin::Row, text),
        };
        let mut steps: Vec<&str> = rest.split('/').collect();
        let last = steps.pop().unwrap_or_default();
        let selector = if let Some(attribute) = last.strip_prefix('@') {
            Selector::Attribute(name(text, attribute, prefixes)?)
        } else {
            if last != "text()" {
                steps.push(last);
            }
            Selector::Text
        };
        if origin == Origin::Root && steps.is_empty() {
            return Err(InvalidPath::new(
                text,
                "a path from the root names the root element first, for example /library/@region",
            ));
        }
        let steps = steps.into_iter().map(|step| name(text, step, prefixes)).collect::<Result<_, _>>()?;
        Ok(Self { origin, steps, selector })
    }
}

impl std::fmt::Display for ColumnPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut steps: Vec<String> = self.steps.iter().map(Name::to_string).collect();
        match &self.selector {
            Selector::Attribute(attribute) => steps.push(format!("@{attribute}")),
            Selector::Text if steps.is_empty() => steps.push("text()".into()),
            Selector::Text => {}
        }
        let root = if self.origin == Origin::Root { "/" } else { "" };
        write!(f, "{root}{}", steps.join("/"))
    }
}

fn check_length(text: &str) -> Result<(), InvalidPath> {
    if text.chars().count() > 1024 {
        let start: String = text.chars().take(60).collect();
        return Err(InvalidPath::new(&start, "it has more than 1024 characters; shorten it"));
    }
    Ok(())
}

/// One name of `path`.
fn name(path: &str, step: &str, prefixes: &Prefixes) -> Result<Name, InvalidPath> {
    if step.is_empty() {
        return Err(InvalidPath::new(path, "it has an empty step; write names separated by one \"/\""));
    }
    if step.contains("::") {
        let reason = format!("{step:?} has an axis, and XPath axes are not supported: write a/b/@c");
        return Err(InvalidPath::new(path, reason));
    }
    let (prefix, local) = match step.split_once(':') {
        Some((prefix, local)) => (Some(prefix), local),
        None => (None, step),
    };
    if ![prefix, Some(local)].into_iter().flatten().all(is_name) {
        return Err(InvalidPath::new(
            path,
            format!(
                "{step:?} is not an element name; write names separated by \"/\", the last may be @attribute or text()"
            ),
        ));
    }
    let Some(namespace) = prefixes.resolve(prefix) else {
        return Err(InvalidPath::new(
            path,
            format!(
                "the prefix of {step:?} is not declared; declare it in record.namespaces, or write {local:?}: without namespaces a name matches any"
            ),
        ));
    };
    Ok(Name { prefix: prefix.map(str::to_owned), namespace, local: local.to_owned() })
}

/// True for a name without a colon.
pub(super) fn is_name(text: &str) -> bool {
    let starts = |c: char| c.is_alphabetic() || c == '_';
    let continues = |c: char| c.is_alphanumeric() || "_-.".contains(c) || c == '\u{b7}';
    text.starts_with(starts) && text.chars().all(continues)
}
