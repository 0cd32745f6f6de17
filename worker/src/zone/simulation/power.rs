//! Power loss on `file://` (schedule 18): the system calls of the product's own store are recorded with their syncs; for
//! every prefix of them the states that a disk may be in are rebuilt, and recovered from.
//!
//! The disk is as unkind as POSIX allows: what was not synced may be there or not, in any combination, bytes and names
//! alike; a name outlives its bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use gristmill_core::log::{Sequence, layout};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::Violation;
use super::actors::{Range, commit, maintain, open_raw, raw_data, settle};
use super::checker::Checker;
use super::faults::FaultPlan;
use super::world::{World, alone};
use crate::store::disk::{Disk, LocalDisk};
use crate::store::{FileStore, Store, StorePath};
use crate::zone::rules::Rules;
use crate::zone::{Surroundings, ZoneError};

/// A system call that changed something, or what the process was told.
#[derive(Debug, Clone)]
enum Call {
    Create(String),
    Write(String, Vec<u8>),
    SyncFile(String),
    Link(String, String),
    Unlink(String),
    CreateDirectory(String),
    RemoveDirectory(String),
    SyncDirectory(String),
    /// The process was told that its entry stands.
    Committed(Sequence),
}

/// Which syncs a disk does, and which it only says to have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Syncs {
    All,
    NotOfFiles,
    NotOfDirectories,
}

/// A local disk below a directory that writes down what it does.
struct Recorder {
    root: String,
    calls: Arc<Mutex<Vec<Call>>>,
    syncs: Syncs,
}

impl Recorder {
    /// The path as the simulated world has it.
    fn name(&self, path: &Path) -> String {
        let path = path.to_str().expect("a path of the test");
        path.strip_prefix(&self.root).unwrap_or(path).to_owned()
    }

    fn record(&self, call: Call) {
        self.calls.lock().expect("no recorder panics").push(call);
    }
}

impl Disk for Recorder {
    fn create_new(&self, path: &Path) -> io::Result<File> {
        LocalDisk.create_new(path).inspect(|_| self.record(Call::Create(self.name(path))))
    }

    fn write(&self, path: &Path, file: &File, bytes: &[u8]) -> io::Result<()> {
        LocalDisk.write(path, file, bytes)?;
        self.record(Call::Write(self.name(path), bytes.to_vec()));
        Ok(())
    }

    fn sync_file(&self, path: &Path, _file: &File) -> io::Result<()> {
        if self.syncs != Syncs::NotOfFiles {
            self.record(Call::SyncFile(self.name(path)));
        }
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        LocalDisk.link(from, to)?;
        self.record(Call::Link(self.name(from), self.name(to)));
        Ok(())
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        LocalDisk.unlink(path)?;
        self.record(Call::Unlink(self.name(path)));
        Ok(())
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        LocalDisk.create_directory(path)?;
        self.record(Call::CreateDirectory(self.name(path)));
        Ok(())
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove_directory(path)?;
        self.record(Call::RemoveDirectory(self.name(path)));
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        if self.syncs != Syncs::NotOfDirectories {
            self.record(Call::SyncDirectory(self.name(path)));
        }
        Ok(())
    }
}

/// What a name in a directory stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    File(usize),
    Directory,
    Nothing,
}

/// A disk: what is durable, and what is not yet.
#[derive(Default)]
struct Model {
    /// Bytes of each file, and how many of them are durable.
    files: Vec<(Vec<u8>, usize)>,
    durable: BTreeMap<String, Node>,
    /// Changes of names that no sync of their directory has followed, oldest first.
    pending: Vec<(String, Node)>,
}

impl Model {
    fn after(calls: &[Call]) -> Self {
        let mut model = Self::default();
        calls.iter().for_each(|call| model.take(call));
        model
    }

