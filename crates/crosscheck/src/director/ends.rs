//! What changed on `ZooKeeper` without the proxy: sessions that ended, and changes of others.
//!
//! That a session ended by itself is seen by its ephemerals only: they go all at once. But so
//! they may if somebody deletes them, as when a single one is deleted to force an election. What
//! tells the two apart is the session's connection: `ZooKeeper` closes it with the session, and
//! answers on it otherwise.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use proto::Request;

use super::order::Turn;
use super::remote::{Sent, State};
use super::{Director, ENDS_MAX};
use crate::change::{Change, What};
use crate::report::Reason;

/// The number of the request by which the proxy ends a session.
const END_XID: i32 = i32::MAX;
/// The number of an event's type: a znode was deleted.
pub(super) const NODE_DELETED: i32 = 2;
/// The number of an event's type: a znode's data was set.
const DATA_CHANGED: i32 = 3;

/// Why a znode changed without the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// This session ended.
    End(i64),
    /// Somebody else did it.
    Others,
    /// All ephemerals of a session are gone, and nothing has been heard of the session since.
    Unsure,
}

/// A change whose cause is not sure yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    zxid: i64,
    since: Instant,
}

impl Director {
    /// Whether this turn must wait until it is known what it means. For a while only: whoever
    /// is silent for so long is taken to be alive.
    pub(super) fn is_in_doubt(&mut self, zxid: i64, now: Instant) -> bool {
        let is_unsure = match self.order.next() {
            Some((_, Turn::Seen(kind, path))) => self.cause(zxid, *kind, path) == Cause::Unsure,
            Some((_, Turn::Open(_) | Turn::Repeat(..) | Turn::EndSession(_))) | None => false,
        };
        if !is_unsure {
            return false;
        }
        let known = self.doubt.filter(|doubt| doubt.zxid == zxid);
        let doubt = known.unwrap_or(Doubt { zxid, since: now });
        self.doubt = Some(doubt);
        now.duration_since(doubt.since) < self.patience.settle
    }

    fn cause(&self, zxid: i64, kind: i32, path: &str) -> Cause {
        let owner = self.judge.ephemerals.get(path).filter(|_| kind == NODE_DELETED);
        let Some(owner) = owner.copied() else { return Cause::Others };
        let Some(session) = self.sessions.get(&owner) else { return Cause::Others };
        let deleted = self.order.deleted_at(zxid, NODE_DELETED);
        let is_gone = |own: &String| own == path || deleted.contains(own.as_str());
        if session.zxid >= zxid || !self.judge.ephemerals_of(owner).iter().all(is_gone) {
            return Cause::Others;
        }
        match session.parked {
            Some(_) => Cause::End(owner),
            // Nothing more will be heard of it.
            None if session.is_given_up => Cause::Others,
            None => Cause::Unsure,
        }
    }

    /// A change that no client made through the proxy.
    pub(super) fn seen(&mut self, zxid: i64, kind: i32, path: &str, now: Instant) {
        match self.cause(zxid, kind, path) {
            Cause::End(session) => {
                // By itself, or by a request that was never answered.
                self.judge.zxids.begin(zxid);
                self.end_session(session, zxid, now);
            }
            Cause::Others | Cause::Unsure => self.foreign(zxid, kind, path),
        }
    }

    fn foreign(&mut self, zxid: i64, kind: i32, path: &str) {
        self.judge.recent.note(path, zxid);
        let reason = if self.judge.is_clocked(path) { Reason::Clock } else { Reason::Foreign };
        if reason == Reason::Foreign {
            self.report.counts.foreign_changes += 1;
        }
        if kind == DATA_CHANGED {
            self.judge.marks.mark(path, reason);
        } else {
            self.judge.marks.mark_existence(path, reason);
        }
        if kind == NODE_DELETED {
            // The mark says from now on what these said.
            self.judge.ephemerals.remove(path);
            self.judge.clocked.remove(path);
        }
    }

    /// Ends a session on Rookery that has ended on `ZooKeeper`.
    pub(super) fn end_session(&mut self, session: i64, zxid: i64, now: Instant) {
        let Some(known) = self.sessions.get(&session).filter(|known| !known.is_over) else {
            return;
        };
        let id = known.conn;
        let is_open =
            self.remotes.get(&id).is_some_and(|it| it.state == State::Open && !it.is_ending);
        let ephemerals = self.judge.ephemerals_of(session);
        self.session_is_over(session, zxid);
        if !is_open {
            let gone = |path| Change { path, what: What::Deleted };
            let changes: Vec<Change> = ephemerals.into_iter().map(gone).collect();
            return self.missed(&changes, Reason::GivenUp);
        }
        let mut out = BytesMut::new();
        Request::CloseSession.encode(END_XID, &mut out);
        self.send(id, out.freeze(), now);
        self.sent(id, Sent::End { zxid, since: now });
        self.fly(id, true);
    }

    pub(super) fn session_is_over(&mut self, session: i64, zxid: i64) {
        if !self.judge.note_session_end(session, zxid).is_empty() {
            self.ends.insert(zxid);
        }
        if self.ends.len() > ENDS_MAX {
            self.ends.pop_first();
        }
        if let Some(session) = self.sessions.get_mut(&session) {
            session.is_over = true;
        }
    }
}

/// Whether a session may be ended because nobody has come back to it for long.
pub(super) fn is_abandoned(parked: Duration, timeout: Duration, has_ephemerals: bool) -> bool {
    // ZooKeeper expires it within a tick after its timeout, and the observer sees what it held
    // go; so long as it holds something, only that counts, unless the observer missed it.
    let patience = if has_ephemerals { timeout * 4 } else { timeout * 2 };
    parked > patience + Duration::from_secs(10)
}
