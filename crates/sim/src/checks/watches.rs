//! Watches, as one client sees them: no event missed, none early, none twice; and an event of
//! zxid N before any reply that has seen N.
//!
//! A watch is known from the reply that set it: that shows the state up to its zxid, so that
//! every later change must be told, and must have been told when a reply shows that change.

use std::collections::{BTreeMap, BTreeSet};

use proto::EventType;
use tree::{ChangeKind, Zxid};

use super::changes::{Changes, Scope};

/// The kinds of watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Of `getData`, and of `exists` on what was there.
    Data,
    /// Of `exists` on what was not there.
    Exist,
    /// Of `getChildren`.
    Child,
    /// That of `addWatch`.
    Persistent,
    /// That of `addWatch`, for all below as well.
    Recursive,
}

impl Kind {
    /// All of them, as `setWatches2` has its lists.
    pub const ALL: [Self; 5] =
        [Self::Data, Self::Exist, Self::Child, Self::Persistent, Self::Recursive];

    const fn is_one_time(self) -> bool {
        matches!(self, Self::Data | Self::Exist | Self::Child)
    }

    /// The changes that it tells of.
    const fn scopes(self) -> &'static [Scope] {
        match self {
            Self::Data | Self::Exist => &[Scope::Own],
            Self::Child => &[Scope::Children],
            Self::Persistent => &[Scope::Own, Scope::Children],
            Self::Recursive => &[Scope::Below],
        }
    }
}

/// What a client watches, and what it was told.
#[derive(Debug, Default)]
pub struct Watches {
    /// All changes after the zxid are to be told.
    armed: BTreeMap<(Kind, String), Zxid>,
    /// What was told on this connection.
    told: BTreeMap<(Zxid, i32, String), usize>,
    /// The last reply on this connection.
    replied: Zxid,
    /// The answer to `setWatches` is awaited.
    is_catching_up: bool,
}

impl Watches {
    /// A reply set a watch.
    pub fn arm(&mut self, kind: Kind, path: &str, at: Zxid) {
        self.armed.entry((kind, path.to_owned())).or_insert(at);
    }

    /// The paths that are watched in this way.
    pub fn paths(&self, kind: Kind) -> Vec<String> {
        let of_kind = self.armed.keys().filter(|(one, _)| *one == kind);
        of_kind.map(|(_, path)| path.clone()).collect()
    }

    /// Whether anything is watched.
    pub fn is_empty(&self) -> bool {
        self.armed.is_empty()
    }

    /// A connection begins; if anything is watched, `setWatches` is the first request.
    pub fn connected(&mut self) {
        self.told.clear();
        self.replied = Zxid::ZERO;
        self.is_catching_up = !self.armed.is_empty();
    }

    /// The session is lost, and with it every watch.
    pub fn lost(&mut self) {
        *self = Self::default();
    }

    /// A reply shows the state up to `zxid`.
    ///
    /// # Errors
    /// What should have been told before.
    pub fn replied(&mut self, zxid: Zxid, changes: &Changes) -> Result<(), String> {
        self.replied = self.replied.max(zxid);
        if std::mem::take(&mut self.is_catching_up) {
            return self.caught_up(zxid, changes);
        }
        for ((kind, path), since) in &self.armed {
            for scope in kind.scopes() {
                if let Some(missed) = changes.between(*scope, path, *since, zxid).first() {
                    return Err(format!(
                        "a {kind:?} watch of {path}, set at {since}, is not told of {missed:?} \
                         before a reply that shows {zxid}"
                    ));
                }
            }
        }
        Ok(())
    }

    /// `setWatches` tells of one-time watches what they missed; persistent ones begin anew.
    fn caught_up(&mut self, zxid: Zxid, changes: &Changes) -> Result<(), String> {
        for ((kind, path), since) in &mut self.armed {
            let scope = kind.scopes()[0];
            let missed = changes.between(scope, path, *since, zxid).last();
            let is_told = match (kind, missed) {
                (Kind::Persistent | Kind::Recursive, _) | (_, None) => true,
                // Created and deleted again: there is nothing to tell of.
                (Kind::Exist, Some((_, change))) => *change == ChangeKind::Deleted,
                (Kind::Data | Kind::Child, Some(_)) => false,
            };
            if !is_told {
                return Err(format!(
                    "a {kind:?} watch of {path}, set at {since}, is not told of {missed:?} when it \
                     is set again at {zxid}"
                ));
            }
            *since = zxid;
        }
        Ok(())
    }

