//! The connection to Rookery that stands for a client's, and the sessions on it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::order::Place;
use crate::change::Change;
use crate::input::ConnId;
use crate::judge::Exchange;

/// A connection to Rookery.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) state: State,
    /// What has no answer yet, in order.
    pub(crate) sent: VecDeque<Sent>,
    pub(crate) last_sent: Instant,
    /// When it last answered something.
    pub(crate) answered: Instant,
    /// How long it may be silent.
    pub(crate) timeout: Duration,
    /// Whether its end is to be expected.
    pub(crate) is_ending: bool,
}

impl Remote {
    /// Since when it waits for the answer that is next; that Rookery is slow with the many
    /// that it was sent at once is not counted.
    pub(crate) fn waits_since(&self) -> Option<Instant> {
        self.sent.front().map(|sent| sent.since().max(self.answered))
    }
}

/// How a connection to Rookery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It may take requests, though the handshake may not be answered.
    Open,
    /// It is over.
    Closed(Instant),
}

/// Something that Rookery owes an answer to.
#[derive(Debug)]
pub(crate) enum Sent {
    /// The handshake: the request that the client sent to `ZooKeeper`, and its answer.
    Hello(Hello),
    /// A client's request.
    Request {
        exchange: Box<Exchange>,
        changes: Vec<Change>,
        place: Place,
        is_late: bool,
        since: Instant,
    },
    /// A ping of the proxy's own, and when it was sent.
    KeepAlive(Instant),
    /// The end of a session that ended by itself on `ZooKeeper`, by the change with this zxid.
    End { zxid: i64, since: Instant },
}

impl Sent {
    /// When it was sent.
    pub(crate) const fn since(&self) -> Instant {
        match self {
            Self::Request { since, .. } | Self::End { since, .. } | Self::KeepAlive(since) => {
                *since
            }
            Self::Hello(hello) => hello.since,
        }
    }
}

/// A handshake that was repeated.
#[derive(Clone, Debug)]
pub(crate) struct Hello {
    /// `ZooKeeper`'s id of the session.
    pub(crate) session: i64,
    /// The timeout that `ZooKeeper` granted, in milliseconds.
    pub(crate) timeout_ms: i32,
    /// Whether `ZooKeeper` said that it only reads.
    pub(crate) read_only: Option<bool>,
    /// When it was sent.
    pub(crate) since: Instant,
}

/// A session of a client.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// The connection that it is on, or was on last, as far as that has been repeated.
    pub(crate) conn: ConnId,
    /// The same on `ZooKeeper`.
    pub(crate) newest: ConnId,
    /// The password that `ZooKeeper` gave.
    pub(crate) password: Bytes,
    /// Its counterpart on Rookery, once it is there.
    pub(crate) rookery: Option<(i64, Bytes)>,
    /// The granted timeout.
    pub(crate) timeout: Duration,
    /// The highest zxid that its connections have shown.
    pub(crate) zxid: i64,
    /// Since when it has no connection on `ZooKeeper`.
    pub(crate) parked: Option<Instant>,
    /// Whether it has ever made an ephemeral: then `ZooKeeper`'s ensemble knows it, and its end
    /// is a change. That of a local session is none.
    pub(crate) had_ephemerals: bool,
    /// Whether it is over on `ZooKeeper`.
    pub(crate) is_over: bool,
    /// Whether it is not compared any more.
    pub(crate) is_given_up: bool,
}
