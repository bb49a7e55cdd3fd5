//! Pages of slots. Pages, so that growth never copies what is there and never needs
//! one huge block; 32-bit references, so that an index entry is small.

use super::slot::{NodeRef, Slot};

/// Slots a page: more than two megabytes, so that the system may back it with huge pages
/// (a quarter off each random read, measured); what is not used yet takes no memory.
const PAGE: usize = 1 << PAGE_BITS;
// The fuzzer makes thousands of small states a second, and should see more than one page.
const PAGE_BITS: u32 = if cfg!(fuzzing) { 4 } else { 15 };

/// All slots, used and free.
#[derive(Debug, Default)]
pub(crate) struct Slab {
    pages: Vec<Vec<Slot>>,
    free: Vec<u32>,
    slots: u32,
}

impl Slab {
    /// A free place, the one freed last if there is any.
    pub(crate) fn allocate(&mut self) -> NodeRef {
        if let Some(slot) = self.free.pop() {
            return NodeRef(slot);
        }
        self.extend();
        NodeRef(self.slots - 1)
    }

    /// Adds one vacant slot at the end, known to no one.
    fn extend(&mut self) {
        let full = self.pages.last().is_none_or(|page| page.len() == PAGE);
        if full {
            self.pages.push(Vec::with_capacity(PAGE));
        }
        self.pages.last_mut().expect("just pushed").push(Slot::vacant(0));
        self.slots = self.slots.checked_add(1).expect("2^32 znodes would need 450 GB");
    }

    /// Gives a place back. Its slot must be vacant.
    pub(crate) fn release(&mut self, node: NodeRef) {
        self.free.push(node.0);
    }

    /// Takes back the release of `node`, which must have been the last one.
    pub(crate) fn reclaim(&mut self, node: NodeRef) {
        let last = self.free.pop();
        assert_eq!(last, Some(node.0), "an undo runs backwards");
    }

    /// Makes slots up to and with `node`. For loading only; follow with `find_free`.
    pub(crate) fn grow_to(&mut self, node: NodeRef) {
        while self.slots <= node.0 {
            self.extend();
        }
    }

    /// Collects the free slots after loading, so that low ones are used first.
    pub(crate) fn find_free(&mut self) {
        self.free = (0..self.slots).rev().filter(|slot| self.get(NodeRef(*slot)).free).collect();
    }

    pub(crate) fn slots(&self) -> u32 {
        self.slots
    }

    pub(crate) fn get(&self, node: NodeRef) -> &Slot {
        &self.pages[node.index() >> PAGE_BITS][node.index() & (PAGE - 1)]
    }

    pub(crate) fn get_mut(&mut self, node: NodeRef) -> &mut Slot {
        &mut self.pages[node.index() >> PAGE_BITS][node.index() & (PAGE - 1)]
    }

    /// Every znode with its place, in order of places.
    pub(crate) fn occupied(&self) -> impl Iterator<Item = (NodeRef, &Slot)> {
        let all = self.pages.iter().flatten();
        (0..self.slots).map(NodeRef).zip(all).filter(|(_, slot)| !slot.free)
    }
}
