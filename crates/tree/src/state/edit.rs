//! The changes that operations are made of, each of which can be taken back.
//!
//! While a multi runs, every change leaves in the journal how to undo it. Rolling back
//! runs the journal backwards; nothing is ever copied that did not change.

use super::State;
use crate::{
    nodes::{Body, Fields, NewNode, NodeRef, Slot, Totals},
    path,
};

/// How to take back what was done since the journal was opened.
#[derive(Debug)]
pub(super) struct Journal {
    undos: Vec<Undo>,
    totals: Totals,
}

#[derive(Debug)]
enum Undo {
    Insert(NodeRef),
    Remove(NodeRef, Box<Slot>),
    Change(NodeRef, Fields),
    Replace(NodeRef, Body, Fields),
    AddQuota(Box<str>),
    RemoveQuota(Box<str>),
}

impl State {
    /// Opens the journal.
    pub(crate) fn begin_undoable(&mut self) {
        assert!(self.journal.is_none(), "multis do not nest");
        self.journal = Some(Journal { undos: Vec::new(), totals: self.nodes.totals() });
    }

    /// What was done stays.
    pub(crate) fn keep_changes(&mut self) {
        let journal = self.journal.take().expect("the journal was opened");
        for undo in journal.undos {
            match undo {
                Undo::Remove(_, slot) => self.acls.release(slot.fields.acl),
                Undo::Insert(_)
                | Undo::Change(..)
                | Undo::Replace(..)
                | Undo::AddQuota(_)
                | Undo::RemoveQuota(_) => {}
            }
        }
    }

    /// What was done since [`Self::begin_undoable`] is undone.
    pub(crate) fn undo_changes(&mut self) {
        let journal = self.journal.take().expect("the journal was opened");
        for undo in journal.undos.into_iter().rev() {
            match undo {
                Undo::Insert(node) => {
                    let slot = self.nodes.undo_insert(node);
                    self.acls.release(slot.fields.acl);
                }
                Undo::Remove(node, slot) => self.nodes.undo_remove(node, *slot),
                Undo::Change(node, fields) => self.nodes.change(node, |now| *now = fields),
                Undo::Replace(node, body, fields) => {
                    self.nodes.replace(node, body, |now| *now = fields);
                }
                Undo::AddQuota(path) => {
                    self.quotas.remove(&path);
                }
                Undo::RemoveQuota(path) => {
                    self.quotas.add(path);
                }
            }
        }
        self.nodes.restore_totals(journal.totals);
    }

    /// Puts a new znode into the tree. Its ACL must have been counted for it.
    pub(crate) fn insert_node(&mut self, new: &NewNode<'_>) -> NodeRef {
        let node = self.nodes.insert(new);
        self.note_undo(|| Undo::Insert(node));
        node
    }

    /// Takes a childless znode out of the tree.
    pub(crate) fn remove_node(&mut self, node: NodeRef, path: &str) {
        let slot = self.nodes.remove(node, path);
        match &mut self.journal {
            // The ACL stays counted, for it may be needed again.
            Some(journal) => journal.undos.push(Undo::Remove(node, Box::new(slot))),
            None => self.acls.release(slot.fields.acl),
        }
    }

    /// Changes fields, but not the ACL.
    pub(crate) fn change_fields(&mut self, node: NodeRef, change: impl FnOnce(&mut Fields)) {
        let former = self.nodes.get(node).fields;
        self.note_undo(|| Undo::Change(node, former));
        self.nodes.change(node, change);
    }

    /// Replaces data and changes fields, but not the ACL.
    pub(crate) fn replace_data(
        &mut self,
        node: NodeRef,
        data: Option<&[u8]>,
        change: impl FnOnce(&mut Fields),
    ) {
        let slot = self.nodes.get(node);
        let (former_fields, body) = (slot.fields, Body::new(slot.body.name(), data));
        let former = self.nodes.replace(node, body, change);
        self.note_undo(|| Undo::Replace(node, former, former_fields));
    }

    /// Begins to count below `path`.
    pub(crate) fn add_quota(&mut self, path: &str) {
        if self.quotas.add(path.into()) {
            self.note_undo(|| Undo::AddQuota(path.into()));
        }
    }

    /// Ends counting below `path`.
    pub(crate) fn remove_quota(&mut self, path: &str) {
        if self.quotas.remove(path) {
            self.note_undo(|| Undo::RemoveQuota(path.into()));
        }
    }

    /// Finds the quotas after loading.
    pub(super) fn find_quotas(&mut self) {
        let Some(top) = self.nodes.find(path::QUOTA) else { return };
        let mut limits = Vec::new();
        self.nodes.walk(top, |node| limits.push(self.nodes.path_of(node)));
        for limit in &limits {
            if let Some((path, super::quota::LIMITS)) = super::quota::split(limit) {
                self.quotas.add(path.into());
            }
        }
    }

    fn note_undo(&mut self, undo: impl FnOnce() -> Undo) {
        if let Some(journal) = &mut self.journal {
            journal.undos.push(undo());
        }
    }
}
