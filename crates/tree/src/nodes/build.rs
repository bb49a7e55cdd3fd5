//! The tree out of single slots, for loading: places come in any order, and everything
//! derived is built at the end.

use super::{NodeRef, Nodes, Slot, digest, is_system};
use crate::path;

/// Slots without what connects them.
#[derive(Debug, Default)]
pub(crate) struct NodeBuilder {
    nodes: Nodes,
    count: u64,
}

impl NodeBuilder {
    /// Puts a znode into its place; false if there is one already.
    pub(crate) fn place(&mut self, node: NodeRef, slot: Slot) -> bool {
        if node == NodeRef::NONE {
            return false;
        }
        self.nodes.slab.grow_to(node);
        let place = self.nodes.slab.get_mut(node);
        let fresh = place.free;
        *place = slot;
        self.count += 1;
        fresh
    }

    /// Connects the slots. Fails with the first znode that does not fit.
    pub(crate) fn build(self) -> Result<Nodes, (NodeRef, &'static str)> {
        let Self { mut nodes, count } = self;
        if nodes.slab.slots() == 0 || nodes.slab.get(NodeRef::ROOT).free {
            return Err((NodeRef::ROOT, "there is no root"));
        }
        nodes.index.reserve(usize::try_from(count).unwrap_or(0));
        nodes.connect()?;
        nodes.derive();
        if nodes.totals.nodes != count {
            return Err((NodeRef::NONE, "some znodes cannot be reached from the root"));
        }
        nodes.slab.find_free();
        Ok(nodes)
    }
}

impl Nodes {
    /// Index, children and lifetimes.
    fn connect(&mut self) -> Result<(), (NodeRef, &'static str)> {
        for node in (1..self.slab.slots()).map(NodeRef) {
            let slot = self.slab.get(node);
            if slot.free {
                continue;
            }
            let parent = slot.parent;
            if parent.0 >= self.slab.slots() || self.slab.get(parent).free {
                return Err((node, "its parent is missing"));
            }
            if self.index.find(&self.slab, parent, slot.body.name_bytes()).is_some() {
                return Err((node, "its name is taken"));
            }
            self.link_while_loading(node);
        }
        Ok(())
    }

    /// As `link`, but for a znode whose children may have come before it.
    fn link_while_loading(&mut self, node: NodeRef) {
        let children = self.slab.get(node).children;
        self.link(node);
        if children != super::NO_CHILDREN {
            self.lifetimes.filled(node);
        }
    }

    /// Checksums and sums, from the root downwards.
    fn derive(&mut self) {
        let mut pending = vec![(NodeRef::ROOT, 0_i64)];
        while let Some((node, path_len)) = pending.pop() {
            self.derive_slot(node);
            let slot = self.slab.get(node);
            let data_len = super::data_len(&slot.body);
            self.totals.nodes += 1;
            self.totals.data_size += path_len.max(1) + data_len;
            self.totals.digest = self.totals.digest.wrapping_add(u64::from(slot.digest));
            for &child in self.children.of(slot.children) {
                let name_len = path::utf16_len(self.slab.get(child).body.name());
                pending.push((child, path_len + 1 + name_len));
            }
        }
    }

    fn derive_slot(&mut self, node: NodeRef) {
        let parent = self.slab.get(node).parent;
        let (path_crc, hidden) = if node == NodeRef::ROOT {
            (0, false)
        } else {
            let above = self.slab.get(parent);
            let hidden = above.hidden || (above.parent == NodeRef::ROOT && is_system(above));
            (digest::path_crc(above.path_crc, self.slab.get(node).body.name_bytes()), hidden)
        };
        let slot = self.slab.get_mut(node);
        slot.path_crc = path_crc;
        slot.hidden = hidden;
        slot.body_crc = digest::body_crc(path_crc, slot.body.data_or_empty());
        slot.digest = digest::slot_digest(slot);
    }
}
