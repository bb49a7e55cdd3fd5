//! What happened in a run, as the servers and clients tell it.
//!
//! Checked as it happens: every server applies the same command at the same zxid and has the
//! same digest after it; no command is applied twice; no session's former connection writes
//! after the session has moved; what [`crate::checks`] has about sessions. Checked at the end: a
//! write that began after another one was acknowledged has a higher zxid, and everything
//! acknowledged is there.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use raft_log::Members;
use tree::{Command, Op, OriginId, Outcome, Owner, SessionId, State, Zxid};

use crate::checks::{
    Check,
    changes::Changes,
    sessions::{Moves, Sessions},
};

/// A command at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its place.
    pub zxid: Zxid,
    /// Who proposed it.
    pub origin: OriginId,
    /// Which of its proposer's it is.
    pub sequence: u64,
    /// The digest of the state after it.
    pub digest: u64,
}

/// A write that was acknowledged.
#[derive(Clone, Copy, Debug)]
struct Acknowledged {
    began: Duration,
    ended: Duration,
    zxid: Zxid,
}

#[derive(Debug, Default)]
struct Inner {
    applied: BTreeMap<i64, Applied>,
    commands: BTreeSet<(OriginId, u64)>,
    owners: BTreeMap<i64, Owner>,
    acknowledged: Vec<Acknowledged>,
    highest: Zxid,
    restored: u64,
    replies: u64,
    events: u64,
    put_off: u64,
    changes: Changes,
    /// By version.
    members: BTreeMap<u64, Members>,
    sessions: Sessions,
    broken: Vec<String>,
}

/// How much happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Writes that were acknowledged.
    pub acknowledged: usize,
    /// Commands that were applied.
    pub applied: usize,
    /// Checkpoints that were taken over from a leader.
    pub restored: u64,
    /// Replies that clients checked.
    pub replies: u64,
    /// Events that clients checked.
    pub events: u64,
    /// How often requests were put off because a client did not read.
    pub put_off: u64,
    /// Sessions that ended because their client fell silent.
    pub expired: u64,
    /// What became of attachments.
    pub moves: Moves,
    /// Changes of the members, halves of them included.
    pub members: usize,
}

/// The history of a run.
#[derive(Debug, Default)]
pub struct History {
    inner: Mutex<Inner>,
}

impl History {
    /// A server has applied a command, and has this state then.
    pub fn applied(
        &self,
        server: i64,
        now: &Applied,
        command: &Command<'_>,
        outcome: &Outcome,
        state: &State,
    ) {
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        if let Some(known) = inner.applied.get(&now.zxid.0) {
            if known != now {
                let what = format!("server {server} applies {now:?}, another one {known:?}");
                inner.broken(Check::Digests, &what);
            }
            return;
        }
        if let Some((_, last)) = inner.applied.last_key_value()
            && last.zxid > now.zxid
        {
            let what = format!("server {server} applies {now:?} behind {last:?}");
            inner.broken(Check::Digests, &what);
        }
        inner.applied.insert(now.zxid.0, *now);
        if !inner.commands.insert((now.origin, now.sequence)) {
            inner.broken(Check::Once, &format!("applied twice: {now:?}"));
        }
        inner.note_owner(command, outcome);
        inner.changes.note(outcome);
        if let Err((check, what)) = inner.sessions.applied(command, outcome, state) {
            inner.broken(check, &what);
        }
    }

    /// A server has taken over a checkpoint.
    pub fn restored(&self, server: i64, zxid: Zxid, digest: u64) {
        let mut inner = self.inner.lock();
        inner.restored += 1;
        let known = inner.applied.range(..=zxid.0).next_back().map(|(_, known)| *known);
        if let Some(known) = known
            && known.digest != digest
        {
            let what = format!("server {server} restored {digest:x} at {zxid}, not {known:?}");
            inner.broken(Check::Digests, &what);
        }
    }

    /// A client was told that its write is done.
    pub fn acknowledged(&self, began: Duration, ended: Duration, zxid: Zxid) {
        let mut inner = self.inner.lock();
        inner.highest = inner.highest.max(zxid);
        inner.acknowledged.push(Acknowledged { began, ended, zxid });
    }

    /// A client has looked at a reply.
    pub fn note_reply(&self) {
        self.inner.lock().replies += 1;
    }

    /// A client has looked at an event.
    pub fn note_event(&self) {
        self.inner.lock().events += 1;
    }

    /// A server has put requests off: their client does not read.
    pub fn note_put_off(&self) {
        self.inner.lock().put_off += 1;
    }

    /// The id of a session that is to be opened.
    pub fn next_session(&self) -> SessionId {
        self.inner.lock().sessions.next()
    }

    /// The client of a session was heard by the server that has it.
    pub fn heard(&self, session: SessionId, server: i64) {
        self.inner.lock().sessions.heard(session, server);
    }

    /// A session that was left behind long ago and is there still.
    pub fn left_behind(&self, is_open: impl Fn(SessionId) -> bool) -> Option<String> {
        self.inner.lock().sessions.still_there(is_open)
    }

    /// The process of a server is stopped.
    pub fn stands_still(&self, server: i64) {
        self.inner.lock().sessions.stands_still(server);
    }

    /// It goes on, if it was.
    pub fn goes_on(&self, server: i64) {
        self.inner.lock().sessions.goes_on(server);
    }

