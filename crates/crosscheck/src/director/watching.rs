//! Events of both servers are compared as they come.

use std::time::Instant;

use super::Director;
use super::events::{Event, Settled, Slot};
use crate::input::ConnId;
use crate::report::{Found, Place, Reason};

/// The number of an event's type: the children of a znode changed.
const CHILDREN_CHANGED: i32 = 4;
/// The number of an event's type: a znode was deleted.
const NODE_DELETED: i32 = 2;

impl Director {
    /// Settles what can be settled of one connection.
    pub(super) fn settle(&mut self, id: ConnId, now: Instant) {
        loop {
            let Some(conn) = self.conns.get_mut(&id) else { return };
            let (zxids, ends, is_blind) = (&self.judge.zxids, &self.ends, self.is_blind);
            let slot = |zxid: i64| match zxids.back(zxid) {
                _ if zxid <= 0 || is_blind => Slot::CatchUp,
                Some(change) => Slot::Change(change),
                None => Slot::Unknown,
            };
            let Some(settled) = conn.events.settle(slot, |change| ends.contains(&change)) else {
                return self.settle_overdue(id, now);
            };
            self.judge_event(id, settled);
        }
    }

    /// Settles what can be settled of all connections.
    pub(super) fn settle_all(&mut self, now: Instant) {
        let with_events = self.conns.iter().filter(|(_, conn)| !conn.events.is_empty());
        let ids: Vec<ConnId> = with_events.map(|(id, _)| *id).collect();
        for id in ids {
            self.settle(id, now);
        }
    }

    /// Gives up waiting for counterparts that should have come.
    fn settle_overdue(&mut self, id: ConnId, now: Instant) {
        let is_busy = !self.flying.is_empty();
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let is_due = |event: &Event| {
            let is_past =
                event.zxid <= 0 && self.order.len() == 0 || self.order.is_past(event.zxid);
            is_past && !is_busy
        };
        if let Some(event) = conn.events.zookeeper.front_mut()
            && !is_due(event)
        {
            // The time runs from when Rookery could have told.
            event.since = now;
        }
        let limit = self.patience.settle;
        let is_overdue = |event: Option<&Event>| {
            event.is_some_and(|event| now.duration_since(event.since) >= limit)
        };
        let settled = if is_overdue(conn.events.zookeeper.front()) {
            conn.events.only_zookeeper()
        } else if is_overdue(conn.events.rookery.front()) && !is_busy {
            conn.events.only_rookery()
        } else {
            None
        };
        if let Some(settled) = settled {
            self.judge_event(id, settled);
        }
    }

    fn judge_event(&mut self, id: ConnId, settled: Settled) {
        let Some(conn) = self.conns.get(&id) else { return };
        let (event, zookeeper, rookery) = match settled {
            Settled::Equal => {
                self.report.counts.events_equal += 1;
                return;
            }
            Settled::OnlyZooKeeper(event) => {
                let told = event.describe();
                (event, told, "nothing".to_owned())
            }
            Settled::OnlyRookery(event) => {
                let told = event.describe();
                (event, "nothing".to_owned(), told)
            }
            Settled::OtherOrder(event) => {
                let told = event.describe();
                (event, told, "in another order".to_owned())
            }
        };
        let only_rookery = zookeeper == "nothing";
        let is_loose = conn.events.is_loose || conn.events.loose.contains(&event.path);
        let is_foreign = !only_rookery && event.zxid > 0 && !self.judge.zxids.is_ours(event.zxid);
        let excuse = if is_foreign {
            Some(Reason::Foreign)
        } else if is_loose {
            Some(Reason::LateRead)
        } else if only_rookery && conn.ended.is_some() {
            Some(Reason::Ended)
        } else {
            self.excuse_event(&event)
        };
        if let Some(reason) = excuse {
            self.report.event_not_judged(reason);
            return;
        }
        self.report.counts.events_different += 1;
        let place = Place {
            session: conn.session,
            operation: "event".to_owned(),
            xid: 0,
            zxid: event.zxid,
        };
        self.report.difference(&place, &Found::new(&event.path, "event", zookeeper, rookery));
    }

    /// A watch fires once: what one server knew of a znode and the other did not decides which
    /// watches are still there.
    fn excuse_event(&self, event: &Event) -> Option<Reason> {
        let marks = &self.judge.marks;
        let of_children = || match event.kind {
            CHILDREN_CHANGED | NODE_DELETED => marks.children(&event.path),
            _ => None,
        };
        let is_clocked = self.judge.is_clocked(&event.path) && event.kind == NODE_DELETED;
        let whole = marks.whole(&event.path);
        whole.or_else(of_children).or_else(|| is_clocked.then_some(Reason::Clock))
    }
}
