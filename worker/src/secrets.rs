//! Values of Secrets and ConfigMaps: one resolver for a pod and a laptop.
//!
//! A resource names them and holds none. A value comes from a Secret or ConfigMap document in the `-f` files, else from
//! the file `DIR/<name>/<key>` of `--secrets-dir DIR`, which is how a pod has them mounted. They are never asked of a
//! cluster. A file is read anew at each call, so that a rotated value is seen.

mod hadoop;

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;

pub use self::hadoop::hadoop;
use crate::documents::{Documents, ValueDocument};
use crate::exit::{Exit, Failure};

/// What holds a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Holder::Secret => "Secret",
            Holder::ConfigMap => "ConfigMap",
        })
    }
}

/// A reference of a resource to one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference<'a> {
    /// Path of the field that refers, for messages.
    pub field: &'a str,
    /// What holds the value.
    pub holder: Holder,
    /// Its name.
    pub name: &'a str,
    /// The key in it.
    pub key: &'a str,
}

impl<'a> Reference<'a> {
    /// A value of a Secret.
    pub fn secret(field: &'a str, name: &'a str, key: &'a str) -> Self {
        Self { field, holder: Holder::Secret, name, key }
    }

    /// A value of a ConfigMap.
    pub fn config_map(field: &'a str, name: &'a str, key: &'a str) -> Self {
        Self { field, holder: Holder::ConfigMap, name, key }
    }
}

/// Why a value can't be had. No message holds a value.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither a document nor a folder was given.
    #[error(
        "{field}: {holder} {name:?} is not given; add its document to a -f file, or write its key {key:?} to the file \
         DIR/{name}/{key} and name --secrets-dir DIR"
    )]
    NotGiven {
        /// The field that refers to it.
        field: String,
        /// What holds it.
        holder: Holder,
        /// Its name.
        name: String,
        /// The key.
        key: String,
    },
    /// The document has no such key.
    #[error(
        "{field}: {holder} {name:?} in the -f files has no key {key:?}, only {keys}; add the key or correct the reference"
    )]
    NoKey {
        /// The field that refers to it.
        field: String,
        /// What holds it.
        holder: Holder,
        /// Its name.
        name: String,
        /// The key.
        key: String,
        /// The keys that it has.
        keys: String,
    },
    /// The folder has no such file.
    #[error(
        "{field}: there is no file {} for key {key:?} of {holder} {name:?}; write it, or add the document of the \
         {holder} to a -f file",
        path.display()
    )]
    NoFile {
        /// The field that refers to it.
        field: String,
        /// What holds it.
        holder: Holder,
        /// Its name.
        name: String,
        /// The key.
        key: String,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The object is mounted, and lacks the key.
    #[error(
        "{field}: {holder} {name:?} has no key {key:?}, there is no file {}; add the key or correct the reference",
        path.display()
    )]
    NoKeyFile {
        /// The field that refers to it.
        field: String,
        /// What holds it.
        holder: Holder,
        /// Its name.
        name: String,
        /// The key.
        key: String,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is there and can't be read, or a file that a library wants can't be written.
    #[error("{field}: cannot use {}; check its owner and mode", path.display())]
    File {
        /// The field that refers to it.
        field: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The value is not what the field is for.
    #[error("{field}: key {key:?} of {holder} {name:?} {why}")]
    Unfit {
        /// The field that refers to it.
        field: String,
        /// What holds it.
        holder: Holder,
        /// Its name.
        name: String,
        /// The key.
        key: String,
        /// What is wrong, and what to write instead.
        why: &'static str,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let reason = match &error {
            Error::NotGiven { holder, .. } | Error::NoFile { holder, .. } => match holder {
                Holder::Secret => "SecretNotFound",
                Holder::ConfigMap => "ConfigMapNotFound",
            },
            Error::NoKey { .. } | Error::NoKeyFile { .. } => "KeyNotFound",
            Error::File { .. } | Error::Unfit { .. } => "InvalidSecret",
        };
        Failure::new(Exit::Usage, reason, &error)
    }
}

