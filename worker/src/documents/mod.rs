//! Reads the resources that a command is given: YAML files with one or more documents.
//!
//! Secrets and ConfigMaps may stand in the same files. What kubectl would read otherwise than we do is refused.

mod typed;
mod values;
mod words;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use gristmill_crds::plan::{CompactionPlan, IngestPlan};
use gristmill_crds::{API_VERSION, HourlyCompaction, StreamIngest};
use serde::de::DeserializeOwned;

pub use values::ValueDocument;
use words::Slip;

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
        "document {number} of {} is a {found}; expected kind StreamIngest or HourlyCompaction of {API_VERSION}, or \
         Secret or ConfigMap of v1",
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
    #[error("document {number} of {} is invalid\n  {field}: {message}", path.display())]
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
    /// Names of StreamIngests that stand in the files and could not be read.
    pub refused_ingests: Vec<String>,
    /// In the order of the files.
    pub secrets: Vec<ValueDocument>,
    /// In the order of the files.
    pub config_maps: Vec<ValueDocument>,
}

/// Longest file of documents that is read, in bytes. A cluster takes 1.5 MiB of a resource.
const LONGEST: u64 = 16 << 20;

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        let why = format!("it is longer than {} MiB, which no file of resources is", LONGEST >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

impl Documents {
    /// Reads every document of every file.
    ///
    /// # Errors
    /// The first file or document that can't be read.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Error> {
        let (documents, errors) = Self::survey(paths);
        errors.into_iter().next().map_or(Ok(documents), Err)
    }

    /// Reads what can be read, and says what can't.
    pub fn survey(paths: &[PathBuf]) -> (Self, Vec<Error>) {
        let mut documents = Self::default();
        let mut errors = Vec::new();
        for path in paths {
            match read(path) {
                Ok(text) => errors.extend(documents.add(path, &text)),
                Err(source) => errors.push(Error::Read { path: path.clone(), source }),
            }
        }
        (documents, errors)
    }

    /// Reads the documents of a text; `path` is what errors call it.
    ///
    /// # Errors
    /// The first document that can't be read.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let mut documents = Self::default();
        let errors = documents.add(path, text);
        errors.into_iter().next().map_or(Ok(documents), Err)
    }

    fn add(&mut self, path: &Path, text: &str) -> Vec<Error> {
        let slips = words::slips(text);
        if !slips.is_empty() {
            let field =
                |Slip { number, field, message }| Error::Field { path: path.to_owned(), number, field, message };
            return slips.into_iter().map(field).collect();
        }
        match serde_saphyr::from_multiple::<serde_json::Value>(text) {
            Ok(values) => {
                let numbered = (1..).zip(values).filter(|(_, value)| !value.is_null());
                numbered.filter_map(|(number, value)| self.add_document(path, number, value).err()).collect()
            }
            Err(error) => vec![Error::Yaml { path: path.to_owned(), message: error.to_string() }],
        }
    }

    fn add_document(&mut self, path: &Path, number: usize, value: serde_json::Value) -> Result<(), Error> {
        let text_of = |key: &str| value.get(key).and_then(|v| v.as_str()).unwrap_or("").to_owned();
        match (text_of("apiVersion").as_str(), text_of("kind").as_str()) {
            (API_VERSION, "StreamIngest") => {
                let name = value.pointer("/metadata/name").and_then(|name| name.as_str()).map(str::to_owned);
                match typed(path, number, value) {
                    Ok(ingest) => self.ingests.push(ingest),
                    Err(error) => {
                        self.refused_ingests.extend(name);
                        return Err(error);
                    }
                }
            }
            (API_VERSION, "HourlyCompaction") => self.compactions.push(typed(path, number, value)?),
            ("v1", "Secret") => {
                self.secrets.push(typed::<k8s_openapi::api::core::v1::Secret>(path, number, value)?.into());
            }
            ("v1", "ConfigMap") => {
                self.config_maps.push(typed::<k8s_openapi::api::core::v1::ConfigMap>(path, number, value)?.into());
            }
            (version, kind) => {
                let found =
                    if kind.is_empty() { "document without kind".to_owned() } else { format!("{kind} of {version:?}") };
                return Err(Error::Kind { path: path.to_owned(), number, found });
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

    /// Kind and name of every resource, in the order of kinds and files.
    pub fn titles(&self) -> Vec<String> {
        let title = |kind: &str, name: &Option<String>| format!("{kind} {}", name.as_deref().unwrap_or_default());
        let ingests = self.ingests.iter().map(|ingest| title("StreamIngest", &ingest.metadata.name));
        let compactions = self.compactions.iter().map(|c| title("HourlyCompaction", &c.metadata.name));
        ingests.chain(compactions).collect()
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
    typed::read(value).map_err(|typed::Misfit { field, message }| Error::Field {
        path: path.to_owned(),
        number,
        field,
        message,
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
