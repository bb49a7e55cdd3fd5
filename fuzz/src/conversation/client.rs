//! One connection, and what its client may expect of it.

use std::collections::VecDeque;

use bytes::BytesMut;
use jute::Record;
use proto::{ConnectResponse, OpCode, ReplyHeader, Response, WatcherEvent, first_frame, xid};
use session::{Identities, Lane, WatcherId, lane::Phase};
use tree::{Owner, SessionId, Zxid};

/// Requests are put off from here on. The answers are small, and should not all fit.
pub(super) const OUT_HIGH_WATER: usize = 256;

/// A connection. Those that ended stay: outcomes may still be on their way to them.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) lane: Lane,
    pub(super) identities: Identities,
    pub(super) session: SessionId,
    pub(super) owner: Owner,
    pub(super) watcher: WatcherId,
    /// Nothing more is taken.
    pub(super) closing: bool,
    /// Nothing more is sent, either.
    pub(super) dropped: bool,
    /// What was sent to the client and not looked at yet.
    pub(super) output: BytesMut,
    /// Numbers and operations of the requests that are not answered.
    expected: VecDeque<(i32, i32)>,
    greeted: bool,
    last_zxid: Zxid,
}

impl Connection {
    pub(super) fn new(number: u64, session: SessionId) -> Self {
        let identities = Identities::of_peer([127, 0, 0, 1].into());
        let mut lane = Lane::with_high_water(OUT_HIGH_WATER);
        lane.set_identities(identities.clone());
        Self {
            lane,
            identities,
            session,
            owner: Owner(number),
            watcher: WatcherId(number),
            closing: false,
            dropped: false,
            output: BytesMut::new(),
            expected: VecDeque::new(),
            greeted: false,
            last_zxid: Zxid::ZERO,
        }
    }

    /// A request was taken, and has to be answered.
    pub(super) fn expect(&mut self, xid: i32, op: i32) {
        let xid = if op == OpCode::Ping.code() { xid::PING } else { xid };
        self.expected.push_back((xid, op));
    }

    /// Whether nothing more is taken.
    pub(super) fn is_ending(&self) -> bool {
        self.closing || self.lane.phase() == Phase::Closing
    }

    /// Ends it without another byte.
    pub(super) fn drop_silently(&mut self) {
        self.lane.close();
        self.closing = true;
        self.dropped = true;
        self.output = BytesMut::new();
        self.expected.clear();
    }

    /// Takes all that waits, and reads it as a client does.
    pub(super) fn collect(&mut self, applied: Zxid) {
        self.lane.collect(&mut self.output);
        if self.dropped {
            self.output.clear();
            return;
        }
        let output = std::mem::take(&mut self.output);
        let mut rest = &output[..];
        while !rest.is_empty() {
            let frame = first_frame(rest, usize::MAX).expect("servers send frames");
            let frame = frame.expect("servers send whole frames");
            self.read(frame, applied);
            rest = &rest[4 + frame.len()..];
        }
    }

    fn read(&mut self, frame: &[u8], applied: Zxid) {
        if !self.greeted {
            ConnectResponse::decode(frame).expect("a client understands the answer");
            self.greeted = true;
            return;
        }
        let (body, header) = ReplyHeader::decode(frame).expect("a header");
        assert!(header.zxid <= applied.0, "nothing is told before it is applied");
        if header.xid == xid::EVENT {
            WatcherEvent::from_exact_bytes(body).expect("a client understands the event");
            return;
        }
        let (xid, op) = self.expected.pop_front().expect("only what was asked is answered");
        assert_eq!(header.xid, xid, "answers come in the order of requests");
        if header.zxid > 0 {
            assert!(header.zxid >= self.last_zxid.0, "time does not go back");
            self.last_zxid = Zxid(header.zxid);
        }
        let is_multi = op == OpCode::Multi.code() || op == OpCode::MultiRead.code();
        if header.err == 0 {
            let response = Response::decode(op, body);
            assert!(response.is_ok(), "operation {op}: {response:?}");
        } else {
            assert!(body.is_empty() || is_multi, "operation {op} failed, and has a body");
        }
    }

    /// Every request was answered, or the connection ends.
    pub(super) fn end(&self) {
        assert!(
            self.expected.is_empty() || self.is_ending(),
            "{} requests were never answered",
            self.expected.len()
        );
    }
}
