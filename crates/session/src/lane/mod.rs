//! What one connection still owes its client, in the order of its requests.
//!
//! Replies must leave in request order, reads must see the session's own earlier writes
//! and nothing later, and an event must leave before any reply that shows its change. All
//! three hold because everything for a connection goes through one lane:
//!
//! * a write leaves a place in the queue; its reply is made when it is applied;
//! * a request that needs no log, but comes behind a write, waits in the queue and is
//!   answered in the same step that applies the write before it, so that it cannot see
//!   the one after it;
//! * a `sync` waits in the same queue until the server has caught up with the leader;
//! * events are appended the moment they happen.
//!
//! The lane does no IO and knows no locks: whoever holds it moves its bytes to a socket.

mod expected;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, mem};

use bytes::{Bytes, BytesMut};
use proto::EventType;
use tree::{AclView, Outcome, Permissions, Reject, Reply, SessionId, Zxid};

use crate::{
    action::{After, Refusal, ReplyShape},
    answer::{Asker, Reader, answer_frame, refuse},
    auth::Identities,
    handshake::{self, Welcome},
    reply_sizes::ReplySizes,
    to_wire,
};

/// Deferred requests are not answered while more than this is waiting to be sent, in
/// bytes: a client that does not read must not make the server buffer its answers. Requests
/// that a write stands behind are answered all the same, since they must not see it.
pub const OUT_HIGH_WATER: usize = 256 * 1024;

/// More than this waiting for a client that does not read, in bytes, and its connection is
/// dropped: it will come back and catch up with `setWatches`.
pub const OUT_MAX: usize = 32 * 1024 * 1024;

/// The queue and the outgoing bytes of one connection.
#[derive(Debug, Default)]
pub struct Lane {
    owed: VecDeque<Owed>,
    /// Writes among [`Self::owed`].
    writes: usize,
    /// Bytes held by the deferred frames among [`Self::owed`].
    deferred_bytes: usize,
    /// How long the answers to those frames may become, roughly, in bytes.
    expected_bytes: usize,
    out: BytesMut,
    high_water: HighWater,
    identities: Identities,
    phase: Phase,
    /// Frames appended to `out` since the last [`Lane::collect`].
    frames_out: u64,
    /// Replies among them.
    replies_out: u64,
    /// How long these are, but for the answer to a handshake.
    sizes_out: ReplySizes,
    last_zxid: Zxid,
    /// Barriers asked for so far.
    barriers: u64,
    /// Those up to this number are passed.
    barriers_passed: u64,
    /// A reconfig is owed whose command is not in the log's hands yet.
    reconfiguring: bool,
}

/// From so many bytes waiting to be sent requests are put off.
#[derive(Clone, Copy, Debug)]
struct HighWater(usize);

impl Default for HighWater {
    fn default() -> Self {
        Self(OUT_HIGH_WATER)
    }
}

/// How far a connection has come, as the lane knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// No session yet.
    #[default]
    Fresh,
    /// The session is established.
    Attached {
        /// Which.
        session: SessionId,
        /// Its timeout in milliseconds.
        timeout_ms: i32,
    },
    /// The last bytes are in the lane; then the socket is closed.
    Closing,
}

/// One request that was taken and not answered.
#[derive(Debug)]
enum Owed {
    /// The handshake: the session's opening or attachment is in the log's hands.
    Welcome(Welcome),
    /// A command in the log's hands.
    Write { xid: i32, shape: ReplyShape },
    /// A request that needs no log and waits for those before it, and for a barrier if its
    /// number is not 0.
    Frame { frame: Bytes, identities: Identities, barrier: u64 },
    /// A finished reply that waits for those before it.
    Ready { bytes: Bytes, then: After },
    /// An error that was known when the request was read. Its header is made in its turn.
    Refused { xid: i32, refusal: Refusal },
}

/// What the one who delivered to a lane must do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The lane was empty and is not any more: wake the connection's task.
    Ring,
    /// Nothing: the task knows already, or there is nothing to send.
    Quiet,
    /// Close the socket without another byte.
    Drop,
}

