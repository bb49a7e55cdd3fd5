//! One client's connection, as it is seen at `ZooKeeper`'s side: requests and their replies.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use proto::{OpCode, Record, ReplyHeader, RequestHeader, WatcherEvent, xid};

use super::events::{Event, Events};
use crate::frames::Cutter;

/// What a client's connection has come to.
#[derive(Debug)]
pub(crate) struct Conn {
    client: Cutter,
    zookeeper: Cutter,
    pub(crate) phase: Phase,
    /// The handshake and its answer, until it is repeated.
    pub(crate) greeting: Option<(Bytes, Bytes)>,
    asked: VecDeque<Asked>,
    /// `ZooKeeper`'s id of the session; 0 before there is one.
    pub(crate) session: i64,
    /// The highest zxid that its replies have shown.
    pub(crate) zxid: i64,
    /// When it was over.
    pub(crate) ended: Option<Instant>,
    /// Whether it is not compared any more.
    pub(crate) is_given_up: bool,
    /// Turns that wait for Rookery.
    pub(crate) waiting: usize,
    pub(crate) events: Events,
}

/// How far the handshake is.
#[derive(Debug)]
pub(crate) enum Phase {
    /// The client has said nothing.
    Silent,
    /// It has asked for a session: this is the request.
    Greeting(Bytes),
    /// It has one.
    Open,
    /// It is none of ours: a four-letter word, nonsense, or a session that was refused.
    Over,
}

/// A request that was sent to `ZooKeeper`.
#[derive(Debug)]
struct Asked {
    ticket: u64,
    xid: i32,
    op: i32,
    request: Bytes,
    since: Instant,
    answer: Option<(ReplyHeader, Bytes)>,
}

/// A request with its reply, in the order of the requests.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) ticket: u64,
    pub(crate) op: i32,
    pub(crate) request: Bytes,
    pub(crate) header: ReplyHeader,
    pub(crate) body: Bytes,
}

/// What was sent cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotUnderstood;

/// What came from `ZooKeeper`.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// The answer to the handshake.
    Welcome(Bytes),
    /// An event; it has been noted.
    Event,
    /// A reply: there may be requests to release.
    Reply,
}

impl Conn {
    /// A client connected.
    pub(crate) fn new() -> Self {
        Self {
            client: Cutter::default(),
            zookeeper: Cutter::default(),
            phase: Phase::Silent,
            greeting: None,
            asked: VecDeque::new(),
            session: 0,
            zxid: 0,
            ended: None,
            is_given_up: false,
            waiting: 0,
            events: Events::default(),
        }
    }

    /// Takes a client's bytes.
    pub(crate) fn push_client(&mut self, bytes: &[u8]) {
        self.client.push(bytes);
        if matches!(self.phase, Phase::Silent)
            && let Some(word) = self.client.rest().first_chunk::<4>()
            && word.iter().all(u8::is_ascii_lowercase)
        {
            self.phase = Phase::Over;
        }
    }

    /// Takes `ZooKeeper`'s bytes.
    pub(crate) fn push_zookeeper(&mut self, bytes: &[u8]) {
        self.zookeeper.push(bytes);
    }

    /// The next request behind the handshake: its operation and length.
    ///
    /// `ticket` is called for each.
    pub(crate) fn next_request(
        &mut self,
        now: Instant,
        ticket: impl FnOnce() -> u64,
    ) -> Result<Option<(i32, usize)>, NotUnderstood> {
        if matches!(self.phase, Phase::Silent) {
            let Some(hello) = self.client.next().map_err(|_| NotUnderstood)? else {
                return Ok(None);
            };
            self.phase = Phase::Greeting(hello);
        }
        let Some(request) = self.client.next().map_err(|_| NotUnderstood)? else {
            return Ok(None);
        };
        let header = RequestHeader::from_bytes(&request).map_err(|_| NotUnderstood)?;
        let bytes = request.len();
        self.asked.push_back(Asked {
            ticket: ticket(),
            xid: header.xid,
            op: header.op,
            request,
            since: now,
            answer: None,
        });
        Ok(Some((header.op, bytes)))
    }

    /// The next thing from `ZooKeeper`.
    pub(crate) fn next_arrival(&mut self) -> Result<Option<Arrival>, NotUnderstood> {
        let Some(frame) = self.zookeeper.next().map_err(|_| NotUnderstood)? else {
            return Ok(None);
        };
        if matches!(self.phase, Phase::Greeting(_)) {
            return Ok(Some(Arrival::Welcome(frame)));
        }
        let header = ReplyHeader::from_bytes(&frame).map_err(|_| NotUnderstood)?;
        let body = frame.slice(ReplyHeader::BYTES_MIN..);
        if header.xid == xid::EVENT {
            let event = WatcherEvent::from_bytes(&body).map_err(|_| NotUnderstood)?;
            let event = Event::new(header.zxid, &event);
            self.events.push_zookeeper(event);
            return Ok(Some(Arrival::Event));
        }
        // ZooKeeper answers auth packets, and SASL, ahead of requests that came before them.
        let mut waiting = self.asked.iter_mut().filter(|asked| asked.answer.is_none());
        let first = waiting.next().ok_or(NotUnderstood)?;
        let asked = if first.xid == header.xid {
            first
        } else {
            let overtakes = [OpCode::Auth.code(), OpCode::Sasl.code()];
            let mut others = waiting.filter(|asked| overtakes.contains(&asked.op));
            others.find(|asked| asked.xid == header.xid).ok_or(NotUnderstood)?
        };
        asked.answer = Some((header, body));
        Ok(Some(Arrival::Reply))
    }

    /// The next request that has been answered, as all before it have.
    pub(crate) fn release(&mut self) -> Option<Answered> {
        self.asked.front()?.answer.as_ref()?;
        let Asked { ticket, op, request, answer, .. } = self.asked.pop_front()?;
        let (header, body) = answer?;
        self.zxid = self.zxid.max(header.zxid);
        Some(Answered { ticket, op, request, header, body })
    }

    /// The tickets and lengths of what will never be answered.
    pub(crate) fn drain_asked(&mut self) -> Vec<(u64, usize)> {
        self.asked.drain(..).map(|asked| (asked.ticket, asked.request.len())).collect()
    }

    /// Since when the oldest request waits for `ZooKeeper`.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.asked.front().map(|asked| asked.since)
    }
}
