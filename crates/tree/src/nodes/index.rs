//! From (parent, name) to the znode: how paths are walked, without stored paths.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::{
    slab::Slab,
    slot::{NodeRef, Slot},
};

/// Any number would do; it is fixed so that runs can be repeated.
const SEED: u64 = 0x526f_6f6b_6572_7901;

/// The index is cut into this many tables, each of which grows by itself: growing one
/// table of a million entries would hold up everybody for tens of milliseconds.
const TABLES: usize = 256;

/// An entry keeps the hash beside the reference, so that growing a table and passing
/// over entries of the same bucket do not touch the slots, which are cold.
#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u32,
    node: NodeRef,
}

/// Every znode but the root, by its parent and name. Offers no iteration, whose order
/// would leak the hash.
#[derive(Debug)]
pub(crate) struct Index {
    tables: Box<[HashTable<Entry>]>,
    hasher: FixedState,
}

impl Default for Index {
    fn default() -> Self {
        let tables = (0..TABLES).map(|_| HashTable::new()).collect();
        Self { tables, hasher: FixedState::with_seed(SEED) }
    }
}

impl Index {
    pub(crate) fn find(&self, slab: &Slab, parent: NodeRef, name: &[u8]) -> Option<NodeRef> {
        let hash = self.hash(parent, name);
        let is_it = |entry: &Entry| entry.hash == hash && matches(slab, entry.node, parent, name);
        self.tables[table_of(hash)].find(spread(hash), is_it).map(|entry| entry.node)
    }

    /// The znode must be in its slot already, and not in the index.
    pub(crate) fn insert(&mut self, slot: &Slot, node: NodeRef) {
        let hash = self.hash(slot.parent, slot.body.name_bytes());
        let table = &mut self.tables[table_of(hash)];
        table.insert_unique(spread(hash), Entry { hash, node }, |entry| spread(entry.hash));
    }

    /// The znode must still be in its slot.
    pub(crate) fn remove(&mut self, slot: &Slot, node: NodeRef) {
        let hash = self.hash(slot.parent, slot.body.name_bytes());
        let table = &mut self.tables[table_of(hash)];
        let entry = table.find_entry(spread(hash), |entry| entry.node == node);
        entry.expect("every znode is indexed").remove();
    }

    /// Makes room for about `additional` znodes at once.
    pub(crate) fn reserve(&mut self, additional: usize) {
        for table in &mut self.tables {
            table.reserve(additional / TABLES, |entry| spread(entry.hash));
        }
    }

    fn hash(&self, parent: NodeRef, name: &[u8]) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(name);
        hasher.write_u32(parent.0);
        u32::try_from(hasher.finish() >> 32).expect("32 bits are left")
    }
}

fn matches(slab: &Slab, node: NodeRef, parent: NodeRef, name: &[u8]) -> bool {
    let slot = slab.get(node);
    slot.parent == parent && slot.body.name_bytes() == name
}

/// By the high bits: a table finds its bucket by the low ones.
fn table_of(hash: u32) -> usize {
    (hash >> (u32::BITS - TABLES.trailing_zeros())) as usize
}

/// A table takes its bucket from the low bits and its tag from the highest.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
