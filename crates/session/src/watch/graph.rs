//! The watches as a graph: each watch joins one connection to one path in one table.
//!
//! Every watch lies on two lists, that of its path and that of its connection, so firing a
//! path, forgetting a connection and removing one watch each cost what they touch and no
//! more, whatever else is watched. Nothing here knows what a change is: see `fire`.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

use super::{
    WatchLimitReached, WatchLimits, WatcherId,
    arena::{Arena, Id},
    modes::{Mode, Modes, Table},
};

/// One watch: (connection, table, path) and the modes in which it is set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    pub(super) table: Table,
    pub(super) modes: Modes,
    pub(super) path: Id,
    pub(super) watcher: Id,
    pub(super) on_path: Links,
    on_watcher: Links,
}

/// Neighbours on a doubly linked list.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Links {
    previous: Option<Id>,
    pub(super) next: Option<Id>,
}

/// A watched path, held once however many watch it.
#[derive(Debug)]
pub(super) struct PathEntry {
    pub(super) text: Box<str>,
    /// First watch of each table.
    heads: [Option<Id>; 2],
    /// How many of its watches are recursive.
    pub(super) recursive: u32,
}

impl PathEntry {
    pub(super) const fn head(&self, table: Table) -> Option<Id> {
        self.heads[table.index()]
    }
}

/// A connection that watches something.
#[derive(Debug)]
pub(super) struct WatcherEntry {
    pub(super) id: WatcherId,
    head: Option<Id>,
    /// Watches of both tables.
    count: u32,
    /// Watches of the data table alone.
    data_count: u32,
    /// The last round of firing in which it got an event of the data table.
    pub(super) told_in: u64,
}

/// The three kinds of things, how to find them, and how many there are.
#[derive(Debug)]
pub(super) struct Graph {
    limits: WatchLimits,
    hasher: FixedState,
    pub(super) watches: Arena<Watch>,
    pub(super) paths: Arena<PathEntry>,
    pub(super) watchers: Arena<WatcherEntry>,
    watch_index: HashTable<Id>,
    path_index: HashTable<Id>,
    watcher_index: HashTable<Id>,
    pub(super) totals: Totals,
}

/// Counters kept up to date with every change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Watches in the recursive mode.
    pub(super) recursive: usize,
    /// Watches of the data table.
    pub(super) data_watches: usize,
    /// Paths with a watch of the data table.
    pub(super) data_paths: usize,
    /// Connections with a watch of the data table.
    pub(super) data_watchers: usize,
}

impl Graph {
    pub(super) fn new(limits: WatchLimits, seed: u64) -> Self {
        Self {
            limits,
            hasher: FixedState::with_seed(seed),
            watches: Arena::new(),
            paths: Arena::new(),
            watchers: Arena::new(),
            watch_index: HashTable::new(),
            path_index: HashTable::new(),
            watcher_index: HashTable::new(),
            totals: Totals::default(),
        }
    }

    pub(super) fn find_path(&self, text: &str) -> Option<Id> {
        let paths = &self.paths;
        let hash = self.hasher.hash_one(text);
        self.path_index.find(hash, |&id| &*paths[id].text == text).copied()
    }

    pub(super) fn find_watcher(&self, watcher: WatcherId) -> Option<Id> {
        let watchers = &self.watchers;
        let hash = self.hasher.hash_one(watcher.0);
        self.watcher_index.find(hash, |&id| watchers[id].id == watcher).copied()
    }

    /// The watch that joins the two, if there is one.
    pub(super) fn find(&self, table: Table, path: Id, watcher: Id) -> Option<Id> {
        let hash = self.hash_watch(table, path, watcher);
        let is_it = |&id: &Id| {
            let watch = &self.watches[id];
            (watch.table, watch.path, watch.watcher) == (table, path, watcher)
        };
        self.watch_index.find(hash, is_it).copied()
    }

