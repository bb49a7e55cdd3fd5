//! The whole replicated state in one value, and what others may ask of it cheaply.

mod digests;
mod edit;
mod quota;
mod znodes;

use std::collections::BTreeMap;

use crate::{
    acl::{AclTable, OPEN_ACL},
    command::{OriginId, Permissions},
    ids::{Millis, SessionId, Zxid},
    nodes::{Fields, Kind, NewNode, NodeRef, Nodes},
    path,
    sessions::{Session, Sessions},
    stat::Stat,
};

pub use znodes::Znode;

use digests::DigestPoints;
use edit::Journal;
use quota::Quotas;

/// Zxids must stay positive.
const EPOCH_MAX: u64 = (1 << 31) - 1;

/// The replicated state: equal logs give equal states.
///
/// Reading takes `&self` and never changes anything, so that many may read at once.
#[derive(Debug)]
pub struct State {
    pub(crate) nodes: Nodes,
    pub(crate) acls: AclTable,
    pub(crate) sessions: Sessions,
    /// By server: the incarnation and its last sequence number that was applied.
    pub(crate) origins: BTreeMap<u64, (u64, u64)>,
    pub(crate) zxid: Zxid,
    /// The Raft term of the entry that was applied last.
    pub(crate) term: u64,
    /// How many cuts were begun; the number of the present one.
    pub(crate) cuts: u64,
    quotas: Quotas,
    journal: Option<Journal>,
    digests: DigestPoints,
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// As a ZooKeeper that was never used: `/zookeeper` with `config` and `quota`.
    pub fn new() -> Self {
        let nodes = Nodes::with_root(OPEN_ACL);
        let mut acls = AclTable::default();
        let read = crate::AclEntry { perms: Permissions::READ, scheme: "world", id: "anyone" };
        let read_only = acls.intern(&[read].into_iter().collect());
        let mut state = Self::assemble(nodes, acls, Sessions::default());
        // Compat(built-in-znodes): the built-in znodes have no times and no zxids, and their
        // parents count no creation, so that the root shows cversion -1 and /zookeeper -2.
        let system = state.add_built_in(NodeRef::ROOT, path::SYSTEM, Fields::default());
        state.add_built_in(system, path::QUOTA, Fields::default());
        let config = Fields { acl: read_only, aversion: -1, ..Fields::default() };
        state.add_built_in(system, path::CONFIG, config);
        state
    }

    /// A state out of its loaded parts; what depends on several of them is derived here.
    pub(crate) fn from_parts(
        nodes: Nodes,
        acls: AclTable,
        sessions: Sessions,
        meta: &crate::checkpoint::Meta,
    ) -> Self {
        let mut state = Self::assemble(nodes, acls, sessions);
        let origins = meta.origins.iter();
        state.origins = origins.map(|(id, last)| (id.node, (id.incarnation, *last))).collect();
        state.zxid = meta.zxid;
        state.term = meta.term;
        state.find_quotas();
        state
    }

    fn assemble(nodes: Nodes, acls: AclTable, sessions: Sessions) -> Self {
        Self {
            nodes,
            acls,
            sessions,
            origins: BTreeMap::new(),
            zxid: Zxid::ZERO,
            term: 0,
            cuts: 0,
            quotas: Quotas::default(),
            journal: None,
            digests: DigestPoints::default(),
        }
    }

    fn add_built_in(&mut self, parent: NodeRef, path: &str, fields: Fields) -> NodeRef {
        let kind = Kind::Persistent;
        self.nodes.insert(&NewNode { parent, path, data: Some(&[]), fields, kind })
    }

    /// Must be called with the Raft term of every log entry before its commands are
    /// applied. A new term starts a new epoch, at least as high as the term.
    pub fn enter_term(&mut self, term: u64) {
        if term <= self.term {
            return;
        }
        self.term = term;
        let epoch = (u64::from(self.zxid.epoch()) + 1).max(term).min(EPOCH_MAX);
        let start = Zxid::start_of_epoch(u32::try_from(epoch).expect("below 2^31"));
        // At the end of the epochs the counter just goes on.
        self.zxid = self.zxid.max(start);
    }

