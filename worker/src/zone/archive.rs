//! Copies of RAW files that retention takes away: made, compared with the log, and only then counted (F31).
//!
//! ```text
//! <archive>/ingest_date=2026-11-23/ingest_hour=05/<digest>.parquet    a verified copy, named by what is in it
//! <archive>/_copying/<incarnation>/<id>.copying                       being made; never counted
//! ```
//!
//! A copy has the name of its digest, so that making it again, by whomever and after whatever crash, changes nothing.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::{StreamExt, stream};
use gristmill_core::log::{Digest, FileEntry, FileKey, Fold, Incarnation, LiveFile, Signs};
use sha2::{Digest as _, Sha256};

use super::Surroundings;
use super::maintain::{delete_files, staged};
use super::outage::Outage;
use crate::blocking::blocking;
use crate::exit::{Exit, Failure};
use crate::store::{self, HadoopAccess, ListedKind, Store, StoreError, StoreErrorKind, StorePath, ZoneUrl};

/// Where copies are made. The name hides them from readers of the archive.
const COPYING: &str = "_copying";
/// Bytes that are read and written at a time.
const CHUNK: u64 = 1 << 20;
/// Copies that are made at a time: they share the machine with the ingest.
const COPIES_AT_A_TIME: usize = 2;

/// A directory that takes verified copies of files before they leave a RAW zone.
#[derive(Clone)]
pub struct Archive {
    store: Arc<dyn Store>,
    url: ZoneUrl,
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Archive").field(&self.url).finish()
    }
}

/// Why a file was not archived. It stays in its zone.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A store fails.
    #[error("cannot archive {file}")]
    Store {
        /// URL of the file.
        file: String,
        /// Why.
        source: StoreError,
    },
    /// The file is not what its entry says.
    #[error(
        "{file} is damaged and was not archived: {why}; restore it from a copy, or look with `gristmill inspect --files`"
    )]
    Damaged {
        /// URL of the file.
        file: String,
        /// What differs.
        why: String,
    },
    /// What stands in the archive under the digest's name is something else.
    #[error("{copy} does not hold what its name says, {why}; move it away, and the file is copied again")]
    OtherContent {
        /// URL of the copy.
        copy: String,
        /// What differs.
        why: String,
    },
    /// The file is in neither of its places. An entry may have taken it off meanwhile: the log tells.
    #[error(
        "{file} is lost: it has neither its published nor its staged name, and no entry has removed it; restore it from a copy, of {bytes} bytes and digest {digest}"
    )]
    Lost {
        /// URL of the file.
        file: String,
        /// Its length.
        bytes: u64,
        /// The digest of its bytes.
        digest: Digest,
    },
}

impl ArchiveError {
    /// Whether a store failed rather than the file or its copy: most likely no other file can be archived either.
    pub fn is_of_store(&self) -> bool {
        match self {
            Self::Store { .. } => true,
            Self::Damaged { .. } | Self::OtherContent { .. } | Self::Lost { .. } => false,
        }
    }

    /// Whether the file was not found.
    fn is_lost_file(&self) -> bool {
        matches!(self, Self::Lost { .. })
    }

    /// What a command ends with.
    pub fn failure(&self) -> Failure {
        let (exit, reason) =
            if self.is_lost_file() { (Exit::Zone, "LostFile") } else { (Exit::Store, "ArchiveFailed") };
        Failure::new(exit, reason, self)
    }
}

/// What became of the files of one pass. Files that are in neither were not tried, since a store failed.
#[derive(Debug, Default)]
pub struct Archived {
    /// Files with a verified copy.
    pub kept: Vec<LiveFile>,
    /// Files that have none.
    pub failed: Vec<NotArchived>,
}

/// A file without a copy.
#[derive(Debug)]
pub struct NotArchived {
    /// The file.
    pub live: LiveFile,
    /// Why.
    pub error: ArchiveError,
}

impl Archived {
    /// Whether a file was not found.
    pub(super) fn misses_a_file(&self) -> bool {
        self.failed.iter().any(|failed| failed.error.is_lost_file())
    }

    /// Leaves out files that were not found since they have left the zone; the log was read after that.
    pub(super) fn without_left(mut self, fold: &Fold) -> Self {
        let is_live =
            |live: &LiveFile| keys(std::slice::from_ref(live)).iter().all(|key| fold.live().contains_key(key));
        self.failed.retain(|failed| !failed.error.is_lost_file() || is_live(&failed.live));
        self
    }
}

