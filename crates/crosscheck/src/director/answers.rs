//! What comes back from Rookery.

use std::time::Instant;

use bytes::Bytes;
use proto::{ConnectResponse, Record, ReplyHeader, Request, WatcherEvent, xid};

use super::Director;
use super::events::Event;
use super::order::{Place as Turn, Rank};
use super::remote::{Hello, Sent, State};
use crate::change::{Change, main_path};
use crate::input::ConnId;
use crate::judge::{Exchange, Reply};
use crate::report::{Found, GivenUp, Place, Reason};

impl Director {
    /// A frame of Rookery.
    pub(super) fn frame(&mut self, id: ConnId, frame: &Bytes, now: Instant) {
        let Some(remote) = self.remotes.get_mut(&id) else { return };
        if let Some(Sent::Hello(_)) = remote.sent.front() {
            if let Some(Sent::Hello(hello)) = remote.sent.pop_front() {
                self.land(id, false);
                self.greeted(id, &hello, frame);
            }
            return;
        }
        let Ok(header) = ReplyHeader::from_bytes(frame) else {
            return self.give_up(id, GivenUp::NotUnderstood);
        };
        let body = &frame[ReplyHeader::BYTES_MIN..];
        if header.xid == xid::EVENT {
            return self.event(id, header.zxid, body, now);
        }
        let mut is_change = false;
        let reply = Reply { xid: header.xid, zxid: header.zxid, err: header.err, body };
        remote.answered = now;
        match remote.sent.pop_front() {
            Some(Sent::Request { exchange, changes, place, is_late, .. }) => {
                is_change = place.rank == Rank::Change;
                self.land(id, is_change);
                self.free(exchange.bytes());
                self.replied(&exchange, &reply, place, &changes, is_late);
            }
            Some(Sent::End { zxid, .. }) => {
                is_change = true;
                self.land(id, true);
                if reply.err == 0 {
                    self.judge.zxids.pair(zxid, reply.zxid);
                }
                self.hang_up(id);
            }
            Some(Sent::KeepAlive(_)) => {}
            Some(Sent::Hello(_)) | None => self.give_up(id, GivenUp::NotUnderstood),
        }
        if is_change {
            // Events that came before the reply can be told from now on.
            self.settle_all(now);
        }
    }

    /// Rookery answered a handshake.
    fn greeted(&mut self, id: ConnId, hello: &Hello, frame: &[u8]) {
        let Ok(answer) = ConnectResponse::decode(frame) else {
            return self.give_up(id, GivenUp::NotUnderstood);
        };
        let place =
            Place { session: hello.session, operation: "connect".to_owned(), xid: 0, zxid: 0 };
        if answer.timeout_ms != hello.timeout_ms {
            let found = Found::new("", "timeout", hello.timeout_ms, answer.timeout_ms);
            self.report.counts.different += 1;
            self.report.difference(&place, &found);
        }
        if answer.read_only != hello.read_only {
            let (left, right) = (hello.read_only, answer.read_only);
            let found = Found::new("", "readOnly", format!("{left:?}"), format!("{right:?}"));
            self.report.counts.different += 1;
            self.report.difference(&place, &found);
        }
        if answer.timeout_ms <= 0 {
            return self.give_up(id, GivenUp::EndedByRookery);
        }
        let password = Bytes::copy_from_slice(answer.password.unwrap_or_default());
        if let Some(session) = self.sessions.get_mut(&hello.session) {
            session.rookery = Some((answer.session_id, password));
        }
        self.judge.sessions.insert(hello.session, answer.session_id);
    }

    fn event(&mut self, id: ConnId, zxid: i64, body: &[u8], now: Instant) {
        let Ok(event) = WatcherEvent::from_bytes(body) else {
            return self.give_up(id, GivenUp::NotUnderstood);
        };
        if let Some(conn) = self.conns.get_mut(&id)
            && !conn.is_given_up
        {
            conn.events.push_rookery(Event::new(zxid, &event), now);
            self.settle(id, now);
        }
    }

