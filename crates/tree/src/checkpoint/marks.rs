//! Which parts of the state changed since the last cut, and what those that are being
//! written looked like at the cut.
//!
//! There is one list of what changed since the cut (dirty) and one of what the cut
//! must write (frozen). A part in the frozen list that changes before it was written
//! leaves its encoded former self, its pre-image.

use std::collections::{BTreeMap, BTreeSet};

use super::format;
use crate::nodes::{NodeRef, Slab, Slot};

/// An encoded value as of the cut; none for what did not exist.
type Image = Option<Box<[u8]>>;

/// Bookkeeping for znodes. Two bits in each slot spare a look-up: one means dirty, the
/// other frozen and unwritten, and they change roles at each cut.
#[derive(Debug)]
pub(crate) struct NodeMarks {
    dirty_bit: u8,
    dirty: Vec<NodeRef>,
    frozen: Vec<NodeRef>,
    pre_images: BTreeMap<NodeRef, Image>,
}

const BOTH_BITS: u8 = 0b11;

impl Default for NodeMarks {
    fn default() -> Self {
        Self { dirty_bit: 1, dirty: Vec::new(), frozen: Vec::new(), pre_images: BTreeMap::new() }
    }
}

impl NodeMarks {
    /// Must come before every change of a slot.
    pub(crate) fn touch(&mut self, node: NodeRef, slot: &mut Slot) {
        if slot.marks == self.dirty_bit {
            return;
        }
        if slot.marks & self.dirty_bit == 0 {
            self.dirty.push(node);
        }
        if slot.marks & self.frozen_bit() != 0 {
            self.pre_images.insert(node, format::encode_node(node, slot));
        }
        slot.marks = self.dirty_bit;
    }

    pub(crate) fn freeze(&mut self) {
        self.frozen = std::mem::take(&mut self.dirty);
        self.dirty_bit = self.frozen_bit();
    }

    /// The frozen znode at `position` with its value at the cut; none beyond the end.
    pub(crate) fn write(&mut self, position: usize, slab: &mut Slab) -> Option<(NodeRef, Image)> {
        let node = *self.frozen.get(position)?;
        let slot = slab.get_mut(node);
        if slot.marks & self.frozen_bit() == 0 {
            let image = self.pre_images.remove(&node);
            return Some((node, image.expect("a changed frozen znode left its pre-image")));
        }
        slot.marks &= self.dirty_bit;
        Some((node, format::encode_node(node, slot)))
    }

    /// Ends the cut: everything was written. Looks at no slot, for all locks wait.
    pub(crate) fn keep_written(&mut self, positions: usize) {
        assert!(positions == self.frozen.len(), "a finished cut wrote every znode");
        assert!(self.pre_images.is_empty(), "a finished cut wrote every pre-image");
        self.frozen = Vec::new();
    }

    /// Ends the cut: what it was to write counts as unwritten.
    pub(crate) fn give_back(&mut self, slab: &mut Slab) {
        self.pre_images.clear();
        for node in std::mem::take(&mut self.frozen) {
            let slot = slab.get_mut(node);
            if slot.marks & self.dirty_bit == 0 {
                self.dirty.push(node);
            }
            slot.marks = self.dirty_bit;
        }
    }

    /// How many znodes changed since the last cut.
    pub(crate) fn dirty_count(&self) -> usize {
        self.dirty.len()
    }

    fn frozen_bit(&self) -> u8 {
        self.dirty_bit ^ BOTH_BITS
    }
}

/// The same bookkeeping for parts that change seldom, in sets.
#[derive(Debug)]
pub(crate) struct SetMarks<K> {
    dirty: BTreeSet<K>,
    unwritten: BTreeSet<K>,
    written: Vec<K>,
    pre_images: BTreeMap<K, Image>,
}

impl<K> Default for SetMarks<K> {
    fn default() -> Self {
        Self {
            dirty: BTreeSet::new(),
            unwritten: BTreeSet::new(),
            written: Vec::new(),
            pre_images: BTreeMap::new(),
        }
    }
}

impl<K: Copy + Ord> SetMarks<K> {
    /// Must come before every change; `encode` gives the value before it.
    pub(crate) fn touch(&mut self, key: K, encode: impl FnOnce() -> Image) {
        self.dirty.insert(key);
        if self.unwritten.remove(&key) {
            self.pre_images.insert(key, encode());
        }
    }

    pub(crate) fn freeze(&mut self) {
        self.unwritten = std::mem::take(&mut self.dirty);
    }

    /// One frozen part with its value at the cut; `encode` gives the present one.
    pub(crate) fn write(&mut self, encode: impl FnOnce(K) -> Image) -> Option<(K, Image)> {
        let pair = self
            .pre_images
            .pop_first()
            .or_else(|| self.unwritten.pop_first().map(|key| (key, encode(key))))?;
        self.written.push(pair.0);
        Some(pair)
    }

    pub(crate) fn keep_written(&mut self) {
        assert!(self.unwritten.is_empty(), "a finished cut wrote every part");
        assert!(self.pre_images.is_empty(), "a finished cut wrote every pre-image");
        self.written = Vec::new();
    }

    pub(crate) fn give_back(&mut self) {
        self.dirty.append(&mut self.unwritten);
        self.dirty.extend(std::mem::take(&mut self.pre_images).into_keys());
        self.dirty.extend(std::mem::take(&mut self.written));
    }

    pub(crate) fn dirty_count(&self) -> usize {
        self.dirty.len()
    }
}