    /// Sets `mode` between the two; setting it twice is setting it once.
    pub(super) fn add(
        &mut self,
        table: Table,
        text: &str,
        watcher: WatcherId,
        mode: Mode,
    ) -> Result<(), WatchLimitReached> {
        let known_watcher = self.find_watcher(watcher);
        let known_path = self.find_path(text);
        if let (Some(path), Some(watcher)) = (known_path, known_watcher)
            && let Some(id) = self.find(table, path, watcher)
        {
            self.add_mode(id, mode);
            return Ok(());
        }
        let held = known_watcher.map_or(0, |id| self.watchers[id].count);
        if held >= self.limits.per_connection || self.watches.len() >= self.limits.total as usize {
            return Err(WatchLimitReached);
        }
        let path = known_path.unwrap_or_else(|| self.insert_path(text));
        let watcher = known_watcher.unwrap_or_else(|| self.insert_watcher(watcher));
        let id = self.link(table, path, watcher);
        self.add_mode(id, mode);
        Ok(())
    }

    /// Takes `modes` from a watch; without modes left it is gone.
    pub(super) fn remove_modes(&mut self, id: Id, modes: Modes) {
        let watch = &mut self.watches[id];
        if watch.modes.has(Mode::Recursive) && modes.has(Mode::Recursive) {
            self.paths[watch.path].recursive -= 1;
            self.totals.recursive -= 1;
        }
        watch.modes = watch.modes.without(modes);
        if watch.modes.is_empty() {
            self.unlink(id);
        }
    }

    /// Forgets a connection and all its watches.
    pub(super) fn remove_watcher(&mut self, watcher: WatcherId) {
        // The entry goes with its last watch, and it has at least one.
        let Some(entry) = self.find_watcher(watcher) else { return };
        for _ in 0..self.watchers[entry].count {
            let first = self.watchers[entry].head.expect("the count is the list's length");
            self.remove_modes(first, Modes::ALL);
        }
    }

    /// The watches of a connection, the last one set first.
    pub(super) fn watches_of(&self, watcher: Id) -> impl Iterator<Item = &Watch> {
        let first = self.watchers[watcher].head.map(|id| &self.watches[id]);
        std::iter::successors(first, |watch| watch.on_watcher.next.map(|id| &self.watches[id]))
    }

    /// The watches of a path in one table, the last one set first.
    pub(super) fn watches_on(&self, path: Id, table: Table) -> impl Iterator<Item = &Watch> {
        let first = self.paths[path].head(table).map(|id| &self.watches[id]);
        std::iter::successors(first, |watch| watch.on_path.next.map(|id| &self.watches[id]))
    }

    fn hash_watch(&self, table: Table, path: Id, watcher: Id) -> u64 {
        hash_watch(&self.hasher, table, path, watcher)
    }

    fn add_mode(&mut self, id: Id, mode: Mode) {
        let watch = &mut self.watches[id];
        if mode == Mode::Recursive && !watch.modes.has(Mode::Recursive) {
            self.paths[watch.path].recursive += 1;
            self.totals.recursive += 1;
        }
        watch.modes = watch.modes.with(mode);
    }

    fn insert_path(&mut self, text: &str) -> Id {
        let hash = self.hasher.hash_one(text);
        let entry = PathEntry { text: text.into(), heads: [None; 2], recursive: 0 };
        let id = self.paths.insert(entry);
        let (paths, hasher) = (&self.paths, &self.hasher);
        self.path_index.insert_unique(hash, id, |&id| hasher.hash_one(&*paths[id].text));
        id
    }

    fn insert_watcher(&mut self, watcher: WatcherId) -> Id {
        let hash = self.hasher.hash_one(watcher.0);
        let entry = WatcherEntry { id: watcher, head: None, count: 0, data_count: 0, told_in: 0 };
        let id = self.watchers.insert(entry);
        let (watchers, hasher) = (&self.watchers, &self.hasher);
        self.watcher_index.insert_unique(hash, id, |&id| hasher.hash_one(watchers[id].id.0));
        id
    }

