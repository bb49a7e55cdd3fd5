//! A state out of the keys and values of a checkpoint, in any order.
//!
//! What is derived (index, children, lifetimes, quotas, sums) is not stored but built
//! here, and the digest that results is compared with the stored one: a state that is
//! not the one written is refused, whatever the reason.

use thiserror::Error;

use super::format::{self, Key, Meta};
use crate::{
    State,
    acl::{AclTable, OPEN_ACL},
    nodes::{NodeBuilder, NodeRef, Slot},
    sessions::Sessions,
};

/// Why a checkpoint cannot be loaded.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum LoadError {
    /// No such kind of key.
    #[error("unknown key {key:02x?}")]
    UnknownKey {
        /// Its bytes.
        key: Box<[u8]>,
    },
    /// A value is damaged or was written by a later version.
    #[error("value of key {key:02x?}: {reason}")]
    Value {
        /// Its key.
        key: Box<[u8]>,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A key came twice.
    #[error("key {key:02x?} came twice")]
    Duplicate {
        /// The key.
        key: Box<[u8]>,
    },
    /// The record of everything there is one of is missing.
    #[error("the checkpoint has no meta record")]
    NoMeta,
    /// A znode's parent, ACL or session is missing, or its place is wrong.
    #[error("znode {slot}: {reason}")]
    Node {
        /// Its place.
        slot: u32,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The number of znodes is not the stored one.
    #[error("{found} znodes instead of {stored}")]
    NodeCount {
        /// As stored.
        stored: u64,
        /// As loaded.
        found: u64,
    },
    /// The digest is not the stored one.
    #[error("digest {found:#x} instead of {stored:#x}")]
    Digest {
        /// As stored.
        stored: u64,
        /// As loaded.
        found: u64,
    },
}

/// Collects the keys and values of a checkpoint.
#[derive(Debug, Default)]
pub struct Loader {
    nodes: NodeBuilder,
    sessions: Sessions,
    acls: AclTable,
    meta: Option<Meta>,
}

impl Loader {
    /// Nothing loaded yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one key with its value.
    ///
    /// # Errors
    ///
    /// When the key is not known, came before, or its value is damaged.
    pub fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), LoadError> {
        let parsed = Key::decode(key).ok_or_else(|| LoadError::UnknownKey { key: key.into() })?;
        let mut input = format::open(key, value).map_err(|reason| damaged(key, reason))?;
        let fresh = match parsed {
            Key::Node(slot) => {
                let node = format::decode_node(&mut input);
                node.map(|node| self.nodes.place(NodeRef(slot), into_slot(node)))
            }
            Key::Session(id) => {
                let session = format::decode_session(&mut input);
                session.map(|session| self.sessions.restore(crate::SessionId(id), session))
            }
            // It stands for everybody's: another list under its id would count as that.
            Key::Acl(OPEN_ACL) => None,
            Key::Acl(id) => format::decode_acl(&mut input).map(|list| self.acls.restore(id, list)),
            Key::Meta => {
                format::decode_meta(&mut input).map(|meta| self.meta.replace(meta).is_none())
            }
        };
        match fresh {
            Some(true) if input.is_empty() => Ok(()),
            Some(false) => Err(LoadError::Duplicate { key: key.into() }),
            Some(true) | None => Err(damaged(key, "the fields do not fit the value")),
        }
    }

    /// Builds what is derived, and the state.
    ///
    /// # Errors
    ///
    /// When the parts do not make up the state that was written.
    pub fn finish(self) -> Result<State, LoadError> {
        let Self { nodes, sessions, mut acls, meta } = self;
        let meta = meta.ok_or(LoadError::NoMeta)?;
        let nodes = nodes.build().map_err(|(node, reason)| refused(node, reason))?;
        let totals = nodes.totals();
        if totals.nodes != meta.nodes {
            return Err(LoadError::NodeCount { stored: meta.nodes, found: totals.nodes });
        }
        if totals.digest != meta.digest {
            return Err(LoadError::Digest { stored: meta.digest, found: totals.digest });
        }
        for (node, slot) in nodes.slab().occupied() {
            if !acls.use_again(slot.fields.acl) {
                return Err(refused(node, "its ACL is missing"));
            }
            if slot.ephemeral_owner().is_some_and(|owner| sessions.get(owner).is_none()) {
                return Err(refused(node, "its session is missing"));
            }
        }
        acls.finish_restoring();
        Ok(State::from_parts(nodes, acls, sessions, &meta))
    }
}

fn into_slot(node: format::StoredNode) -> Slot {
    let mut slot = Slot::vacant(0);
    slot.free = false;
    slot.parent = node.parent;
    slot.kind = node.kind;
    slot.fields = node.fields;
    slot.body = node.body;
    slot
}

fn damaged(key: &[u8], reason: &'static str) -> LoadError {
    LoadError::Value { key: key.into(), reason }
}

fn refused(node: NodeRef, reason: &'static str) -> LoadError {
    LoadError::Node { slot: node.0, reason }
}
