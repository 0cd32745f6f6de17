//! Both kinds, and how a user names a resource of them.

use std::fmt;
use std::str::FromStr;

use gristmill_crds::{HourlyCompaction, StreamIngest};
use kube::api::ApiResource;

/// Kind of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// StreamIngest.
    Ingest,
    /// HourlyCompaction.
    Compaction,
}

impl Kind {
    /// Both.
    pub const ALL: [Kind; 2] = [Kind::Ingest, Kind::Compaction];

    /// As documents write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Ingest => "StreamIngest",
            Kind::Compaction => "HourlyCompaction",
        }
    }

    /// As a person types it.
    pub fn short(self) -> &'static str {
        match self {
            Kind::Ingest => "sti",
            Kind::Compaction => "hc",
        }
    }

    /// As a Role names it.
    pub fn plural(self) -> &'static str {
        match self {
            Kind::Ingest => "streamingests.gristmill.dev",
            Kind::Compaction => "hourlycompactions.gristmill.dev",
        }
    }

    /// As the API server is asked for it.
    pub fn api(self) -> ApiResource {
        match self {
            Kind::Ingest => ApiResource::erase::<StreamIngest>(&()),
            Kind::Compaction => ApiResource::erase::<HourlyCompaction>(&()),
        }
    }

    fn of(word: &str) -> Option<Self> {
        match word.to_lowercase().as_str() {
            "sti" | "streamingest" | "streamingests" | "streamingests.gristmill.dev" => Some(Kind::Ingest),
            "hc" | "hourlycompaction" | "hourlycompactions" | "hourlycompactions.gristmill.dev" => {
                Some(Kind::Compaction)
            }
            _ => None,
        }
    }
}

/// A resource as it is named on the command line: `books`, `sti/books` or `hc/books`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceName {
    /// Its kind, where it is written.
    pub kind: Option<Kind>,
    /// Its name.
    pub name: String,
}

impl FromStr for ResourceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, name) = match text.split_once('/') {
            None => (None, text),
            Some((word, name)) => {
                let kind = Kind::of(word).ok_or_else(|| {
                    format!("{word:?} is no kind of Gristmill; write sti/NAME for a StreamIngest, hc/NAME for an HourlyCompaction")
                })?;
                (Some(kind), name)
            }
        };
        if name.is_empty() || name.contains('/') {
            return Err(format!("{text:?} is no name; write NAME, sti/NAME or hc/NAME"));
        }
        Ok(Self { kind, name: name.to_owned() })
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(f, "{}/{}", kind.short(), self.name),
            None => f.write_str(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("books", None)]
    #[case("sti/books", Some(Kind::Ingest))]
    #[case("StreamIngest/books", Some(Kind::Ingest))]
    #[case("hourlycompactions/books", Some(Kind::Compaction))]
    fn resource_is_named_with_or_without_its_kind(#[case] text: &str, #[case] kind: Option<Kind>) {
        assert_eq!(text.parse(), Ok(ResourceName { kind, name: "books".to_owned() }));
    }

    #[rstest::rstest]
    #[case("pod/books", "sti/NAME")]
    #[case("sti/", "is no name")]
    #[case("sti/a/b", "is no name")]
    fn what_is_no_name_is_refused_with_what_to_write(#[case] text: &str, #[case] why: &str) {
        let refused = text.parse::<ResourceName>().expect_err("it is no name");
        assert!(refused.contains(why), "{refused}");
    }
}