/// Keys and values of one Secret or ConfigMap.
pub type Values = BTreeMap<String, Vec<u8>>;

/// The Secrets and ConfigMaps that a command was given.
#[derive(Clone, Default)]
pub struct Secrets {
    documents: BTreeMap<(Holder, String), Values>,
    directory: Option<PathBuf>,
    /// Values of documents that a library wants as files; removed with the last clone.
    written: Arc<OnceLock<TempDir>>,
}

/// Names only.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.documents.keys().collect();
        f.debug_struct("Secrets").field("documents", &names).field("directory", &self.directory).finish()
    }
}

impl Secrets {
    /// Those of the files and, where they lack one, of a folder.
    pub fn of(documents: &Documents, directory: Option<PathBuf>) -> Self {
        let with = |secrets: Self, holder, document: &ValueDocument| {
            secrets.with_document(holder, &document.name, document.values.clone())
        };
        let secrets = Self::new(directory);
        let secrets = documents.secrets.iter().fold(secrets, |secrets, d| with(secrets, Holder::Secret, d));
        documents.config_maps.iter().fold(secrets, |secrets, d| with(secrets, Holder::ConfigMap, d))
    }

    /// Those of a folder, if there is one.
    pub fn new(directory: Option<PathBuf>) -> Self {
        Self { directory, ..Self::default() }
    }

    /// One more document; it counts before the folder.
    #[must_use]
    pub fn with_document(mut self, holder: Holder, name: impl Into<String>, values: Values) -> Self {
        self.documents.insert((holder, name.into()), values);
        self
    }

    /// The bytes of a value.
    ///
    /// # Errors
    /// It is nowhere, or its file can't be read.
    pub fn bytes(&self, reference: Reference<'_>) -> Result<Vec<u8>, Error> {
        if let Some(values) = self.document(reference) {
            return value(values, reference).cloned();
        }
        let path = self.path(reference)?;
        std::fs::read(&path).map_err(|error| unreadable(reference, path, error))
    }

    /// A value that is one line of text, such as a password: without the line break that an editor or `echo` adds.
    ///
    /// # Errors
    /// As [`Self::bytes`], or it is not UTF-8, empty, or has a NUL in it.
    pub fn text(&self, reference: Reference<'_>) -> Result<String, Error> {
        let bytes = self.bytes(reference)?;
        let text = String::from_utf8(bytes).map_err(|_| unfit(reference, "is not text in UTF-8; write it anew"))?;
        let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
        match text {
            "" => Err(unfit(reference, "is empty; write the value")),
            text if text.contains('\0') => Err(unfit(reference, "has a NUL in it; write it anew")),
            text => Ok(text.to_owned()),
        }
    }

    /// A certificate or key in PEM.
    ///
    /// # Errors
    /// As [`Self::text`], or it is no PEM.
    pub fn pem(&self, reference: Reference<'_>) -> Result<String, Error> {
        let text = self.text(reference)?;
        if !text.contains("-----BEGIN ") {
            return Err(unfit(reference, "is not PEM; write the text that begins with -----BEGIN"));
        }
        Ok(text)
    }

    /// A file with the value, for a library that reads files: that of the folder itself, so that a rotated one takes
    /// effect, else a private one that lives as long as this.
    ///
    /// # Errors
    /// As [`Self::bytes`], or the private file can't be written.
    pub fn file(&self, reference: Reference<'_>) -> Result<PathBuf, Error> {
        let Some(values) = self.document(reference) else {
            let path = self.path(reference)?;
            std::fs::metadata(&path).map_err(|error| unreadable(reference, path.clone(), error))?;
            return Ok(path);
        };
        self.write(reference, value(values, reference)?)
    }

