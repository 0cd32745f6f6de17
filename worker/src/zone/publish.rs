//! Making committed entries visible (rules 16 and 17). Whoever does it, and however often, the result is the same.

use std::collections::{BTreeSet, HashMap, HashSet};

use futures::{StreamExt, TryStreamExt, stream};
use gristmill_core::log::{FileKey, Publication, Publish, Retire, Sequence, ZonePath, due, layout};

use super::reader::{AT_A_TIME, NOWHERE, wrong_length};
use super::rules::Rule;
use super::surroundings::Pauses;
use super::{Surroundings, Unpublished, Zone, ZoneError};
use crate::store::{Listed, ListedKind, StoreError, StoreErrorKind, StorePath};

/// Age at which an entry of another writer is published for it: long beside the second that its writer needs.
const OTHERS_AFTER_SECONDS: i64 = 30;

/// A file that could not be published, and why.
type Lost = (Publish, String);

impl Zone {
    /// Publishes an entry, and with it those of other writers that have waited for too long.
    ///
    /// # Errors
    /// `LostFile` if a live file is nowhere or not of its recorded length; the store fails. Publishing again is safe.
    pub async fn publish(&mut self, sequence: Sequence) -> Result<(), ZoneError> {
        let due: BTreeSet<_> = self.late().into_iter().chain([sequence]).flat_map(|wanted| self.due(wanted)).collect();
        self.publish_each(due).await
    }

    /// Entries that were folded long ago and are not known to be published.
    pub(super) fn late(&self) -> Vec<Sequence> {
        let now = self.surroundings().now().utc();
        let late =
            |unpublished: &Unpublished| (now - unpublished.folded_at.utc()).num_seconds() >= OTHERS_AFTER_SECONDS;
        self.unpublished.iter().filter(|(_, entry)| late(entry)).map(|(sequence, _)| *sequence).collect()
    }

    /// Publishes every folded entry that is not known to be published.
    ///
    /// # Errors
    /// As [`Self::publish`].
    pub async fn publish_all(&mut self) -> Result<(), ZoneError> {
        let all = self.unpublished.keys().copied().collect();
        self.publish_each(all).await
    }

    /// Forgets entries that listings show to be published: opening an old zone then looks at directories, not at files.
    pub(super) async fn forget_published(&mut self) -> Result<(), ZoneError> {
        let surroundings = self.surroundings();
        let staged = self.list_staged().await.map_err(|error| surroundings.failed(error))?;
        let published = self.list_published().await.map_err(|error| surroundings.failed(error))?;
        let fold = &self.reader.fold;
        let has_come = |file: &Publish| {
            let key = FileKey { zone: file.zone, path: file.path.clone() };
            !staged.contains(&file.staged)
                && (published.get(&key) == Some(&file.bytes) || !fold.live().contains_key(&key))
        };
        let has_left = |file: &Retire| {
            let key = FileKey { zone: file.zone, path: file.path.clone() };
            !staged.contains(&file.staged) && !published.contains_key(&key)
        };
        self.unpublished.retain(|_, Unpublished { publication, .. }| {
            !(publication.publish.iter().all(has_come) && publication.retire.iter().all(has_left))
        });
        Ok(())
    }

    pub(super) fn due(&self, wanted: Sequence) -> Vec<Sequence> {
        let unpublished = self.unpublished.iter().map(|(sequence, entry)| (*sequence, &entry.publication));
        if self.surroundings().rules.hold(Rule::PublishedInSequence) {
            due(unpublished, wanted)
        } else {
            unpublished.map(|(sequence, _)| sequence).filter(|sequence| *sequence == wanted).collect()
        }
    }

    pub(super) async fn publish_each(&mut self, sequences: BTreeSet<Sequence>) -> Result<(), ZoneError> {
        for sequence in sequences {
            let Some(Unpublished { publication, .. }) = self.unpublished.get(&sequence) else {
                continue;
            };
            let publication = publication.clone();
            let lost = self.rename_all(publication).await.map_err(|error| self.surroundings().failed(error))?;
            if !lost.is_empty() {
                // A later entry may have removed what is missing here.
                self.refresh().await?;
                self.check_lost(sequence, lost)?;
            }
            self.unpublished.remove(&sequence);
        }
        Ok(())
    }