impl Archive {
    /// The archive at a URL.
    ///
    /// # Errors
    /// It is no URL of a directory, or the store's client can't be configured.
    pub fn open(url: &str, access: &HadoopAccess) -> Result<Self, Failure> {
        let url: ZoneUrl = url.parse()?;
        Ok(Self { store: store::open(&url, access)?, url })
    }

    /// The archive at a URL of a store.
    pub fn new(store: Arc<dyn Store>, url: ZoneUrl) -> Self {
        Self { store, url }
    }

    /// Where it is.
    pub fn url(&self) -> &ZoneUrl {
        &self.url
    }

    /// Makes a verified copy of each file, until a store fails. `signs` tell whose unfinished copies may go.
    ///
    /// It changes nothing in the zone, takes as long as it takes, and may be dropped at any point.
    pub async fn keep(self, zone: Surroundings, signs: Signs, files: Vec<LiveFile>) -> Archived {
        let own = self.url.directory().join(&format!("{COPYING}/{}", signs.own()));
        let copy = Copy { archive: &self, zone: &zone, scratch: &own };
        let has_failed = AtomicBool::new(false);
        let outcomes: Vec<_> = stream::iter(files)
            .map(|live| async {
                if has_failed.load(Ordering::Relaxed) {
                    return None;
                }
                let kept = copy.keep(&live.file).await;
                if kept.as_ref().is_err_and(ArchiveError::is_of_store) {
                    has_failed.store(true, Ordering::Relaxed);
                }
                Some(match kept {
                    Ok(()) => Ok(live),
                    Err(error) => Err(NotArchived { live, error }),
                })
            })
            .buffer_unordered(COPIES_AT_A_TIME)
            .collect()
            .await;
        let mut archived = Archived::default();
        for outcome in outcomes.into_iter().flatten() {
            match outcome {
                Ok(live) => archived.kept.push(live),
                Err(failed) => archived.failed.push(failed),
            }
        }
        // What can't be deleted now is garbage that no reader sees.
        drop(self.store.delete(&own).await);
        drop(self.delete_unfinished(&zone, &signs).await);
        archived
    }

    /// Deletes what writers have left that copy nothing any more.
    async fn delete_unfinished(&self, zone: &Surroundings, signs: &Signs) -> Result<(), StoreError> {
        let (store, outage) = (Arc::clone(&self.store), Outage::default());
        let here = Surroundings { store, outage, ..zone.clone() };
        let root = self.url.directory().join(COPYING);
        let listed = here.patiently(|| self.store.list(&root)).await?;
        let mut copying = Vec::new();
        for directory in listed.into_iter().filter(|listed| listed.kind == ListedKind::Directory) {
            let Ok(writer) = directory.name.parse::<Incarnation>() else { continue };
            copying.push(staged(&here, root.join(&directory.name), writer, directory).await?);
        }
        for writer in signs.abandoned(&copying) {
            let directory = root.join(&writer.to_string());
            let files = here.patiently(|| self.store.list(&directory)).await?;
            delete_files(&here, files.into_iter().map(|file| directory.join(&file.name)).collect()).await?;
            // One that a slow writer has put something into meanwhile is left for the next pass.
            drop(self.store.delete(&directory).await);
        }
        Ok(())
    }
}

/// The name of a copy below the archive: the file's directory, and the digest of its bytes.
fn name(file: &FileEntry) -> String {
    let hex = file.digest.to_string();
    let hex = hex.rsplit_once(':').map_or(hex.as_str(), |(_, hex)| hex).to_owned();
    match file.path.as_str().rsplit_once('/') {
        Some((directory, _)) => format!("{directory}/{hex}.parquet"),
        None => format!("{hex}.parquet"),
    }
}

struct Copy<'a> {
    archive: &'a Archive,
    zone: &'a Surroundings,
    /// Where copies of this writer are made.
    scratch: &'a StorePath,
}

