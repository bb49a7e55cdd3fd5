//! What is done with the frames of one connection: answer, defer, or send to the log.
//!
//! Synchronous; the sockets are the connection task's. Consecutive reads are answered
//! under one hold of the state's lock, straight into the output.

mod greeting;
mod in_turn;
mod local;
#[cfg(test)]
mod tests;

use std::{mem, sync::Arc};

use bytes::BytesMut;
use parking_lot::{MutexGuard, RwLockReadGuard};
use proto::{DecodeError, ErrorCode, FrameError, first_frame};
use raft_log::Busy;
use session::{
    Action, After, Asker, HeaderZxid, Identities, Local, Reader, Reconfig, Refusal, ReplyShape,
    ReplySizes, WatchAccess, WatchTable, answer_local, from_wire, handshake,
    lane::{self, Collected, Phase},
    needs_quorum,
};
use tree::{Command, CommandFlags, Op, Reject, State, Zxid};

use crate::{admin::LastRequest, core::Core, ensemble, link::Link, service::Service};

/// Reads answered under one hold of the state's lock before a writer may pass.
const READS_PER_HOLD: usize = 64;
/// Requests that one connection may have waiting, writes included.
const OWED_MAX: usize = 4096;
/// Bytes of requests that wait behind a write on one connection.
const DEFERRED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The answer to a write when the disk is almost full: it was not executed.
///
/// Compat(disk-full): Apache stops instead. -127, "try again", would say it better, but kazoo does
/// not know that code and takes an unknown one for a broken connection; every client knows this.
const DISK_FULL: Refusal =
    Refusal { code: ErrorCode::SystemError, zxid: HeaderZxid::LastApplied, then: After::Continue };

/// What cannot be answered, only ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProtocolError {
    /// The length of a frame is out of bounds.
    #[error("frame: {0}")]
    Frame(#[from] FrameError),
    /// The connect request or a request header cannot be decoded.
    #[error("undecodable: {0}")]
    Decode(#[from] DecodeError),
    /// There is no quorum, or this server has not caught up with it.
    #[error("not serving: no quorum")]
    NotServing,
    /// The connect request was refused without a reply.
    #[error("refused: {0:?}")]
    Refused(handshake::Refused),
}

/// How far [`Conversation::take`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// All whole frames were taken.
    NeedsInput,
    /// The log has no room: try again when it has.
    NeedsRoom,
    /// Something must be applied or sent first: try again when the bell rings or the
    /// output is shorter.
    NeedsBell,
    /// Nothing more will be taken.
    Finished,
}

/// What became of one frame.
enum Taken {
    Yes,
    No(Progress),
}

/// A hold of the state's lock, for a bounded number of reads.
struct Hold<'c> {
    state: RwLockReadGuard<'c, State>,
    left: usize,
}

/// One client's conversation with this server.
#[derive(Debug)]
pub(crate) struct Conversation {
    service: Arc<Service>,
    link: Arc<Link>,
    phase: Phase,
    /// A connect request was taken.
    greeted: bool,
    /// The server had lost the others when the session began: nothing is written. When it
    /// finds them again, the connection ends.
    read_only: bool,
    /// Nothing more is taken; what is in the output is still sent.
    finished: bool,
    /// The client closes its session: nothing behind that is looked at, and the connection
    /// ends with its reply.
    closing: bool,
    identities: Identities,
    /// The last request taken: operation and xid.
    last_request: (i32, i32),
    /// The zxid in the newest reply.
    last_zxid: Zxid,
    /// Requests taken since the figures were last published.
    received: u64,
    /// Of those, answered without the log.
    answered: u64,
    /// Replies and events sent since the figures were last published.
    sent: u64,
    /// Of those, replies.
    replied: u64,
    /// How long these are.
    sizes: ReplySizes,
}

impl Conversation {
    /// A conversation in which nothing was said yet.
    pub(crate) fn new(service: Arc<Service>, link: Arc<Link>) -> Self {
        let identities = Identities::of_peer(link.remote.ip());
        link.lane.lock().set_identities(identities.clone());
        Self {
            service,
            link,
            phase: Phase::Fresh,
            greeted: false,
            read_only: false,
            finished: false,
            closing: false,
            identities,
            last_request: (0, 0),
            last_zxid: Zxid::ZERO,
            received: 0,
            answered: 0,
            sent: 0,
            replied: 0,
            sizes: ReplySizes::default(),
        }
    }

