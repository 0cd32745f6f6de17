//! Opening a zone for writing, and making it where there is none.

use std::fmt::Display;

use gristmill_core::log::{
    CommitId, Digest, Fold, Genesis, Incarnation, Keep, Kind, PartitionField, PartitionStart, ProcessedGenesis,
    RawGenesis, Sequence, Source, ZoneId, encode_zone_file, layout,
};

use super::slots::{Slots, Taken, write_file, zone_id_in_place};
use super::surroundings::Pauses;
use super::{GenesisFact, Surroundings, Writer, Zone, ZoneError, ZoneReader};

/// What an opener takes the zone for; a zone that was made for something else is refused.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// A RAW zone of this topic.
    Raw {
        /// Kafka's id of the cluster.
        cluster_id: String,
        /// Name of the topic.
        topic: String,
        /// Kafka's id of the topic.
        topic_id: String,
        /// The consumer group.
        group: String,
        /// The nonce of `spec.rewind`. One that the zone has not applied opens it for another topic id and another
        /// cluster too: the rewind is then the first thing to append, and nothing else can be (F9).
        rewind: Option<String>,
    },
    /// A Processed zone of this RAW zone.
    Processed {
        /// The RAW zone.
        raw_zone_id: ZoneId,
        /// Columns that identify a row.
        key: Vec<String>,
        /// Columns that name directories.
        partition_by: Vec<PartitionField>,
        /// Number of buckets.
        buckets: u32,
        /// Which row of a key stays.
        keep: Keep,
        /// Columns that decide which row of a key is the latest.
        order_by: Vec<String>,
    },
}

impl Expected {
    /// What the log of a zone says that the zone is for.
    fn of(fold: &Fold) -> Self {
        match fold.genesis() {
            Genesis::Raw(genesis) => {
                let Source { cluster_id, topic_id } = fold.source().expect("a RAW zone has one").clone();
                let (topic, group) = (genesis.topic.clone(), genesis.group.clone());
                Self::Raw { cluster_id, topic, topic_id, group, rewind: None }
            }
            Genesis::Processed(genesis) => {
                let ProcessedGenesis { zone_id: _, raw_zone_id, key, partition_by, buckets, keep, order_by } =
                    genesis.clone();
                let order_by = order_by.unwrap_or_default();
                Self::Processed { raw_zone_id, key, partition_by, buckets, keep, order_by }
            }
        }
    }
}

/// What was found where a zone is to be opened.
#[expect(clippy::large_enum_variant, reason = "held for a moment and taken apart at once")]
pub enum Opened {
    /// A zone, with everything published that its log names.
    Ready(Zone),
    /// No genesis yet: the caller resolves where to start, then creates it.
    Empty(EmptyZone),
}

/// A place where a zone has an id and no genesis.
pub struct EmptyZone {
    slots: Slots,
    writer: Writer,
    expected: Expected,
}

impl Zone {
    /// Opens a zone for writing with a new incarnation.
    ///
    /// Everything that the log names and that is not published yet is published first.
    ///
    /// # Errors
    /// The zone was made for something else than `expected`, the directory holds other things, the log is corrupt or of
    /// another version, a committed file is lost, or the store fails.
    pub async fn open(
        surroundings: Surroundings,
        expected: Expected,
        spec_digest: Digest,
    ) -> Result<Opened, ZoneError> {
        let writer = Writer { incarnation: Incarnation::new(surroundings.ids.draw()), spec_digest };
        let in_place = zone_id_in_place(&surroundings).await?;
        Self::open_in_place(surroundings, in_place, expected, writer).await
    }

    async fn open_in_place(
        surroundings: Surroundings,
        mut in_place: Option<ZoneId>,
        expected: Expected,
        writer: Writer,
    ) -> Result<Opened, ZoneError> {
        let incarnation = writer.incarnation;
        if in_place.is_none()
            && let Err(foreign) = refuse_foreign_directory(&surroundings).await
        {
            // What was found may be of a zone that somebody has made since the first look.
            in_place = Some(zone_id_in_place(&surroundings).await?.ok_or(foreign)?);
        }
        let scratch = surroundings.path(&layout::staging(incarnation));
        let proven = surroundings.patiently(|| surroundings.store.prove_exclusive_rename(&scratch)).await;
        proven.map_err(|error| surroundings.failed(error))?;
        let zone_id = match in_place {
            Some(zone_id) => zone_id,
            None => create_zone_file(&surroundings, incarnation).await?,
        };
        let slots = Slots { surroundings, zone_id };
        match ZoneReader::load(slots.clone()).await? {
            Some(reader) => Self::ready(reader, writer, &expected).await.map(Opened::Ready),
            None => Ok(Opened::Empty(EmptyZone { slots, writer, expected })),
        }
    }