    /// A folder in which each of these keys that the holder has is a file of that name.
    ///
    /// # Errors
    /// The holder has none of them, or a private file can't be written.
    pub fn folder(&self, field: &str, holder: Holder, name: &str, keys: &[&str]) -> Result<PathBuf, Error> {
        let reference = |key| Reference { field, holder, name, key };
        let mut folder = None;
        let mut missing = None;
        for key in keys {
            match self.file(reference(key)) {
                Ok(file) => folder = file.parent().map(Path::to_owned),
                Err(
                    error @ (Error::NoKey { .. }
                    | Error::NoKeyFile { .. }
                    | Error::NoFile { .. }
                    | Error::NotGiven { .. }),
                ) => {
                    missing.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        folder.ok_or_else(|| missing.unwrap_or_else(|| unfit(reference(""), "is asked for no key")))
    }

    fn document(&self, Reference { holder, name, .. }: Reference<'_>) -> Option<&Values> {
        self.documents.get(&(holder, name.to_owned()))
    }

    /// Where the folder has it.
    fn path(&self, reference: Reference<'_>) -> Result<PathBuf, Error> {
        let Reference { field, holder, name, key } = reference;
        // A name becomes a path here, whoever checked it before.
        if [name, key]
            .into_iter()
            .any(|segment| segment.is_empty() || segment.starts_with("..") || segment.contains('/'))
        {
            return Err(unfit(reference, "is no name of a file; correct the reference"));
        }
        let (field, name, key) = (field.to_owned(), name.to_owned(), key.to_owned());
        match &self.directory {
            Some(directory) => Ok(directory.join(name).join(key)),
            None => Err(Error::NotGiven { field, holder, name, key }),
        }
    }

    fn write(&self, reference: Reference<'_>, value: &[u8]) -> Result<PathBuf, Error> {
        let Reference { field, holder, name, key } = reference;
        let failed = |path: &Path, source| Error::File { field: field.to_owned(), path: path.to_owned(), source };
        let root = match self.written.get() {
            Some(root) => root,
            None => {
                let made = tempfile::Builder::new().prefix("gristmill-secrets-").tempdir();
                let made = made.map_err(|source| failed(&std::env::temp_dir(), source))?;
                self.written.get_or_init(|| made)
            }
        };
        let folder = root.path().join(format!("{holder}-{name}"));
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|source| failed(&folder, source))?;
        let path = folder.join(key);
        let mut options = std::fs::OpenOptions::new();
        let opened = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
        let written = opened.and_then(|mut file| std::io::Write::write_all(&mut file, value));
        written.map_err(|source| failed(&path, source))?;
        Ok(path)
    }
}

fn value<'v>(values: &'v Values, reference: Reference<'_>) -> Result<&'v Vec<u8>, Error> {
    let Reference { field, holder, name, key } = reference;
    values.get(key).ok_or_else(|| Error::NoKey {
        field: field.to_owned(),
        holder,
        name: name.to_owned(),
        key: key.to_owned(),
        keys: if values.is_empty() { "none".to_owned() } else { values.keys().cloned().collect::<Vec<_>>().join(", ") },
    })
}

fn unreadable(reference: Reference<'_>, path: PathBuf, source: std::io::Error) -> Error {
    let Reference { field, holder, name, key } = reference;
    match source.kind() {
        std::io::ErrorKind::NotFound if path.parent().is_some_and(Path::is_dir) => {
            Error::NoKeyFile { field: field.to_owned(), holder, name: name.to_owned(), key: key.to_owned(), path }
        }
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
            Error::NoFile { field: field.to_owned(), holder, name: name.to_owned(), key: key.to_owned(), path }
        }
        _ => Error::File { field: field.to_owned(), path, source },
    }
}

fn unfit(reference: Reference<'_>, why: &'static str) -> Error {
    let Reference { field, holder, name, key } = reference;
    Error::Unfit { field: field.to_owned(), holder, name: name.to_owned(), key: key.to_owned(), why }
}

#[cfg(test)]
mod tests;
