//! When a znode, or its children, were last changed: for reads that come late.
//!
//! A server of an ensemble may answer from a state that the others have left behind. Such a
//! read is still judged if what it read has not changed since.

use std::collections::HashMap;

use crate::change::parent;

/// Znodes in a generation; two are kept.
const GENERATION_MAX: usize = 1 << 17;

/// The last changes.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    young: HashMap<String, i64>,
    old: HashMap<String, i64>,
    /// Changes up to here may be forgotten.
    forgotten: i64,
    latest: i64,
}

impl Recent {
    /// A znode was changed: its parent's children may have been too.
    pub(crate) fn note(&mut self, path: &str, zxid: i64) {
        self.latest = self.latest.max(zxid);
        if self.young.len() >= GENERATION_MAX {
            self.forgotten = self.old.values().copied().max().unwrap_or(self.forgotten);
            self.old = std::mem::take(&mut self.young);
        }
        if let Some(parent) = parent(path) {
            self.young.insert(parent.to_owned(), zxid);
        }
        self.young.insert(path.to_owned(), zxid);
    }

    /// The zxid of the last change.
    pub(crate) const fn latest(&self) -> i64 {
        self.latest
    }

    /// Whether a znode may have been changed after this zxid.
    pub(crate) fn changed_since(&self, path: &str, zxid: i64) -> bool {
        let known = self.young.get(path).or_else(|| self.old.get(path));
        zxid < known.copied().unwrap_or(self.forgotten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_seen_at_the_znode_and_its_parent() {
        let mut recent = Recent::default();
        recent.note("/a/b", 7);
        assert!(recent.changed_since("/a/b", 6) && recent.changed_since("/a", 6));
        assert!(!recent.changed_since("/a/b", 7) && !recent.changed_since("/", 0));
        for number in 0..3 * GENERATION_MAX {
            recent.note(&format!("/{number}"), 8 + number as i64);
        }
        assert!(recent.changed_since("/a/b", 6), "forgotten counts as changed");
        assert!(!recent.changed_since("/a/b", recent.latest()));
    }
}