    /// Reads the zone that [`Zone::open`] would open; where there is none, what it would be at its beginning. Writes nothing.
    ///
    /// # Errors
    /// As [`Zone::open`].
    pub async fn read_or_imagine(surroundings: Surroundings, expected: &Expected) -> Result<ZoneReader, ZoneError> {
        let zone_id = match zone_id_in_place(&surroundings).await? {
            Some(zone_id) => zone_id,
            None => {
                refuse_foreign_directory(&surroundings).await?;
                ZoneId::new(surroundings.ids.draw())
            }
        };
        let slots = Slots { surroundings, zone_id };
        if let Some(reader) = ZoneReader::load(slots.clone()).await? {
            check(expected, reader.fold(), &reader.surroundings().url().to_string())?;
            return Ok(reader);
        }
        let incarnation = Incarnation::new(slots.surroundings.ids.draw());
        let writer = Writer { incarnation, spec_digest: Digest::of(b"") };
        let genesis = slots.entry(&writer, Kind::Genesis(genesis(zone_id, expected.clone(), Vec::new())));
        Ok(ZoneReader::imagined(slots, &genesis))
    }

    /// Opens the very zone that a reader has open for entries that steer it, as what its own log says it is, with a new
    /// incarnation: whoever has judged by that reader writes into no other zone.
    ///
    /// # Errors
    /// `Replaced` if another zone stands there now, and nothing was written to it then; else as [`Zone::open`].
    pub async fn join(reader: &ZoneReader, spec_digest: Digest) -> Result<Self, ZoneError> {
        let surroundings = reader.surroundings().clone();
        let replaced = || ZoneError::Replaced { zone: surroundings.url.to_string() };
        let in_place = zone_id_in_place(&surroundings).await?;
        if in_place != Some(reader.fold().zone_id()) {
            return Err(replaced());
        }
        let writer = Writer { incarnation: Incarnation::new(surroundings.ids.draw()), spec_digest };
        match Self::open_in_place(surroundings.clone(), in_place, Expected::of(reader.fold()), writer).await? {
            Opened::Ready(zone) => Ok(zone),
            // It was there a moment ago: somebody takes the zone away.
            Opened::Empty(_) => Err(replaced()),
        }
    }

    async fn ready(reader: ZoneReader, writer: Writer, expected: &Expected) -> Result<Self, ZoneError> {
        check(expected, reader.fold(), &reader.surroundings().url().to_string())?;
        let mut zone = Self {
            reader,
            writer,
            unpublished: Default::default(),
            staged_count: 0,
            uncommitted: Default::default(),
            undecided: None,
            looked_at: None,
        };
        zone.remember();
        zone.forget_published().await?;
        zone.publish_all().await?;
        Ok(zone)
    }
}

impl EmptyZone {
    /// Makes it a RAW zone that starts at these offsets.
    ///
    /// Who loses the race to create it opens the winner's: its offsets count, not these.
    ///
    /// # Errors
    /// As [`Zone::open`].
    pub async fn create_raw(self, partitions: Vec<PartitionStart>) -> Result<Zone, ZoneError> {
        self.create(partitions).await
    }

    /// Makes it a Processed zone. Who loses the race to create it opens the winner's.
    ///
    /// # Errors
    /// As [`Zone::open`].
    pub async fn create_processed(self) -> Result<Zone, ZoneError> {
        self.create(Vec::new()).await
    }

    async fn create(self, partitions: Vec<PartitionStart>) -> Result<Zone, ZoneError> {
        let Self { slots, writer, expected } = self;
        let surroundings = slots.surroundings.clone();
        let directory = surroundings.path(&layout::slots(slots.directory_id()));
        let made = surroundings.patiently(|| surroundings.store.create_directories(&directory)).await;
        made.map_err(|error| surroundings.failed(error))?;
        let genesis = Kind::Genesis(genesis(slots.zone_id, expected.clone(), partitions));
        match slots.prepare(slots.entry(&writer, genesis)).await {
            Ok(entry) => {
                let taken = slots.take(Sequence::GENESIS, &entry).await?;
                slots.confirm_zone().await?;
                if taken == Taken::Theirs {
                    slots.drop_body(&entry).await;
                }
            }
            // Others have made the zone, and have taken this process for dead: it finds itself fenced.
            Err(ZoneError::Swept { .. }) => {}
            Err(error) => return Err(error),
        }
        // Whoever won, and however long ago: what is read now is the zone.
        let reader = ZoneReader::load(slots.clone()).await?.ok_or_else(|| slots.replaced())?;
        Zone::ready(reader, writer, &expected).await
    }
}

fn genesis(zone_id: ZoneId, expected: Expected, partitions: Vec<PartitionStart>) -> Genesis {
    match expected {
        Expected::Raw { cluster_id, topic, topic_id, group, rewind: _ } => {
            Genesis::Raw(RawGenesis { zone_id, cluster_id, topic, topic_id, group, partitions })
        }
        Expected::Processed { raw_zone_id, key, partition_by, buckets, keep, order_by } => {
            let order_by = Some(order_by);
            Genesis::Processed(ProcessedGenesis { zone_id, raw_zone_id, key, partition_by, buckets, keep, order_by })
        }
    }
}

