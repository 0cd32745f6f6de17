//! The names and scalars of the log as types that cannot hold anything else.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A text that is not the name it stands for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct InvalidName {
    /// The text as found.
    pub text: String,
    /// What it should have been, with its article.
    pub expected: &'static str,
}

macro_rules! uuid_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes a random UUID as this name.
            pub fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The 16 bytes of the UUID.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            /// Accepts the one spelling that is also a path segment: lower-case, with hyphens.
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Uuid::parse_str(text)
                    .ok()
                    .map(Self)
                    .filter(|name| name.to_string() == text)
                    .ok_or_else(|| InvalidName { text: text.to_owned(), expected: "a UUID in lower-case hex" })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

uuid_name! {
    /// Identity of a zone, drawn once when its directory is first used; a re-created zone has another.
    ZoneId
}
uuid_name! {
    /// Identity of one commit: how a writer recognises its own entry whatever the create reported (F1).
    CommitId
}
uuid_name! {
    /// Identity of one writer process, drawn at its start; never a pod name, which a successor would share (F3).
    Incarnation
}

/// Number of a slot of the log; genesis is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The slot of the genesis entry.
    pub const GENESIS: Self = Self(0);

    /// The slot after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// As a position: "consumed up to here". Positions are signed, since -1 stands before genesis.
    pub fn position(self) -> i64 {
        i64::try_from(self.0).expect("a log never holds 2^63 entries")
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A SHA-256 digest, written `sha256:<64 lower-case hex digits>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Digest(String);

impl Digest {
    const PREFIX: &'static str = "sha256:";

    /// Digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_hash(Sha256::digest(bytes).into())
    }

    /// Takes the 32 bytes of a finished SHA-256.
    pub fn from_hash(hash: [u8; 32]) -> Self {
        use fmt::Write as _;
        let mut text = String::with_capacity(Self::PREFIX.len() + 64);
        text.push_str(Self::PREFIX);
        for byte in hash {
            write!(text, "{byte:02x}").expect("writing to a String does not fail");
        }
        Self(text)
    }

    /// The written form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Digest {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let is_digest = text.strip_prefix(Self::PREFIX).is_some_and(|hex| {
            hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        });
        if is_digest {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName { text: text.to_owned(), expected: "a digest `sha256:<hex>`" })
        }
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A time of the log: UTC with milliseconds, written as RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogTime(DateTime<Utc>);

impl LogTime {
    /// Cuts a time to milliseconds, so that what is written is what is read again.
    pub fn new(time: DateTime<Utc>) -> Self {
        Self(time.trunc_subsecs(3))
    }

    /// The time so many milliseconds after 1970; none if no calendar has it.
    pub fn from_milliseconds(milliseconds: i64) -> Option<Self> {
        DateTime::from_timestamp_millis(milliseconds).map(Self)
    }

    /// The time itself.
    pub fn utc(self) -> DateTime<Utc> {
        self.0
    }
}

impl fmt::Display for LogTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl FromStr for LogTime {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        DateTime::parse_from_rfc3339(text)
            .ok()
            .filter(|_| text.ends_with('Z'))
            .map(|time| Self::new(time.with_timezone(&Utc)))
            .ok_or_else(|| InvalidName { text: text.to_owned(), expected: "a time in RFC 3339, UTC" })
    }
}

impl Serialize for LogTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LogTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