    /// Whether the command of `origin` with `sequence` may be applied: none twice, none
    /// after a gap, none of an incarnation that has a successor. Each incarnation counts
    /// from 1.
    #[must_use]
    pub fn admit(&mut self, origin: OriginId, sequence: u64) -> bool {
        let (incarnation, last) = self.origins.get(&origin.node).copied().unwrap_or_default();
        let expected = if origin.incarnation > incarnation {
            1
        } else if origin.incarnation == incarnation {
            last.saturating_add(1)
        } else {
            return false;
        };
        let admitted = sequence == expected;
        if admitted {
            self.origins.insert(origin.node, (origin.incarnation, sequence));
        }
        admitted
    }

    /// The last transaction. Grows with every command, and where a term begins.
    pub fn last_zxid(&self) -> Zxid {
        self.zxid
    }

    /// The Raft term of the last entry.
    pub fn last_term(&self) -> u64 {
        self.term
    }

    /// The last sequence number of `node`'s present incarnation that was applied.
    pub fn last_sequence(&self, node: u64) -> Option<(OriginId, u64)> {
        let (incarnation, sequence) = *self.origins.get(&node)?;
        Some((OriginId { node, incarnation }, sequence))
    }

    /// Compat(two-roots): as ZooKeeper counts, which knows the root under two names: 5 when fresh.
    pub fn node_count(&self) -> u64 {
        self.nodes.totals().nodes + 1
    }

    /// UTF-16 length of all paths plus bytes of all data: 44 when fresh, as ZooKeeper.
    pub fn approximate_data_size(&self) -> i64 {
        self.nodes.totals().data_size
    }

    /// How many ephemerals there are.
    pub fn ephemerals_count(&self) -> usize {
        self.nodes.lifetimes().ephemerals_count()
    }

    /// The Stat of a znode.
    pub fn stat_of(&self, path: &str) -> Option<Stat> {
        self.nodes.find(path).map(|node| self.nodes.stat(node))
    }

    /// Who may do what to a znode.
    pub fn acl_of(&self, path: &str) -> Option<crate::AclView> {
        self.nodes.find(path).map(|node| self.acls.view(self.nodes.get(node).fields.acl))
    }

    /// The text that shows the membership.
    pub fn config_data(&self) -> &[u8] {
        let node = self.nodes.find(path::CONFIG);
        node.map_or(&[], |node| self.nodes.get(node).body.data_or_empty())
    }

    /// A session, if it is open.
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(id)
    }

    /// Every open session, in order of ids.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.sessions.iter()
    }

    /// How many sessions are open.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Sessions that own ephemerals, with their paths, both in order.
    pub fn ephemerals_by_session(&self) -> Vec<(SessionId, Vec<String>)> {
        let owners = self.nodes.lifetimes().owners();
        owners.map(|(session, _)| (session, self.ephemerals_of(session))).collect()
    }

    /// The paths of a session's ephemerals, in order.
    pub(crate) fn ephemerals_of(&self, session: SessionId) -> Vec<String> {
        let owned = self.nodes.lifetimes().ephemerals_of(session);
        let mut paths: Vec<String> = owned.map(|node| self.nodes.path_of(node)).collect();
        paths.sort_unstable();
        paths
    }

    /// What the leader may propose to reap at `now`, in order of paths: containers that
    /// lost their last child, and childless TTL znodes that outlived their time.
    pub fn containers_and_ttls(&self, now: Millis) -> Vec<String> {
        let lifetimes = self.nodes.lifetimes();
        let used = |node: &NodeRef| self.nodes.get(*node).fields.children_created > 0;
        let emptied = lifetimes.empty_containers().filter(used);
        let outlived =
            lifetimes.outlived(now.0).filter(|node| self.nodes.children(*node).is_empty());
        let mut paths: Vec<String> =
            emptied.chain(outlived).map(|node| self.nodes.path_of(node)).collect();
        paths.sort_unstable();
        paths
    }

    /// Containers that never had a child and were made (or set) before `before`, in order
    /// of paths: for `znode.container.maxNeverUsedIntervalMs`.
    pub fn containers_never_used(&self, before: Millis) -> Vec<String> {
        let never_used = self.nodes.lifetimes().empty_containers().filter(|node| {
            let fields = &self.nodes.get(*node).fields;
            fields.children_created == 0 && fields.mtime < before
        });
        let mut paths: Vec<String> = never_used.map(|node| self.nodes.path_of(node)).collect();
        paths.sort_unstable();
        paths
    }
}
