//! The tree in memory: slots, the index over them, lists of children, and what is
//! derived from them (digest, sizes, lifetimes). No rules live here: who may do what,
//! and what a zxid or a version becomes, is decided in `apply`.
//!
//! The invariant to know: every change of a slot goes through [`Nodes::touch`] first,
//! which tells the checkpoint, and leaves the slot's digest current.

mod build;
mod children;
mod digest;
mod index;
mod lifetimes;
mod slab;
mod slot;

pub(crate) use build::NodeBuilder;
use children::ChildLists;
pub(crate) use children::NO_CHILDREN;
use index::Index;
use lifetimes::Lifetimes;
pub(crate) use slab::Slab;
pub(crate) use slot::{Body, Fields, Kind, NodeRef, Slot};

use crate::{checkpoint::NodeMarks, path, stat::Stat};

/// The tree.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    slab: Slab,
    index: Index,
    children: ChildLists,
    lifetimes: Lifetimes,
    marks: NodeMarks,
    totals: Totals,
}

/// Sums over the tree, kept up to date by every change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Znodes, the root included.
    pub(crate) nodes: u64,
    /// UTF-16 length of all paths (the root's is 1) plus bytes of all data.
    pub(crate) data_size: i64,
    /// Wrapping sum of the digests.
    pub(crate) digest: u64,
}

/// What a new znode is made of.
#[derive(Debug)]
pub(crate) struct NewNode<'a> {
    pub(crate) parent: NodeRef,
    /// Full path, the name being its last component.
    pub(crate) path: &'a str,
    pub(crate) data: Option<&'a [u8]>,
    pub(crate) fields: Fields,
    pub(crate) kind: Kind,
}

impl Nodes {
    /// A tree of nothing but the root, all of whose fields are zero.
    pub(crate) fn with_root(acl: u32) -> Self {
        let mut nodes = Self::default();
        let root = nodes.slab.allocate();
        nodes.touch(root);
        let slot = nodes.slab.get_mut(root);
        slot.free = false;
        slot.fields.acl = acl;
        slot.body = Body::new("", Some(&[]));
        slot.digest = digest::slot_digest(slot);
        nodes.totals = Totals { nodes: 1, data_size: 1, digest: u64::from(slot.digest) };
        nodes
    }

    // Reading.

    pub(crate) fn get(&self, node: NodeRef) -> &Slot {
        self.slab.get(node)
    }

    pub(crate) fn children(&self, node: NodeRef) -> &[NodeRef] {
        self.children.of(self.get(node).children)
    }

    pub(crate) fn stat(&self, node: NodeRef) -> Stat {
        self.get(node).stat(self.children(node).len())
    }

    pub(crate) fn child(&self, parent: NodeRef, name: &str) -> Option<NodeRef> {
        self.index.find(&self.slab, parent, name.as_bytes())
    }

    /// The znode at `path`. Anything malformed is just not there.
    pub(crate) fn find(&self, path: &str) -> Option<NodeRef> {
        // Compat(two-roots): the empty path is another name of the root.
        if path.is_empty() || path == "/" {
            return Some(NodeRef::ROOT);
        }
        let names = path.strip_prefix('/')?.as_bytes().split(|byte| *byte == b'/');
        let mut node = NodeRef::ROOT;
        for name in names {
            node = self.index.find(&self.slab, node, name)?;
        }
        Some(node)
    }

    /// The full path of a znode.
    pub(crate) fn path_of(&self, node: NodeRef) -> String {
        if node == NodeRef::ROOT {
            return "/".to_owned();
        }
        let mut names = smallvec::SmallVec::<[&str; 16]>::new();
        let mut at = node;
        while at != NodeRef::ROOT {
            let slot = self.get(at);
            names.push(slot.body.name());
            at = slot.parent;
        }
        let mut path = String::with_capacity(names.iter().map(|name| name.len() + 1).sum());
        for name in names.iter().rev() {
            path.push('/');
            path.push_str(name);
        }
        path
    }

    /// Visits `top` and everything below it, parents first.
    pub(crate) fn walk(&self, top: NodeRef, mut visit: impl FnMut(NodeRef)) {
        let mut pending = vec![top];
        while let Some(node) = pending.pop() {
            visit(node);
            pending.extend_from_slice(self.children(node));
        }
    }

    pub(crate) fn lifetimes(&self) -> &Lifetimes {
        &self.lifetimes
    }

    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    pub(crate) fn slab(&self) -> &Slab {
        &self.slab
    }

    // Changing.

    /// Puts a new, childless znode into the tree. The parent's fields stay as they are.
    pub(crate) fn insert(&mut self, new: &NewNode<'_>) -> NodeRef {
        let name = path::name_of(new.path);
        let parent = self.get(new.parent);
        let hidden = parent.hidden || (parent.parent == NodeRef::ROOT && is_system(parent));
        let path_crc = digest::path_crc(parent.path_crc, name.as_bytes());
        let mut slot = Slot::vacant(0);
        slot.fields = new.fields;
        slot.body = Body::new(name, new.data);
        slot.parent = new.parent;
        slot.kind = new.kind;
        slot.hidden = hidden;
        slot.path_crc = path_crc;
        slot.body_crc = digest::body_crc(path_crc, slot.body.data_or_empty());
        slot.digest = digest::slot_digest(&slot);
        self.totals.nodes += 1;
        self.totals.data_size += path::utf16_len(new.path) + data_len(&slot.body);
        self.totals.digest = self.totals.digest.wrapping_add(u64::from(slot.digest));
        let node = self.slab.allocate();
        self.put(node, slot);
        node
    }