/// What [`Lane::collect`] tells the connection's task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collected {
    /// How far the connection has come.
    pub phase: Phase,
    /// How many frames were moved.
    pub frames: u64,
    /// How many of these are replies, and not events.
    pub replies: u64,
    /// How long these are, but for the answer to a handshake.
    pub sizes: ReplySizes,
    /// The zxid of the newest reply among them; zero if there was none.
    pub last_zxid: Zxid,
}

impl Lane {
    /// A lane that puts requests off when so many bytes wait to be sent, instead of
    /// [`OUT_HIGH_WATER`]: for tests whose answers are small.
    pub fn with_high_water(bytes: usize) -> Self {
        Self { high_water: HighWater(bytes), ..Self::default() }
    }

    /// How far the connection has come.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether nothing is owed: a read may be answered at once.
    pub fn is_idle(&self) -> bool {
        self.owed.is_empty()
    }

    /// How many requests were taken and not answered.
    pub fn owed(&self) -> usize {
        self.owed.len()
    }

    /// Bytes of requests that wait in the lane.
    pub fn deferred_bytes(&self) -> usize {
        self.deferred_bytes
    }

    /// Bytes that wait to be collected.
    pub fn out_bytes(&self) -> usize {
        self.out.len()
    }

    /// The identities that decide which events this connection may see.
    pub fn set_identities(&mut self, identities: Identities) {
        self.identities = identities;
    }

    /// Grants a session that the log need not be asked for. A lane that closes grants none.
    pub fn welcome(&mut self, welcome: &Welcome) {
        if self.phase == Phase::Closing {
            return;
        }
        self.phase = handshake::put_granted(&mut self.out, welcome);
        self.note_welcome();
    }

    /// Notes that the handshake's command goes to the log.
    pub fn expect_welcome(&mut self, welcome: Welcome) {
        self.writes += 1;
        self.owed.push_back(Owed::Welcome(welcome));
    }

    /// Notes that a write goes to the log.
    pub fn expect_write(&mut self, xid: i32, shape: ReplyShape) {
        self.writes += 1;
        self.owed.push_back(Owed::Write { xid, shape });
    }

    /// Notes that the members are being changed, and that a command with shape
    /// [`ReplyShape::Config`] goes to the log when they are. Until its outcome is here
    /// [`Self::awaits_reconfig`], and no write may be expected: it would overtake that command.
    pub fn expect_reconfig(&mut self, xid: i32) {
        self.reconfiguring = true;
        self.expect_write(xid, ReplyShape::Config);
    }

    /// Whether a reconfig is not answered yet.
    pub fn awaits_reconfig(&self) -> bool {
        self.reconfiguring
    }

    /// Takes back the last [`Self::expect_write`] or [`Self::expect_welcome`]: the log
    /// had no room.
    pub fn retract(&mut self) {
        let taken = self.owed.pop_back();
        debug_assert!(matches!(taken, Some(Owed::Write { .. } | Owed::Welcome(_))));
        self.writes -= 1;
    }

    /// Queues a request that needs no log. Returns false, taking nothing, when nothing is
    /// owed any more: then it can be answered at once. A lane that closes swallows it.
    pub fn defer(&mut self, frame: &[u8], identities: &Identities) -> bool {
        if self.owed.is_empty() && self.phase != Phase::Closing {
            return false;
        }
        self.push_frame(frame, identities, 0);
        true
    }

    /// Queues a request that must not be answered before this server has caught up with the
    /// leader, and returns the number to give to [`Self::pass_barriers`] when it has. Until
    /// then [`Self::awaits_barrier`], and no write may be expected: the reads before it would
    /// see it.
    pub fn defer_behind_barrier(&mut self, frame: &[u8], identities: &Identities) -> u64 {
        self.barriers += 1;
        self.push_frame(frame, identities, self.barriers);
        self.barriers
    }

    /// Whether a barrier is not passed yet.
    pub fn awaits_barrier(&self) -> bool {
        self.barriers > self.barriers_passed
    }