impl Copy<'_> {
    async fn keep(&self, file: &FileEntry) -> Result<(), ArchiveError> {
        let copy = self.archive.url.directory().join(&name(file));
        let failed = |source| ArchiveError::Store { file: self.url_of(file), source };
        if !self.stands(file, &copy).await? {
            let made = self.scratch.join(&format!("{}.copying", self.zone.ids.draw()));
            let outcome = self.make(file, &made).await;
            if outcome.is_ok() {
                let store = &self.archive.store;
                let directory = copy.parent();
                self.zone.patiently(|| store.create_directories(&directory)).await.map_err(failed)?;
                // Whatever it reports: what stands under the name decides.
                drop(store.rename(&made, &copy).await);
            }
            drop(self.archive.store.delete(&made).await);
            outcome?;
            if !self.stands(file, &copy).await? {
                let source = StoreError::new(StoreErrorKind::Other, "name", &copy, "the copy did not get its name");
                return Err(failed(source));
            }
        }
        Ok(())
    }

    /// Whether the copy is there, read to its end and found equal.
    async fn stands(&self, file: &FileEntry, copy: &StorePath) -> Result<bool, ArchiveError> {
        let failed = |source| ArchiveError::Store { file: self.url_of(file), source };
        let store = &*self.archive.store;
        let Some(length) = self.zone.patiently(|| store.length(copy)).await.map_err(failed)? else {
            return Ok(false);
        };
        let why = if length == file.bytes {
            let digest = self.digest(store, copy, length, None).await.map_err(failed)?;
            (digest != file.digest).then(|| "its bytes have another digest".to_owned())
        } else {
            Some(format!("it has {length} bytes where {} were committed", file.bytes))
        };
        match why {
            None => Ok(true),
            Some(why) => Err(ArchiveError::OtherContent { copy: self.archive.url.url_of(copy), why }),
        }
    }

    /// Copies the file, and compares what was read with what its entry says.
    async fn make(&self, file: &FileEntry, made: &StorePath) -> Result<(), ArchiveError> {
        let failed = |source| ArchiveError::Store { file: self.url_of(file), source };
        let damaged = |why| ArchiveError::Damaged { file: self.url_of(file), why };
        let zone = &*self.zone.store;
        let (published, staged) = (self.zone.published(file.zone, &file.path), self.zone.path(&file.staged));
        let mut place = None;
        for candidate in [&published, &staged, &published] {
            if let Some(length) = self.zone.patiently(|| zone.length(candidate)).await.map_err(failed)? {
                place = Some((candidate, length));
                break;
            }
        }
        let Some((place, length)) = place else {
            return Err(self.lost(file));
        };
        if length != file.bytes {
            return Err(damaged(format!("it has {length} bytes where {} were committed", file.bytes)));
        }
        let mut writer = self.archive.store.create(made).await.map_err(failed)?;
        let digest = match self.digest(zone, place, length, Some(&mut writer)).await {
            Err(error) if error.kind == StoreErrorKind::NotFound && error.path == place.to_string() => {
                return Err(self.lost(file));
            }
            digest => digest.map_err(failed)?,
        };
        if digest != file.digest {
            return Err(damaged("its bytes have another digest than was committed".to_owned()));
        }
        writer.close().await.map_err(failed)
    }

    /// The digest of a file, whose bytes are written on if a writer is given.
    async fn digest(
        &self,
        store: &dyn Store,
        path: &StorePath,
        length: u64,
        mut writer: Option<&mut Box<dyn crate::store::FileWriter>>,
    ) -> Result<Digest, StoreError> {
        let mut hash = Sha256::new();
        let mut from = 0;
        while from < length {
            let to = length.min(from + CHUNK);
            let bytes = self.zone.patiently(|| store.read_range(path, from..to)).await?;
            let hashed = bytes.clone();
            // A chunk takes a millisecond or two, in which no message would be taken.
            hash = blocking(move || hash.chain_update(&hashed)).await;
            if let Some(writer) = &mut writer {
                writer.write(bytes).await?;
            }
            from = to;
        }
        Ok(Digest::from_hash(hash.finalize().into()))
    }

    fn lost(&self, file: &FileEntry) -> ArchiveError {
        ArchiveError::Lost { file: self.url_of(file), bytes: file.bytes, digest: file.digest.clone() }
    }

    fn url_of(&self, file: &FileEntry) -> String {
        self.zone.url.url_of(&self.zone.published(file.zone, &file.path))
    }
}

/// Which files.
pub(super) fn keys(files: &[LiveFile]) -> Vec<FileKey> {
    files.iter().map(|live| FileKey { zone: live.file.zone, path: live.file.path.clone() }).collect()
}
