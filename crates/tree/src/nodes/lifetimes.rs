//! Which znodes will go by themselves: derived sets, so that a session's end and the
//! reaper never search the tree.

use std::collections::{BTreeMap, BTreeSet};

use super::slot::{Kind, NodeRef, Slot};
use crate::ids::SessionId;

/// Ephemerals by session, childless containers, TTL znodes by deadline.
#[derive(Debug, Default)]
pub(crate) struct Lifetimes {
    ephemerals: BTreeMap<SessionId, BTreeSet<NodeRef>>,
    ephemerals_count: usize,
    empty_containers: BTreeSet<NodeRef>,
    ttls: BTreeSet<(i64, NodeRef)>,
}

impl Lifetimes {
    /// A childless znode came into the tree.
    pub(crate) fn enter(&mut self, node: NodeRef, slot: &Slot) {
        match slot.kind {
            Kind::Persistent => {}
            Kind::Ephemeral => {
                let session = SessionId(slot.fields.owner);
                self.ephemerals.entry(session).or_default().insert(node);
                self.ephemerals_count += 1;
            }
            Kind::Container => {
                self.empty_containers.insert(node);
            }
            Kind::Ttl => {
                self.ttls.insert((slot.ttl_deadline().unwrap_or(i64::MAX), node));
            }
        }
    }

    /// A childless znode is about to leave the tree.
    pub(crate) fn leave(&mut self, node: NodeRef, slot: &Slot) {
        match slot.kind {
            Kind::Persistent => {}
            Kind::Ephemeral => {
                let session = SessionId(slot.fields.owner);
                if let Some(owned) = self.ephemerals.get_mut(&session) {
                    owned.remove(&node);
                    if owned.is_empty() {
                        self.ephemerals.remove(&session);
                    }
                }
                self.ephemerals_count -= 1;
            }
            Kind::Container => {
                self.empty_containers.remove(&node);
            }
            Kind::Ttl => self.stop_clock(node, slot),
        }
    }

    /// A container got its first child.
    pub(crate) fn filled(&mut self, container: NodeRef) {
        self.empty_containers.remove(&container);
    }

    /// A container lost its last child.
    pub(crate) fn emptied(&mut self, container: NodeRef) {
        self.empty_containers.insert(container);
    }

    /// The mtime of a TTL znode is about to change: call before, and [`Self::start_clock`] after.
    pub(crate) fn stop_clock(&mut self, node: NodeRef, slot: &Slot) {
        if let Some(deadline) = slot.ttl_deadline() {
            self.ttls.remove(&(deadline, node));
        }
    }

    pub(crate) fn start_clock(&mut self, node: NodeRef, slot: &Slot) {
        if let Some(deadline) = slot.ttl_deadline() {
            self.ttls.insert((deadline, node));
        }
    }

    pub(crate) fn ephemerals_of(&self, session: SessionId) -> impl Iterator<Item = NodeRef> {
        self.ephemerals.get(&session).into_iter().flatten().copied()
    }

    /// Sessions that own ephemerals, in order.
    pub(crate) fn owners(&self) -> impl Iterator<Item = (SessionId, &BTreeSet<NodeRef>)> {
        self.ephemerals.iter().map(|(session, owned)| (*session, owned))
    }

    pub(crate) fn ephemerals_count(&self) -> usize {
        self.ephemerals_count
    }

    pub(crate) fn empty_containers(&self) -> impl Iterator<Item = NodeRef> {
        self.empty_containers.iter().copied()
    }

    /// TTL znodes, with or without children, whose deadline lies before `now`.
    pub(crate) fn outlived(&self, now: i64) -> impl Iterator<Item = NodeRef> {
        let passed = ..(now, NodeRef(0));
        self.ttls.range(passed).map(|(_, node)| *node)
    }
}
