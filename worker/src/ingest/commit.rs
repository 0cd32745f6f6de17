//! The commit: seal the open file, append its entry, publish it, mirror the offsets. One is in flight at a time.

use std::time::Duration;

use gristmill_core::log::{Data, FileEntry, FileSchema, RawData, Refusal, RejectCounts, Sequence};

use super::interruption::Step;
use super::open_file::Written;
use super::patience::Trouble;
use super::worker::{Worker, attend};
use crate::exit::Failure;
use crate::kafka::{Member, Source};
use crate::metrics::Committed;
use crate::zone::{Appended, ZoneError};

/// The files of a commit, and when they began to be sealed.
struct Sealed {
    written: Written,
    files: usize,
    began: Duration,
}

/// Entries that may be committed and not visible before consumption waits for them.
const UNPUBLISHED_BORNE: usize = 8;
/// Pause between two attempts to make an entry visible.
const PUBLISH_AGAIN: Duration = Duration::from_secs(5);

impl<S: Source> Worker<'_, S> {
    pub(super) async fn commit_if_due(&mut self) -> Step {
        if self.is_due() { self.commit().await } else { Ok(()) }
    }

    fn is_due(&self) -> bool {
        if !self.progress.advanced() {
            return false;
        }
        self.open.age() >= self.pace.max_age()
            || self.open.bytes() >= self.plan.target_size
            || self.plan.max_records.is_some_and(|most| self.open.messages() >= most)
            || self.reaches_targets()
    }

    /// Everything up to the targets was read.
    fn reaches_targets(&self) -> bool {
        let next = |partition| self.progress.next(partition).unwrap_or_else(|| self.zone.fold().next(partition));
        self.targets.as_ref().is_some_and(|targets| targets.iter().all(|(partition, end)| next(*partition) >= *end))
    }

    /// Commits what was read; nothing is done if nothing was.
    pub(super) async fn commit(&mut self) -> Step {
        if !self.progress.advanced() {
            return Ok(());
        }
        let began = self.clock.uptime();
        self.tell_buffered();
        let sealed = attend(&mut self.feed, self.grace, self.open.close(&mut self.zone)).await?;
        self.encoded(began);
        let (files, written) = match sealed {
            Ok(sealed) => sealed,
            Err(error) => return self.recover(error).await,
        };
        self.tell_buffered();
        let count = files.len();
        let hold = self.judge(RejectCounts::of(&self.progress.ranges(&self.facts.topic_id)));
        let appends = self.clock.uptime();
        let appended = self.append(files).await?;
        self.waited_for_store(self.clock.uptime() - appends);
        self.trouble = Trouble::default();
        match appended {
            Appended::Won(sequence) => {
                self.won(sequence, Sealed { written, files: count, began }).await?;
                match hold {
                    Some(hold) => self.hold(hold).await,
                    None => Ok(()),
                }
            }
            Appended::Lost(refusal) => self.lost(&refusal).await,
        }
    }

    /// Appends one entry and waits until it is decided, however long the store is away.
    async fn append(&mut self, added: Vec<FileEntry>) -> Step<Appended> {
        let partitions = self.progress.ranges(&self.facts.topic_id);
        let schemas = self.new_schemas(&added);
        let data = Data::Raw(RawData { partitions, added, removed: Vec::new(), schemas });
        let (zone, patience) = (&mut self.zone, &self.patience);
        let work = async {
            let began = patience.clock.uptime();
            loop {
                // An append that could not even be prepared is not undecided: it begins anew.
                let attempt = async {
                    match zone.decide().await? {
                        Some(appended) => Ok(appended),
                        None => zone.append(data.clone()).await,
                    }
                };
                match attempt.await {
                    Ok(appended) => return Ok::<_, Failure>(appended),
                    Err(error) => drop(patience.endure::<ZoneError>(error, patience.clock.uptime() - began)?),
                }
            }
        };
        Ok(attend(&mut self.feed, self.grace, work).await??)
    }

    /// The schemas of these files that the log does not describe yet.
    fn new_schemas(&self, added: &[FileEntry]) -> Vec<FileSchema> {
        let known = |id: &str| self.zone.fold().schemas().get(id).is_some_and(|schema| schema.described.is_some());
        let used = |schema: &FileSchema| added.iter().any(|file| file.schema == schema.id);
        self.open.schemas().into_iter().filter(|schema| used(schema) && !known(&schema.id)).collect()
    }

    async fn won(&mut self, sequence: Sequence, Sealed { written, files, began }: Sealed) -> Step {
        let ranges = self.progress.ranges(&self.facts.topic_id);
        self.progress.commit();
        self.pace.committed();
        let metrics = self.patience.board.metrics().clone();
        self.open.committed(self.plan.rejected.budget.window, |reason, records| metrics.rejected(reason, records));
        self.unpublished.insert(sequence);
        let publishes = self.clock.uptime();
        self.publish(UNPUBLISHED_BORNE).await?;
        self.waited_for_store(self.clock.uptime() - publishes);
        self.member.mirror(&self.progress.offsets());
        let messages = ranges.iter().map(|range| range.accepted + range.rejected + range.tombstones).sum::<u64>();
        let Written { rows, rejects, bytes } = written;
        let mut committed = Committed { rows, files: files as u64, bytes, ..Committed::default() };
        for range in &ranges {
            committed.accepted += range.accepted;
            committed.rejected += range.rejected;
            committed.tombstones += range.tombstones;
            committed.absent += range.absent;
            committed.gaps += range.gaps;
        }
        committed.took = self.clock.uptime() - began;
        self.measured.done.commit += committed.took;
        metrics.committed(&committed);
        self.summary.count(sequence, messages, &written, files);
        let lag = self.tell();
        tracing::info!(
            sequence = sequence.0,
            rows,
            rejected = rejects,
            messages,
            absent = committed.absent,
            gaps = committed.gaps,
            files,
            bytes,
            lag,
            "committed"
        );
        self.ingesting();
        Ok(())
    }

    /// Makes committed entries visible. One that can't be is tried again later, and with so many consumption waits for it:
    /// what nobody can see does not pile up (F14).
    async fn publish(&mut self, too_many: usize) -> Step {
        let (zone, patience, unpublished) = (&mut self.zone, &self.patience, &mut self.unpublished);
        let work = async {
            let began = patience.clock.uptime();
            while let Some(sequence) = unpublished.first().copied() {
                match zone.publish(sequence).await {
                    Ok(()) => drop(unpublished.pop_first()),
                    Err(error) => {
                        patience.board.unpublished(unpublished.len(), &error);
                        if unpublished.len() < too_many {
                            patience.bear(&error)?;
                            return Ok(());
                        }
                        patience.endure(error, patience.clock.uptime() - began)?;
                        patience.clock.sleep(PUBLISH_AGAIN).await;
                    }
                }
            }
            patience.board.all_published();
            Ok::<_, Failure>(())
        };
        self.publish_at = self.clock.uptime() + PUBLISH_AGAIN;
        Ok(attend(&mut self.feed, self.grace, work).await??)
    }

    /// Tries again to make visible what could not be.
    pub(super) async fn publish_again(&mut self) -> Step {
        if self.unpublished.is_empty() || self.clock.uptime() < self.publish_at {
            return Ok(());
        }
        self.publish(UNPUBLISHED_BORNE).await
    }

    /// Makes everything visible before the process ends.
    pub(super) async fn publish_all(&mut self) -> Step {
        self.publish(1).await
    }

    async fn lost(&mut self, refusal: &Refusal) -> Step {
        tracing::warn!(%refusal, "another writer has moved the zone on; what was read is dropped and read again");
        self.start_over().await
    }
}
