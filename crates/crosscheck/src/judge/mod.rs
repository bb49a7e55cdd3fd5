//! Whether two replies are alike, given all that has been seen before.
//!
//! Numbers that each server makes up are compared by what they stand for: a zxid by the write
//! that it belongs to, a session id by the client. What a znode owes to its history before the
//! comparison is compared by how it moves. Nothing here knows of connections or of waiting.

pub(crate) mod baselines;
mod excuse;
pub(crate) mod marks;
pub(crate) mod recent;
pub(crate) mod reply;
mod stat;
#[cfg(test)]
mod tests;
mod values;
pub(crate) mod zxids;

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;

use crate::change::{Change, What};
use crate::copy::Copied;
use crate::input::ConnId;
use crate::report::Reason;
use baselines::Baselines;
use marks::Marks;
use recent::Recent;
use zxids::Zxids;

/// The znode that each server writes by itself.
pub(crate) const CONFIG: &str = "/zookeeper/config";

/// What a request that waits takes beside its bytes, roughly.
pub(crate) const TURN_BYTES: usize = 256;

/// A request, and what `ZooKeeper` answered.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// On which connection.
    pub(crate) conn: ConnId,
    /// The request's number.
    pub(crate) xid: i32,
    /// The number of its operation.
    pub(crate) op: i32,
    /// The request with its header.
    pub(crate) request: Bytes,
    /// The zxid in the header of the reply.
    pub(crate) zxid: i64,
    /// The error code in it.
    pub(crate) err: i32,
    /// What stands behind it.
    pub(crate) body: Bytes,
}

impl Exchange {
    /// What stands behind the request's header.
    pub(crate) fn request_body(&self) -> &[u8] {
        self.request.get(8..).unwrap_or_default()
    }

    /// Bytes held until it is compared, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.request.len() + self.body.len() + TURN_BYTES
    }
}

/// A reply of Rookery.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply<'a> {
    /// The request's number.
    pub(crate) xid: i32,
    /// The zxid in its header.
    pub(crate) zxid: i64,
    /// The error code in it.
    pub(crate) err: i32,
    /// What stands behind it.
    pub(crate) body: &'a [u8],
}

/// Ephemerals, and znodes that end by the clock, that are known at once.
const KNOWN_MAX: usize = 1 << 20;

/// All that is known of both trees.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    /// Which zxid stands for which.
    pub(crate) zxids: Zxids,
    /// Znodes about which nothing can be said.
    pub(crate) marks: Marks,
    /// What was changed lately.
    pub(crate) recent: Recent,
    /// Versions of znodes from before.
    pub(crate) baselines: Baselines,
    /// Rookery's session for each of `ZooKeeper`'s.
    pub(crate) sessions: BTreeMap<i64, i64>,
    /// Ephemerals made through the proxy, with `ZooKeeper`'s id of their session.
    pub(crate) ephemerals: HashMap<String, i64>,
    /// Containers and znodes with a time to live: servers delete them by their own clocks.
    pub(crate) clocked: HashSet<String>,
    /// Whether data is shown in reports.
    pub(crate) show_data: bool,
}

impl Judge {
    /// Keeps account of what a write of a session does, when it is repeated.
    pub(crate) fn note(&mut self, session: i64, zxid: i64, changes: &[Change]) {
        for Change { path, what } in changes {
            self.recent.note(path, zxid);
            match what {
                What::CreatedPersistent => self.baselines.created(path),
                What::CreatedEphemeral => {
                    self.baselines.created(path);
                    self.ephemerals.insert(path.clone(), session);
                }
                What::CreatedClocked => {
                    self.baselines.created(path);
                    self.clocked.insert(path.clone());
                    if let Some(parent) = crate::change::parent(path) {
                        self.marks.mark_children(parent, Reason::Clock);
                    }
                }
                What::Deleted => {
                    self.baselines.deleted(path);
                    self.ephemerals.remove(path);
                    self.clocked.remove(path);
                }
                What::Set => {}
            }
        }
    }

    /// The tree was copied, but for these.
    pub(crate) fn copied(&mut self, copied: Copied) {
        for path in &copied.ephemerals {
            self.marks.mark_existence(path, Reason::Before);
        }
        for path in &copied.parents {
            self.marks.mark_children(path, Reason::Before);
        }
        self.baselines = Baselines::copied(copied.offsets);
    }

    /// Whether more should be remembered than can be: nothing can be judged any more.
    pub(crate) fn is_overrun(&self) -> bool {
        let is_full = self.ephemerals.len() > KNOWN_MAX || self.clocked.len() > KNOWN_MAX;
        is_full || self.marks.is_overrun()
    }

    /// A session ended: its ephemerals are gone, by the change `zxid`. Returns their paths.
    pub(crate) fn note_session_end(&mut self, session: i64, zxid: i64) -> Vec<String> {
        let gone = self.ephemerals_of(session);
        for path in &gone {
            self.recent.note(path, zxid);
            self.ephemerals.remove(path);
            self.baselines.deleted(path);
        }
        gone
    }

    /// The ephemerals of a session.
    pub(crate) fn ephemerals_of(&self, session: i64) -> Vec<String> {
        let own = self.ephemerals.iter().filter(|(_, owner)| **owner == session);
        own.map(|(path, _)| path.clone()).collect()
    }
}