/// A directory without a log may hold only what a creator leaves that crashed before it named the zone.
async fn refuse_foreign_directory(surroundings: &Surroundings) -> Result<(), ZoneError> {
    let directory = surroundings.url.directory();
    let listed = surroundings.patiently(|| surroundings.store.list(directory)).await;
    let listed = listed.map_err(|error| surroundings.failed(error))?;
    let ours = [layout::LOG, layout::STAGING];
    match listed.into_iter().map(|element| element.name).filter(|name| !ours.contains(&name.as_str())).min() {
        Some(found) => Err(ZoneError::ForeignDirectory { zone: surroundings.url.to_string(), found }),
        None => Ok(()),
    }
}

/// Names the zone, once: who loses the race takes the winner's name (rule 1).
async fn create_zone_file(surroundings: &Surroundings, incarnation: Incarnation) -> Result<ZoneId, ZoneError> {
    let zone_id = ZoneId::new(surroundings.ids.draw());
    let zone_file = surroundings.path(&layout::zone_file());
    let directory = zone_file.parent();
    let mut pauses = Pauses::new(surroundings);
    loop {
        let body = surroundings.path(&layout::prepared(incarnation, CommitId::new(surroundings.ids.draw())));
        let attempt = async {
            write_file(surroundings, &body, encode_zone_file(zone_id).into()).await?;
            surroundings.store.create_directories(&directory).await?;
            surroundings.store.rename(&body, &zone_file).await
        };
        let outcome = attempt.await;
        // Whatever the attempt reported: the name in place is the zone's.
        if let Some(winner) = zone_id_in_place(surroundings).await? {
            if winner != zone_id {
                drop(surroundings.store.delete(&body).await);
            }
            return Ok(winner);
        }
        match outcome {
            Err(error) if error.is_unavailable() => {
                pauses.pause(error).await.map_err(|error| surroundings.failed(error))?;
            }
            Err(error) => return Err(surroundings.failed(error)),
            Ok(()) => return Err(ZoneError::Replaced { zone: surroundings.url.to_string() }),
        }
    }
}

/// Whether the zone was made for what the opener takes it for.
fn check(expected: &Expected, fold: &Fold, zone: &str) -> Result<(), ZoneError> {
    let same = |what, theirs: &dyn Display, ours: &dyn Display| {
        let (theirs, ours) = (theirs.to_string(), ours.to_string());
        if theirs == ours { Ok(()) } else { Err(ZoneError::OtherGenesis { zone: zone.to_owned(), what, theirs, ours }) }
    };
    match (fold.genesis(), expected) {
        (Genesis::Raw(theirs), Expected::Raw { cluster_id, topic, topic_id, group, rewind }) => {
            same(GenesisFact::Topic, &theirs.topic, topic)?;
            same(GenesisFact::Group, &theirs.group, group)?;
            if rewind.as_ref().is_some_and(|nonce| !fold.rewinds().contains_key(nonce)) {
                return Ok(());
            }
            let Source { cluster_id: their_cluster, topic_id: their_topic } =
                fold.source().expect("a RAW zone has one");
            same(GenesisFact::ClusterId, their_cluster, cluster_id)?;
            same(GenesisFact::TopicId, their_topic, topic_id)
        }
        (
            Genesis::Processed(theirs),
            Expected::Processed { raw_zone_id, key, partition_by, buckets, keep, order_by },
        ) => {
            // No `..`: what a zone was made by is compared.
            let ProcessedGenesis {
                zone_id: _,
                raw_zone_id: their_raw,
                key: their_key,
                partition_by: their_partitions,
                buckets: their_buckets,
                keep: their_keep,
                order_by: their_order,
            } = theirs;
            same(GenesisFact::RawZone, their_raw, raw_zone_id)?;
            same(GenesisFact::Key, &columns(their_key), &columns(key))?;
            same(GenesisFact::PartitionBy, &partitions(their_partitions), &partitions(partition_by))?;
            same(GenesisFact::Buckets, their_buckets, buckets)?;
            same(GenesisFact::Keep, &format!("{their_keep:?}"), &format!("{keep:?}"))?;
            same(GenesisFact::OrderBy, &columns(their_order.as_ref().unwrap_or(order_by)), &columns(order_by))
        }
        (Genesis::Raw(_), Expected::Processed { .. }) => same(GenesisFact::ZoneKind, &"Raw", &"Processed"),
        (Genesis::Processed(_), Expected::Raw { .. }) => same(GenesisFact::ZoneKind, &"Processed", &"Raw"),
    }
}

fn partitions(partition_by: &[PartitionField]) -> String {
    let names: Vec<_> = partition_by.iter().map(|field| format!("{} ({:?})", field.column, field.transform)).collect();
    columns(&names)
}

fn columns(names: &[String]) -> String {
    if names.is_empty() { "no column".to_owned() } else { names.join(", ") }
}
