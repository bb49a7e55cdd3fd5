//! The incremental checkpoint: what changed since the last one, as it was at one point,
//! written while commands go on being applied. And back: a state out of what was written.
//!
//! It costs what changed, not the size of the tree. [`State::begin_cut`] freezes the set
//! of changed parts; [`State::write_cut`] hands them out in small portions, each under a
//! short lock; what changes again before its turn leaves its pre-image. What is done with
//! keys and values is the store's affair. They must reach the disk in one atomic step
//! together with those of the cuts before.

mod bytes;
mod format;
mod load;
mod marks;

pub(crate) use format::{encode_acl, encode_session};
pub(crate) use marks::{NodeMarks, SetMarks};

pub use load::{LoadError, Loader};

use format::Key;
pub(crate) use format::Meta;

use crate::{State, command::OriginId, ids::Zxid};

/// Takes a key with its value; a key without a value is to be deleted.
pub type CutSink<'s> = dyn FnMut(&[u8], Option<&[u8]>) + 's;

/// A point in the order of commands, being written. Give it back to [`State::end_cut`].
#[derive(Debug)]
pub struct Cut {
    number: u64,
    zxid: Zxid,
    meta: Option<Box<[u8]>>,
    next_node: usize,
}

impl Cut {
    /// The last transaction that the cut holds.
    pub fn last_zxid(&self) -> Zxid {
        self.zxid
    }
}

impl State {
    /// Begins to write what changed since the last successful cut, as it is now.
    /// Costs next to nothing. There is one cut at a time: one that was not ended counts
    /// as failed from here on.
    pub fn begin_cut(&mut self) -> Cut {
        self.give_back();
        self.cuts += 1;
        self.nodes.freeze();
        self.sessions.marks.freeze();
        self.acls.marks.freeze();
        let meta = format::encode_meta(&self.meta());
        Cut { number: self.cuts, zxid: self.zxid, meta: Some(meta), next_node: 0 }
    }

    /// Hands keys and values of the cut to `sink` until about `budget_bytes` were handed
    /// out. True when the cut is complete. Commands may be applied between calls.
    ///
    /// # Panics
    ///
    /// When a later cut was begun.
    pub fn write_cut(
        &mut self,
        cut: &mut Cut,
        budget_bytes: usize,
        sink: &mut CutSink<'_>,
    ) -> bool {
        assert!(cut.number == self.cuts, "one cut at a time");
        let mut written = 0;
        while written < budget_bytes {
            let Some((key, value)) = self.next_of_cut(cut) else { return true };
            let key = key.encode();
            written += key.as_slice().len() + value.as_deref().map_or(0, <[u8]>::len);
            sink(key.as_slice(), value.as_deref());
        }
        false
    }

    /// Ends the cut. If it did not reach the disk (`succeeded` is false), the next one
    /// writes all of it again.
    ///
    /// # Panics
    ///
    /// When it succeeded without having been written as a whole.
    pub fn end_cut(&mut self, cut: Cut, succeeded: bool) {
        let Cut { number, zxid: _, meta, next_node } = cut;
        if number != self.cuts {
            return;
        }
        if !succeeded {
            return self.give_back();
        }
        assert!(meta.is_none(), "a finished cut wrote the meta record");
        self.nodes.keep_written(next_node);
        self.sessions.marks.keep_written();
        self.acls.marks.keep_written();
    }

    /// Makes the next cut a full checkpoint. Only between cuts.
    pub fn mark_all_dirty(&mut self) {
        self.nodes.touch_all();
        self.sessions.touch_all();
        self.acls.touch_all();
    }

    /// How many parts of the state changed since the last cut.
    pub fn dirty_count(&self) -> usize {
        self.nodes.dirty_count() + self.sessions.marks.dirty_count() + self.acls.marks.dirty_count()
    }

    /// What the cut was to write is dirty again.
    fn give_back(&mut self) {
        self.nodes.give_back();
        self.sessions.marks.give_back();
        self.acls.marks.give_back();
    }

    fn next_of_cut(&mut self, cut: &mut Cut) -> Option<(Key, Option<Box<[u8]>>)> {
        if let Some(meta) = cut.meta.take() {
            return Some((Key::Meta, Some(meta)));
        }
        if let Some((id, value)) = self.acls.write() {
            return Some((Key::Acl(id), value));
        }
        if let Some((id, value)) = self.sessions.write() {
            return Some((Key::Session(id.0), value));
        }
        let (node, value) = self.nodes.write(cut.next_node)?;
        cut.next_node += 1;
        Some((Key::Node(node.0), value))
    }

    fn meta(&self) -> Meta {
        let totals = self.nodes.totals();
        let origins = self.origins.iter().map(|(node, (incarnation, sequence))| {
            (OriginId { node: *node, incarnation: *incarnation }, *sequence)
        });
        Meta {
            zxid: self.zxid,
            term: self.term,
            nodes: totals.nodes,
            digest: totals.digest,
            origins: origins.collect(),
        }
    }
}
