//! Decides what is sent to Rookery and when, and hands what comes back to the judge.
//!
//! It is told what happens ([`Input`]) and says what to do ([`Output`]); sockets and clocks are
//! elsewhere. The client side is in [`intake`], the turns in [`turns`], what nobody asked for in
//! [`ends`], Rookery's answers in [`answers`], events in [`watching`], and what time alone brings
//! about in [`upkeep`].

mod answers;
mod conn;
mod ends;
mod events;
mod intake;
pub(crate) mod order;
mod remote;
#[cfg(test)]
mod tests;
mod turns;
mod upkeep;
mod watching;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::input::{ConnId, FromRookery, Input, Observed, Probe};
use crate::judge::{Exchange, Judge};
use crate::report::{GivenUp, Reason, Report};
use crate::tap::Budget;
use conn::Conn;
use order::{Order, Rank, Turn};
use remote::{Remote, Session};

/// Ends of sessions that are remembered, for the order of their events.
const ENDS_MAX: usize = 1 << 16;

/// Something to be done by those who have sockets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Connect to Rookery and send this payload first.
    Connect(ConnId, Bytes),
    /// Send a payload to Rookery.
    Send(ConnId, Bytes),
    /// Close a connection to Rookery.
    Close(ConnId),
    /// Make the observer tell of all changes up to here.
    Observe(i64),
    /// Find out whether Rookery takes connections.
    Probe,
}

/// How patient the comparison is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// How long the counterpart of an event may take.
    pub(crate) settle: Duration,
    /// How long Rookery may take to answer.
    pub(crate) rookery: Duration,
    /// How long `ZooKeeper` may take to answer.
    pub(crate) zookeeper: Duration,
}

/// The director.
#[derive(Debug)]
pub(crate) struct Director {
    pub(crate) judge: Judge,
    pub(crate) report: Report,
    budget: Arc<Budget>,
    patience: Patience,
    order: Order,
    conns: BTreeMap<ConnId, Conn>,
    remotes: BTreeMap<ConnId, Remote>,
    sessions: BTreeMap<i64, Session>,
    /// Requests that Rookery owes an answer to, by connection; and how many of them change
    /// something.
    flying: BTreeMap<ConnId, usize>,
    flying_changes: usize,
    /// Changes of `ZooKeeper` whose events have no order.
    ends: BTreeSet<i64>,
    /// The change at which turns wait, until it is known what it means.
    doubt: Option<ends::Doubt>,
    /// Requests in whose stead Rookery closed the connection, until it is known whether it is
    /// there at all; `None` for a connection without a request.
    suspects: Vec<(ConnId, Option<Box<Exchange>>)>,
    is_probing: bool,
    /// Up to where the observer was asked to tell.
    asked_observed: i64,
    /// Whether foreign changes cannot be seen.
    is_blind: bool,
    /// Bytes held until they are compared.
    held: usize,
    outputs: Vec<Output>,
}

impl Director {
    /// Knows what `judge` knows of the trees.
    pub(crate) fn new(judge: Judge, budget: Arc<Budget>, patience: Patience) -> Self {
        Self {
            judge,
            report: Report::default(),
            budget,
            patience,
            order: Order::default(),
            conns: BTreeMap::new(),
            remotes: BTreeMap::new(),
            sessions: BTreeMap::new(),
            flying: BTreeMap::new(),
            flying_changes: 0,
            ends: BTreeSet::new(),
            doubt: None,
            suspects: Vec::new(),
            is_probing: false,
            asked_observed: 0,
            is_blind: false,
            held: 0,
            outputs: Vec::new(),
        }
    }

