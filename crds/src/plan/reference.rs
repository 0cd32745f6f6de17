//! The Secrets and ConfigMaps that a plan reads, and where a process finds them.

use super::Problems;
use crate::reference::{ConfigMapKeyRef, SecretKeyRef};

/// One value of a Secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretKey {
    /// The Secret.
    pub secret: String,
    /// Its key.
    pub key: String,
}

/// One value of a ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigMapKey {
    /// The ConfigMap.
    pub config_map: String,
    /// Its key.
    pub key: String,
}

/// An object that a process reads from: mounted as `DIR/<name>/<key>` in a pod, with `--secrets-dir DIR`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// What it is.
    pub kind: ReferenceKind,
    /// Its name, in the namespace of the resource.
    pub name: String,
}

/// A field of a resource that names a Secret or a ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceUse {
    /// Path of the field, for example `spec.hadoop.configMapRef`.
    pub field: String,
    /// What it names.
    pub reference: Reference,
}

/// The objects of these fields, each once, in order of their names.
pub(super) fn referred(uses: &[ReferenceUse]) -> Vec<Reference> {
    let mut references: Vec<Reference> = uses.iter().map(|used| used.reference.clone()).collect();
    references.sort();
    references.dedup();
    references
}

/// What a reference refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReferenceKind {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
}

impl Reference {
    pub(super) fn secret(name: &str) -> Self {
        Self { kind: ReferenceKind::Secret, name: name.to_owned() }
    }

    pub(super) fn config_map(name: &str) -> Self {
        Self { kind: ReferenceKind::ConfigMap, name: name.to_owned() }
    }
}

/// Both kinds lie in one directory, so their names must differ.
pub(super) fn check_names(references: &[Reference], problems: &mut Problems) {
    for reference in references.iter().filter(|reference| reference.kind == ReferenceKind::Secret) {
        if references.contains(&Reference::config_map(&reference.name)) {
            let message =
                format!("a Secret and a ConfigMap are both called {:?}; give one another name", reference.name);
            problems.add("spec", message);
        }
    }
}

pub(super) fn name(at: &str, name: &str, problems: &mut Problems) -> String {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let valid = name.len() <= 253 && name.chars().all(legal) && ends(name.chars().next()) && ends(name.chars().last());
    if !valid {
        let message =
            format!("{name:?} is not the name of an object; write lower-case letters, digits, \"-\" and \".\"");
        problems.add(format!("{at}.name"), message);
    }
    name.to_owned()
}

fn key(at: &str, key: &str, problems: &mut Problems) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if key.is_empty() || key.len() > 253 || !key.chars().all(legal) || key == "." || key == ".." {
        let message = format!("{key:?} is not a key; write letters, digits, \"-\", \"_\" and \".\", such as ca.crt");
        problems.add(format!("{at}.key"), message);
    }
    key.to_owned()
}

pub(super) fn secret_key(at: &str, reference: &SecretKeyRef, problems: &mut Problems) -> SecretKey {
    SecretKey { secret: name(at, &reference.name, problems), key: key(at, &reference.key, problems) }
}

pub(super) fn config_map_key(at: &str, reference: &ConfigMapKeyRef, problems: &mut Problems) -> ConfigMapKey {
    ConfigMapKey { config_map: name(at, &reference.name, problems), key: key(at, &reference.key, problems) }
}