    fn check_lost(&self, sequence: Sequence, lost: Vec<Lost>) -> Result<(), ZoneError> {
        for (file, why) in lost {
            if let Some(live) = self.fold().live().get(&FileKey { zone: file.zone, path: file.path }) {
                return Err(self.surroundings().lost(&live.file, sequence, &why));
            }
        }
        Ok(())
    }

    /// All that leave, then all that come: a plain listing may miss rows for this moment, and never shows them twice.
    async fn rename_all(&self, publication: Publication) -> Result<Vec<Lost>, StoreError> {
        let Publication { retire, publish } = publication;
        if self.surroundings().rules.hold(Rule::RetiredBeforePublished) {
            self.retire_all(retire).await?;
            self.publish_files(publish).await
        } else {
            let lost = self.publish_files(publish).await?;
            self.retire_all(retire).await.map(|()| lost)
        }
    }

    async fn retire_all(&self, files: Vec<Retire>) -> Result<(), StoreError> {
        let surroundings = self.surroundings();
        stream::iter(files).map(|file| retire(surroundings, file)).buffer_unordered(AT_A_TIME).try_collect().await
    }

    async fn publish_files(&self, files: Vec<Publish>) -> Result<Vec<Lost>, StoreError> {
        let surroundings = self.surroundings();
        let outcomes = stream::iter(files).map(|file| publish(surroundings, file)).buffer_unordered(AT_A_TIME);
        outcomes.try_filter_map(|lost| std::future::ready(Ok(lost))).try_collect().await
    }

    /// Every file below `_staging`.
    async fn list_staged(&self) -> Result<HashSet<ZonePath>, StoreError> {
        let surroundings = self.surroundings();
        let root = surroundings.url.directory().join(layout::STAGING);
        let incarnations = surroundings.patiently(|| surroundings.store.list(&root)).await?;
        let listings = stream::iter(incarnations)
            .filter(|listed| std::future::ready(listed.kind == ListedKind::Directory))
            .map(|listed| {
                let directory = format!("{}/{}", layout::STAGING, listed.name);
                list_files(surroundings, root.join(&listed.name), directory)
            })
            .buffer_unordered(AT_A_TIME)
            .try_collect::<Vec<_>>();
        Ok(listings.await?.into_iter().flatten().map(|(path, _)| path).collect())
    }

    /// Every file, with its length, in the directories that unpublished entries publish into or remove from.
    async fn list_published(&self) -> Result<HashMap<FileKey, u64>, StoreError> {
        let surroundings = self.surroundings();
        let mut directories = BTreeSet::new();
        for Unpublished { publication: Publication { retire, publish }, .. } in self.unpublished.values() {
            directories.extend(retire.iter().map(|file| (file.zone, directory_of(&file.path))));
            directories.extend(publish.iter().map(|file| (file.zone, directory_of(&file.path))));
        }
        let listings = stream::iter(directories)
            .map(|(zone, directory)| async move {
                let root = surroundings.published_root(zone);
                let place = if directory.is_empty() { root } else { root.join(&directory) };
                let files = list_files(surroundings, place, directory).await?;
                Ok(files.into_iter().map(move |(path, length)| (FileKey { zone, path }, length)).collect::<Vec<_>>())
            })
            .buffer_unordered(AT_A_TIME)
            .try_collect::<Vec<_>>();
        Ok(listings.await?.into_iter().flatten().collect())
    }
}

fn directory_of(path: &ZonePath) -> String {
    path.as_str().rsplit_once('/').map_or("", |(directory, _)| directory).to_owned()
}

async fn list_files(
    surroundings: &Surroundings,
    place: StorePath,
    directory: String,
) -> Result<Vec<(ZonePath, u64)>, StoreError> {
    let listed = surroundings.patiently(|| surroundings.store.list(&place)).await?;
    let path = |name: String| if directory.is_empty() { name } else { format!("{directory}/{name}") };
    let files = listed.into_iter().filter_map(|Listed { name, kind, modified: _ }| match kind {
        // A name that is no path of a zone is none of ours.
        ListedKind::File(length) => path(name).parse().ok().map(|path| (path, length)),
        ListedKind::Directory => None,
    });
    Ok(files.collect())
}

/// Brings a file from its staged to its published name; gives the reason if it cannot be the file of the entry.
async fn publish(surroundings: &Surroundings, file: Publish) -> Result<Option<Lost>, StoreError> {
    let why = publish_or_why(surroundings, &file).await?;
    Ok(why.map(|why| (file, why)))
}

