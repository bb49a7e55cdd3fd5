//! ACL lists are interned: a tree of a million znodes has a handful of them.

use std::{collections::BTreeMap, sync::Arc};

use super::{AclList, fix_up::Checked, is_anyone};
use crate::{
    checkpoint::{self, SetMarks},
    command::{AclEntry, Permissions},
    outcome::AclView,
};

/// The id of `world:anyone` with all permissions. It is always there and not stored.
pub(crate) const OPEN_ACL: u32 = 0;

/// Lists by id, counted; an id is free again when nobody uses its list.
#[derive(Debug)]
pub(crate) struct AclTable {
    lists: Lists,
    ids: BTreeMap<Arc<AclList>, u32>,
    free: Vec<u32>,
    pub(crate) marks: SetMarks<u32>,
}

type Lists = Vec<Option<Interned>>;

#[derive(Debug)]
struct Interned {
    list: Arc<AclList>,
    uses: u64,
}

impl Default for AclTable {
    fn default() -> Self {
        let all = AclEntry { perms: Permissions::ALL, scheme: "world", id: "anyone" };
        let open = Interned { list: Arc::new(AclList::from_entries([all])), uses: 1 };
        Self {
            lists: vec![Some(open)],
            ids: BTreeMap::new(),
            free: Vec::new(),
            marks: SetMarks::default(),
        }
    }
}

impl AclTable {
    pub(crate) fn list(&self, id: u32) -> &Arc<AclList> {
        let interned = self.lists.get(id as usize).and_then(Option::as_ref);
        &interned.expect("an ACL in use is in the table").list
    }

    pub(crate) fn view(&self, id: u32) -> AclView {
        if id == OPEN_ACL { AclView::Open } else { AclView::List(Arc::clone(self.list(id))) }
    }

    /// Counts one more use of the list, and gives its id.
    pub(crate) fn intern(&mut self, entries: &Checked<'_>) -> u32 {
        if let [only] = entries.as_slice()
            && only.perms == Permissions::ALL
            && is_anyone(only)
        {
            return OPEN_ACL;
        }
        let list = AclList::from_entries(entries.iter().copied());
        if let Some(&id) = self.ids.get(&list) {
            self.lists[id as usize].as_mut().expect("it has an id").uses += 1;
            return id;
        }
        let id = self.free.pop().unwrap_or_else(|| {
            self.lists.push(None);
            u32::try_from(self.lists.len() - 1).expect("fewer than 2^32 lists")
        });
        self.touch(id);
        let list = Arc::new(list);
        self.ids.insert(Arc::clone(&list), id);
        self.lists[id as usize] = Some(Interned { list, uses: 1 });
        id
    }

    /// Counts one use less; the last one takes the list away.
    pub(crate) fn release(&mut self, id: u32) {
        if id == OPEN_ACL {
            return;
        }
        let interned = self.lists[id as usize].as_mut().expect("an ACL in use is in the table");
        interned.uses -= 1;
        if interned.uses == 0 {
            self.touch(id);
            let interned = self.lists[id as usize].take().expect("it was there just now");
            self.ids.remove(&interned.list);
            self.free.push(id);
        }
    }

    // The checkpoint's part.

    /// Puts a list back while loading, as yet unused; false if its id is taken.
    pub(crate) fn restore(&mut self, id: u32, list: Arc<AclList>) -> bool {
        let index = id as usize;
        if self.lists.len() <= index {
            self.lists.resize_with(index + 1, || None);
        }
        let fresh = self.lists[index].is_none() && !self.ids.contains_key(&list);
        self.ids.insert(Arc::clone(&list), id);
        self.lists[index] = Some(Interned { list, uses: 0 });
        fresh
    }

    /// Counts a use while loading; false if there is no such list.
    pub(crate) fn use_again(&mut self, id: u32) -> bool {
        let interned = self.lists.get_mut(id as usize).and_then(Option::as_mut);
        interned.is_some_and(|interned| {
            interned.uses += 1;
            true
        })
    }

    /// Drops what nobody uses, and finds the free ids.
    pub(crate) fn finish_restoring(&mut self) {
        let count = u32::try_from(self.lists.len()).expect("ids are 32 bits wide");
        for id in (0..count).rev() {
            match &self.lists[id as usize] {
                None => self.free.push(id),
                Some(interned) if interned.uses == 0 => {
                    self.lists[id as usize].as_mut().expect("it is there").uses = 1;
                    self.release(id);
                }
                Some(_) => {}
            }
        }
    }

    pub(crate) fn touch_all(&mut self) {
        let count = u32::try_from(self.lists.len()).expect("ids are 32 bits wide");
        (1..count).for_each(|id| self.touch(id));
    }

    /// One list of the cut with its value.
    pub(crate) fn write(&mut self) -> Option<(u32, Option<Box<[u8]>>)> {
        let lists = &self.lists;
        self.marks.write(|id| encode(lists, id))
    }

    fn touch(&mut self, id: u32) {
        let lists = &self.lists;
        self.marks.touch(id, || encode(lists, id));
    }
}

fn encode(lists: &Lists, id: u32) -> Option<Box<[u8]>> {
    let interned = lists.get(id as usize).and_then(Option::as_ref)?;
    Some(checkpoint::encode_acl(id, &interned.list))
}
