//! Znodes about which nothing can be said, and why.
//!
//! A mark is what keeps one cause from being reported a thousand times, and what the proxy
//! cannot know from being reported as a difference.

use std::collections::HashMap;

use crate::change::parent;
use crate::report::Reason;

/// Marks that are kept. With more, nothing can be said about any znode.
const MARKS_MAX: usize = 1 << 20;

/// The marked znodes.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    marks: HashMap<String, Mark>,
    /// Set when there are too many.
    overflow: Option<Reason>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    /// Nothing about it is judged: its data, its ACL, its Stat.
    whole: Option<Reason>,
    /// Nor whether it is there, nor what is below.
    below: Option<Reason>,
    /// How often its children changed, and which they are, is not judged.
    children: Option<Reason>,
}

impl Marks {
    /// Nothing about this znode can be judged from now on.
    pub(crate) fn mark(&mut self, path: &str, reason: Reason) {
        if let Some(mark) = self.entry(path, reason) {
            mark.whole.get_or_insert(reason);
        }
    }

    /// It may be there on one side only: what is below and its parent's children differ too.
    pub(crate) fn mark_existence(&mut self, path: &str, reason: Reason) {
        if let Some(mark) = self.entry(path, reason) {
            mark.whole.get_or_insert(reason);
            mark.below.get_or_insert(reason);
        }
        if let Some(parent) = parent(path) {
            self.mark_children(parent, reason);
        }
    }

    /// How this znode's children changed cannot be judged from now on.
    pub(crate) fn mark_children(&mut self, path: &str, reason: Reason) {
        if let Some(mark) = self.entry(path, reason) {
            mark.children.get_or_insert(reason);
        }
    }

    /// Why nothing is said about this znode.
    pub(crate) fn whole(&self, path: &str) -> Option<Reason> {
        if self.overflow.is_some() || self.marks.is_empty() {
            return self.overflow;
        }
        if let Some(reason) = self.marks.get(path).and_then(|mark| mark.whole) {
            return Some(reason);
        }
        let mut at = parent(path);
        while let Some(ancestor) = at {
            if let Some(reason) = self.marks.get(ancestor).and_then(|mark| mark.below) {
                return Some(reason);
            }
            at = parent(ancestor);
        }
        None
    }

    /// Why nothing is said about this znode's children.
    pub(crate) fn children(&self, path: &str) -> Option<Reason> {
        self.overflow.or_else(|| {
            let mark = self.marks.get(path)?;
            mark.children.or(mark.whole)
        })
    }

    /// Whether there are so many that nothing can be said about any znode.
    pub(crate) const fn is_overrun(&self) -> bool {
        self.overflow.is_some()
    }

    /// Whether anything is marked at all.
    pub(crate) fn any(&self) -> Option<Reason> {
        let first = self.marks.values().find_map(|mark| mark.whole.or(mark.children));
        self.overflow.or(first)
    }

    fn entry(&mut self, path: &str, reason: Reason) -> Option<&mut Mark> {
        if self.marks.len() >= MARKS_MAX && !self.marks.contains_key(path) {
            self.overflow.get_or_insert(reason);
            return None;
        }
        Some(self.marks.entry(path.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_holds_for_what_is_below_and_for_the_parents_children() {
        let mut marks = Marks::default();
        assert_eq!(marks.any(), None);
        marks.mark_existence("/a/b", Reason::Foreign);
        assert_eq!(marks.whole("/a/b"), Some(Reason::Foreign));
        assert_eq!(marks.whole("/a/b/c/d"), Some(Reason::Foreign));
        assert_eq!(marks.whole("/a"), None);
        assert_eq!(marks.whole("/a/bc"), None);
        assert_eq!(marks.children("/a"), Some(Reason::Foreign));
        assert_eq!(marks.children("/"), None);
        assert!(!marks.is_overrun());
        marks.mark("/x", Reason::Consequence);
        assert_eq!(marks.whole("/x"), Some(Reason::Consequence));
        assert_eq!(marks.whole("/x/y"), None);
    }
}