async fn publish_or_why(surroundings: &Surroundings, file: &Publish) -> Result<Option<String>, StoreError> {
    let Publish { zone, path, staged, bytes } = file;
    let (published, staged) = (surroundings.published(*zone, path), surroundings.path(staged));
    let look = |path| surroundings.patiently(move || surroundings.store.length(path));
    let wrong = |length| surroundings.rules.hold(Rule::RecordedLength) && length != *bytes;
    let mut surprises = Surprises { pauses: Pauses::new(surroundings), met: false };
    loop {
        // Published, staged, published: another publisher may rename it between the first two looks.
        let mut found = look(&published).await?;
        if found.is_none() {
            match look(&staged).await? {
                Some(length) if wrong(length) => return Ok(Some(wrong_length(length, *bytes))),
                Some(_) => match rename(surroundings, &staged, &published, &mut surprises).await? {
                    Renamed::Yes => return Ok(None),
                    Renamed::LookAgain => continue,
                },
                None => found = look(&published).await?,
            }
        }
        return match found {
            Some(length) if wrong(length) => Ok(Some(wrong_length(length, *bytes))),
            Some(_) => remove_leftover(surroundings, &staged).await.map(|()| None),
            None => Ok(Some(NOWHERE.to_owned())),
        };
    }
}

/// Brings a file from wherever it is to its retired name. One that is nowhere has been retired by another.
async fn retire(surroundings: &Surroundings, file: Retire) -> Result<(), StoreError> {
    let Retire { zone, path, staged, retired } = file;
    let (published, staged) = (surroundings.published(zone, &path), surroundings.path(&staged));
    let retired = surroundings.path(&retired);
    let mut surprises = Surprises { pauses: Pauses::new(surroundings), met: false };
    loop {
        let mut source = None;
        for place in [&published, &staged, &published] {
            if surroundings.patiently(|| surroundings.store.length(place)).await?.is_some() {
                source = Some(place);
                break;
            }
        }
        // Looked for until it is at neither place: link and unlink can leave two names.
        let Some(source) = source else {
            return Ok(());
        };
        rename(surroundings, source, &retired, &mut surprises).await?;
        if surroundings.patiently(|| surroundings.store.length(&retired)).await?.is_some() {
            surroundings.patiently(|| surroundings.store.delete(source)).await?;
        }
    }
}

/// A staged name beside the published one is what a crash between link and unlink leaves; a later publisher would
/// bring the file back after it was retired.
async fn remove_leftover(surroundings: &Surroundings, staged: &StorePath) -> Result<(), StoreError> {
    if !surroundings.rules.hold(Rule::LeftoverIsRemoved) {
        return Ok(());
    }
    match surroundings.patiently(|| surroundings.store.length(staged)).await? {
        Some(_) => surroundings.patiently(|| surroundings.store.delete(staged)).await,
        None => Ok(()),
    }
}

/// How often a rename has found things otherwise than a look had; the first time another look tells why, without waiting.
struct Surprises<'a> {
    pauses: Pauses<'a>,
    met: bool,
}

enum Renamed {
    Yes,
    LookAgain,
}

/// Makes the directory and renames; what an error means only another look can tell.
async fn rename(
    surroundings: &Surroundings,
    from: &StorePath,
    to: &StorePath,
    surprises: &mut Surprises<'_>,
) -> Result<Renamed, StoreError> {
    let directory = to.parent();
    surroundings.patiently(|| surroundings.store.create_directories(&directory)).await?;
    match surroundings.store.rename(from, to).await {
        Ok(()) => Ok(Renamed::Yes),
        Err(error) => match error.kind {
            StoreErrorKind::Denied | StoreErrorKind::LoginFailed | StoreErrorKind::Other => Err(error),
            // The directory was removed meanwhile, or another publisher was faster; or the name is taken by what is no
            // file, which no look shows: patience ends that.
            StoreErrorKind::NotFound | StoreErrorKind::AlreadyExists if !surprises.met => {
                surprises.met = true;
                Ok(Renamed::LookAgain)
            }
            StoreErrorKind::Unavailable | StoreErrorKind::NotFound | StoreErrorKind::AlreadyExists => {
                surprises.pauses.pause(error).await.map(|()| Renamed::LookAgain)
            }
        },
    }
}
