//! The files of a folder as messages: one a file, in the order of their names, keyed by the name.

use std::path::{Path, PathBuf};

use super::Error;

/// One file, to be sent as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMessage {
    /// The file's name, without its folder.
    pub key: String,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// The regular files of a folder, read one at a time. Hidden ones (`.name`) and folders in it are left out.
#[derive(Debug)]
pub struct FolderMessages {
    files: std::vec::IntoIter<PathBuf>,
}

impl FolderMessages {
    /// Lists a folder.
    ///
    /// # Errors
    /// It can't be listed, or holds no file.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let unreadable = |source| Error::Read { path: folder.to_owned(), source };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            // Of a link it is the target that counts.
            if path.is_file() && !name(&path).starts_with('.') {
                files.push(path);
            }
        }
        if files.is_empty() {
            return Err(Error::NoFiles { folder: folder.to_owned() });
        }
        files.sort();
        Ok(Self { files: files.into_iter() })
    }
}

impl Iterator for FolderMessages {
    type Item = Result<FileMessage, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let path = self.files.next()?;
        let read = std::fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source });
        Some(read.map(|payload| FileMessage { key: name(&path), payload }))
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_in_the_order_of_their_names_without_hidden_ones_and_folders() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in [("b.xml", "second"), ("a.xml", "first"), (".swap", "hidden")] {
            std::fs::write(folder.path().join(name), text).expect("the folder is ours");
        }
        std::fs::create_dir(folder.path().join("archive")).expect("the folder is ours");
        let messages: Vec<_> = FolderMessages::open(folder.path()).expect("it has files").map(Result::unwrap).collect();
        let message = |key: &str, payload: &str| FileMessage { key: key.to_owned(), payload: payload.into() };
        assert_eq!(messages, [message("a.xml", "first"), message("b.xml", "second")]);
    }

    #[test]
    fn folder_without_files_is_refused_by_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let error = FolderMessages::open(folder.path()).expect_err("it is empty");
        assert!(error.to_string().contains(&folder.path().display().to_string()), "{error}");
    }
}
