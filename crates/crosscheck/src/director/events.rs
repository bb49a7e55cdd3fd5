//! The events of one connection on both servers, in pairs.
//!
//! Both servers send events in the order of the changes, so two queues do: what the front of
//! one has and the other does not, one of them has left out. Only the deletions at the end of a
//! session, which are one change, come in any order.

use std::collections::{HashSet, VecDeque};
use std::time::Instant;

use proto::WatcherEvent;

/// Events of one connection that wait for their counterpart.
#[derive(Debug, Default)]
pub(crate) struct Events {
    pub(crate) zookeeper: VecDeque<Event>,
    pub(crate) rookery: VecDeque<Event>,
    /// Since when the front of `ZooKeeper`'s lacks a counterpart that should be there.
    pub(crate) zookeeper_due: Option<Instant>,
    /// The same for Rookery's.
    pub(crate) rookery_due: Option<Instant>,
    /// Paths whose watches on Rookery were set later than on `ZooKeeper`, or not alike.
    pub(crate) loose: HashSet<String>,
    /// The same for all of the connection's watches.
    pub(crate) is_loose: bool,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// The zxid in its header, by its own server.
    pub(crate) zxid: i64,
    /// The number of its type.
    pub(crate) kind: i32,
    /// The number of the state in it.
    pub(crate) state: i32,
    /// The znode.
    pub(crate) path: String,
}

impl Event {
    /// As it came.
    pub(crate) fn new(zxid: i64, event: &WatcherEvent<'_>) -> Self {
        let WatcherEvent { kind, state, path } = *event;
        Self { zxid, kind, state, path: path.to_owned() }
    }

    /// Whether it tells the same.
    fn is_like(&self, other: &Self) -> bool {
        (self.kind, self.state, &self.path) == (other.kind, other.state, &other.path)
    }

    /// For people.
    pub(crate) fn describe(&self) -> String {
        let kind = proto::EventType::from_code(self.kind);
        let kind = kind.map_or_else(|| self.kind.to_string(), |kind| format!("{kind:?}"));
        format!("{kind} {}", self.path)
    }
}

/// What the zxid of an event stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// No change in particular: the event makes up for time away.
    CatchUp,
    /// The change with this zxid of `ZooKeeper`.
    Change(i64),
    /// Not known yet, or nobody's.
    Unknown,
}

/// What came of looking at the fronts of the queues.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// A pair.
    Equal,
    /// Only `ZooKeeper` told.
    OnlyZooKeeper(Event),
    /// Only Rookery told.
    OnlyRookery(Event),
    /// One change, told in another order.
    OtherOrder(Event),
}

impl Events {
    /// Settles one event, if that can be done now. `slot` says what a zxid of Rookery stands
    /// for; `any_order` whether the events of a change of `ZooKeeper` have no order.
    pub(crate) fn settle(
        &mut self,
        slot: impl Fn(i64) -> Slot,
        any_order: impl Fn(i64) -> bool,
    ) -> Option<Settled> {
        let (theirs, ours) = (self.zookeeper.front()?, self.rookery.front()?);
        let own = if theirs.zxid > 0 { Slot::Change(theirs.zxid) } else { Slot::CatchUp };
        match (own, slot(ours.zxid)) {
            (_, Slot::Unknown) => None,
            (Slot::Change(left), Slot::Change(right)) if left < right => self.only_zookeeper(),
            (Slot::Change(left), Slot::Change(right)) if left > right => self.only_rookery(),
            (Slot::Change(change), Slot::Change(_)) => {
                let same = |event: &&Event| slot(event.zxid) == Slot::Change(change);
                let run = self.rookery.iter().take_while(same).count();
                self.within(run, run < self.rookery.len(), any_order(change))
            }
            // Catching up ends before the reply that all else comes behind.
            (Slot::CatchUp, Slot::CatchUp) => {
                let same = |event: &&Event| slot(event.zxid) == Slot::CatchUp;
                let run = self.rookery.iter().take_while(same).count();
                self.within(run, run < self.rookery.len(), false)
            }
            (Slot::CatchUp, Slot::Change(_)) => self.only_zookeeper(),
            (Slot::Change(_), Slot::CatchUp) => self.only_rookery(),
            (Slot::Unknown, _) => None,
        }
    }

    /// Looks for the front of `ZooKeeper`'s among the first `run` of Rookery's, which are of
    /// the same change; `is_whole` when no more of that change can come.
    fn within(&mut self, run: usize, is_whole: bool, any_order: bool) -> Option<Settled> {
        let theirs = self.zookeeper.front()?;
        let found = self.rookery.iter().take(run).position(|ours| ours.is_like(theirs));
        match found {
            Some(index) => {
                let theirs = self.zookeeper.pop_front()?;
                self.rookery.remove(index);
                (self.zookeeper_due, self.rookery_due) = (None, None);
                let is_ordered = index == 0 || any_order;
                Some(if is_ordered { Settled::Equal } else { Settled::OtherOrder(theirs) })
            }
            None if is_whole => self.only_zookeeper(),
            None => None,
        }
    }

