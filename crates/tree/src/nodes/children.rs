//! Lists of children, only for the znodes that have any.
//!
//! A list is a plain vector and each child knows its position in it, so that coming
//! and going costs O(1) also under a parent of a million, and listing runs straight.

use super::slot::NodeRef;

/// The value of a znode's list id when it has no children.
pub(crate) const NO_CHILDREN: u32 = u32::MAX;

/// A vector is given back in part once it is used to less than this fraction.
const SHRINK_BELOW: usize = 4;

/// Every list, by its id; ids are reused.
#[derive(Debug, Default)]
pub(crate) struct ChildLists {
    lists: Vec<Vec<NodeRef>>,
    unused: Vec<u32>,
}

impl ChildLists {
    pub(crate) fn of(&self, list: u32) -> &[NodeRef] {
        if list == NO_CHILDREN { &[] } else { &self.lists[list as usize] }
    }

    /// Appends to `list`, which is made if there is none. Returns list and position.
    pub(crate) fn push(&mut self, list: u32, child: NodeRef) -> (u32, u32) {
        let list = if list == NO_CHILDREN { self.make() } else { list };
        let children = &mut self.lists[list as usize];
        children.push(child);
        (list, u32::try_from(children.len() - 1).expect("fewer than 2^32 znodes"))
    }

    /// Takes out the child at `position`. Returns the list id left, and the child that
    /// moved to that position, if one did.
    pub(crate) fn remove(&mut self, list: u32, position: u32) -> (u32, Option<NodeRef>) {
        let children = &mut self.lists[list as usize];
        children.swap_remove(position as usize);
        if children.is_empty() {
            *children = Vec::new();
            self.unused.push(list);
            return (NO_CHILDREN, None);
        }
        if children.len() < children.capacity() / SHRINK_BELOW {
            children.shrink_to(children.len() * 2);
        }
        (list, children.get(position as usize).copied())
    }

    fn make(&mut self) -> u32 {
        self.unused.pop().unwrap_or_else(|| {
            self.lists.push(Vec::new());
            u32::try_from(self.lists.len() - 1).expect("fewer than 2^32 znodes")
        })
    }
}
