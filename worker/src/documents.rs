//! Reads the resources that a command is given: YAML files with one or more documents.

use std::path::{Path, PathBuf};

use gristmill_crds::plan::{CompactionPlan, IngestPlan};
use gristmill_crds::{API_VERSION, HourlyCompaction, StreamIngest};
use serde::de::DeserializeOwned;

/// A file that can't be read as resources.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refuses.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not YAML.
    #[error("{} is not YAML: {message}", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Line, column and what was expected.
        message: String,
    },
    /// A document lacks apiVersion or kind, or has another.
    #[error(
        "document {number} of {} is a {found}; expected kind StreamIngest or HourlyCompaction of {API_VERSION}",
        path.display()
    )]
    Kind {
        /// The file.
        path: PathBuf,
        /// Position in the file, from 1.
        number: usize,
        /// What it is.
        found: String,
    },
    /// A field is unknown, missing or of another type.
    #[error("document {number} of {}: {field}: {message}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// Position in the file, from 1.
        number: usize,
        /// Path of the field.
        field: String,
        /// What was expected.
        message: String,
    },
    /// No document, or too many, of the kind that the command needs.
    #[error("{0}")]
    Choice(String),
}

/// The resources of all files of one call.
#[derive(Debug, Default)]
pub struct Documents {
    /// In the order of the files.
    pub ingests: Vec<StreamIngest>,
    /// In the order of the files.
    pub compactions: Vec<HourlyCompaction>,
}

impl Documents {
    /// Reads every document of every file.
    ///
    /// # Errors
    /// The first file or document that is not one of our resources.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Error> {
        let mut documents = Self::default();
        for path in paths {
            let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.clone(), source })?;
            documents.add(path, &text)?;
        }
        Ok(documents)
    }

    /// Reads the documents of a text; `path` is what errors call it.
    ///
    /// # Errors
    /// The first document that is not one of our resources.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let mut documents = Self::default();
        documents.add(path, text)?;
        Ok(documents)
    }

    fn add(&mut self, path: &Path, text: &str) -> Result<(), Error> {
        let values: Vec<serde_json::Value> = serde_saphyr::from_multiple(text)
            .map_err(|error| Error::Yaml { path: path.to_owned(), message: error.to_string() })?;
        for (index, value) in values.into_iter().enumerate() {
            if value.is_null() {
                continue;
            }
            let number = index + 1;
            let text_of = |key: &str| value.get(key).and_then(|v| v.as_str()).unwrap_or("").to_owned();
            match (text_of("apiVersion").as_str(), text_of("kind").as_str()) {
                (API_VERSION, "StreamIngest") => self.ingests.push(typed(path, number, value)?),
                (API_VERSION, "HourlyCompaction") => self.compactions.push(typed(path, number, value)?),
                (version, kind) => {
                    let found = if kind.is_empty() {
                        "document without kind".to_owned()
                    } else {
                        format!("{kind} of {version:?}")
                    };
                    return Err(Error::Kind { path: path.to_owned(), number, found });
                }
            }
        }
        Ok(())
    }

    /// The StreamIngest of a command that runs one: the only one, or the one that `name` names.
    ///
    /// # Errors
    /// None, several without a name, or no such name.
    pub fn ingest(&self, name: Option<&str>) -> Result<&StreamIngest, Error> {
        choose("StreamIngest", &self.ingests, |ingest| ingest.metadata.name.as_deref(), name)
    }

    /// The HourlyCompaction of a command that runs one, with its StreamIngest.
    ///
    /// # Errors
    /// None, several without a name, no such name, or no StreamIngest that it refers to.
    pub fn compaction(&self, name: Option<&str>) -> Result<(&HourlyCompaction, &StreamIngest), Error> {
        let compaction = choose("HourlyCompaction", &self.compactions, |c| c.metadata.name.as_deref(), name)?;
        let wanted = &compaction.spec.ingest_ref.name;
        let ingest =
            self.ingests.iter().find(|ingest| ingest.metadata.name.as_ref() == Some(wanted)).ok_or_else(|| {
                Error::Choice(format!(
                    "spec.ingestRef.name: no StreamIngest {wanted:?} in the files; add its document with -f"
                ))
            })?;
        Ok((compaction, ingest))
    }

    /// The validated plan of the StreamIngest.
    ///
    /// # Errors
    /// As [`Documents::ingest`], or everything that is wrong with the document.
    pub fn ingest_plan(&self, name: Option<&str>) -> Result<IngestPlan, crate::exit::Failure> {
        Ok(IngestPlan::try_from(self.ingest(name)?)?)
    }

    /// The validated plan of the HourlyCompaction.
    ///
    /// # Errors
    /// As [`Documents::compaction`], or everything that is wrong with either document.
    pub fn compaction_plan(&self, name: Option<&str>) -> Result<CompactionPlan, crate::exit::Failure> {
        let (compaction, ingest) = self.compaction(name)?;
        Ok(CompactionPlan::try_new(compaction, ingest)?)
    }
}

fn typed<T: DeserializeOwned>(path: &Path, number: usize, value: serde_json::Value) -> Result<T, Error> {
    serde_path_to_error::deserialize(value).map_err(|error| Error::Field {
        path: path.to_owned(),
        number,
        field: error.path().to_string(),
        message: error.inner().to_string(),
    })
}

fn choose<'a, T>(
    kind: &str,
    resources: &'a [T],
    name_of: impl Fn(&T) -> Option<&str>,
    wanted: Option<&str>,
) -> Result<&'a T, Error> {
    let names = || resources.iter().filter_map(&name_of).collect::<Vec<_>>().join(", ");
    match (resources, wanted) {
        ([], _) => Err(Error::Choice(format!("the files hold no {kind}; name a file that does with -f"))),
        ([only], None) => Ok(only),
        (_, None) => Err(Error::Choice(format!("the files hold several {kind}: {}; choose one with --name", names()))),
        (all, Some(name)) => all
            .iter()
            .find(|resource| name_of(resource) == Some(name))
            .ok_or_else(|| Error::Choice(format!("the files hold no {kind} {name:?}; they hold {}", names()))),
    }
}
