//! The folds of every log that a case can have. Each is made once by the product's `Fold` and found again by its number.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::sync::Mutex;

use foldhash::fast::FixedState;
use gristmill_core::log::{BeforeAttempt, Fold, LiveFile, Publication, before_attempt};

use crate::arena::Arena;
use crate::entries::{Description, Entries, EntryId, Saying, consumer_id, incarnation_id, zone_id};
use crate::invariant::Invariant;
use crate::ledger::Ledger;
use crate::rules::{Rule, excused, rewritten};

const SHARDS: usize = 16;

/// A log from genesis to a head. 0 is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FoldId(pub(crate) u32);

impl FoldId {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn is_some(self) -> bool {
        self != Self::NONE
    }
}

/// What the product's code says of a log, and what the ledger says.
pub(crate) struct Node {
    pub(crate) fold: Fold,
    pub(crate) facts: Facts,
    pub(crate) ledger: Ledger,
    /// The invariants that the last entry breaks, by the ledger.
    pub(crate) broken: u32,
    parent: FoldId,
    entry: EntryId,
    publication: Publication,
    renames: Renames,
}

/// What processes ask a fold for all the time, read from it once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) zone: u8,
    pub(crate) head: u8,
    pub(crate) next: [u8; 2],
    pub(crate) generation: u8,
    /// Live files with the sequence that added them.
    pub(crate) live: Vec<(EntryId, u8)>,
    /// Sequences whose publication renames something.
    pub(crate) visible: u16,
    /// Incarnations that are fenced.
    pub(crate) fenced: u32,
    /// Whether the consumer is registered.
    pub(crate) registered: bool,
    /// Position of the consumer or, in a Processed zone, that of the zone.
    pub(crate) position: Option<i8>,
}

/// The files of a publication.
#[derive(Debug, Clone, Default)]
pub(crate) struct Renames {
    pub(crate) retire: Vec<EntryId>,
    pub(crate) publish: Vec<EntryId>,
}

/// What `before_attempt` decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    AlreadyThere,
    Lost,
    Take,
}

pub(crate) struct History {
    pub(crate) entries: Entries,
    broken: Option<Rule>,
    nodes: Arena<Node>,
    begun: Mutex<HashMap<EntryId, FoldId>>,
    applied: Memo<FoldId>,
    decided: Memo<Before>,
}

type Shard<V> = Mutex<HashMap<(FoldId, EntryId), V, FixedState>>;

/// Answers to questions about a log and an entry.
struct Memo<V>([Shard<V>; SHARDS]);

impl<V: Copy> Memo<V> {
    fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }

    fn shard(&self, key: (FoldId, EntryId)) -> &Shard<V> {
        &self.0[(FixedState::with_seed(3).hash_one(key) % SHARDS as u64) as usize]
    }

    /// The answer, asked for once.
    fn get(&self, key: (FoldId, EntryId), answer: impl FnOnce() -> V) -> V {
        let mut shard = self.shard(key).lock().expect("no thread panics while it asks");
        *shard.entry(key).or_insert_with(answer)
    }
}

/// Whether a checkpoint of a fold is read again as another.
fn checkpoint_differs(fold: &Fold) -> u32 {
    let restored = Fold::restore(fold.zone_id(), fold.head(), &fold.encode_state(), fold.live_records());
    if restored.is_ok_and(|restored| restored == *fold) { 0 } else { Invariant::Checkpoint.bit() }
}

impl History {
    pub(crate) fn new(broken: Option<Rule>) -> Self {
        let entries = Entries::new();
        let history = Self {
            entries,
            broken,
            nodes: Arena::default(),
            begun: Mutex::default(),
            applied: Memo::new(),
            decided: Memo::new(),
        };
        // Index 0 stands for no log, and is never looked at.
        history.begin(Description { zone: 0, author: 0, number: 0, saying: Saying::RawGenesis });
        history.begun.lock().expect("nobody else has it").clear();
        history
    }

    /// The log that holds a genesis only.
    pub(crate) fn begin(&self, genesis: Description) -> FoldId {
        let zone = genesis.zone;
        let entry = self.entries.id(genesis.clone());
        let mut begun = self.begun.lock().expect("no thread panics while it begins a log");
        *begun.entry(entry).or_insert_with(|| {
            let fold = Fold::begin(zone_id(zone), self.entries.entry(entry)).expect("the genesis is of this zone");
            let position = fold.positions().get(&0).map(|position| *position as i8);
            let facts = Facts { zone, position, ..Facts::default() };
            let ledger = Ledger::begin(&genesis);
            let (publication, renames) = Default::default();
            let node = Node { fold, facts, ledger, broken: 0, parent: FoldId::NONE, entry, publication, renames };
            FoldId(u32::try_from(self.nodes.push(node)).expect("there are few zones"))
        })
    }

    pub(crate) fn node(&self, log: FoldId) -> &Node {
        self.nodes.get(log.0 as usize)
    }

    pub(crate) fn facts(&self, log: FoldId) -> &Facts {
        &self.node(log).facts
    }