    /// Takes a childless znode, which lies at `path`, out of the tree.
    pub(crate) fn remove(&mut self, node: NodeRef, path: &str) -> Slot {
        let slot = self.take(node);
        self.slab.release(node);
        self.totals.nodes -= 1;
        self.totals.data_size -= path::utf16_len(path) + data_len(&slot.body);
        self.totals.digest = self.totals.digest.wrapping_sub(u64::from(slot.digest));
        slot
    }

    /// Changes fields. The parent, the kind and the owner cannot change.
    pub(crate) fn change(&mut self, node: NodeRef, change: impl FnOnce(&mut Fields)) {
        self.touch(node);
        let slot = self.slab.get_mut(node);
        if slot.kind == Kind::Ttl {
            self.lifetimes.stop_clock(node, slot);
            change(&mut slot.fields);
            self.lifetimes.start_clock(node, slot);
        } else {
            change(&mut slot.fields);
        }
        self.rehash(node);
    }

    /// Replaces name and data by `body`, which must have the same name, and changes
    /// fields. Returns the former body.
    pub(crate) fn replace(
        &mut self,
        node: NodeRef,
        body: Body,
        change: impl FnOnce(&mut Fields),
    ) -> Body {
        self.touch(node);
        let slot = self.slab.get_mut(node);
        self.totals.data_size += data_len(&body) - data_len(&slot.body);
        slot.body_crc = digest::body_crc(slot.path_crc, body.data_or_empty());
        let former = std::mem::replace(&mut slot.body, body);
        self.change(node, change);
        former
    }

    // Undoing: as if it had not been. The caller restores the totals as a whole.

    /// Takes out what [`Self::insert`] put in.
    pub(crate) fn undo_insert(&mut self, node: NodeRef) -> Slot {
        let slot = self.take(node);
        self.slab.release(node);
        slot
    }

    /// Puts back what [`Self::remove`] took out.
    pub(crate) fn undo_remove(&mut self, node: NodeRef, slot: Slot) {
        self.slab.reclaim(node);
        self.put(node, slot);
    }

    pub(crate) fn restore_totals(&mut self, totals: Totals) {
        self.totals = totals;
    }

    // The checkpoint's part.

    pub(crate) fn freeze(&mut self) {
        self.marks.freeze();
    }

    pub(crate) fn keep_written(&mut self, positions: usize) {
        self.marks.keep_written(positions);
    }

    pub(crate) fn give_back(&mut self) {
        self.marks.give_back(&mut self.slab);
    }

    pub(crate) fn touch_all(&mut self) {
        for node in (0..self.slab.slots()).map(NodeRef) {
            self.touch(node);
        }
    }

    pub(crate) fn dirty_count(&self) -> usize {
        self.marks.dirty_count()
    }

    /// The znode at `position` of the cut with its value; none beyond the end.
    pub(crate) fn write(&mut self, position: usize) -> Option<(NodeRef, Option<Box<[u8]>>)> {
        self.marks.write(position, &mut self.slab)
    }

    /// Tells the checkpoint that `node` is about to change.
    fn touch(&mut self, node: NodeRef) {
        self.marks.touch(node, self.slab.get_mut(node));
    }

    fn rehash(&mut self, node: NodeRef) {
        let slot = self.slab.get_mut(node);
        let digest = digest::slot_digest(slot);
        let former = std::mem::replace(&mut slot.digest, digest);
        self.totals.digest =
            self.totals.digest.wrapping_sub(u64::from(former)).wrapping_add(u64::from(digest));
    }

    fn put(&mut self, node: NodeRef, slot: Slot) {
        self.touch(node);
        let place = self.slab.get_mut(node);
        let marks = place.marks;
        *place = slot;
        place.marks = marks;
        place.free = false;
        self.link(node);
    }

    fn take(&mut self, node: NodeRef) -> Slot {
        self.touch(node);
        self.unlink(node);
        let place = self.slab.get_mut(node);
        let vacant = Slot::vacant(place.marks);
        std::mem::replace(place, vacant)
    }

    /// Makes everything derived know of a childless znode that is in its slot.
    fn link(&mut self, node: NodeRef) {
        let slot = self.slab.get(node);
        let parent = slot.parent;
        self.index.insert(slot, node);
        self.lifetimes.enter(node, slot);
        let list = self.slab.get(parent).children;
        let (list, position) = self.children.push(list, node);
        self.slab.get_mut(node).position = position;
        let slot = self.slab.get_mut(parent);
        if slot.kind == Kind::Container && slot.children == NO_CHILDREN {
            self.lifetimes.filled(parent);
        }
        slot.children = list;
    }

    fn unlink(&mut self, node: NodeRef) {
        let slot = self.slab.get(node);
        assert!(slot.children == NO_CHILDREN, "only childless znodes are removed");
        let (parent, position) = (slot.parent, slot.position);
        self.index.remove(slot, node);
        self.lifetimes.leave(node, slot);
        let list = self.slab.get(parent).children;
        let (list, moved) = self.children.remove(list, position);
        if let Some(moved) = moved {
            self.slab.get_mut(moved).position = position;
        }
        let slot = self.slab.get_mut(parent);
        slot.children = list;
        if slot.kind == Kind::Container && list == NO_CHILDREN {
            self.lifetimes.emptied(parent);
        }
    }
}

/// Whether this child of the root is `/zookeeper`.
fn is_system(slot: &Slot) -> bool {
    slot.body.name_bytes() == b"zookeeper"
}

fn data_len(body: &Body) -> i64 {
    i64::try_from(body.data_or_empty().len()).unwrap_or(i64::MAX)
}
