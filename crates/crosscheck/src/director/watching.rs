//! Events of both servers are compared as they come.

use std::time::Instant;

use super::Director;
use super::ends::NODE_DELETED;
use super::events::{Event, Settled, Slot};
use super::remote::Sent;
use crate::input::ConnId;
use crate::report::{Found, Place, Reason};

/// The number of an event's type: the children of a znode changed.
const CHILDREN_CHANGED: i32 = 4;

impl Director {
    /// Settles what can be settled of one connection.
    pub(super) fn settle(&mut self, id: ConnId, now: Instant) {
        while let Some(settled) = self.settled(id).or_else(|| self.overdue(id, now)) {
            self.judge_event(id, settled);
        }
        self.hold_events(id);
    }

    /// Counts what the events of a connection hold.
    pub(super) fn hold_events(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let (before, bytes) = conn.events.bytes_before_and_now();
        self.held = (self.held + bytes).saturating_sub(before);
    }

    /// Settles what can be settled of all connections.
    pub(super) fn settle_all(&mut self, now: Instant) {
        let with_events = self.conns.iter().filter(|(_, conn)| !conn.events.is_empty());
        let ids: Vec<ConnId> = with_events.map(|(id, _)| *id).collect();
        for id in ids {
            self.settle(id, now);
        }
    }

    /// A pair of events, or one that can have no counterpart.
    fn settled(&mut self, id: ConnId) -> Option<Settled> {
        let conn = self.conns.get_mut(&id)?;
        let (zxids, ends, is_blind) = (&self.judge.zxids, &self.ends, self.is_blind);
        let slot = |zxid: i64| match zxids.back(zxid) {
            _ if zxid <= 0 || is_blind => Slot::CatchUp,
            Some(change) => Slot::Change(change),
            None => Slot::Unknown,
        };
        let settled = conn.events.settle(slot, |change| ends.contains(&change));
        // Nobody listens any more on a connection whose client is gone.
        settled.or_else(|| conn.ended.and_then(|_| conn.events.left_by_rookery()))
    }

    /// An event whose counterpart should have come long ago.
    fn overdue(&mut self, id: ConnId, now: Instant) -> Option<Settled> {
        let conn = self.conns.get_mut(&id)?;
        let is_idle = conn.waiting == 0;
        // What makes up for time away belongs to a request of the connection's own.
        let is_due = |event: &Event| match event.zxid {
            1.. => self.order.is_past(event.zxid),
            _ => is_idle,
        };
        conn.events.look(now, is_due);
        let settle = self.patience.settle;
        let due = conn.events.due().filter(|due| now.duration_since(*due) >= settle)?;
        // What is being repeated may bring it.
        let fronts = self.remotes.values().filter_map(|remote| remote.sent.front());
        let may_come = fronts.map(Sent::since).any(|since| since <= due);
        if may_come { None } else { conn.events.overdue() }
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