    fn take(&mut self, call: &Call) {
        match call {
            Call::Create(path) => {
                self.files.push((Vec::new(), 0));
                self.pending.push((path.clone(), Node::File(self.files.len() - 1)));
            }
            Call::Write(path, bytes) => {
                if let Node::File(file) = self.now(path) {
                    self.files[file].0.extend_from_slice(bytes);
                }
            }
            Call::SyncFile(path) => {
                if let Node::File(file) = self.now(path) {
                    self.files[file].1 = self.files[file].0.len();
                }
            }
            Call::Link(from, to) => self.pending.push((to.clone(), self.now(from))),
            Call::Unlink(path) | Call::RemoveDirectory(path) => self.pending.push((path.clone(), Node::Nothing)),
            Call::CreateDirectory(path) => self.pending.push((path.clone(), Node::Directory)),
            Call::SyncDirectory(directory) => {
                let (synced, pending) = std::mem::take(&mut self.pending)
                    .into_iter()
                    .partition(|(path, _): &(String, Node)| parent(path) == directory);
                self.pending = pending;
                self.durable.extend::<Vec<_>>(synced);
            }
            Call::Committed(_) => {}
        }
    }

    fn now(&self, path: &str) -> Node {
        let pending = self.pending.iter().rev().find(|(name, _)| name == path);
        pending.map(|(_, node)| *node).or_else(|| self.durable.get(path).copied()).unwrap_or(Node::Nothing)
    }

    /// What is there when the power comes back; `keep` decides for each change and each file's last bytes.
    fn survivors(&self, mut keep: impl FnMut() -> bool) -> BTreeMap<String, Bytes> {
        let mut names = self.durable.clone();
        for (path, node) in &self.pending {
            if keep() {
                names.insert(path.clone(), *node);
            }
        }
        let lengths: Vec<_> =
            self.files.iter().map(|(bytes, durable)| if keep() { bytes.len() } else { *durable }).collect();
        let reachable = |path: &str| {
            let mut above = parent(path);
            while above != ZONES {
                if names.get(above) != Some(&Node::Directory) {
                    return false;
                }
                above = parent(above);
            }
            true
        };
        let file = |(path, node): (&String, &Node)| match node {
            Node::File(file) if reachable(path) => {
                Some((path.clone(), Bytes::copy_from_slice(&self.files[*file].0[..lengths[*file]])))
            }
            Node::File(_) | Node::Directory | Node::Nothing => None,
        };
        names.iter().filter_map(file).collect()
    }
}

/// The directory that is there before the run.
const ZONES: &str = "/raw";

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// A worker that makes the zone, commits five times, and with that writes checkpoints and truncates.
async fn record(syncs: Syncs) -> Vec<Call> {
    let kept = tempfile::tempdir().expect("a temporary directory");
    let root = kept.path().display().to_string();
    std::fs::create_dir(kept.path().join("raw")).expect("the directory of zones");
    let calls = Arc::new(Mutex::new(Vec::new()));
    let recorder = Recorder { root: root.clone(), calls: Arc::clone(&calls), syncs };
    let world = World::new();
    // The store tells the time of this machine, so the world does not compare it with its own.
    let surroundings = Surroundings {
        store: Arc::new(FileStore::over(Arc::new(recorder))) as Arc<dyn Store>,
        url: format!("file://{root}{}", World::url().directory()).parse().expect("a URL"),
        checkpoint_every: 2,
        entries_kept: 0,
        ..world.process(FaultPlan::none(), Rules::all_but(crate::zone::rules::Rule::SkewIsRefused)).1
    };
    let mut zone = open_raw(&surroundings).await.expect("opened");
    for _ in 0..5 {
        let from = zone.fold().next(0);
        let data = raw_data(&mut zone, vec![Range { partition: 0, from, to: from + 3 }]).await.expect("staged");
        let sequence = commit(&mut zone, data).await.expect("decided").expect("nobody else writes");
        calls.lock().expect("no recorder panics").push(Call::Committed(sequence));
        maintain(&mut zone).await.expect("maintained");
    }
    drop(zone);
    calls.lock().expect("no recorder panics").clone()
}

/// A world whose disk is what the power loss has left.
async fn world_of(calls: &[Call], survivors: BTreeMap<String, Bytes>) -> World {
    let world = World::new();
    world.skip_ids(1_000_000);
    let checkpoints = survivors.keys().filter_map(|path| layout::checkpoint_sequence(path.rsplit('/').next()?));
    let newest = checkpoints.max();
    // The checker wants to see the entries below the checkpoint, which truncation has taken.
    for call in calls {
        if let Call::Link(_, to) = call
            && let Some(sequence) = layout::slot_sequence(to.rsplit('/').next().unwrap_or_default())
            && Some(sequence) <= newest
            && let Some(bytes) = linked_as(calls, to)
        {
            world.remember_as(to.clone(), bytes);
        }
    }
    for (path, bytes) in survivors {
        let place = StorePath::of(path);
        world.memory.create_directories(&place.parent()).await.expect("made");
        world.memory.replace(&place, bytes);
        world.remember(&place);
    }
    world
}

