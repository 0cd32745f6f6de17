//! The path grammar: names separated by `/`, where the last step of a column may be `@attribute` or `text()`.
//!
//! It is not XPath: no axes, no predicates, no wildcards. A name matches an element of any namespace.

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

/// The elements from the root to a row, for example `/library/book`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RowPath(Vec<String>);

impl RowPath {
    /// Local names from the root; at least one.
    pub fn steps(&self) -> &[String] {
        &self.0
    }
}

impl std::str::FromStr for RowPath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err(InvalidPath::new(text, "a row path begins with \"/\", for example /library/book"));
        };
        Ok(Self(rest.split('/').map(|step| name(text, step)).collect::<Result<_, _>>()?))
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
    Attribute(String),
}

/// Where a column's text is found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ColumnPath {
    /// Where the steps begin.
    pub origin: Origin,
    /// Local names; empty for the row's own text or attribute. From the root the first names the root element.
    pub steps: Vec<String>,
    /// What is taken from the last element.
    pub selector: Selector,
}

impl std::str::FromStr for ColumnPath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        let (origin, rest) = match text.strip_prefix('/') {
            Some(rest) => (Origin::Root, rest),
            None => (Origin::Row, text),
        };
        let mut steps: Vec<&str> = rest.split('/').collect();
        let last = steps.pop().unwrap_or_default();
        let selector = if let Some(attribute) = last.strip_prefix('@') {
            Selector::Attribute(name(text, attribute)?)
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
        let steps = steps.into_iter().map(|step| name(text, step)).collect::<Result<_, _>>()?;
        Ok(Self { origin, steps, selector })
    }
}

impl std::fmt::Display for ColumnPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut steps = self.steps.clone();
        match &self.selector {
            Selector::Attribute(attribute) => steps.push(format!("@{attribute}")),
            Selector::Text if steps.is_empty() => steps.push("text()".into()),
            Selector::Text => {}
        }
        let root = if self.origin == Origin::Root { "/" } else { "" };
        write!(f, "{root}{}", steps.join("/"))
    }
}

/// One local name of `path`.
fn name(path: &str, step: &str) -> Result<String, InvalidPath> {
    if step.is_empty() {
        return Err(InvalidPath::new(path, "it has an empty step; write names separated by one \"/\""));
    }
    if step.contains(':') {
        let local = step.rsplit(':').next().unwrap_or(step);
        return Err(InvalidPath::new(
            path,
            format!(
                "{step:?} has a prefix or an axis; write {local:?}: a name matches any namespace, and XPath axes are not supported"
            ),
        ));
    }
    let starts = |c: char| c.is_alphabetic() || c == '_';
    let continues = |c: char| c.is_alphanumeric() || "_-.".contains(c) || c == '\u{b7}';
    if !step.starts_with(starts) || !step.chars().all(continues) {
        return Err(InvalidPath::new(
            path,
            format!(
                "{step:?} is not an element name; write names separated by \"/\", the last may be @attribute or text()"
            ),
        ));
    }
    Ok(step.to_owned())
}
