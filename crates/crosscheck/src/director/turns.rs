//! What is done on Rookery when its turn has come.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use proto::{ConnectRequest, ConnectResponse, OpCode, Request};

use super::order::{Place, Rank, Turn};
use super::remote::{Hello, Remote, Sent, State};
use super::{Director, Output};
use crate::change::{Change, What};
use crate::input::ConnId;
use crate::judge::reply::reads_tree;
use crate::judge::{Exchange, Judge};
use crate::report::Reason;

impl Director {
    /// Begins turns for as long as the next one may begin.
    pub(super) fn begin_turns(&mut self, now: Instant) {
        while let Some((place, turn)) = self.order.next() {
            let is_ours = matches!(turn, Turn::Seen(..)) && self.judge.zxids.is_ours(place.zxid);
            if !is_ours && (!self.may_begin(place, turn) || self.is_in_doubt(place.zxid, now)) {
                break;
            }
            let Some(turn) = self.order.take() else { break };
            if matches!(turn, Turn::Seen(..)) {
                self.free(turn.bytes());
            }
            match turn {
                Turn::Seen(..) if is_ours => {}
                Turn::Seen(kind, path) => self.seen(place.zxid, kind, &path, now),
                Turn::Open(id) => self.open(id, now),
                Turn::Repeat(exchange, changes) => self.repeat(exchange, changes, place, now),
                Turn::EndSession(session) => self.end_session(session, place.zxid, now),
            }
        }
        if let Some(zxid) = self.order.wants_observed()
            && zxid > self.asked_observed
        {
            self.asked_observed = zxid;
            self.outputs.push(Output::Observe(zxid));
        }
    }

    /// Whether a turn keeps its place though others have not been answered: reads among
    /// themselves do, and requests of one connection, which Rookery takes in order.
    fn may_begin(&self, place: Place, turn: &Turn) -> bool {
        if self.flying.is_empty() {
            return true;
        }
        match turn {
            Turn::Repeat(exchange, _) => {
                let is_read = place.rank == Rank::Read && self.flying_changes == 0;
                is_read || (self.flying.len() == 1 && self.flying.contains_key(&exchange.conn))
            }
            // A new session touches nothing; one that is resumed ends its last connection.
            Turn::Open(_) => place.rank == Rank::Change && self.flying_changes == 0,
            Turn::Seen(..) | Turn::EndSession(_) => false,
        }
    }

