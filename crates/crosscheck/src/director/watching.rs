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
        let fronts = self.remotes.values().filter_map(|remote| remote.sent.front()?.since());
        let oldest = fronts.min();
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let is_idle = conn.waiting == 0;
        // What makes up for time away belongs to a request of the connection's own.
        let is_due = |event: &Event| match event.zxid {
            1.. => self.order.is_past(event.zxid),
            _ => is_idle,
        };
        conn.events.look(now, is_due);
        // What is being repeated may bring it.
        let is_overdue = |due: Option<Instant>| {
            due.is_some_and(|due| {
                now.duration_since(due) >= self.patience.settle
                    && oldest.is_none_or(|oldest| oldest > due)
            })
        };
        let settled = if is_overdue(conn.events.zookeeper_due) {
            conn.events.only_zookeeper()
        } else if is_overdue(conn.events.rookery_due) {
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
        let (event, is_theirs, rookery) = match settled {
            Settled::Equal => {
                self.report.counts.events_equal += 1;
                return;
            }
            Settled::OnlyZooKeeper(event) => (event, true, "nothing"),
            Settled::OnlyRookery(event) => (event, false, ""),
            Settled::OtherOrder(event) => (event, true, "in another order"),
        };
        let is_loose = conn.events.is_loose || conn.events.loose.contains(&event.path);
        let is_foreign = is_theirs && event.zxid > 0 && !self.judge.zxids.is_ours(event.zxid);
        // Each server finds out in its own time that a client is gone. What ZooKeeper told
        // before its last reply, Rookery must have told too.
        let is_told = is_theirs && event.zxid <= conn.zxid;
        let excuse = if is_foreign {
            Some(Reason::Foreign)
        } else if is_loose {
            Some(Reason::LateRead)
        } else if conn.ended.is_some() && !is_told {
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
        let told = event.describe();
        let (zookeeper, rookery) =
            if is_theirs { (told.as_str(), rookery) } else { ("nothing", told.as_str()) };
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
