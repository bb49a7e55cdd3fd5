//! What the `wchs`, `wchc`, `wchp` and `mntr` commands want to know.
//!
//! Compat(watch-reports): as in ZooKeeper, the first three look at the data table alone.

use super::{WatchTable, WatcherId, modes::Table};

/// The numbers of `wchs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WatchSummary {
    /// Connections that watch data.
    pub connections: usize,
    /// Paths whose data is watched.
    pub paths: usize,
    /// Data watches.
    pub watches: usize,
}

impl WatchTable {
    /// Watches of both tables, each counted once whatever its modes: `zk_watch_count`.
    pub const fn total(&self) -> usize {
        self.graph.watches.len()
    }

    /// The data table in numbers.
    pub const fn data_summary(&self) -> WatchSummary {
        let totals = &self.graph.totals;
        WatchSummary {
            connections: totals.data_watchers,
            paths: totals.data_paths,
            watches: totals.data_watches,
        }
    }

    /// Every connection with a data watch, and the paths it watches. Touches every watch.
    pub fn data_paths_by_watcher(&self) -> impl Iterator<Item = (WatcherId, Vec<&str>)> {
        self.graph.watchers.iter().filter_map(|(id, watcher)| {
            let watches = self.graph.watches_of(id).filter(|watch| watch.table == Table::Data);
            let paths: Vec<&str> =
                watches.map(|watch| &*self.graph.paths[watch.path].text).collect();
            (!paths.is_empty()).then_some((watcher.id, paths))
        })
    }

    /// Every path with a data watch, and the connections that watch it. Touches every
    /// watch.
    pub fn data_watchers_by_path(&self) -> impl Iterator<Item = (&str, Vec<WatcherId>)> {
        self.graph.paths.iter().filter_map(|(id, path)| {
            let watches = self.graph.watches_on(id, Table::Data);
            let watchers: Vec<_> =
                watches.map(|watch| self.graph.watchers[watch.watcher].id).collect();
            (!watchers.is_empty()).then_some((&*path.text, watchers))
        })
    }

    /// How many watches one connection has, of both tables.
    pub fn count_of(&self, watcher: WatcherId) -> usize {
        self.graph.find_watcher(watcher).map_or(0, |id| self.graph.watches_of(id).count())
    }
}
