//! The clients' side: requests and replies are put in their places.

use std::time::{Duration, Instant};

use bytes::Bytes;
use proto::{ConnectRequest, ConnectResponse, OpCode, Request};

use super::Director;
use super::conn::{Answered, Arrival, NotUnderstood, Phase};
use super::order::{Rank, Turn};
use super::remote::Session;
use crate::change::{Change, What, changes, is_write};
use crate::input::ConnId;
use crate::judge::Exchange;
use crate::report::{GivenUp, Reason};

impl Director {
    pub(super) fn client_bytes(&mut self, id: ConnId, bytes: &[u8], now: Instant) {
        let Some(conn) = self.conns.get_mut(&id).filter(|conn| !conn.is_given_up) else { return };
        conn.push_client(bytes);
        while !matches!(conn.phase, Phase::Over) {
            match conn.next_request(now, || self.order.ask()) {
                Ok(None) => return,
                Ok(Some((op, bytes))) => {
                    self.held += bytes;
                    if op == OpCode::Sasl.code() {
                        return self.give_up(id, GivenUp::Sasl);
                    }
                }
                Err(NotUnderstood) if matches!(conn.phase, Phase::Open) => {
                    return self.give_up(id, GivenUp::NotUnderstood);
                }
                // Whoever looks which ports are open is no session that is lost.
                Err(NotUnderstood) => return self.is_no_client(id),
            }
        }
    }

