//! The checkpoints of one zone's log: finding the newest, reading and writing one, deleting what one covers (rules 4, 19).

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use gristmill_core::log::{CommitId, Fold, Incarnation, Sequence, Truncation, ZonePath, layout, to_truncate};

use super::ZoneError;
use super::checkpoint_file;
use super::reader::AT_A_TIME;
use super::slots::{Slots, unreadable, write_file};
use super::surroundings::Pauses;
use crate::store::{StoreError, StoreErrorKind};

impl Slots {
    /// The greatest checkpoint that there is.
    pub(super) async fn newest_checkpoint(&self) -> Result<Option<Sequence>, ZoneError> {
        Ok(self.checkpoints().await?.into_iter().max())
    }

    /// Every checkpoint that there is.
    ///
    /// A listing that is no snapshot may miss an old one that is being deleted and its successor that has just come, so
    /// such a store is asked until it says the same twice (rule 20).
    async fn checkpoints(&self) -> Result<Vec<Sequence>, ZoneError> {
        let surroundings = &self.surroundings;
        let mut checkpoints = self.list_checkpoints().await?;
        while !surroundings.store.lists_snapshots() {
            let again = self.list_checkpoints().await?;
            if again == checkpoints {
                break;
            }
            checkpoints = again;
        }
        Ok(checkpoints)
    }

    async fn list_checkpoints(&self) -> Result<Vec<Sequence>, ZoneError> {
        let surroundings = &self.surroundings;
        let directory = surroundings.path(&layout::checkpoints(self.directory_id()));
        let listed = surroundings.patiently(|| surroundings.store.list(&directory)).await;
        let listed = listed.map_err(|error| surroundings.failed(error))?;
        let mut found: Vec<_> =
            listed.iter().filter_map(|element| layout::checkpoint_sequence(&element.name)).collect();
        found.sort_unstable();
        Ok(found)
    }

    /// The fold of a checkpoint, `None` if it is no longer there: a greater one is.
    pub(super) async fn read_checkpoint(&self, sequence: Sequence) -> Result<Option<Fold>, ZoneError> {
        let surroundings = &self.surroundings;
        let path = surroundings.path(&layout::checkpoint(self.directory_id(), sequence));
        match surroundings.patiently(|| surroundings.store.read(&path)).await {
            Ok(bytes) => {
                let fold = checkpoint_file::decode(self.zone_id, sequence, bytes);
                fold.map(Some).map_err(|why| unreadable(surroundings, &path, why))
            }
            Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
            Err(error) => Err(surroundings.failed(error)),
        }
    }

    /// Writes the checkpoint of a fold of which everything is published. Another's of the same name is as good.
    pub(super) async fn write_checkpoint(&self, fold: &Fold, writer: Incarnation) -> Result<(), ZoneError> {
        let surroundings = &self.surroundings;
        let failed = |error| surroundings.failed(error);
        let name = surroundings.path(&layout::checkpoint(self.directory_id(), fold.head()));
        let bytes = Bytes::from(
            checkpoint_file::encode(fold)
                .map_err(|error| failed(StoreError::new(StoreErrorKind::Other, "encode", &name, error.to_string())))?,
        );
        self.confirm_zone().await?;
        let directory = name.parent();
        surroundings.patiently(|| surroundings.store.create_directories(&directory)).await.map_err(failed)?;
        let mut pauses = Pauses::new(surroundings);
        loop {
            // A write that failed burns the name.
            let id = CommitId::new(surroundings.ids.draw());
            let prepared = surroundings.path(&layout::prepared_checkpoint(writer, id));
            let attempt = async {
                write_file(surroundings, &prepared, bytes.clone()).await?;
                surroundings.store.rename(&prepared, &name).await
            };
            let outcome = attempt.await;
            let there = surroundings.patiently(|| surroundings.store.length(&name)).await.map_err(failed)?;
            if there.is_some() {
                if outcome.is_err() {
                    // What cannot be deleted now is swept with the rest of this writer's staging.
                    drop(surroundings.store.delete(&prepared).await);
                }
                return Ok(());
            }
            match outcome {
                Err(error)
                    if matches!(
                        error.kind,
                        StoreErrorKind::Denied | StoreErrorKind::LoginFailed | StoreErrorKind::Other
                    ) =>
                {
                    return Err(failed(error));
                }
                // Its directory is gone: so is the zone.
                Err(error) if error.kind == StoreErrorKind::NotFound => {
                    self.confirm_zone().await?;
                    pauses.pause(error).await.map_err(failed)?;
                }
                Err(error) => pauses.pause(error).await.map_err(failed)?,
                Ok(()) => return Err(self.replaced()),
            }
        }
    }

    /// Deletes what a checkpoint covers, but for the entries that stay for slow readers.
    pub(super) async fn truncate(&self, checkpoint: Sequence) -> Result<(), ZoneError> {
        let surroundings = &self.surroundings;
        let (slots, checkpoints) = (self.listed().await?, self.checkpoints().await?);
        let Truncation { slots, checkpoints } = to_truncate(checkpoint, slots, checkpoints, surroundings.entries_kept);
        let slots = slots.into_iter().map(|sequence| layout::slot(self.directory_id(), sequence));
        let checkpoints = checkpoints.into_iter().map(|sequence| layout::checkpoint(self.directory_id(), sequence));
        self.delete_all(slots.chain(checkpoints).collect()).await
    }

    async fn delete_all(&self, paths: Vec<ZonePath>) -> Result<(), ZoneError> {
        let surroundings = &self.surroundings;
        let deleted = stream::iter(paths)
            .map(|path| async move {
                let path = surroundings.path(&path);
                surroundings.patiently(|| surroundings.store.delete(&path)).await
            })
            .buffer_unordered(AT_A_TIME)
            .try_collect::<()>();
        deleted.await.map_err(|error| surroundings.failed(error))
    }
}
