//! All processes and the disk: what is there after each step is what the model says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::super::fake::{Clocks, Fake};
use super::super::{TempDir, file_name, name, paths};
use super::process::{Change, Process, blocks};
use super::{Action, Item, MAX_BLOCKS, MAX_FILES, MAX_PROCESSES, Step, id_of};
use crate::deliver::spool::Spool;
use crate::deliver::spool::name::Key;
use crate::deliver::spool::seal::unseal;

pub(super) struct World {
    dir: TempDir,
    clocks: Arc<Clocks>,
    living: Vec<Process>,
    /// By the names of their directories.
    dead: BTreeMap<String, Vec<Item>>,
    next: u64,
}

impl World {
    pub(super) fn new() -> Self {
        let (dir, clocks) = (TempDir::new(), Clocks::new());
        let mut world = Self { dir, clocks, living: Vec::new(), dead: BTreeMap::new(), next: 0 };
        world.start();
        world
    }

    pub(super) fn act(&mut self, action: &Action) {
        let may_start = matches!(action.step, Step::Start) && self.living.len() < MAX_PROCESSES;
        if self.living.is_empty() || may_start {
            self.start();
        }
        let at = action.process.index(self.living.len());
        let mut process = self.living.remove(at);
        if let Some(death) = action.death {
            process.system.die(death);
        }
        let before = self.on_disk();
        let change = self.step(&mut process, &action.step);
        process.system.spare();
        if process.system.is_dead() {
            self.bury(process, &before, &change);
        } else if matches!(action.step, Step::Exit) {
            process.items.iter_mut().for_each(|item| item.is_held = false);
            self.dead.insert(process.name.clone(), process.items.clone());
        } else {
            self.living.insert(at, process);
        }
        self.compare();
    }

    /// One last process gets everything.
    pub(super) fn end(mut self) {
        self.living.clear();
        let expected = self.on_disk().len() as u64;
        let spool = Spool::open_fake(&self.dir.options(), &Fake::with(Arc::clone(&self.clocks)));
        let drained = spool.drain().len() as u64;
        assert_eq!(drained + spool.counts().evicted.for_age, expected);
        assert_eq!(self.processes(), [file_name(spool.home())], "nothing is left of the dead");
    }

    fn start(&mut self) {
        self.clocks.pass(Duration::from_millis(1));
        let system = Fake::with(Arc::clone(&self.clocks));
        let mut options = self.dir.options().max_bytes(MAX_BLOCKS * 4096);
        options.limits.files = MAX_FILES;
        let spool = Spool::open_fake(&options, &system);
        let name = file_name(spool.home());
        let (held, items, swept) = (Vec::new(), Vec::new(), Duration::ZERO);
        self.living.push(Process { spool, system, name, held, items, evicted: 0, latest: 0, swept });
    }

    fn step(&mut self, process: &mut Process, step: &Step) -> Change {
        match step {
            Step::Put { lane, bytes } => {
                let id = self.next;
                self.next += 1;
                return process.put(id, *lane, *bytes);
            }
            Step::Take => return process.take(&mut self.dead, &mut self.next),
            Step::Adopt => {
                process.spool.adopt();
                return process.adopt(&mut self.dead, &mut self.next);
            }
            Step::Remove(index) => return process.settle(*index, |entry| entry.remove()),
            Step::Quarantine(index) => return process.settle(*index, |entry| entry.quarantine("refused")),
            Step::LetGo(index) => process.let_go(*index),
            Step::Pass(time) => self.clocks.pass(*time),
            Step::SetClock(wall) => self.clocks.set_wall(*wall),
            Step::Start | Step::Exit => {}
        }
        Change::default()
    }

    /// A process died in the middle of a step. Nothing is lost that it was not about to remove, nothing is there
    /// that was not before, and nothing moved but what it was moving. From now on what is on disk is what there is.
    fn bury(&mut self, process: Process, before: &BTreeMap<u64, String>, change: &Change) {
        drop((process.held, process.spool));
        let after = self.on_disk();
        for (id, place) in before {
            let found = after.get(id);
            assert!(found.is_some() || change.removed.contains(id), "{id} is lost");
            let is_there = found.is_none_or(|found| found == place);
            assert!(is_there || change.moved.contains(id), "{id} was not to be moved");
        }
        for id in after.keys() {
            assert!(before.contains_key(id) || change.added.contains(id), "{id} came from nowhere");
        }
        let living: BTreeSet<&str> = self.living.iter().map(|process| &*process.name).collect();
        let dead = self.processes().into_iter().filter(|name| !living.contains(&**name));
        let dead = dead.map(|name| (self.items(&self.dir.destination().join(&name)), name));
        self.dead = dead.filter(|(items, _)| !items.is_empty()).map(|(items, name)| (name, items)).collect();
        // What is found is ordered by the sequences of its names, what comes next by these.
        self.next = self.next.max(1 << 32);
    }

    fn compare(&self) {
        let living = self.living.iter().map(|process| (&process.name, &process.items));
        let all = living.chain(&self.dead);
        let expected: BTreeMap<u64, String> =
            all.flat_map(|(name, items)| items.iter().map(|item| (item.id, name.clone()))).collect();
        assert_eq!(self.on_disk(), expected);
        for Process { spool, items, evicted, .. } in &self.living {
            let counts = spool.counts();
            let waiting = items.iter().filter(|item| !item.is_held).count();
            assert_eq!((counts.files, counts.waiting), (items.len() as u64, waiting as u64));
            assert_eq!(counts.bytes, blocks(items) * 4096);
            assert!(counts.bytes <= MAX_BLOCKS * 4096 && counts.files <= MAX_FILES as u64);
            let counted = counts.evicted;
            assert_eq!(counted.for_age + counted.for_bytes + counted.for_files, *evicted);
        }
    }

    /// Where each envelope is; nowhere is one twice.
    fn on_disk(&self) -> BTreeMap<u64, String> {
        let mut found = BTreeMap::new();
        for (name, envelopes) in self.dir.envelopes() {
            for envelope in envelopes {
                assert_eq!(found.insert(id_of(&envelope), name.clone()), None, "twice");
            }
        }
        found
    }

    fn processes(&self) -> Vec<String> {
        let names = paths(&self.dir.destination()).into_iter().map(|path| file_name(&path));
        names.filter(|name| name::is_process(name)).collect()
    }

    /// The envelopes in a directory, as their names describe them.
    fn items(&self, process: &Path) -> Vec<Item> {
        let named =
            paths(process).into_iter().filter_map(|path| Some((Key::parse(&file_name(&path))?, path)));
        let item = |(key, path): (Key, _)| {
            let file = fs::read(path).unwrap();
            let (lane, stamp, order, blocks) = (key.lane, key.stamp, key.sequence, file.len().div_ceil(4096));
            let (id, blocks) = (id_of(&unseal(file).unwrap()), blocks as u64);
            Item { id, lane, stamp, order, blocks, expires: Duration::ZERO, is_held: false }
        };
        named.map(item).collect()
    }
}
