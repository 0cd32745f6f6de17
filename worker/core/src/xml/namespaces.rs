//! Which prefixes are declared, and that no element has two attributes of one name.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use super::tag::{Attribute, attribute_text};
use super::{Excerpt, Fault};

const XML: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

#[derive(Debug)]
struct Binding<'a> {
    prefix: &'a str,
    uri: String,
    /// What the prefix was bound to outside the element.
    outer: Option<usize>,
}

/// The declarations in scope.
#[derive(Debug, Default)]
pub(super) struct Namespaces<'a> {
    bindings: Vec<Binding<'a>>,
    /// Prefix to its innermost binding; a search through all bindings would take quadratic time.
    current: HashMap<&'a str, usize>,
}

impl<'a> Namespaces<'a> {
    /// The number to hand to [`Namespaces::leave`] at the end of the element that is about to be entered.
    pub(super) fn mark(&self) -> usize {
        self.bindings.len()
    }

    /// Takes the declarations of an element.
    pub(super) fn enter(&mut self, text: &'a str, attributes: &[Attribute]) -> Result<(), Fault> {
        for attribute in attributes {
            let Some(prefix) = attribute.declared_prefix(text) else { continue };
            let uri = attribute_text(attribute.value.of(text)).into_owned();
            let legal = match (prefix, uri.as_str()) {
                ("xml", uri) => uri == XML,
                ("xmlns", _) | (_, XML | XMLNS) => false,
                ("", _) => true,
                (_, uri) => !uri.is_empty(),
            };
            if !legal {
                let message = format!(
                    "{}=\"{}\" is not a declaration that Namespaces in XML allows",
                    Excerpt(attribute.name.of(text)),
                    Excerpt(&uri)
                );
                return Err(Fault::malformed(attribute.name.start(), message));
            }
            let outer = self.current.insert(prefix, self.bindings.len());
            self.bindings.push(Binding { prefix, uri, outer });
        }
        Ok(())
    }

    /// Forgets what was declared since the mark was taken.
    pub(super) fn leave(&mut self, mark: usize) {
        while self.bindings.len() > mark {
            let Some(Binding { prefix, outer, .. }) = self.bindings.pop() else { return };
            match outer {
                Some(outer) => self.current.insert(prefix, outer),
                None => self.current.remove(prefix),
            };
        }
    }

    /// The namespace of a prefix; the empty prefix is the default namespace.
    pub(super) fn resolve(&self, prefix: &str) -> Option<&str> {
        match prefix {
            "xml" => Some(XML),
            _ => self.current.get(prefix).map(|index| self.bindings[*index].uri.as_str()),
        }
    }

    /// Refuses a prefix that is not declared; `offset` is that of the name.
    pub(super) fn check_prefix(&self, prefix: &str, offset: usize) -> Result<(), Fault> {
        match self.resolve(prefix) {
            Some(_) => Ok(()),
            None => Err(Fault::malformed(offset, format!("the prefix {} is not declared", Excerpt(prefix)))),
        }
    }

    /// Refuses an attribute whose prefix is not declared, and one that stands twice.
    pub(super) fn check_attributes(&self, text: &str, attributes: &[Attribute]) -> Result<(), Fault> {
        let mut prefixed = 0;
        for attribute in attributes {
            if let Some(prefix) = attribute.name.prefix
                && !attribute.is_declaration(text)
            {
                self.check_prefix(prefix.of(text), attribute.name.start())?;
                prefixed += 1;
            }
        }
        if attributes.len() > 1 {
            refuse_twins(text, attributes, |attribute| ("", attribute.name.of(text)))?;
        }
        if prefixed > 1 {
            // Two prefixes may stand for one namespace. Without a prefix an attribute has none.
            refuse_twins(text, attributes, |attribute| match attribute.name.prefix {
                Some(prefix) if !attribute.is_declaration(text) => {
                    (self.resolve(prefix.of(text)).unwrap_or_default(), attribute.local(text))
                }
                _ => ("", attribute.name.of(text)),
            })?;
        }
        Ok(())
    }
}

/// Up to this many attributes each is compared with each, which needs no memory; most elements have fewer.
const FEW: usize = 8;

/// Refuses two attributes of one key; many by a set: comparing each with each would take quadratic time.
fn refuse_twins<'t, K: Eq + Hash + 't>(
    text: &'t str,
    attributes: &'t [Attribute],
    key: impl Fn(&'t Attribute) -> K,
) -> Result<(), Fault> {
    let twin = if attributes.len() <= FEW {
        let is_twin = |at: &usize| {
            let second = key(&attributes[*at]);
            attributes[..*at].iter().any(|first| key(first) == second)
        };
        (1..attributes.len()).find(is_twin).map(|at| &attributes[at])
    } else {
        let mut seen = HashSet::with_capacity(attributes.len());
        attributes.iter().find(|attribute| !seen.insert(key(attribute)))
    };
    twin.map_or(Ok(()), |attribute| Err(twin_fault(text, attribute)))
}

fn twin_fault(text: &str, attribute: &Attribute) -> Fault {
    let message = format!("the attribute {} stands twice", Excerpt(attribute.name.of(text)));
    Fault::malformed(attribute.name.start(), message)
}