    /// An event of `zxid`, or of a change that was missed.
    ///
    /// # Errors
    /// Why it should not have come.
    pub fn event(
        &mut self,
        zxid: Zxid,
        event: EventType,
        path: &str,
        changes: &Changes,
    ) -> Result<(), String> {
        if zxid.0 < 0 {
            return self.missed_event(event, path);
        }
        let what = format!("{event:?} of {path} at {zxid}");
        if self.replied >= zxid {
            return Err(format!("{what} comes after a reply that shows {}", self.replied));
        }
        let happened = match event {
            EventType::NodeChildrenChanged => changes.at(Scope::Children, path, zxid).len(),
            EventType::NodeCreated => count(changes, path, zxid, ChangeKind::Created),
            EventType::NodeDeleted => count(changes, path, zxid, ChangeKind::Deleted),
            EventType::NodeDataChanged => count(changes, path, zxid, ChangeKind::DataChanged),
        };
        let told = self.told.entry((zxid, event.code(), path.to_owned())).or_default();
        *told += 1;
        let mut is_awaited = *told > 1;
        if *told > happened {
            return Err(format!("{what} is told {told} times, and happened {happened} times"));
        }
        let keys = self.matching(event, path);
        for key in keys {
            let since = self.armed[&key];
            // One zxid may have several changes that a watch that stays is told of.
            if since > zxid || (since == zxid && key.0.is_one_time()) {
                continue;
            }
            is_awaited = true;
            for scope in key.0.scopes() {
                if let Some(missed) =
                    changes.between(*scope, &key.1, since, Zxid(zxid.0 - 1)).first()
                {
                    return Err(format!("{what} is told before {missed:?}, to {key:?}"));
                }
            }
            if key.0.is_one_time() {
                self.armed.remove(&key);
            }
        }
        self.note_told(zxid, event, path);
        is_awaited.then_some(()).ok_or_else(|| format!("{what} comes to nobody who waits for it"))
    }

    /// What a persistent watch was told of is told.
    fn note_told(&mut self, zxid: Zxid, event: EventType, path: &str) {
        for key in self.matching(event, path) {
            if let Some(since) = self.armed.get_mut(&key)
                && !key.0.is_one_time()
            {
                *since = (*since).max(zxid);
            }
        }
    }

    fn missed_event(&mut self, event: EventType, path: &str) -> Result<(), String> {
        if !self.is_catching_up {
            return Err(format!("{event:?} of {path} is told as missed, unasked"));
        }
        let one_time: BTreeSet<_> =
            self.matching(event, path).into_iter().filter(|(kind, _)| kind.is_one_time()).collect();
        // A deletion is told for data and child watches, each.
        let Some(first) = one_time.first() else {
            return Err(format!("{event:?} of {path} is told as missed, to nobody who waits"));
        };
        self.armed.remove(first);
        Ok(())
    }

    /// The watches that an event is for.
    fn matching(&self, event: EventType, path: &str) -> Vec<(Kind, String)> {
        let is_for = |kind: Kind, watched: &str| match kind {
            Kind::Data | Kind::Exist => event != EventType::NodeChildrenChanged && watched == path,
            Kind::Child => {
                let is_own = event == EventType::NodeChildrenChanged;
                (is_own || event == EventType::NodeDeleted) && watched == path
            }
            Kind::Persistent => watched == path,
            Kind::Recursive => {
                let below = path.strip_prefix(watched).is_some_and(|rest| rest.starts_with('/'));
                event != EventType::NodeChildrenChanged && (watched == path || below)
            }
        };
        let keys = self.armed.keys().filter(|(kind, watched)| is_for(*kind, watched));
        keys.cloned().collect()
    }
}

fn count(changes: &Changes, path: &str, zxid: Zxid, kind: ChangeKind) -> usize {
    changes.at(Scope::Own, path, zxid).iter().filter(|(_, one)| *one == kind).count()
}
