//! Who is watching what on this server, and who hears of a change.
//!
//! A watch belongs to a connection, not to a session: it goes when the connection goes,
//! and the client sets it again on the next one ([`rearm`]). It joins one connection to
//! one path in one of two tables, *data* and *child*; setting it twice is setting it once,
//! and one watch can be set in several modes. The rules of who hears what are in `fire`,
//! the bookkeeping is in `graph`.
//!
//! The table knows nothing of access rights: it hands out each event with the ACL that
//! decides, and the receiver's lane drops what its client may not read. A one-time watch
//! is consumed all the same, as in ZooKeeper.
//!
//! It is not replicated and not shared: every server has one, asked at every apply.

mod arena;
mod fire;
mod graph;
mod modes;
pub mod rearm;
mod report;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub use report::WatchSummary;

use graph::Graph;
use modes::{Mode, Modes, Table};

/// The key of a connection in the watch table. No two connections ever have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatcherId(pub u64);

/// Which kind of watch `addWatch` sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddWatchMode {
    /// Stays until removed; both tables.
    Persistent,
    /// Stays until removed; hears of the znode and of everything below it.
    PersistentRecursive,
}

/// Which watches on a path `removeWatches` and `checkWatches` mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatcherType {
    /// One-time child watches.
    Children,
    /// One-time data watches, those of `exists` included.
    Data,
    /// Every watch, whatever its mode.
    Any,
    /// Plain persistent watches.
    Persistent,
    /// Recursive watches.
    PersistentRecursive,
}

/// How many watches there can be. ZooKeeper has no such limits; these only keep one
/// client from taking all memory, and lie far above what clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchLimits {
    /// Watches of one connection, both tables together. By default 1,000,000: the largest
    /// caches known watch some hundred thousand znodes, and a million watches of short
    /// paths take about 150 MB.
    pub per_connection: u32,
    /// Watches of all connections. By default 100,000,000.
    pub total: u32,
}

impl Default for WatchLimits {
    fn default() -> Self {
        Self { per_connection: 1_000_000, total: 100_000_000 }
    }
}

/// A watch was not set because there are too many. The connection must be closed: a
/// client that believes in a watch that is not there would wait for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("too many watches")]
pub struct WatchLimitReached;

/// All watches of the connections of one server.
#[derive(Debug)]
pub struct WatchTable {
    graph: Graph,
    /// Counts the calls of [`Self::fire`], to tell each connection once.
    round: u64,
}

impl Default for WatchTable {
    fn default() -> Self {
        Self::new(WatchLimits::default(), 0)
    }
}

impl WatchTable {
    /// An empty table. `seed` should differ from run to run, so that nobody can choose
    /// paths that collide.
    pub fn new(limits: WatchLimits, seed: u64) -> Self {
        Self { graph: Graph::new(limits, seed), round: 0 }
    }

    /// Sets a one-time data watch, as `exists` and `getData` do.
    ///
    /// # Errors
    /// [`WatchLimitReached`] when a new watch would be one too many; nothing was set.
    pub fn add_standard_data(
        &mut self,
        path: &str,
        watcher: WatcherId,
    ) -> Result<(), WatchLimitReached> {
        self.graph.add(Table::Data, path, watcher, Mode::Standard)
    }

    /// Sets a one-time child watch, as `getChildren` does.
    ///
    /// # Errors
    /// As [`Self::add_standard_data`].
    pub fn add_standard_child(
        &mut self,
        path: &str,
        watcher: WatcherId,
    ) -> Result<(), WatchLimitReached> {
        self.graph.add(Table::Child, path, watcher, Mode::Standard)
    }

    /// Sets a watch that stays, as `addWatch` does. The path need not exist.
    ///
    /// # Errors
    /// As [`Self::add_standard_data`]; half of a plain persistent watch may be set.
    pub fn add(
        &mut self,
        path: &str,
        watcher: WatcherId,
        mode: AddWatchMode,
    ) -> Result<(), WatchLimitReached> {
        match mode {
            AddWatchMode::Persistent => {
                self.graph.add(Table::Data, path, watcher, Mode::Persistent)?;
                self.graph.add(Table::Child, path, watcher, Mode::Persistent)
            }
            AddWatchMode::PersistentRecursive => {
                self.graph.add(Table::Data, path, watcher, Mode::Recursive)
            }
        }
    }

    /// Takes away what `kind` means; false when there was nothing.
    pub fn remove(&mut self, path: &str, watcher: WatcherId, kind: WatcherType) -> bool {
        let mut removed = false;
        for (table, modes) in meant_by(kind) {
            if let Some(id) = self.find(*table, path, watcher)
                && self.graph.watches[id].modes.intersects(*modes)
            {
                self.graph.remove_modes(id, *modes);
                removed = true;
            }
        }
        removed
    }

    /// Whether there is a watch that `kind` means.
    pub fn contains(&self, path: &str, watcher: WatcherId, kind: WatcherType) -> bool {
        meant_by(kind).iter().any(|(table, modes)| {
            let found = self.find(*table, path, watcher);
            found.is_some_and(|id| self.graph.watches[id].modes.intersects(*modes))
        })
    }

    /// Forgets a connection. Costs what it watched.
    pub fn remove_watcher(&mut self, watcher: WatcherId) {
        self.graph.remove_watcher(watcher);
    }

    /// Whether nobody watches anything.
    pub const fn is_empty(&self) -> bool {
        self.graph.watches.len() == 0
    }

    fn find(&self, table: Table, path: &str, watcher: WatcherId) -> Option<arena::Id> {
        let path = self.graph.find_path(path)?;
        let watcher = self.graph.find_watcher(watcher)?;
        self.graph.find(table, path, watcher)
    }
}

/// The tables and modes that a watcher type means.
const fn meant_by(kind: WatcherType) -> &'static [(Table, Modes)] {
    const STANDARD: Modes = Modes::only(Mode::Standard);
    const PERSISTENT: Modes = Modes::only(Mode::Persistent);
    const RECURSIVE: Modes = Modes::only(Mode::Recursive);
    match kind {
        WatcherType::Children => &[(Table::Child, STANDARD)],
        WatcherType::Data => &[(Table::Data, STANDARD)],
        WatcherType::Any => &[(Table::Child, Modes::ALL), (Table::Data, Modes::ALL)],
        WatcherType::Persistent => &[(Table::Child, PERSISTENT), (Table::Data, PERSISTENT)],
        WatcherType::PersistentRecursive => &[(Table::Data, RECURSIVE)],
    }
}
