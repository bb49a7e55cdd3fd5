//! Sessions: ephemerals die with theirs and come not back, none expires while its client was
//! heard within its timeout, whoever stands still meanwhile, and all do that were left behind. And
//! none is taken from the
//! connection that asked for it last: an attachment that got stuck at one server does not take
//! it from another one that serves it by now.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use tokio::time::Instant;
use tree::{Command, Former, Op, Outcome, Owner, Reject, Reply, SessionId, State};

use super::Check;
use crate::clock::Clock;

/// How many of the latest times are known at which a client was heard.
const HEARD_MAX: usize = 64;
/// What a decision may take until it is applied, and what the leader may know later than a
/// server that heard a client, without faults.
const LATE: Duration = Duration::from_millis(500);
/// How long a server that stood still takes at the most to find the others again.
const BACK_AFTER: Duration = Duration::from_secs(3);
/// Silence that no session outlives, when there are no faults: the longest timeout, a tick, the
/// decision; and the full timeout that a new leader gives.
const SILENCE_MAX: Duration = Duration::from_secs(11);

/// All sessions of a run.
#[derive(Debug, Default)]
pub struct Sessions {
    last_id: i64,
    open: BTreeMap<SessionId, i32>,
    ended: BTreeSet<SessionId>,
    heard: BTreeMap<SessionId, VecDeque<Instant>>,
    /// Servers that stood still, and since when they do not any more.
    stood_still: BTreeMap<i64, Option<Instant>>,
    abandoned: BTreeMap<SessionId, Instant>,
    calm_since: Option<Instant>,
    /// In which order servers were asked for sessions by connections.
    asked: BTreeMap<Owner, usize>,
    /// Who has which.
    owners: BTreeMap<SessionId, Owner>,
    moves: Moves,
    expired: u64,
}

/// What became of attachments.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moves {
    /// Those that moved a session.
    pub done: u64,
    /// Of those, how many did not say whose it had to be: one of the members was not known to
    /// read that.
    pub unguarded: u64,
    /// Those that came too late, or whose server knew too little.
    pub refused: u64,
}

impl Sessions {
    pub(crate) fn next(&mut self) -> SessionId {
        self.last_id += 1;
        SessionId(0x100 + self.last_id)
    }

    pub(crate) fn stands_still(&mut self, server: i64) {
        self.stood_still.insert(server, None);
    }

    pub(crate) fn goes_on(&mut self, server: i64) {
        if let Some(since) = self.stood_still.get_mut(&server) {
            since.get_or_insert_with(Instant::now);
        }
    }

    pub(crate) fn heard(&mut self, session: SessionId, server: i64) {
        // What it hears before it has found the others may be known to nobody else.
        let is_lost = |since: &Option<Instant>| since.is_none_or(|at| at.elapsed() < BACK_AFTER);
        if self.stood_still.get(&server).is_some_and(is_lost) {
            return;
        }
        let heard = self.heard.entry(session).or_default();
        heard.push_back(Instant::now());
        if heard.len() > HEARD_MAX {
            heard.pop_front();
        }
    }

    pub(crate) fn has_ended(&self, session: SessionId) -> bool {
        self.ended.contains(&session)
    }

    pub(crate) fn set_calm(&mut self, is_calm: bool) {
        self.calm_since = is_calm.then(Instant::now);
    }

    pub(crate) fn abandoned(&mut self, session: SessionId) {
        self.abandoned.insert(session, Instant::now());
    }

    /// A server takes a handshake.
    pub(crate) fn asked(&mut self, owner: Owner) {
        let order = self.asked.len();
        self.asked.insert(owner, order);
    }

    pub(crate) fn moves(&self) -> Moves {
        self.moves
    }

    pub(crate) fn expired(&self) -> u64 {
        self.expired
    }

    /// A command was applied for the first time.
    pub(crate) fn applied(
        &mut self,
        command: &Command<'_>,
        outcome: &Outcome,
        state: &State,
    ) -> Result<(), (Check, String)> {
        match outcome.result {
            Ok(Reply::Attached { timeout_ms }) => {
                self.open.insert(command.session, timeout_ms);
                self.moved(command)?;
            }
            Err(Reject::SessionMoved) if matches!(command.op, Op::AttachSession { .. }) => {
                self.moves.refused += 1;
            }
            Ok(Reply::Closed(session)) => {
                let timeout_ms = self.open.remove(&session);
                let is_fresh = self.ended.insert(session);
                if let (Op::ExpireSession { .. }, Some(timeout_ms), true) =
                    (&command.op, timeout_ms, is_fresh)
                {
                    self.expired += 1;
                    self.was_silent(session, timeout_ms)?;
                }
            }
            Ok(_) | Err(_) => {}
        }
        for (session, paths) in state.ephemerals_by_session() {
            if state.session(session).is_none() || self.ended.contains(&session) {
                let what = format!("{paths:?} outlive {session} at {}", outcome.zxid);
                return Err((Check::Ephemerals, what));
            }
        }
        Ok(())
    }

    /// Clients ask one server after another: who asked later than the present owner is newer.
    fn moved(&mut self, command: &Command<'_>) -> Result<(), (Check, String)> {
        let before = self.owners.insert(command.session, command.owner);
        let Op::AttachSession { former, .. } = &command.op else { return Ok(()) };
        self.moves.done += 1;
        if *former == Former::Anybody {
            self.moves.unguarded += 1;
            return Ok(());
        }
        let order = |owner| self.asked.get(&owner).copied();
        let (Some(before), Some(now)) = (before.and_then(order), order(command.owner)) else {
            return Ok(());
        };
        if now > before {
            return Ok(());
        }
        let what = format!(
            "{} is taken back by a connection that asked for it before the one that has it",
            command.session
        );
        Err((Check::Moves, what))
    }

    /// A client that is heard keeps its session, without faults but that a server stands still.
    fn was_silent(&self, session: SessionId, timeout_ms: i32) -> Result<(), (Check, String)> {
        let timeout = Duration::from_millis(u64::from(timeout_ms.unsigned_abs()));
        let now = Instant::now();
        let is_calm = self.calm_since.is_some_and(|since| since.elapsed() > 2 * timeout + LATE);
        let silence = Clock::at_least(timeout).saturating_sub(LATE);
        let heard = self.heard.get(&session).into_iter().flatten();
        let mut lately = heard.filter(|heard| {
            let age = now - **heard;
            age > LATE && age < silence
        });
        match lately.next_back() {
            Some(heard) if is_calm => {
                let ago = now - *heard;
                let what = format!("{session} expires, of {timeout:?}, heard {ago:?} ago");
                Err((Check::Expiry, what))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A session that was left behind long ago and is there still. When a leader stood still,
    /// all have a full timeout anew.
    pub(crate) fn still_there(&self, is_open: impl Fn(SessionId) -> bool) -> Option<String> {
        let went_on =
            self.stood_still.values().map(|since| since.map_or(Duration::ZERO, |at| at.elapsed()));
        let calm = went_on.fold(self.calm_since?.elapsed(), Duration::min);
        let old =
            self.abandoned.iter().filter(|(_, since)| since.elapsed().min(calm) > SILENCE_MAX);
        let mut open = old.filter(|(session, _)| is_open(**session));
        open.next()
            .map(|(session, since)| format!("{session}, left {:?} ago, is open", since.elapsed()))
    }
}
