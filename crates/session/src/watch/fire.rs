//! Who hears of a change: the matrix of tables, modes and kinds of change.
//!
//! | change of `/p/n` | data watch of `/p/n` | recursive watch of it or an ancestor | child watch of `/p/n` | child watch of `/p` |
//! |---|---|---|---|---|
//! | created | `NodeCreated` | `NodeCreated` | – | `NodeChildrenChanged` |
//! | deleted | `NodeDeleted` | `NodeDeleted` | `NodeDeleted`, unless told already | `NodeChildrenChanged` |
//! | data set | `NodeDataChanged` | `NodeDataChanged` | – | – |
//!
//! A connection gets at most one event per table and change, however many of its watches
//! match. Its events come in the order of the columns; the order of connections means
//! nothing.

use proto::EventType;
use tree::{AclView, Change, ChangeKind};

use super::{
    WatchTable, WatcherId,
    arena::Id,
    modes::{Mode, Modes, Table},
};

/// Takes one event: to whom, what, where (the full path), and the ACL that must permit
/// its receiver to read.
pub(super) type Emit<'a> = dyn FnMut(WatcherId, EventType, &str, &AclView) + 'a;

/// One kind of event, ready to go to everybody whom it concerns.
struct Event<'a> {
    kind: EventType,
    path: &'a str,
    acl: &'a AclView,
}

impl WatchTable {
    /// Emits the events of one change and consumes the one-time watches that it matches.
    ///
    /// The caller drops what the receiver may not read; the watch is consumed all the same.
    pub fn fire(
        &mut self,
        change: &Change,
        emit: &mut dyn FnMut(WatcherId, EventType, &str, &AclView),
    ) {
        if self.is_empty() {
            return;
        }
        self.round += 1;
        let kind = match change.kind {
            ChangeKind::Created => EventType::NodeCreated,
            ChangeKind::Deleted => EventType::NodeDeleted,
            ChangeKind::DataChanged => EventType::NodeDataChanged,
        };
        let own = Event { kind, path: &change.path, acl: &change.acl };
        self.fire_data(&own, emit);
        if self.graph.totals.recursive > 0 {
            self.fire_recursive(&own, emit);
        }
        match change.kind {
            ChangeKind::DataChanged => return,
            ChangeKind::Deleted => self.fire_own_child(&own, emit),
            ChangeKind::Created => {}
        }
        if let Some(parent) = parent_of(&change.path) {
            self.fire_child(
                &Event {
                    kind: EventType::NodeChildrenChanged,
                    path: parent,
                    acl: &change.parent_acl,
                },
                emit,
            );
        }
    }

    /// Data watches of the path itself, in any mode.
    fn fire_data(&mut self, event: &Event<'_>, emit: &mut Emit<'_>) {
        let round = self.round;
        self.consume(Table::Data, event.path, &mut |watcher, told_in| {
            *told_in = round;
            emit(watcher, event.kind, event.path, event.acl);
        });
    }

    /// Recursive watches of the ancestors.
    fn fire_recursive(&mut self, event: &Event<'_>, emit: &mut Emit<'_>) {
        for ancestor in std::iter::successors(parent_of(event.path), |path| parent_of(path)) {
            let Some(path) = self.graph.find_path(ancestor) else { continue };
            let entry = &self.graph.paths[path];
            let mut cursor = if entry.recursive > 0 { entry.head(Table::Data) } else { None };
            while let Some(id) = cursor {
                let watch = &self.graph.watches[id];
                cursor = watch.on_path.next;
                let watcher = &mut self.graph.watchers[watch.watcher];
                if watch.modes.has(Mode::Recursive) && watcher.told_in != self.round {
                    watcher.told_in = self.round;
                    emit(watcher.id, event.kind, event.path, event.acl);
                }
            }
        }
    }

    /// Child watches of the path itself, told of its deletion unless they know.
    fn fire_own_child(&mut self, event: &Event<'_>, emit: &mut Emit<'_>) {
        let round = self.round;
        self.consume(Table::Child, event.path, &mut |watcher, told_in| {
            if *told_in != round {
                emit(watcher, event.kind, event.path, event.acl);
            }
        });
    }

    /// Child watches of the parent.
    fn fire_child(&mut self, event: &Event<'_>, emit: &mut Emit<'_>) {
        self.consume(Table::Child, event.path, &mut |watcher, _| {
            emit(watcher, event.kind, event.path, event.acl);
        });
    }

    /// Visits every watch of `path` in `table` and takes its one-time mode away.
    fn consume(&mut self, table: Table, path: &str, visit: &mut dyn FnMut(WatcherId, &mut u64)) {
        let Some(path) = self.graph.find_path(path) else { return };
        let mut cursor: Option<Id> = self.graph.paths[path].head(table);
        while let Some(id) = cursor {
            let watch = &self.graph.watches[id];
            cursor = watch.on_path.next;
            let one_time = watch.modes.has(Mode::Standard);
            let watcher = &mut self.graph.watchers[watch.watcher];
            visit(watcher.id, &mut watcher.told_in);
            if one_time {
                self.graph.remove_modes(id, Modes::only(Mode::Standard));
            }
        }
    }
}

/// The path without its last component; `/` for a child of the root, none for the root.
fn parent_of(path: &str) -> Option<&str> {
    match path.rfind('/') {
        Some(0) if path.len() > 1 => Some("/"),
        Some(0) | None => None,
        Some(slash) => Some(&path[..slash]),
    }
}