    pub(crate) fn folds(&self) -> usize {
        self.nodes.len()
    }

    /// The log with one entry more, `NONE` if the product's fold refuses it.
    pub(crate) fn apply(&self, log: FoldId, entry: EntryId) -> FoldId {
        self.applied.get((log, entry), || self.fold_one(log, entry))
    }

    fn fold_one(&self, log: FoldId, id: EntryId) -> FoldId {
        let Node { fold, facts, ledger, .. } = self.node(log);
        let mut fold = fold.clone();
        let rewritten = rewritten(self.broken, self.entries.entry(id));
        let entry = rewritten.as_ref().unwrap_or_else(|| self.entries.entry(id));
        let publication = fold.apply(entry).or_else(|refused| match excused(self.broken, entry, &fold, &refused) {
            Some(entry) => fold.apply(&entry),
            None => Err(refused),
        });
        let Ok(publication) = publication else {
            return FoldId::NONE;
        };
        let mut ledger = ledger.clone();
        let broken = ledger.take(id, self.entries.describe(id)) | checkpoint_differs(&fold);
        let facts = self.read(facts, &fold, &publication, id);
        let renames = self.renames(&publication);
        let node = Node { fold, facts, ledger, broken, parent: log, entry: id, publication, renames };
        FoldId(u32::try_from(self.nodes.push(node)).expect("a case has fewer than 2^32 logs"))
    }

    fn read(&self, before: &Facts, fold: &Fold, publication: &Publication, entry: EntryId) -> Facts {
        let head = u8::try_from(fold.head().0).expect("logs are short");
        let bit = |is: bool| if is { 1 << head } else { 0 };
        let small = |number: i64| u8::try_from(number).expect("offsets are small");
        let sequence = |live: &LiveFile| live.sequence.0 as u8;
        let consumer = fold.consumers().get(&consumer_id()).map(|consumer| consumer.position);
        let position = consumer.or(fold.positions().get(&0).copied()).map(|position| position as i8);
        Facts {
            zone: before.zone,
            head,
            next: [small(fold.next(0)), small(fold.next(1))],
            generation: small(i64::from(fold.generation())),
            live: fold.live().iter().map(|(key, live)| (self.entries.adder(&key.path), sequence(live))).collect(),
            visible: before.visible | bit(!publication.is_empty()),
            fenced: before.fenced | self.fences(fold, entry),
            registered: position.is_some(),
            position,
        }
    }

    /// The incarnations that an entry fences; also where the broken rule has the fold not know of it.
    fn fences(&self, fold: &Fold, entry: EntryId) -> u32 {
        match self.entries.describe(entry).saying {
            Saying::Fence { incarnation } => {
                let known = fold.is_fenced(incarnation_id(incarnation));
                if known || self.broken == Some(Rule::FencedAppendsNothing) { 1 << incarnation } else { 0 }
            }
            _ => 0,
        }
    }

    fn renames(&self, publication: &Publication) -> Renames {
        Renames {
            retire: publication.retire.iter().map(|file| self.entries.adder(&file.path)).collect(),
            publish: publication.publish.iter().map(|file| self.entries.adder(&file.path)).collect(),
        }
    }

    /// What the product decides about an entry before an attempt.
    pub(crate) fn before(&self, log: FoldId, entry: EntryId) -> Before {
        self.decided.get((log, entry), || {
            match before_attempt(&self.node(log).fold, self.entries.entry(entry)) {
                BeforeAttempt::AlreadyThere(_) => Before::AlreadyThere,
                // Whether a refusal is excused, only folding tells.
                BeforeAttempt::Lost(_) if self.broken.is_some() && self.apply(log, entry).is_some() => Before::Take,
                BeforeAttempt::Lost(_) => Before::Lost,
                BeforeAttempt::Take(_) => Before::Take,
            }
        })
    }

    /// The entry of a slot, as a log has it.
    pub(crate) fn entry_at(&self, log: FoldId, sequence: u8) -> EntryId {
        self.node(self.at(log, sequence)).entry
    }

    /// What publishing the entry of a slot renames.
    pub(crate) fn publication(&self, log: FoldId, sequence: u8) -> &Renames {
        &self.node(self.at(log, sequence)).renames
    }

    /// The same, as the product says it.
    pub(crate) fn product_publication(&self, log: FoldId, sequence: u8) -> &Publication {
        &self.node(self.at(log, sequence)).publication
    }

    /// The log as it was when this slot was its head.
    pub(crate) fn at(&self, mut log: FoldId, sequence: u8) -> FoldId {
        while self.facts(log).head > sequence {
            log = self.node(log).parent;
        }
        log
    }

    /// Whether an entry is in a log.
    pub(crate) fn contains(&self, mut log: FoldId, entry: EntryId) -> bool {
        while log.is_some() {
            let node = self.node(log);
            if node.entry == entry {
                return true;
            }
            log = node.parent;
        }
        false
    }

    pub(crate) fn holds(&self, rule: Rule) -> bool {
        self.broken != Some(rule)
    }
}
