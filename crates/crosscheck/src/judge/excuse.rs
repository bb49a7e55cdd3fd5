//! What explains a difference, so that it is not reported as one.

use proto::OpCode;

use super::reply::{CHILDREN, ERROR, PATH};
use super::{CONFIG, Exchange, Judge};
use crate::change::parent;
use crate::report::{Found, Reason};

impl Judge {
    /// Why this difference says nothing about Rookery; `None` when it does.
    pub(crate) fn excuse(&self, op: i32, found: &Found) -> Option<Reason> {
        let path = found.path.as_str();
        if path == CONFIG && found.field != ERROR {
            return Some(Reason::Excluded);
        }
        if let Some(reason) = self.marks.whole(path) {
            return Some(reason);
        }
        if matches!(OpCode::from_code(op), Some(OpCode::GetAllChildrenNumber)) {
            let clock = (!self.clocked.is_empty()).then_some(Reason::Clock);
            return self.marks.any().or(clock);
        }
        match found.field {
            CHILDREN | "cversion" | "pzxid" | "numChildren" => self.marks.children(path),
            PATH => parent(path).and_then(|parent| self.marks.children(parent)),
            ERROR if self.is_clocked(path) => Some(Reason::Clock),
            // Whether it has children decides whether it can be deleted.
            ERROR => self.marks.children(path),
            _ => None,
        }
    }

    /// After a difference: what nothing can be said about from now on.
    pub(crate) fn mark_consequences(&mut self, exchange: &Exchange, found: &Found, why: Reason) {
        if found.field != ERROR && found.field != PATH {
            return;
        }
        if exchange.op == OpCode::Sync.code() || found.path.is_empty() {
            return;
        }
        self.marks.mark_existence(&found.path, why);
        if found.field == PATH {
            // A name that only Rookery gave.
            self.marks.mark_existence(&found.rookery, why);
        }
    }

    /// Whether servers delete it, or something above it, by their own clocks.
    pub(crate) fn is_clocked(&self, path: &str) -> bool {
        let mut at = Some(path);
        while let Some(path) = at {
            if self.clocked.contains(path) {
                return true;
            }
            at = parent(path);
        }
        false
    }
}
