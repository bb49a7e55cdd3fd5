//! A growing array with holes: things are named by a small number that stays the same.
//!
//! The watch table is a graph of connections, paths and watches that point at each other.
//! Four-byte ids instead of pointers keep a watch small, and freed places are used again,
//! so the table's memory follows its peak, not its history.

use std::{
    num::NonZeroU32,
    ops::{Index, IndexMut},
};

/// Names one thing in one [`Arena`]. `Option<Id>` takes four bytes as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Id(NonZeroU32);

impl Id {
    fn from_index(index: usize) -> Self {
        let number = u32::try_from(index + 1).expect("the watch table's limits stay below 2^32");
        Self(NonZeroU32::new(number).expect("one was added"))
    }

    fn index(self) -> usize {
        self.0.get() as usize - 1
    }

    /// The number itself, for hashing.
    pub(super) fn get(self) -> u32 {
        self.0.get()
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Arena<T> {
    slots: Vec<Slot<T>>,
    free: Option<Id>,
    len: usize,
}

#[derive(Debug)]
enum Slot<T> {
    Used(T),
    /// Names the next free slot.
    Free(Option<Id>),
}

impl<T> Arena<T> {
    pub(super) const fn new() -> Self {
        Self { slots: Vec::new(), free: None, len: 0 }
    }

    /// How many things it holds.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Puts `value` in, and names it.
    pub(super) fn insert(&mut self, value: T) -> Id {
        self.len += 1;
        let Some(id) = self.free else {
            self.slots.push(Slot::Used(value));
            return Id::from_index(self.slots.len() - 1);
        };
        let slot = &mut self.slots[id.index()];
        self.free = match slot {
            Slot::Free(next) => *next,
            Slot::Used(_) => unreachable!("the free list names free slots only"),
        };
        *slot = Slot::Used(value);
        id
    }

    /// Takes out what `id` names; the id may be given again.
    pub(super) fn remove(&mut self, id: Id) -> T {
        let slot = std::mem::replace(&mut self.slots[id.index()], Slot::Free(self.free));
        self.free = Some(id);
        self.len -= 1;
        match slot {
            Slot::Used(value) => value,
            Slot::Free(_) => unreachable!("an id is removed once"),
        }
    }

    /// Everything, in the order of the slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Id, &T)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| match slot {
            Slot::Used(value) => Some((Id::from_index(index), value)),
            Slot::Free(_) => None,
        })
    }
}

impl<T> Index<Id> for Arena<T> {
    type Output = T;

    fn index(&self, id: Id) -> &T {
        match &self.slots[id.index()] {
            Slot::Used(value) => value,
            Slot::Free(_) => unreachable!("an id outlives what it names only by a bug"),
        }
    }
}

impl<T> IndexMut<Id> for Arena<T> {
    fn index_mut(&mut self, id: Id) -> &mut T {
        match &mut self.slots[id.index()] {
            Slot::Used(value) => value,
            Slot::Free(_) => unreachable!("an id outlives what it names only by a bug"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_slot_is_used_again_and_others_keep_their_ids() {
        let mut arena = Arena::new();
        let a = arena.insert('a');
        let b = arena.insert('b');
        assert_eq!(arena.remove(a), 'a');
        let c = arena.insert('c');
        assert_eq!((c, arena[b], arena[c], arena.len()), (a, 'b', 'c', 2));
        assert_eq!(arena.iter().map(|(_, value)| *value).collect::<String>(), "cb");
    }
}