    /// Something happened.
    pub(crate) fn handle(&mut self, input: Input, now: Instant) {
        if self.report.ended.is_some() {
            return;
        }
        match input {
            Input::Opened(conn) => {
                self.conns.insert(conn, Conn::new());
            }
            Input::FromClient(conn, bytes) => {
                self.budget.give_back(bytes.len());
                self.client_bytes(conn, &bytes, now);
            }
            Input::FromZooKeeper(conn, bytes) => {
                self.budget.give_back(bytes.len());
                self.zookeeper_bytes(conn, &bytes, now);
            }
            Input::Ended(conn) => self.ended(conn, now),
            Input::Lost(conn) => self.give_up(conn, GivenUp::NoRoom),
            Input::Rookery(conn, FromRookery::Frame(frame)) => self.frame(conn, &frame, now),
            Input::Rookery(conn, FromRookery::Closed) => self.closed(conn, now),
            Input::Observed(observed) => self.observed(observed),
            Input::Probed(probe) => self.probed(probe),
        }
    }

    /// Begins what can be begun.
    pub(crate) fn pump(&mut self, now: Instant) {
        if self.report.ended.is_none() {
            self.begin_turns(now);
        }
        self.budget.set_held(self.held);
    }

    /// What is to be done.
    pub(crate) fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// What has not been compared yet: turns, requests in flight, events.
    pub(crate) fn waiting(&self) -> usize {
        let events = self.conns.values().filter(|conn| !conn.events.is_empty()).count();
        self.order.len() + self.flying.values().sum::<usize>() + events + self.suspects.len()
    }

    /// Clients' connections that are compared.
    pub(crate) fn connections(&self) -> usize {
        self.conns.values().filter(|conn| conn.ended.is_none()).count()
    }

    /// Something is held no more.
    fn free(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
    }

    fn observed(&mut self, observed: Observed) {
        match observed {
            Observed::Change { zxid, kind, path } if zxid > 0 => {
                let turn = Turn::Seen(kind, path);
                self.held += turn.bytes();
                self.order.add(zxid, Rank::Seen, turn);
            }
            Observed::Change { .. } | Observed::Blind => self.go_blind(),
            Observed::UpTo(zxid) => self.order.observed(zxid),
            Observed::Gap => self.report.note(
                "the observer lost its connection: changes of others since may have been missed",
            ),
        }
    }

    fn go_blind(&mut self) {
        if !self.is_blind {
            self.is_blind = true;
            self.order.observed(i64::MAX);
            self.report.note(
                "this ZooKeeper cannot tell of changes with their zxids (3.9 can): \
                 changes that pass this proxy by will look like differences",
            );
        }
    }

    /// Compares a connection and its session no more.
    fn give_up(&mut self, id: ConnId, why: GivenUp) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if conn.is_given_up {
            return;
        }
        conn.is_given_up = true;
        conn.events.clear();
        let session = conn.session;
        self.hold_events(id);
        self.drop_asked(id);
        self.report.given_up(why);
        self.report.note(&format!("session {session:#x} is compared no more: {}", why.name()));
        if let Some(session) = self.sessions.get_mut(&session) {
            session.is_given_up = true;
        }
        // Rookery will end its session, and with it the ephemerals, in its own time.
        for path in self.judge.ephemerals_of(session) {
            self.judge.marks.mark_existence(&path, Reason::GivenUp);
        }
        self.hang_up(id);
    }

    /// Closes a connection to Rookery.
    fn hang_up(&mut self, id: ConnId) {
        if let Some(remote) = self.remotes.get_mut(&id)
            && !remote.is_ending
        {
            remote.is_ending = true;
            self.outputs.push(Output::Close(id));
        }
    }

    /// Nothing is compared any more.
    fn end(&mut self, why: &'static str) {
        self.budget.end();
        self.report.end(why);
        self.order = Order::default();
        self.conns.clear();
        self.flying.clear();
        self.suspects.clear();
        self.held = 0;
        let remotes = std::mem::take(&mut self.remotes);
        self.outputs.extend(remotes.into_keys().map(Output::Close));
    }

    fn probed(&mut self, probe: Probe) {
        self.is_probing = false;
        if probe == Probe::Gone {
            self.report.given_up(GivenUp::RookeryGone);
            self.end("Rookery cannot be reached");
            return;
        }
        for (id, exchange) in std::mem::take(&mut self.suspects) {
            self.closed_instead(id, exchange.as_deref());
        }
    }
}