    /// Makes a watch without modes and puts it at the front of its two lists.
    fn link(&mut self, table: Table, path: Id, watcher: Id) -> Id {
        let path_entry = &mut self.paths[path];
        let watcher_entry = &mut self.watchers[watcher];
        let next_on_path = path_entry.heads[table.index()];
        let next_on_watcher = watcher_entry.head;
        let id = self.watches.insert(Watch {
            table,
            modes: Modes::NONE,
            path,
            watcher,
            on_path: Links { previous: None, next: next_on_path },
            on_watcher: Links { previous: None, next: next_on_watcher },
        });
        path_entry.heads[table.index()] = Some(id);
        watcher_entry.head = Some(id);
        watcher_entry.count += 1;
        if let Some(next) = next_on_path {
            self.watches[next].on_path.previous = Some(id);
        }
        if let Some(next) = next_on_watcher {
            self.watches[next].on_watcher.previous = Some(id);
        }
        if table == Table::Data {
            watcher_entry.data_count += 1;
            self.totals.data_watches += 1;
            self.totals.data_paths += usize::from(next_on_path.is_none());
            self.totals.data_watchers += usize::from(watcher_entry.data_count == 1);
        }
        let hash = self.hash_watch(table, path, watcher);
        let (watches, hasher) = (&self.watches, &self.hasher);
        self.watch_index.insert_unique(hash, id, |&id| {
            let watch = &watches[id];
            hash_watch(hasher, watch.table, watch.path, watch.watcher)
        });
        id
    }

    /// Takes a watch from both lists, and with the last one its path and its connection.
    fn unlink(&mut self, id: Id) {
        let watch = self.watches.remove(id);
        let hash = self.hash_watch(watch.table, watch.path, watch.watcher);
        remove_id(&mut self.watch_index, hash, id);
        self.unlink_from_path(&watch);
        self.unlink_from_watcher(&watch);
    }

    fn unlink_from_path(&mut self, watch: &Watch) {
        let Links { previous, next } = watch.on_path;
        if let Some(next) = next {
            self.watches[next].on_path.previous = previous;
        }
        if let Some(previous) = previous {
            self.watches[previous].on_path.next = next;
            return;
        }
        let entry = &mut self.paths[watch.path];
        entry.heads[watch.table.index()] = next;
        if watch.table == Table::Data && next.is_none() {
            self.totals.data_paths -= 1;
        }
        if entry.heads == [None; 2] {
            let hash = self.hasher.hash_one(&*entry.text);
            remove_id(&mut self.path_index, hash, watch.path);
            self.paths.remove(watch.path);
        }
    }

    fn unlink_from_watcher(&mut self, watch: &Watch) {
        let Links { previous, next } = watch.on_watcher;
        if let Some(next) = next {
            self.watches[next].on_watcher.previous = previous;
        }
        if let Some(previous) = previous {
            self.watches[previous].on_watcher.next = next;
        }
        let entry = &mut self.watchers[watch.watcher];
        if previous.is_none() {
            entry.head = next;
        }
        entry.count -= 1;
        if watch.table == Table::Data {
            entry.data_count -= 1;
            self.totals.data_watches -= 1;
            self.totals.data_watchers -= usize::from(entry.data_count == 0);
        }
        if entry.count == 0 {
            let hash = self.hasher.hash_one(entry.id.0);
            remove_id(&mut self.watcher_index, hash, watch.watcher);
            self.watchers.remove(watch.watcher);
        }
    }
}

fn hash_watch(hasher: &FixedState, table: Table, path: Id, watcher: Id) -> u64 {
    let ends = u64::from(path.get()) << 32 | u64::from(watcher.get());
    hasher.hash_one((ends, table.index()))
}

fn remove_id(index: &mut HashTable<Id>, hash: u64, id: Id) {
    let entry = index.find_entry(hash, |&other| other == id);
    entry.expect("what is in the arena is in its index").remove();
}