/// The bytes that a name had when it was linked.
fn linked_as(calls: &[Call], to: &str) -> Option<Bytes> {
    let linked = calls.iter().position(|call| matches!(call, Call::Link(_, name) if name == to))?;
    let then = Model::after(&calls[..=linked]);
    match then.now(to) {
        Node::File(file) => Some(Bytes::from(then.files[file].0.clone())),
        Node::Directory | Node::Nothing => None,
    }
}

/// Loses power after each call, in so many ways; gives the number of disks that were recovered from.
async fn lose_power(syncs: Syncs, ways: u64) -> Result<usize, Violation> {
    let calls = record(syncs).await;
    let mut recovered = 0;
    for prefix in 0..=calls.len() {
        let done = &calls[..prefix];
        let told = done.iter().rev().find_map(|call| match call {
            Call::Committed(sequence) => Some(*sequence),
            _ => None,
        });
        let model = Model::after(done);
        for way in 0..ways {
            let mut random = StdRng::seed_from_u64(way * 7919 + prefix as u64);
            let survivors = model.survivors(|| match way {
                0 => false,
                1 => true,
                _ => random.random_ratio(1, 2),
            });
            let at = |violation| format!("after call {prefix} ({:?}), way {way}: {violation}", done.last());
            let world = world_of(done, survivors).await;
            alone(&world, usize::MAX, settle(&world)).and_then(|ended| ended.ok_or("it died")?).map_err(at)?;
            let head = Checker::new(&world).head().map_err(at)?;
            if told.is_some_and(|told| head < told) {
                return Err(at(format!("entry {told:?} was reported as committed, the head is {head}")));
            }
            recovered += 1;
        }
    }
    Ok(recovered)
}

#[tokio::test]
async fn schedule_18_a_power_loss_after_any_system_call_loses_nothing_that_was_committed() {
    let recovered = lose_power(Syncs::All, 6).await.expect("every disk is recovered from");
    assert!(recovered > 1000, "{recovered} disks");
}

#[tokio::test]
async fn schedule_18_without_syncs_of_files_committed_bytes_are_lost() {
    lose_power(Syncs::NotOfFiles, 2).await.expect_err("it is found");
}

#[tokio::test]
async fn schedule_18_without_syncs_of_directories_committed_names_are_lost() {
    lose_power(Syncs::NotOfDirectories, 4).await.expect_err("it is found");
}

/// A disk on a volume that cannot link, as SMB shares and exFAT are.
struct WithoutLinks;

impl Disk for WithoutLinks {
    fn create_new(&self, path: &Path) -> io::Result<File> {
        LocalDisk.create_new(path)
    }

    fn write(&self, path: &Path, file: &File, bytes: &[u8]) -> io::Result<()> {
        LocalDisk.write(path, file, bytes)
    }

    fn sync_file(&self, path: &Path, file: &File) -> io::Result<()> {
        LocalDisk.sync_file(path, file)
    }

    fn link(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        LocalDisk.unlink(path)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        LocalDisk.create_directory(path)
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove_directory(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        LocalDisk.sync_directory(path)
    }
}

#[tokio::test]
async fn schedule_19_a_volume_without_hard_links_is_refused_when_a_zone_is_opened() {
    let kept = tempfile::tempdir().expect("a temporary directory");
    let url = format!("file://{}/raw", kept.path().display()).parse().expect("a URL");
    let surroundings = Surroundings {
        store: Arc::new(FileStore::over(Arc::new(WithoutLinks))) as Arc<dyn Store>,
        url,
        ..World::new().calm()
    };
    let refused = super::actors::open_once(&surroundings, &super::actors::raw_expected()).await.map(drop);
    let Err(ZoneError::Store { source, .. }) = refused else { panic!("it is refused: {refused:?}") };
    assert!(source.message.contains("use a file system with hard links, or hdfs://"), "{source}");
    assert!(!kept.path().join("raw/_log").exists(), "no log is begun there");
}