    /// What connected is no client of `ZooKeeper`'s.
    fn is_no_client(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.phase = Phase::Over;
        }
        self.drop_asked(id);
    }

    /// Nobody will answer what this connection has asked; returns how much that is.
    pub(super) fn drop_asked(&mut self, id: ConnId) -> usize {
        let Some(conn) = self.conns.get_mut(&id) else { return 0 };
        let asked = conn.drain_asked();
        for (ticket, bytes) in &asked {
            self.order.answered(*ticket);
            self.free(*bytes);
        }
        asked.len()
    }

    pub(super) fn zookeeper_bytes(&mut self, id: ConnId, bytes: &[u8], now: Instant) {
        let Some(conn) = self.conns.get_mut(&id).filter(|conn| !conn.is_given_up) else { return };
        if matches!(conn.phase, Phase::Over | Phase::Silent) {
            return;
        }
        conn.push_zookeeper(bytes);
        loop {
            let Some(conn) = self.conns.get_mut(&id).filter(|conn| !conn.is_given_up) else {
                return;
            };
            let understood = match conn.next_arrival() {
                Ok(None) => return,
                Ok(Some(Arrival::Welcome(welcome))) => self.welcome(id, &welcome),
                Ok(Some(Arrival::Event)) => {
                    self.settle(id, now);
                    Ok(())
                }
                Ok(Some(Arrival::Reply)) => self.release(id),
                Err(NotUnderstood) => Err(NotUnderstood),
            };
            if understood.is_err() {
                return self.give_up(id, GivenUp::NotUnderstood);
            }
        }
    }

    /// `ZooKeeper` answered a handshake.
    fn welcome(&mut self, id: ConnId, welcome: &Bytes) -> Result<(), NotUnderstood> {
        let Some(conn) = self.conns.get_mut(&id) else { return Ok(()) };
        let Phase::Greeting(hello) = &conn.phase else { return Ok(()) };
        let hello = hello.clone();
        let asked = ConnectRequest::decode(&hello).map_err(|_| NotUnderstood)?;
        let answer = ConnectResponse::decode(welcome).map_err(|_| NotUnderstood)?;
        if answer.timeout_ms <= 0 {
            conn.phase = Phase::Over;
            self.refused(asked.session_id, asked.password);
            return Ok(());
        }
        conn.phase = Phase::Open;
        conn.session = answer.session_id;
        self.report.counts.sessions += u64::from(asked.session_id == 0);
        let timeout = Duration::from_millis(u64::from(answer.timeout_ms.unsigned_abs()));
        let password = Bytes::copy_from_slice(answer.password.unwrap_or_default());
        let known = self.sessions.get_mut(&answer.session_id).filter(|known| !known.is_over);
        let resumes_at = match known {
            Some(session) => {
                session.timeout = timeout;
                session.password = password;
                session.parked = None;
                session.newest = id;
                if session.is_given_up {
                    conn.is_given_up = true;
                    self.drop_asked(id);
                    return Ok(());
                }
                // Behind all that its last connection has still to do.
                Some(session.zxid)
            }
            None => {
                let session = Session {
                    conn: id,
                    newest: id,
                    password,
                    rookery: None,
                    timeout,
                    zxid: asked.last_zxid_seen.max(0),
                    parked: None,
                    had_ephemerals: false,
                    is_over: false,
                    is_given_up: false,
                };
                self.sessions.insert(answer.session_id, session);
                None
            }
        };
        conn.zxid = conn.zxid.max(resumes_at.unwrap_or(0));
        // The turn itself decodes both again: they are what it needs.
        conn.greeting = Some((hello, welcome.clone()));
        conn.waiting += 1;
        match resumes_at {
            Some(zxid) => self.order.add(zxid, Rank::Read, Turn::Open(id)),
            None => self.order.add_first(Turn::Open(id)),
        }
        Ok(())
    }

    /// `ZooKeeper` has no such session. If the password was right, it has ended there.
    fn refused(&mut self, session: i64, password: Option<&[u8]>) {
        let known = self.sessions.get(&session).filter(|known| !known.is_over);
        if let Some(known) = known
            && password == Some(&known.password[..])
        {
            self.order.add(known.zxid, Rank::Read, Turn::EndSession(session));
        }
    }

    /// Puts the requests that have been answered in their places.
    fn release(&mut self, id: ConnId) -> Result<(), NotUnderstood> {
        loop {
            let Some(conn) = self.conns.get_mut(&id) else { return Ok(()) };
            let before = conn.zxid;
            let Some(answered) = conn.release() else { return Ok(()) };
            let (now_seen, session) = (conn.zxid, conn.session);
            self.order.answered(answered.ticket);
            self.report.counts.requests += 1;
            if let Some(session) = self.sessions.get_mut(&session) {
                session.zxid = session.zxid.max(now_seen);
            }
            self.place(id, answered, before)?;
        }
    }

    fn place(&mut self, id: ConnId, answered: Answered, before: i64) -> Result<(), NotUnderstood> {
        let Answered { op, request, header, body, .. } = answered;
        let (xid, zxid, err) = (header.xid, header.zxid, header.err);
        let exchange = Exchange { conn: id, xid, op, request, zxid, err, body };
        // The request has been held since it came; until the turn is added, nothing is.
        self.free(exchange.request.len());
        if op == OpCode::Reconfig.code() {
            self.judge.zxids.begin(zxid);
            self.report.not_judged(Reason::NotRepeated);
            return Ok(());
        }
        let done = match Request::decode(op, exchange.request_body()) {
            Ok(request) if err == 0 && is_write(op) => {
                changes(&request, &exchange.body).map_err(|_| NotUnderstood)?
            }
            // ZooKeeper refuses what cannot be decoded, and so must Rookery.
            Ok(_) | Err(_) => Vec::new(),
        };
        let had_ephemerals = self.ever_had_ephemerals(id, &done);
        let is_end = err == 0 && op == OpCode::CloseSession.code();
        let is_change = !done.is_empty() || (is_end && had_ephemerals);
        let (place, rank) =
            if is_change { (zxid, Rank::Change) } else { (zxid.max(before), Rank::Read) };
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.waiting += 1;
        }
        self.held += exchange.bytes();
        self.order.add(place, rank, Turn::Repeat(Box::new(exchange), done));
        Ok(())
    }

    /// Whether the session of this connection has ever made an ephemeral, or does by `changes`.
    ///
    /// The end of one that has not changes nothing that anybody sees; and if it is a local one,
    /// the zxid in the reply is that of some other change.
    fn ever_had_ephemerals(&mut self, id: ConnId, changes: &[Change]) -> bool {
        let session = self.conns.get(&id).map(|conn| conn.session);
        let Some(session) = session.and_then(|id| self.sessions.get_mut(&id)) else { return false };
        session.had_ephemerals |=
            changes.iter().any(|change| change.what == What::CreatedEphemeral);
        session.had_ephemerals
    }

    /// A client's connection is over. Its session may come back on another one.
    pub(super) fn ended(&mut self, id: ConnId, now: Instant) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        conn.ended = Some(now);
        let session = conn.session;
        for _ in 0..self.drop_asked(id) {
            self.report.counts.requests += 1;
            self.report.not_judged(Reason::Unanswered);
        }
        if let Some(session) = self.sessions.get_mut(&session)
            && session.newest == id
        {
            session.parked = Some(now);
        }
        self.settle(id, now);
    }
}
