//! What time alone brings about: pings, patience that ends, and what nobody needs any more.

use std::time::Instant;

use bytes::BytesMut;
use proto::{Request, xid};

use super::Director;
use super::ends::is_abandoned;
use super::order::{Rank, Turn};
use super::remote::{Sent, State};
use crate::input::ConnId;
use crate::report::GivenUp;

/// Rookery hears of each session this many times within its timeout.
const PINGS_IN_TIMEOUT: u32 = 4;

impl Director {
    /// To be called a few times a second.
    pub(crate) fn tick(&mut self, now: Instant) {
        if self.report.ended.is_some() {
            return;
        }
        if self.judge.is_overrun() {
            return self.end("there are too many znodes about which nothing can be said");
        }
        self.keep_alive(now);
        self.lose_patience(now);
        self.settle_all(now);
        self.end_abandoned(now);
        self.forget(now);
        self.pump(now);
    }

    /// Sessions whose clients are away, or silent, end when they end on `ZooKeeper`.
    fn keep_alive(&mut self, now: Instant) {
        let is_due = |(id, remote): (&ConnId, &super::Remote)| {
            let silence = now.duration_since(remote.last_sent);
            let is_open = remote.state == State::Open && !remote.is_ending;
            (is_open && silence >= remote.timeout / PINGS_IN_TIMEOUT).then_some(*id)
        };
        let due: Vec<ConnId> = self.remotes.iter().filter_map(is_due).collect();
        for id in due {
            let mut out = BytesMut::new();
            Request::Ping.encode(xid::PING, &mut out);
            self.send(id, out.freeze(), now);
            self.sent(id, Sent::KeepAlive(now));
        }
    }

    fn lose_patience(&mut self, now: Instant) {
        let silent = self.conns.iter().filter(|(_, conn)| {
            let waits = conn.oldest().map(|since| now.duration_since(since));
            waits.is_some_and(|waits| waits > self.patience.zookeeper)
        });
        let silent: Vec<ConnId> = silent.map(|(id, _)| *id).collect();
        for id in silent {
            self.give_up(id, GivenUp::NoAnswer);
        }
        let oldest = self.remotes.values().filter_map(super::Remote::waits_since).min();
        if oldest.is_some_and(|since| now.duration_since(since) > self.patience.rookery) {
            self.report.given_up(GivenUp::RookeryGone);
            self.end("Rookery does not answer");
        }
    }

    fn end_abandoned(&mut self, now: Instant) {
        let is_due = |(id, session): (&i64, &super::Session)| {
            let parked = now.duration_since(session.parked?);
            let has_ephemerals = self.judge.ephemerals.values().any(|owner| owner == id);
            let is_due = is_abandoned(parked, session.timeout, has_ephemerals);
            (is_due && !session.is_over).then_some((*id, session.zxid))
        };
        let due: Vec<(i64, i64)> = self.sessions.iter().filter_map(is_due).collect();
        for (id, zxid) in due {
            if let Some(session) = self.sessions.get_mut(&id) {
                session.parked = Some(now);
            }
            self.order.add(zxid, Rank::Read, Turn::EndSession(id));
        }
    }

    /// Drops connections that are over on both sides, and sessions that have ended.
    fn forget(&mut self, now: Instant) {
        let settle = self.patience.settle;
        // A session that ended on Rookery only is found out here.
        let mut suspects = Vec::new();
        for (id, remote) in &self.remotes {
            let State::Closed(since) = remote.state else { continue };
            let conn = self.conns.get(id);
            let is_open = conn.is_some_and(|conn| conn.ended.is_none() && !conn.is_given_up);
            if is_open && !remote.is_ending && now.duration_since(since) >= settle {
                suspects.push(*id);
            }
        }
        for id in suspects {
            if !self.suspects.iter().any(|(suspect, _)| *suspect == id) {
                self.suspect(id, None);
            }
        }
        let over = self.conns.iter().filter(|(_, conn)| {
            let is_settled = conn.events.is_empty() || conn.is_given_up;
            conn.waiting == 0
                && is_settled
                && conn.ended.is_some_and(|ended| now.duration_since(ended) >= settle)
        });
        let over: Vec<ConnId> = over.map(|(id, _)| *id).collect();
        for id in over {
            if self.flying.contains_key(&id) || self.suspects.iter().any(|(it, _)| *it == id) {
                continue;
            }
            self.conns.remove(&id);
            let is_needed = self.sessions.values().any(|it| it.conn == id && !it.is_over);
            if !is_needed {
                self.hang_up(id);
            }
        }
        let conns = &self.conns;
        let known = &mut self.judge.sessions;
        self.sessions.retain(|id, session| {
            let is_needed = !session.is_over || conns.contains_key(&session.conn);
            if !is_needed {
                known.remove(id);
            }
            is_needed
        });
        let sessions = &self.sessions;
        self.remotes.retain(|id, remote| {
            let is_closed = matches!(remote.state, State::Closed(_));
            let is_known = conns.contains_key(id) || sessions.values().any(|it| it.conn == *id);
            !is_closed || is_known
        });
    }
}