    fn push_frame(&mut self, frame: &[u8], identities: &Identities, barrier: u64) {
        if self.phase == Phase::Closing {
            return;
        }
        self.expected_bytes += expected::answer_bytes(frame);
        self.deferred_bytes += frame.len();
        let (frame, identities) = (Bytes::copy_from_slice(frame), identities.clone());
        self.owed.push_back(Owed::Frame { frame, identities, barrier });
    }

    /// The barriers up to this number are passed: answers what waited for nothing else.
    pub fn pass_barriers(&mut self, upto: u64, reader: &mut Reader<'_>) -> Delivery {
        self.barriers_passed = self.barriers_passed.max(upto);
        if self.phase == Phase::Closing {
            return Delivery::Quiet;
        }
        let quiet = self.out.is_empty();
        self.run(reader);
        if quiet && !self.out.is_empty() { Delivery::Ring } else { Delivery::Quiet }
    }

    /// Queues an error, whose header says the zxid of when its turn comes, so that it shows none
    /// older than the replies before it. Returns false, taking nothing, when nothing is owed. A
    /// lane that closes swallows it.
    pub fn append_refusal(&mut self, xid: i32, refusal: &Refusal) -> bool {
        if self.phase == Phase::Closing {
            return true;
        }
        if self.owed.is_empty() {
            return false;
        }
        self.owed.push_back(Owed::Refused { xid, refusal: *refusal });
        true
    }

    /// Queues a finished reply that shows no zxid. Returns false, taking nothing, when nothing is
    /// owed. A lane that closes swallows it.
    pub fn append_ready(&mut self, bytes: &[u8], then: After) -> bool {
        if self.phase == Phase::Closing {
            return true;
        }
        if self.owed.is_empty() {
            return false;
        }
        self.owed.push_back(Owed::Ready { bytes: Bytes::copy_from_slice(bytes), then });
        true
    }

    /// Whether a write may be expected: it must not overtake a reconfig, nor the requests that
    /// wait for a barrier or for the client to read; and what is answered before it is applied
    /// must have room, for the client cannot read meanwhile.
    pub fn takes_writes(&self) -> bool {
        !self.awaits_barrier()
            && !self.awaits_reconfig()
            && !self.is_runnable()
            && self.expected_bytes + self.out.len() <= expected::ANSWERS_MAX
    }

    /// Whether requests wait that nothing stands before: [`Self::run`] would answer them.
    pub fn is_runnable(&self) -> bool {
        if self.phase == Phase::Closing {
            return false;
        }
        match self.owed.front() {
            Some(Owed::Frame { barrier, .. }) => *barrier <= self.barriers_passed,
            Some(Owed::Ready { .. } | Owed::Refused { .. }) => true,
            Some(Owed::Write { .. } | Owed::Welcome(_)) | None => false,
        }
    }

    /// The oldest write was applied: appends its reply, and the replies of the requests
    /// that waited for it. Call it after the events of the same outcome.
    pub fn deliver(&mut self, outcome: &Outcome, reader: &mut Reader<'_>) -> Delivery {
        if self.phase == Phase::Closing {
            return Delivery::Quiet;
        }
        let (quiet, before) = (self.out.is_empty(), self.out.len());
        match self.owed.pop_front() {
            Some(Owed::Write { xid, shape }) => {
                self.writes -= 1;
                self.reconfiguring &= shape != ReplyShape::Config;
                self.last_zxid = outcome.zxid;
                if outcome.result == Err(Reject::SessionMoved) {
                    self.close();
                    return Delivery::Drop;
                }
                to_wire::put_outcome(&mut self.out, xid, outcome, &shape);
                self.note_replies(before);
                if matches!(outcome.result, Ok(Reply::Closed(_))) {
                    self.close();
                }
            }
            Some(Owed::Welcome(welcome)) => {
                self.writes -= 1;
                if outcome.result == Err(Reject::SessionMoved) {
                    self.close();
                    return Delivery::Drop;
                }
                self.phase = handshake::put_welcome(&mut self.out, &welcome, outcome);
                self.note_welcome();
            }
            Some(Owed::Frame { .. } | Owed::Ready { .. } | Owed::Refused { .. }) | None => {
                unreachable!("an outcome belongs to the oldest write, which nothing overtakes")
            }
        }
        self.run(reader);
        if self.is_runnable() && self.writes > 0 {
            return self.overflow();
        }
        if quiet && !self.out.is_empty() { Delivery::Ring } else { Delivery::Quiet }
    }