    /// Opens the connection of a session that `ZooKeeper` has granted.
    fn open(&mut self, id: ConnId, now: Instant) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        conn.waiting = conn.waiting.saturating_sub(1);
        let Some((hello, welcome)) = conn.greeting.take() else { return };
        let ended = conn.ended;
        let decoded = (ConnectRequest::decode(&hello), ConnectResponse::decode(&welcome));
        let (Ok(hello), Ok(welcome)) = decoded else { return };
        let Some(session) = self.sessions.get_mut(&welcome.session_id) else { return };
        let last = std::mem::replace(&mut session.conn, id);
        if session.newest == id {
            session.parked = ended;
        }
        let timeout = session.timeout;
        let (session_id, password) = session.rookery.clone().unwrap_or_default();
        let last_zxid_seen = if session_id == 0 {
            0
        } else {
            self.judge.zxids.floor(hello.last_zxid_seen).unwrap_or(0)
        };
        let request =
            ConnectRequest { last_zxid_seen, session_id, password: Some(&password), ..hello };
        let mut out = BytesMut::new();
        request.encode(&mut out);
        if last != id {
            self.hang_up(last);
        }
        self.outputs.push(Output::Connect(id, out.freeze()));
        let hello = Hello {
            session: welcome.session_id,
            timeout_ms: welcome.timeout_ms,
            read_only: welcome.read_only,
            since: now,
        };
        let sent = [Sent::Hello(hello)].into();
        let remote = Remote {
            state: State::Open,
            sent,
            last_sent: now,
            answered: now,
            timeout,
            is_ending: false,
        };
        self.remotes.insert(id, remote);
        self.fly(id, false);
    }

    /// Repeats a client's request.
    fn repeat(
        &mut self,
        exchange: Box<Exchange>,
        changes: Vec<Change>,
        place: Place,
        now: Instant,
    ) {
        let id = exchange.conn;
        let is_change = place.rank == Rank::Change;
        if is_change {
            self.judge.zxids.begin(place.zxid);
        }
        let Some(conn) = self.conns.get_mut(&id) else { return self.free(exchange.bytes()) };
        conn.waiting = conn.waiting.saturating_sub(1);
        let session = conn.session;
        let is_open =
            self.remotes.get(&id).is_some_and(|it| it.state == State::Open && !it.is_ending);
        let is_end = exchange.op == OpCode::CloseSession.code() && exchange.err == 0;
        if conn.is_given_up || !is_open {
            self.free(exchange.bytes());
            self.report.not_judged(Reason::GivenUp);
            self.missed(&changes, Reason::GivenUp);
            if is_end {
                self.session_is_over(session, place.zxid);
            }
            return;
        }
        let is_late = self.is_late(&exchange, place, &changes);
        if is_change {
            self.judge.note(session, place.zxid, &changes);
        }
        let (payload, knows_seen) = self.judge.rewritten(&exchange);
        if let Some(conn) = self.conns.get_mut(&id)
            && !knows_seen
        {
            conn.events.is_loose = true;
        }
        if is_end {
            self.session_is_over(session, place.zxid);
        }
        self.send(id, payload, now);
        self.sent(id, Sent::Request { exchange, changes, place, is_late, since: now });
        self.fly(id, is_change);
    }

    /// Whether Rookery will answer from a later state than `ZooKeeper` did. Then the watch that
    /// a read sets begins later, too.
    fn is_late(&mut self, exchange: &Exchange, place: Place, changes: &[Change]) -> bool {
        if exchange.zxid <= 0 || exchange.zxid >= self.judge.recent.latest() {
            return false;
        }
        if place.rank == Rank::Change {
            // It should have been before others: their znodes may have come out differently.
            let paths = changes.iter().map(|change| change.path.as_str());
            let changed: Vec<&str> =
                paths.filter(|path| self.judge.recent.changed_since(path, place.zxid)).collect();
            for path in changed {
                self.judge.marks.mark_existence(path, Reason::LateRead);
            }
            return false;
        }
        let Ok(request) = Request::decode(exchange.op, exchange.request_body()) else {
            return false;
        };
        let mut paths = Judge::read_paths(&request).into_iter();
        let is_late = reads_tree(exchange.op)
            && paths.any(|path| self.judge.recent.changed_since(path, exchange.zxid));
        if is_late && let Some(conn) = self.conns.get_mut(&exchange.conn) {
            let paths = Judge::read_paths(&request).into_iter().map(str::to_owned);
            conn.events.loose.extend(paths);
        }
        is_late
    }

    /// Changes that were not repeated.
    pub(super) fn missed(&mut self, changes: &[Change], reason: Reason) {
        for Change { path, what } in changes {
            match what {
                What::Set => self.judge.marks.mark(path, reason),
                What::CreatedPersistent
                | What::CreatedEphemeral
                | What::CreatedClocked
                | What::Deleted => self.judge.marks.mark_existence(path, reason),
            }
        }
    }

    pub(super) fn send(&mut self, id: ConnId, payload: Bytes, now: Instant) {
        if let Some(remote) = self.remotes.get_mut(&id) {
            remote.last_sent = now;
        }
        self.outputs.push(Output::Send(id, payload));
    }

    pub(super) fn sent(&mut self, id: ConnId, sent: Sent) {
        if let Some(remote) = self.remotes.get_mut(&id) {
            remote.sent.push_back(sent);
        }
    }

    pub(super) fn fly(&mut self, id: ConnId, is_change: bool) {
        *self.flying.entry(id).or_default() += 1;
        self.flying_changes += usize::from(is_change);
    }

    pub(super) fn land(&mut self, id: ConnId, is_change: bool) {
        if let Some(count) = self.flying.get_mut(&id) {
            *count -= 1;
            if *count == 0 {
                self.flying.remove(&id);
            }
        }
        self.flying_changes -= usize::from(is_change);
    }
}
