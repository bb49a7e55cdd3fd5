//! The events of one connection on both servers, in pairs.
//!
//! Both servers send events in the order of the changes, so two queues do: what the front of
//! one has and the other does not, one of them has left out. Only the deletions at the end of a
//! session, which are one change, come in any order.

use std::collections::{HashSet, VecDeque};
use std::time::Instant;

use proto::WatcherEvent;

/// What an event that waits takes beside its path, roughly.
const EVENT_BYTES: usize = 128;

/// Events of one connection that wait for their counterpart.
#[derive(Debug, Default)]
pub(crate) struct Events {
    zookeeper: VecDeque<Event>,
    rookery: VecDeque<Event>,
    /// Bytes held by both, roughly.
    bytes: usize,
    /// As many of them as have been told.
    bytes_told: usize,
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
    /// Since when its counterpart should be there.
    due: Option<Instant>,
}

impl Event {
    /// As it came.
    pub(crate) fn new(zxid: i64, event: &WatcherEvent<'_>) -> Self {
        let WatcherEvent { kind, state, path } = *event;
        Self { zxid, kind, state, path: path.to_owned(), due: None }
    }

    /// Bytes held, roughly.
    const fn bytes(&self) -> usize {
        self.path.len() + EVENT_BYTES
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
    /// An event of `ZooKeeper`. When Rookery's is due, [`Self::look`] finds out.
    pub(crate) fn push_zookeeper(&mut self, event: Event) {
        self.bytes += event.bytes();
        self.zookeeper.push_back(event);
    }

    /// An event of Rookery, which repeats: the counterpart is due as soon as it comes.
    pub(crate) fn push_rookery(&mut self, event: Event, now: Instant) {
        self.bytes += event.bytes();
        self.rookery.push_back(Event { due: Some(now), ..event });
    }

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
                let ours = self.rookery.remove(index)?;
                self.bytes -= theirs.bytes() + ours.bytes();
                let is_ordered = index == 0 || any_order;
                Some(if is_ordered { Settled::Equal } else { Settled::OtherOrder(theirs) })
            }
            None if is_whole => self.only_zookeeper(),
            None => None,
        }
    }

    /// Looks at the clock: `is_due` says whether the counterpart of an event of `ZooKeeper`
    /// should have come. Those before it have been due for as long.
    pub(crate) fn look(&mut self, now: Instant, is_due: impl Fn(&Event) -> bool) {
        let known = self.zookeeper.partition_point(|event| event.due.is_some());
        for event in self.zookeeper.iter_mut().skip(known) {
            if !is_due(event) {
                break;
            }
            event.due = Some(now);
        }
    }

    /// The event at the front whose counterpart has been due for longest, and since when.
    pub(crate) fn due(&self) -> Option<Instant> {
        let fronts = [self.zookeeper.front(), self.rookery.front()];
        fronts.into_iter().flatten().filter_map(|event| event.due).min()
    }

    /// Gives up waiting for the counterpart of the event that [`Self::due`] tells of.
    pub(crate) fn overdue(&mut self) -> Option<Settled> {
        let due = self.due()?;
        let is_theirs = self.zookeeper.front().is_some_and(|event| event.due == Some(due));
        if is_theirs { self.only_zookeeper() } else { self.only_rookery() }
    }

    fn only_zookeeper(&mut self) -> Option<Settled> {
        let event = self.zookeeper.pop_front()?;
        self.bytes -= event.bytes();
        Some(Settled::OnlyZooKeeper(event))
    }

    /// Gives up waiting for `ZooKeeper`, which has no more to tell.
    pub(crate) fn left_by_rookery(&mut self) -> Option<Settled> {
        if self.zookeeper.is_empty() { self.only_rookery() } else { None }
    }

    fn only_rookery(&mut self) -> Option<Settled> {
        let event = self.rookery.pop_front()?;
        self.bytes -= event.bytes();
        Some(Settled::OnlyRookery(event))
    }

    /// Drops all.
    pub(crate) fn clear(&mut self) {
        self.zookeeper.clear();
        self.rookery.clear();
        self.bytes = 0;
    }

    /// How many bytes were held when this was last asked, and are held now.
    pub(crate) fn bytes_before_and_now(&mut self) -> (usize, usize) {
        (std::mem::replace(&mut self.bytes_told, self.bytes), self.bytes)
    }

    /// Whether all have been settled.
    pub(crate) fn is_empty(&self) -> bool {
        self.zookeeper.is_empty() && self.rookery.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn event(zxid: i64, kind: i32, path: &str) -> Event {
        let event = WatcherEvent { kind, state: 3, path };
        Event::new(zxid, &event)
    }

    /// Rookery's zxids are a hundred more.
    fn all(theirs: &[(i64, i32, &str)], ours: &[(i64, i32, &str)], ended: i64) -> Vec<String> {
        let mut events = Events::default();
        for (zxid, kind, path) in theirs {
            events.push_zookeeper(event(*zxid, *kind, path));
        }
        for (zxid, kind, path) in ours {
            events.push_rookery(event(*zxid, *kind, path), Instant::now());
        }
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
        assert_eq!(events.bytes == 0, events.is_empty());
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

    #[test]
    fn all_that_are_due_are_given_up_at_once() {
        let mut events = Events::default();
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        for zxid in 5..9 {
            events.push_zookeeper(event(zxid, 1, "/a"));
        }
        events.look(start, |event| event.zxid < 7);
        events.push_rookery(event(999, 1, "/b"), later);
        events.look(later, |event| event.zxid < 8);
        let mut given_up = Vec::new();
        while let Some(due) = events.due() {
            match events.overdue() {
                Some(Settled::OnlyZooKeeper(event)) => given_up.push((event.zxid, due)),
                Some(Settled::OnlyRookery(event)) => given_up.push((-event.zxid, due)),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(given_up, [(5, start), (6, start), (7, later), (-999, later)]);
        assert_eq!((events.zookeeper.len(), events.rookery.len()), (1, 0), "one is not due");
    }
}
