//! `setWatches`: a client that comes back sets its watches again and catches up.
//!
//! The client sends the paths that it watched and the last zxid that it saw. What changed
//! since is told at once; where nothing changed, the watch is set. Both happen in one
//! step, so that no change falls between.
//!
//! Compat(watches-set-again): as in ZooKeeper, the events are sent without an access check, and
//! persistent watches do not catch up.

use proto::EventType;
use tree::{Stat, Zxid};

use super::{AddWatchMode, WatchLimitReached, WatchTable, WatcherId};

/// One of the lists of a `setWatches` request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RearmList {
    /// Watches of `getData`, and of `exists` on a znode that was there.
    Data,
    /// Watches of `exists` on a znode that was not there.
    Exist,
    /// Watches of `getChildren`.
    Child,
    /// Plain persistent watches.
    Persistent,
    /// Recursive watches.
    PersistentRecursive,
}

/// Deals with one path of one list: returns the event that the client has missed, or sets
/// the watch. `stat` is the znode's, if it exists, in the state in which the watch is set.
///
/// # Errors
/// [`WatchLimitReached`]: close the connection.
pub fn rearm(
    table: &mut WatchTable,
    watcher: WatcherId,
    list: RearmList,
    path: &str,
    missed: Missed<'_>,
) -> Result<Option<EventType>, WatchLimitReached> {
    let event = missed.event(list);
    if event.is_none() {
        match list {
            RearmList::Data | RearmList::Exist => table.add_standard_data(path, watcher)?,
            RearmList::Child => table.add_standard_child(path, watcher)?,
            RearmList::Persistent => table.add(path, watcher, AddWatchMode::Persistent)?,
            RearmList::PersistentRecursive => {
                table.add(path, watcher, AddWatchMode::PersistentRecursive)?;
            }
        }
    }
    Ok(event)
}

/// A znode as it is now, against what the client last saw.
#[derive(Clone, Copy, Debug)]
pub struct Missed<'a> {
    /// The znode's Stat, if it exists.
    pub stat: Option<&'a Stat>,
    /// The last zxid that the client saw.
    pub last_seen: Zxid,
}

impl Missed<'_> {
    /// What a watch of `list` would have told since, if anything.
    pub fn event(&self, list: RearmList) -> Option<EventType> {
        match (list, self.stat) {
            (RearmList::Data | RearmList::Child, None) => Some(EventType::NodeDeleted),
            (RearmList::Data, Some(stat)) => {
                (stat.mzxid > self.last_seen).then_some(EventType::NodeDataChanged)
            }
            (RearmList::Child, Some(stat)) => {
                (stat.pzxid > self.last_seen).then_some(EventType::NodeChildrenChanged)
            }
            (RearmList::Exist, Some(_)) => Some(EventType::NodeCreated),
            (RearmList::Exist, None)
            | (RearmList::Persistent | RearmList::PersistentRecursive, _) => None,
        }
    }
}