    /// Looks at the clock: `is_due` says whether the counterpart of an event of `ZooKeeper`
    /// should have come.
    pub(crate) fn look(&mut self, now: Instant, is_due: impl FnOnce(&Event) -> bool) {
        let due = self.zookeeper.front().is_some_and(is_due);
        self.zookeeper_due = due.then_some(self.zookeeper_due.unwrap_or(now));
        let due = !self.rookery.is_empty();
        self.rookery_due = due.then_some(self.rookery_due.unwrap_or(now));
    }

    /// Gives up waiting for Rookery.
    pub(crate) fn only_zookeeper(&mut self) -> Option<Settled> {
        self.zookeeper_due = None;
        self.zookeeper.pop_front().map(Settled::OnlyZooKeeper)
    }

    /// Gives up waiting for `ZooKeeper`.
    pub(crate) fn only_rookery(&mut self) -> Option<Settled> {
        self.rookery_due = None;
        self.rookery.pop_front().map(Settled::OnlyRookery)
    }

    /// Whether all have been settled.
    pub(crate) fn is_empty(&self) -> bool {
        self.zookeeper.is_empty() && self.rookery.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(zxid: i64, kind: i32, path: &str) -> Event {
        let event = WatcherEvent { kind, state: 3, path };
        Event::new(zxid, &event)
    }

    /// Rookery's zxids are a hundred more.
    fn all(theirs: &[(i64, i32, &str)], ours: &[(i64, i32, &str)], ended: i64) -> Vec<String> {
        let queue = |events: &[(i64, i32, &str)]| {
            events.iter().map(|(zxid, kind, path)| event(*zxid, *kind, path)).collect()
        };
        let (zookeeper, rookery) = (queue(theirs), queue(ours));
        let mut events = Events { zookeeper, rookery, ..Events::default() };
        let slot = |zxid| match zxid {
            -1 => Slot::CatchUp,
            999 => Slot::Unknown,
            other => Slot::Change(other - 100),
        };
        let mut settled = Vec::new();
        while let Some(one) = events.settle(slot, |zxid| zxid == ended) {
            settled.push(match one {
                Settled::Equal => "=".to_owned(),
                Settled::OnlyZooKeeper(event) => format!("-{}", event.path),
                Settled::OnlyRookery(event) => format!("+{}", event.path),
                Settled::OtherOrder(event) => format!("~{}", event.path),
            });
        }
        settled.push(format!("{}/{}", events.zookeeper.len(), events.rookery.len()));
        settled
    }

    #[test]
    fn pairs_are_made_in_order() {
        let (theirs, ours) = ([(5, 1, "/a"), (6, 3, "/b")], [(105, 1, "/a"), (106, 3, "/b")]);
        assert_eq!(all(&theirs, &ours, 0), ["=", "=", "0/0"]);
        assert_eq!(all(&theirs, &ours[1..], 0), ["-/a", "=", "0/0"]);
        assert_eq!(all(&theirs[1..], &ours, 0), ["+/a", "=", "0/0"]);
        assert_eq!(all(&theirs, &ours[..1], 0), ["=", "1/0"], "the other may still come");
        assert_eq!(all(&theirs, &[(999, 1, "/a")], 0), ["2/1"]);
    }

    #[test]
    fn the_end_of_a_session_has_no_order_but_a_multi_has() {
        let theirs = [(5, 2, "/a"), (5, 2, "/b"), (6, 1, "/c")];
        let ours = [(105, 2, "/b"), (105, 2, "/a"), (106, 1, "/c")];
        assert_eq!(all(&theirs, &ours, 5), ["=", "=", "=", "0/0"]);
        assert_eq!(all(&theirs, &ours, 0), ["~/a", "=", "=", "0/0"]);
        let ours = [(105, 2, "/b"), (106, 1, "/c")];
        assert_eq!(all(&theirs, &ours, 5), ["-/a", "=", "=", "0/0"]);
    }

    #[test]
    fn catching_up_is_told_before_all_else() {
        let theirs = [(-1, 3, "/a"), (-1, 2, "/b"), (7, 1, "/c")];
        let ours = [(-1, 3, "/a"), (107, 1, "/c")];
        assert_eq!(all(&theirs, &ours, 0), ["=", "-/b", "=", "0/0"]);
    }
}