    /// Compares a reply with `ZooKeeper`'s.
    fn replied(
        &mut self,
        exchange: &Exchange,
        reply: &Reply<'_>,
        turn: Turn,
        changes: &[Change],
        is_late: bool,
    ) {
        if turn.rank == Rank::Change && reply.err == 0 && exchange.err == 0 {
            self.judge.zxids.pair(turn.zxid, reply.zxid);
        }
        let all = self.judge.compare(exchange, reply, is_late);
        if exchange.op == proto::OpCode::CloseSession.code() {
            self.hang_up(exchange.conn);
        }
        if all.is_empty() {
            self.report.counts.equal += 1;
            return;
        }
        let place = self.place_of(exchange);
        let mut excused = None;
        let mut is_different = false;
        for found in &all {
            let excuse = self.judge.excuse(exchange.op, found);
            let excuse = excuse.or_else(|| is_late.then_some(Reason::LateRead));
            match excuse {
                Some(reason) => excused = Some(reason),
                None => {
                    is_different = true;
                    self.report.difference(&place, found);
                }
            }
        }
        for found in &all {
            // A late read says nothing about later ones.
            if !is_late {
                self.judge.mark_consequences(
                    exchange,
                    found,
                    excused.unwrap_or(Reason::Consequence),
                );
            }
        }
        if exchange.err != reply.err || all.iter().any(|found| found.field == "error") {
            self.missed(changes, excused.unwrap_or(Reason::Consequence));
        }
        match excused {
            _ if is_different => self.report.counts.different += 1,
            Some(reason) => self.report.not_judged(reason),
            None => self.report.counts.equal += 1,
        }
    }

    /// Where a request stands, for reports.
    pub(super) fn place_of(&self, exchange: &Exchange) -> Place {
        let session = self.conns.get(&exchange.conn).map_or(0, |conn| conn.session);
        let operation = operation(exchange.op);
        Place { session, operation, xid: exchange.xid, zxid: exchange.zxid }
    }

    /// A connection to Rookery is over, or was never there.
    pub(super) fn closed(&mut self, id: ConnId, now: Instant) {
        let Some(remote) = self.remotes.get_mut(&id) else { return };
        remote.state = State::Closed(now);
        let sent = std::mem::take(&mut remote.sent);
        let is_expected = remote.is_ending;
        let mut first = true;
        for sent in sent {
            match sent {
                Sent::Request { exchange, changes, place, .. } => {
                    self.land(id, place.rank == Rank::Change);
                    self.free(exchange.bytes());
                    self.missed(&changes, Reason::GivenUp);
                    if is_expected || !first {
                        self.report.not_judged(Reason::GivenUp);
                    } else {
                        self.suspect(id, Some(exchange));
                    }
                    first = false;
                }
                Sent::Hello(_) => {
                    self.land(id, false);
                    if !is_expected {
                        self.suspect(id, None);
                    }
                    first = false;
                }
                Sent::End { .. } => self.land(id, true),
                Sent::KeepAlive(_) => {}
            }
        }
        if is_expected {
            self.remotes.remove(&id);
        }
    }

    pub(super) fn suspect(&mut self, id: ConnId, exchange: Option<Box<Exchange>>) {
        self.suspects.push((id, exchange));
        if !self.is_probing {
            self.is_probing = true;
            self.outputs.push(super::Output::Probe);
        }
    }

    /// Rookery is there, and closed a connection all the same.
    pub(super) fn closed_instead(&mut self, id: ConnId, exchange: Option<&Exchange>) {
        let Some(conn) = self.conns.get(&id).filter(|conn| !conn.is_given_up) else { return };
        let is_open = conn.ended.is_none();
        if let Some(exchange) = exchange {
            let request = Request::decode(exchange.op, exchange.request_body());
            let path = request.as_ref().map_or("", main_path);
            let found = Found::new(path, "connection", "answered", "closed");
            let place = self.place_of(exchange);
            self.report.counts.different += 1;
            self.report.difference(&place, &found);
        } else if is_open {
            let place = Place { session: conn.session, ..Place::default() };
            let place = Place { operation: "connection".to_owned(), ..place };
            self.report.counts.different += 1;
            self.report.difference(&place, &Found::new("", "connection", "open", "closed"));
        }
        self.give_up(id, GivenUp::EndedByRookery);
    }
}

/// An operation by its name.
fn operation(op: i32) -> String {
    let name = proto::OpCode::from_code(op).map(|op| format!("{op:?}"));
    let Some(name) = name else { return op.to_string() };
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}