    /// Answers the requests at the head of the queue that no write stands before, as long
    /// as the client keeps up with reading. Those with a write behind them must be answered
    /// before it is applied, and are as long as there is room at all.
    pub fn run(&mut self, reader: &mut Reader<'_>) {
        while self.is_runnable() {
            let before = self.out.len();
            let room = if self.writes > 0 { OUT_MAX } else { self.high_water.0 };
            if before >= room {
                return;
            }
            let after = match self.owed.pop_front() {
                Some(Owed::Frame { frame, identities, .. }) => {
                    self.deferred_bytes -= frame.len();
                    self.expected_bytes -= expected::answer_bytes(&frame);
                    let asker = Asker { session: self.session(), identities: &identities };
                    answer_frame(&frame, &asker, reader, &mut self.out)
                }
                Some(Owed::Ready { bytes, then }) => {
                    self.out.extend_from_slice(&bytes);
                    then
                }
                Some(Owed::Refused { xid, refusal }) => {
                    refuse(xid, &refusal, reader.state.last_zxid(), &mut self.out)
                }
                Some(Owed::Write { .. } | Owed::Welcome(_)) | None => {
                    unreachable!("is_runnable saw a request that needs no log")
                }
            };
            self.note_replies(before);
            if after == After::Close {
                self.close();
            }
        }
    }

    /// Something happened that this connection watches. Not sent to those who may not
    /// read the znode.
    pub fn event(&mut self, zxid: Zxid, event: EventType, path: &str, acl: &AclView) -> Delivery {
        if self.phase == Phase::Closing {
            return Delivery::Quiet;
        }
        if !self.identities.with(|identities| acl.permits(Permissions::READ, identities)) {
            return Delivery::Quiet;
        }
        let (quiet, before) = (self.out.is_empty(), self.out.len());
        to_wire::put_event(&mut self.out, zxid, event, path);
        self.note_sent(before);
        if self.out.len() > OUT_MAX {
            return self.overflow();
        }
        if quiet { Delivery::Ring } else { Delivery::Quiet }
    }

    /// What was put behind the first so many bytes is on its way to the client. Returns how many
    /// frames these are.
    fn note_sent(&mut self, before: usize) -> u64 {
        let frames = self.sizes_out.note_frames(&self.out[before..]);
        self.frames_out += frames;
        frames
    }

    fn note_replies(&mut self, before: usize) {
        self.replies_out += self.note_sent(before);
    }

    /// The answer to a handshake counts, but its length does not.
    fn note_welcome(&mut self) {
        self.frames_out += 1;
        self.replies_out += 1;
    }

    /// There is more for the client than is kept: events that it does not read, or answers longer
    /// than [`Self::takes_writes`] expected.
    fn overflow(&mut self) -> Delivery {
        self.close();
        self.out = BytesMut::new();
        Delivery::Drop
    }

    /// Moves everything that waits to be sent behind what is in `into`.
    pub fn collect(&mut self, into: &mut BytesMut) -> Collected {
        if into.is_empty() {
            mem::swap(into, &mut self.out);
        } else {
            into.extend_from_slice(&self.out);
            self.out.clear();
        }
        Collected {
            phase: self.phase,
            frames: mem::take(&mut self.frames_out),
            replies: mem::take(&mut self.replies_out),
            sizes: mem::take(&mut self.sizes_out),
            last_zxid: mem::take(&mut self.last_zxid),
        }
    }

    /// Nothing more is answered and nothing more is queued.
    pub fn close(&mut self) {
        self.phase = Phase::Closing;
        self.owed.retain(|owed| matches!(owed, Owed::Write { .. } | Owed::Welcome(_)));
        self.deferred_bytes = 0;
        self.expected_bytes = 0;
    }

    fn session(&self) -> SessionId {
        match self.phase {
            Phase::Attached { session, .. } => session,
            Phase::Fresh | Phase::Closing => SessionId::NONE,
        }
    }
}