    /// A server takes the handshake of a connection.
    pub fn asked(&self, owner: Owner) {
        self.inner.lock().sessions.asked(owner);
    }

    /// A server has these members from now on.
    pub fn members(&self, server: i64, members: &Members) {
        let mut inner = self.inner.lock();
        let known = inner.members.entry(members.version()).or_insert_with(|| members.clone());
        if known != members {
            let what = format!("server {server} has {members:?}, another one {known:?}");
            inner.broken(Check::Members, &what);
        }
    }

    /// Whether there is an ensemble.
    pub fn is_founded(&self) -> bool {
        !self.inner.lock().members.is_empty()
    }

    /// Whether a session has ended.
    pub fn has_ended(&self, session: SessionId) -> bool {
        self.inner.lock().sessions.has_ended(session)
    }

    /// There are no faults from now on, until there are again.
    pub fn set_calm(&self, is_calm: bool) {
        self.inner.lock().sessions.set_calm(is_calm);
    }

    /// A client goes away and leaves its session behind.
    pub fn abandoned(&self, session: SessionId) {
        self.inner.lock().sessions.abandoned(session);
    }

    /// All changes so far.
    pub fn changes(&self) -> MappedMutexGuard<'_, Changes> {
        MutexGuard::map(self.inner.lock(), |inner| &mut inner.changes)
    }

    /// Something else is wrong.
    pub fn broken(&self, check: Check, what: &str) {
        self.inner.lock().broken(check, what);
    }

    /// The highest zxid that anybody was told of before now.
    pub fn highest_acknowledged(&self) -> Zxid {
        self.inner.lock().highest
    }

    /// Whether something is wrong already.
    pub fn is_broken(&self) -> bool {
        !self.inner.lock().broken.is_empty()
    }

    /// How much happened.
    pub fn counts(&self) -> Counts {
        let inner = self.inner.lock();
        Counts {
            acknowledged: inner.acknowledged.len(),
            applied: inner.applied.len(),
            restored: inner.restored,
            replies: inner.replies,
            events: inner.events,
            put_off: inner.put_off,
            expired: inner.sessions.expired(),
            moves: inner.sessions.moves(),
            members: inner.members.len(),
        }
    }

    /// A number for all that was applied: that of a run that is repeated is the same.
    pub fn fingerprint(&self) -> u64 {
        let inner = self.inner.lock();
        let numbers = inner.applied.values().flat_map(|one| {
            [one.zxid.0.cast_unsigned(), one.origin.node, one.sequence, one.digest]
        });
        let times = inner
            .acknowledged
            .iter()
            .map(|one| u64::try_from(one.ended.as_nanos()).unwrap_or(u64::MAX));
        // FNV-1a, over numbers.
        numbers.chain(times).fold(0xcbf2_9ce4_8422_2325, |hash: u64, number| {
            (hash ^ number).wrapping_mul(0x0100_0000_01b3)
        })
    }

    /// What is wrong, when all is over and every server has this state, up to `last`.
    pub fn violations(&self, last: Zxid, is_open: impl Fn(SessionId) -> bool) -> Vec<String> {
        let mut inner = self.inner.lock();
        let lost = inner.acknowledged.iter().filter(|one| one.zxid > last).count();
        if lost > 0 {
            let what = format!("{lost} acknowledged writes are lost: all end at {last}");
            inner.broken(Check::Lost, &what);
        }
        if let Some(what) = inner.out_of_order() {
            inner.broken(Check::Order, &what);
        }
        if let Some(what) = inner.sessions.still_there(is_open) {
            inner.broken(Check::Expiry, &what);
        }
        inner.broken.clone()
    }
}

impl Inner {
    fn broken(&mut self, check: Check, what: &str) {
        self.broken.push(format!("{check} {what}"));
    }

    /// Only the connection that a session has now may write for it.
    fn note_owner(&mut self, command: &Command<'_>, outcome: &Outcome) {
        let session = command.session;
        if session == SessionId::NONE || outcome.result.is_err() {
            return;
        }
        if matches!(command.op, Op::OpenSession { .. } | Op::AttachSession { .. }) {
            self.owners.insert(session.0, command.owner);
        } else if self.owners.get(&session.0) != Some(&command.owner)
            && !matches!(command.op, Op::CloseSession)
        {
            let what = format!("{session:?} wrote at {} after it moved", outcome.zxid);
            self.broken(Check::Owners, &what);
        }
    }

    /// A write that began when another one was known to be done, and comes before it.
    fn out_of_order(&self) -> Option<String> {
        let mut by_end: Vec<&Acknowledged> = self.acknowledged.iter().collect();
        by_end.sort_by_key(|one| one.ended);
        let mut by_begin = by_end.clone();
        by_begin.sort_by_key(|one| one.began);
        let mut done = by_end.into_iter().peekable();
        let mut highest: Option<&Acknowledged> = None;
        for one in by_begin {
            while let Some(before) = done.next_if(|before| before.ended < one.began) {
                if highest.is_none_or(|highest| highest.zxid < before.zxid) {
                    highest = Some(before);
                }
            }
            if let Some(highest) = highest.filter(|highest| highest.zxid > one.zxid) {
                return Some(format!("{one:?} began after {highest:?} was acknowledged"));
            }
        }
        None
    }
}
