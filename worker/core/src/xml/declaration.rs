//! The XML declaration: `<?xml version="1.0" encoding="..." standalone="..."?>`.

use super::characters::is_space;
use super::tag::read_attribute;
use super::{Excerpt, Fault, Stop};
use crate::raw::Reason;

/// What stands between `<?xml` and `?>`.
pub(super) struct Declaration<'t> {
    /// The declared encoding, and its offset.
    pub(super) encoding: Option<(&'t str, usize)>,
}

impl<'t> Declaration<'t> {
    /// Length of the declaration that the bytes begin with, less its `?>`; none without declaration.
    ///
    /// One without an end is none: the reader reports it as it does any markup that is not closed.
    pub(super) fn find(bytes: &[u8]) -> Option<usize> {
        let rest = bytes.strip_prefix(b"<?xml")?;
        rest.first().filter(|byte| is_space(**byte) || **byte == b'?')?;
        memchr::memchr_iter(b'?', bytes).find(|at| bytes.get(at + 1) == Some(&b'>'))
    }

    /// Reads a declaration, less its `?>`.
    pub(super) fn read(text: &'t str) -> Result<Self, Fault> {
        let mut parts = Parts { text, at: "<?xml".len() };
        let mut part = parts.next()?;
        let Some((_, version, offset)) = part.filter(|(name, ..)| *name == "version") else {
            return Err(Fault::malformed(0, "the XML declaration does not begin with version"));
        };
        check_version(version, offset)?;
        part = parts.next()?;
        let mut encoding = None;
        if let Some((_, value, offset)) = part.filter(|(name, ..)| *name == "encoding") {
            check_encoding_name(value, offset)?;
            encoding = Some((value, offset));
            part = parts.next()?;
        }
        if let Some((_, value, offset)) = part.filter(|(name, ..)| *name == "standalone") {
            if !matches!(value, "yes" | "no") {
                return Err(Fault::malformed(offset, "standalone is neither yes nor no"));
            }
            part = parts.next()?;
        }
        match part {
            None => Ok(Self { encoding }),
            Some((name, _, offset)) => {
                let message = format!("{} is not allowed here in the XML declaration", Excerpt(name));
                Err(Fault::malformed(offset, message))
            }
        }
    }
}

/// The declaration's parts in order: name, value as written, and offset of the name.
struct Parts<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parts<'t> {
    fn next(&mut self) -> Result<Option<(&'t str, &'t str, usize)>, Fault> {
        let part = read_attribute(self.text, self.at).map_err(|stop| match stop {
            Stop::Broken(fault) | Stop::Unfinished(fault) => fault,
        })?;
        let Some(part) = part else { return Ok(None) };
        self.at = part.end();
        Ok(Some((part.name.of(self.text), part.value.of(self.text), part.name.start())))
    }
}

fn check_version(version: &str, offset: usize) -> Result<(), Fault> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match version.split_once('.') {
        Some(("1", "0")) => Ok(()),
        Some((major, minor)) if digits(major) && digits(minor) => {
            let message = format!("the document is XML {}; only XML 1.0 is read", Excerpt(version));
            Err(Fault::new(Reason::UnsupportedVersion, offset, message))
        }
        _ => Err(Fault::malformed(offset, format!("{:?} is not a version of XML", Excerpt(version).to_string()))),
    }
}

fn check_encoding_name(name: &str, offset: usize) -> Result<(), Fault> {
    let legal = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if legal {
        return Ok(());
    }
    Err(Fault::malformed(offset, format!("{:?} is not the name of an encoding", Excerpt(name).to_string())))
}
