//! All changes of a run by path, in the order of their zxids: what clients should have heard.

use std::collections::BTreeMap;

use tree::{ChangeKind, Outcome, Zxid};

/// Where one looks for changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Those of the znode itself.
    Own,
    /// Children that come and go.
    Children,
    /// Those of the znode and of all below it.
    Below,
}

/// What changed where.
#[derive(Debug, Default)]
pub struct Changes(BTreeMap<(Scope, String), Vec<(Zxid, ChangeKind)>>);

impl Changes {
    /// Notes what a command changed. In the order of the zxids.
    pub fn note(&mut self, outcome: &Outcome) {
        for change in &outcome.changes {
            let mut add = |scope, path: &str| {
                let list = self.0.entry((scope, path.to_owned())).or_default();
                list.push((outcome.zxid, change.kind));
            };
            add(Scope::Own, &change.path);
            let mut path: &str = &change.path;
            add(Scope::Below, path);
            if change.kind != ChangeKind::DataChanged {
                add(Scope::Children, parent_of(path));
            }
            while path != "/" {
                path = parent_of(path);
                add(Scope::Below, path);
            }
        }
    }

    /// The changes after the first zxid, up to and with the last.
    pub fn between(
        &self,
        scope: Scope,
        path: &str,
        after: Zxid,
        upto: Zxid,
    ) -> &[(Zxid, ChangeKind)] {
        let Some(list) = self.0.get(&(scope, path.to_owned())) else { return &[] };
        let begin = list.partition_point(|(zxid, _)| *zxid <= after);
        let end = list.partition_point(|(zxid, _)| *zxid <= upto);
        &list[begin..end.max(begin)]
    }

    /// The changes of one command.
    pub fn at(&self, scope: Scope, path: &str, zxid: Zxid) -> &[(Zxid, ChangeKind)] {
        self.between(scope, path, Zxid(zxid.0 - 1), zxid)
    }
}

fn parent_of(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(slash) => &path[..slash],
    }
}
