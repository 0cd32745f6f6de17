//! Where a zone is: a URL as users write it, and the absolute paths below it.

use std::fmt;
use std::str::FromStr;

use gristmill_core::log::ZonePath;
use gristmill_core::log::layout::REJECTED_SUFFIX;

/// A text that is not the URL of a zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{url}` is not the URL of a zone: {why}; expected file:///DIRECTORY or hdfs://HOST:PORT/DIRECTORY")]
pub struct InvalidZoneUrl {
    url: String,
    why: &'static str,
}

/// The directory of a zone as a URL, without a trailing slash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ZoneUrl {
    scheme: Scheme,
    authority: String,
    directory: StorePath,
}

/// The kinds of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// A local directory.
    File,
    /// HDFS.
    Hdfs,
}

impl ZoneUrl {
    /// The kind of store.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host and port, or the name of a name service; empty for a local directory.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The zone's directory within the store.
    pub fn directory(&self) -> &StorePath {
        &self.directory
    }

    /// A path below the zone.
    pub fn join(&self, path: &ZonePath) -> StorePath {
        self.directory.join(path.as_str())
    }

    /// The sibling directory of a RAW zone's rejected files.
    #[must_use]
    pub fn rejected(&self) -> Self {
        let directory = StorePath(format!("{}{REJECTED_SUFFIX}", self.directory.0));
        Self { directory, ..self.clone() }
    }

    /// A path of this zone's store as a URL, for messages.
    pub fn url_of(&self, path: &StorePath) -> String {
        let scheme = match self.scheme {
            Scheme::File => "file",
            Scheme::Hdfs => "hdfs",
        };
        format!("{scheme}://{}{path}", self.authority)
    }
}

impl fmt::Display for ZoneUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url_of(&self.directory))
    }
}

impl FromStr for ZoneUrl {
    type Err = InvalidZoneUrl;

    fn from_str(url: &str) -> Result<Self, InvalidZoneUrl> {
        let invalid = |why| InvalidZoneUrl { url: url.to_owned(), why };
        let (scheme, rest) = if let Some(rest) = url.strip_prefix("file://") {
            (Scheme::File, rest)
        } else if let Some(rest) = url.strip_prefix("hdfs://") {
            (Scheme::Hdfs, rest)
        } else {
            return Err(invalid("it begins with neither file:// nor hdfs://"));
        };
        let slash = rest.find('/').ok_or_else(|| invalid("it has no directory"))?;
        let (authority, path) = rest.split_at(slash);
        match scheme {
            Scheme::File if !authority.is_empty() => return Err(invalid("a file URL has no host: write file:///")),
            Scheme::Hdfs if authority.is_empty() => return Err(invalid("it has no host")),
            Scheme::File | Scheme::Hdfs => {}
        }
        let path = path.trim_end_matches('/');
        let plain = path.split('/').skip(1).all(|segment| !matches!(segment, "" | "." | ".."));
        if path.is_empty() || !plain {
            return Err(invalid("its directory is empty or has `//`, `.` or `..` in it"));
        }
        Ok(Self { scheme, authority: authority.to_owned(), directory: StorePath(path.to_owned()) })
    }
}

/// An absolute path within a store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorePath(String);

impl StorePath {
    /// The written form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A path as a recorded system call names it.
    #[cfg(test)]
    pub(crate) fn of(path: String) -> Self {
        Self(path)
    }

    /// A path below this one; `relative` has no leading slash.
    #[must_use]
    pub fn join(&self, relative: &str) -> Self {
        Self(format!("{}/{relative}", self.0))
    }

    /// The directory that this lies in; the root for a path of one segment.
    #[must_use]
    pub fn parent(&self) -> Self {
        let end = self.0.rfind('/').unwrap_or(0);
        Self(self.0[..end].to_owned())
    }

    /// The last segment.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(self.0.as_str(), |(_, name)| name)
    }
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
