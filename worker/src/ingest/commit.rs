//! The commit: seal the open file, append its entry, publish it, mirror the offsets. One is in flight at a time.

use gristmill_core::log::{Data, FileEntry, RawData, Refusal, Sequence};

use super::interruption::Step;
use super::open_file::Written;
use super::patience::Trouble;
use super::worker::{Worker, attend};
use crate::exit::Failure;
use crate::kafka::{Member, Source};
use crate::zone::{Appended, ZoneError};

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
        let sealed = match attend(&mut self.feed, self.grace, self.open.close(&mut self.zone)).await? {
            Ok(sealed) => sealed,
            Err(error) => return self.recover(error).await,
        };
        let (files, written) = sealed;
        let count = files.len();
        let appended = self.append(files).await?;
        self.trouble = Trouble::default();
        match appended {
            Appended::Won(sequence) => self.won(sequence, written, count).await,
            Appended::Lost(refusal) => self.lost(&refusal).await,
        }
    }

    /// Appends one entry and waits until it is decided, however long the store is away.
    async fn append(&mut self, added: Vec<FileEntry>) -> Step<Appended> {
        let partitions = self.progress.ranges(&self.facts.topic_id);
        let data = Data::Raw(RawData { partitions, added, removed: Vec::new(), schemas: Vec::new() });
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
                    Err(error) => patience.endure::<ZoneError>(error, patience.clock.uptime() - began)?,
                }
            }
        };
        Ok(attend(&mut self.feed, self.grace, work).await??)
    }

    async fn won(&mut self, sequence: Sequence, written: Written, files: usize) -> Step {
        let ranges = self.progress.ranges(&self.facts.topic_id);
        self.progress.commit();
        self.pace.committed();
        self.publish(sequence).await?;
        self.member.mirror(&self.progress.offsets());
        let messages = ranges.iter().map(|range| range.accepted + range.rejected + range.tombstones).sum::<u64>();
        let absent = ranges.iter().map(|range| range.absent).sum::<u64>();
        let Written { rows, rejects, bytes } = written;
        self.summary.count(sequence, messages, &written, files);
        self.patience.board.zone(self.zone.fold());
        let lag = self.tell_lag();
        tracing::info!(
            sequence = sequence.0,
            rows,
            rejected = rejects,
            messages,
            absent,
            files,
            bytes,
            lag,
            "committed"
        );
        self.ingesting();
        Ok(())
    }

    async fn publish(&mut self, sequence: Sequence) -> Step {
        let (zone, patience) = (&mut self.zone, &self.patience);
        let work = async {
            let began = patience.clock.uptime();
            while let Err(error) = zone.publish(sequence).await {
                patience.endure(error, patience.clock.uptime() - began)?;
            }
            Ok::<_, Failure>(())
        };
        Ok(attend(&mut self.feed, self.grace, work).await??)
    }

    async fn lost(&mut self, refusal: &Refusal) -> Step {
        tracing::warn!(%refusal, "another writer has moved the zone on; what was read is dropped and read again");
        self.start_over().await
    }
}