    /// Whether the connection ends once everything is sent.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished || self.phase == Phase::Closing
    }

    /// Whether the client has asked for a session.
    pub(crate) const fn has_greeted(&self) -> bool {
        self.greeted
    }

    /// Takes nothing more, and puts nothing behind what is in the output.
    pub(crate) fn finish(&mut self) {
        self.finished = true;
        self.link.lane.lock().close();
    }

    /// Notes what was moved from the lane to the output.
    pub(crate) fn note_collected(&mut self, collected: &Collected) {
        self.phase = collected.phase;
        self.sent += collected.frames;
        self.replied += collected.replies;
        self.sizes.add(collected.sizes);
        if collected.last_zxid > self.last_zxid {
            self.last_zxid = collected.last_zxid;
        }
    }

    fn note_replies(&mut self, frames: &[u8]) {
        let replies = self.sizes.note_frames(frames);
        self.sent += replies;
        self.replied += replies;
    }

    /// Adds what was counted since the last time to the connection's figures.
    /// `since_us` is when the requests were read, by the monotonic clock. An event is sent, but
    /// answers none of them.
    pub(crate) fn publish_stats(&mut self, since_us: u64) {
        let (received, sent) = (mem::take(&mut self.received), mem::take(&mut self.sent));
        if received == 0 && sent == 0 {
            return;
        }
        let core = &self.service.core;
        let now_us = core.clock.monotonic_us();
        let took_us = now_us.saturating_sub(since_us);
        core.metrics.packets(received, sent);
        core.metrics.replied(mem::take(&mut self.sizes));
        core.metrics.reads_done(mem::take(&mut self.answered), took_us);
        let (op, xid) = self.last_request;
        let last = LastRequest {
            op,
            xid,
            zxid: self.last_zxid,
            answered_ms: now_us / 1000,
            latency_ms: took_us / 1000,
        };
        let replied = mem::take(&mut self.replied) > 0;
        self.link.stats.lock().add(received, sent, replied.then_some(last));
    }

    /// Takes whole frames from the front of `input`. Returns how many bytes were taken.
    ///
    /// # Errors
    /// [`ProtocolError`] when the connection must be closed without a reply.
    pub(crate) fn take(
        &mut self,
        input: &[u8],
        output: &mut BytesMut,
    ) -> Result<(usize, Progress), ProtocolError> {
        let core = Arc::clone(&self.service.core);
        let frame_max = self.service.config.frame_bytes_max;
        let mut hold = None;
        let mut taken = 0;
        loop {
            if self.is_finished() {
                return Ok((input.len(), Progress::Finished));
            }
            let waiting = self.closing || (self.greeted && self.phase == Phase::Fresh);
            if waiting || output.len() >= lane::OUT_HIGH_WATER {
                return Ok((taken, Progress::NeedsBell));
            }
            let Some(frame) = first_frame(&input[taken..], frame_max)? else {
                return Ok((taken, Progress::NeedsInput));
            };
            let what = if self.greeted {
                self.take_request(&core, frame, output, &mut hold)
            } else {
                self.take_greeting(&core, frame, output)?
            };
            match what {
                Taken::Yes => {
                    self.received += 1;
                    taken += 4 + frame.len();
                }
                Taken::No(progress) => return Ok((taken, progress)),
            }
        }
    }

    fn take_request<'c>(
        &mut self,
        core: &'c Core,
        frame: &[u8],
        output: &mut BytesMut,
        hold: &mut Option<Hold<'c>>,
    ) -> Taken {
        self.last_request = operation_and_xid(frame);
        let from_wire::Parsed { xid, action } = from_wire::parse(frame, &self.service.settings);
        let admitted = action.needs_no_identity() || self.service.auth.admits(&self.identities);
        match action {
            _ if !admitted => {
                *hold = None;
                self.take_refusal(xid, &Refusal::IDENTITY_REQUIRED, output)
            }
            _ if self.read_only && needs_quorum(self.last_request.0) => {
                *hold = None;
                self.take_refusal(xid, &Refusal::READ_ONLY, output)
            }
            Action::Write { op: Op::CloseSession, .. } if self.link.is_local() => {
                *hold = None;
                self.close_locally(xid, output)
            }
            Action::Write { op, shape } => {
                *hold = None;
                self.take_write(xid, op, shape, output)
            }
            Action::Local(local) => self.take_local(core, frame, xid, &local, output, hold),
            Action::Auth { scheme, data } => {
                *hold = None;
                self.take_auth(xid, scheme, data, output)
            }
            Action::Reconfig(asked) => {
                *hold = None;
                self.take_reconfig(xid, &asked, output)
            }
            Action::Close => {
                self.finish();
                Taken::Yes
            }
        }
    }

    /// The members are changed by a task of its own; requests behind this one wait for it.
    fn take_reconfig(&mut self, xid: i32, asked: &Reconfig<'_>, output: &mut BytesMut) -> Taken {
        if self.service.ensemble.is_none() {
            // There is no ensemble to reconfigure.
            return self.take_write(
                xid,
                Op::Reject(Reject::Unimplemented),
                ReplyShape::Empty,
                output,
            );
        }
        let mut lane = self.link.lane.lock();
        if !lane.is_idle() {
            // It must find what the writes before it have done.
            return Taken::No(Progress::NeedsBell);
        }
        lane.expect_reconfig(xid);
        drop(lane);
        let request = ensemble::Request::new(&self.link, xid, &self.identities, asked);
        tokio::spawn(ensemble::reconfigure(Arc::clone(&self.service), request));
        Taken::Yes
    }

    fn take_write(
        &mut self,
        xid: i32,
        op: Op<'_>,
        shape: ReplyShape,
        output: &mut BytesMut,
    ) -> Taken {
        let closes = matches!(op, Op::CloseSession);
        let mut lane = self.link.lane.lock();
        let too_many = self.service.core.outstanding() >= self.service.config.outstanding_max;
        let waits = lane.owed() >= OWED_MAX || !lane.takes_writes();
        if waits || (too_many && !lane.is_idle()) {
            return Taken::No(Progress::NeedsBell);
        }
        lane.expect_write(xid, shape);
        drop(lane);
        let proposed = if self.link.is_local() {
            self.propose_locally(xid, op)
        } else {
            self.propose(xid, op).map(|_| ())
        };
        match proposed {
            Ok(()) => {
                self.closing = closes;
                Taken::Yes
            }
            Err(Busy::Full) => Taken::No(Progress::NeedsRoom),
            Err(Busy::DiskFull) => self.take_refusal(xid, &DISK_FULL, output),
        }
    }

    fn command<'c>(&'c self, xid: i32, op: Op<'c>) -> Command<'c> {
        let flags = self.service.settings.command_flags;
        let flags =
            if self.link.is_local() { flags.with(CommandFlags::LOCAL_SESSION) } else { flags };
        Command {
            session: self.link.session(),
            owner: self.link.owner,
            xid,
            flags,
            identities: self.identities.to_vec(),
            op,
        }
    }

    /// Sends a command to the log and returns its number; takes the lane's place back when
    /// there is no room.
    fn propose(&self, xid: i32, op: Op<'_>) -> Result<u64, Busy> {
        let proposed = self.service.propose(&self.command(xid, op), Some(&self.link));
        if proposed.is_err() {
            self.link.lane.lock().retract();
        }
        proposed
    }

    /// Answers at once when nothing is owed; else the request waits in the lane.
    fn take_local<'c>(
        &mut self,
        core: &'c Core,
        frame: &[u8],
        xid: i32,
        local: &Local<'_>,
        output: &mut BytesMut,
        hold: &mut Option<Hold<'c>>,
    ) -> Taken {
        let catches_up = matches!(local, Local::Sync { .. }) && self.service.ensemble.is_some();
        if catches_up || hold.as_ref().is_none_or(|hold| hold.left == 0) {
            *hold = None;
            let mut lane = self.link.lane.lock();
            if lane.owed() >= OWED_MAX || lane.deferred_bytes() >= DEFERRED_BYTES_MAX {
                return Taken::No(Progress::NeedsBell);
            }
            if let (Local::Sync { .. }, Some(ensemble)) = (local, &self.service.ensemble) {
                let number = lane.defer_behind_barrier(frame, &self.identities);
                drop(lane);
                ensemble.barriers.ask(&self.link, number);
                return Taken::Yes;
            }
            if lane.defer(frame, &self.identities) {
                return Taken::Yes;
            }
            drop(lane);
            let state = core.read();
            if !self.may_answer_from(&state, output) {
                return Taken::Yes;
            }
            *hold = Some(Hold { state, left: READS_PER_HOLD });
        }
        let Some(hold) = hold.as_mut() else { unreachable!("taken just above") };
        hold.left -= 1;
        let asker = Asker { session: self.link.session(), identities: &self.identities };
        let mut watches = LockedOnUse { core, guard: None };
        let mut reader = Reader {
            state: &hold.state,
            watches: &mut watches,
            watcher: self.link.watcher(),
            flags: core.flags(),
        };
        let before = output.len();
        let after = answer_local(xid, local, &asker, &mut reader, output);
        self.last_zxid = hold.state.last_zxid();
        self.note_replies(&output[before..]);
        self.answered += 1;
        if after == After::Close {
            self.finish();
        }
        Taken::Yes
    }

    /// Moves the events of what this state shows to the output, before the answers that show it;
    /// while it is held, no others can come. False when nothing is answered any more: it may be a
    /// state whose events were never told here.
    fn may_answer_from(&mut self, _held: &State, output: &mut BytesMut) -> bool {
        let collected = self.link.lane.lock().collect(output);
        self.note_collected(&collected);
        !self.is_finished()
    }
}

/// What a request's header says, for the figures; zeros when there is none.
fn operation_and_xid(frame: &[u8]) -> (i32, i32) {
    let Some((xid, rest)) = frame.split_first_chunk::<4>() else { return (0, 0) };
    let op = rest.first_chunk::<4>().map_or(0, |op| i32::from_be_bytes(*op));
    (op, i32::from_be_bytes(*xid))
}

/// The watch table, locked when a request first needs it and until it is answered.
struct LockedOnUse<'c> {
    core: &'c Core,
    guard: Option<MutexGuard<'c, WatchTable>>,
}

impl WatchAccess for LockedOnUse<'_> {
    fn table(&mut self) -> &mut WatchTable {
        self.guard.get_or_insert_with(|| self.core.watches())
    }
}
