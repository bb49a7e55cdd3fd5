//! One client's connection on its server's side: frames to answers or commands, through the real
//! handshake, lanes and watches. What `server`'s connection task and conversation do, without
//! limits to what a client asks for.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use proto::{ConnectRequest, first_frame};
use raft_log::transport::Connection;
use session::{
    Action, After, Asker, Identities, Local, Reader, ReplyShape, Settings, answer_local,
    former_owner, from_wire,
    handshake::{self, Decision, Known, Offer, TimeoutRange, Welcome},
    lane::Phase,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
    time::sleep,
};
use tree::{Command, CommandFlags, Op, SessionId};

use super::{OUT_HIGH_WATER, TIMEOUT_MAX_MS, TIMEOUT_MIN_MS, Up, core::Link};

/// Longer frames than any client here sends.
const FRAME_MAX: usize = 1 << 20;
/// Between two attempts to pass a barrier.
const PAUSE: Duration = Duration::from_millis(20);

/// Takes the connections of clients.
pub(super) async fn accept(up: Arc<Up>, mut clients: mpsc::UnboundedReceiver<Connection>) {
    while let Some(connection) = clients.recv().await {
        up.spawn(serve(Arc::clone(&up), connection));
    }
}

async fn serve(up: Arc<Up>, connection: Connection) {
    let link = Arc::new(Link::new(up.draw_owner(), up.core.clock.monotonic_ms()));
    up.core.add(&link);
    let mut conversation = Conversation {
        up: Arc::clone(&up),
        link: Arc::clone(&link),
        is_greeted: false,
        is_finished: false,
        out: BytesMut::new(),
    };
    conversation.run(connection).await;
    up.core.remove(&link);
}

struct Conversation {
    up: Arc<Up>,
    link: Arc<Link>,
    is_greeted: bool,
    /// Nothing more is taken; what is in the output is still sent.
    is_finished: bool,
    out: BytesMut,
}

/// What became of a frame.
#[derive(PartialEq, Eq)]
enum Taken {
    Yes,
    /// Something else must be applied first.
    NotYet,
}

impl Conversation {
    async fn run(&mut self, mut connection: Connection) {
        let mut input = BytesMut::new();
        loop {
            let phase = self.collect();
            if self.link.is_dropped.load(Ordering::Relaxed) {
                return;
            }
            let waits = self.take(&mut input, phase);
            if self.link.lane.lock().phase() != phase {
                continue;
            }
            if self.out.is_empty() && (self.is_finished || phase == Phase::Closing) {
                let _ = connection.writer.shutdown().await;
                return;
            }
            tokio::select! {
                biased;
                () = self.link.bell.notified() => {}
                written = connection.writer.write(&self.out), if !self.out.is_empty() => {
                    let Ok(written @ 1..) = written else { return };
                    self.out.advance(written);
                }
                read = connection.reader.read_buf(&mut input), if !waits => {
                    if !matches!(read, Ok(1..)) {
                        return;
                    }
                    self.note_heard();
                }
            }
        }
    }

    fn note_heard(&self) {
        self.link.heard_ms.store(self.up.core.clock.monotonic_ms(), Ordering::Relaxed);
        let session = *self.link.session.lock();
        let is_held = self.up.core.look(|state| {
            state.session(session).is_some_and(|record| record.owner == self.link.owner)
        });
        if is_held {
            self.up.history.heard(session, self.up.server);
        }
    }

    /// Moves what publishing left in the lane to the output, and answers what was put off, while
    /// the client reads.
    fn collect(&mut self) -> Phase {
        let mut lane = self.link.lane.lock();
        if self.out.len() >= OUT_HIGH_WATER {
            return lane.phase();
        }
        lane.collect(&mut self.out);
        if lane.is_runnable() {
            drop(lane);
            self.up.history.note_put_off();
            self.run_lane();
            return self.link.lane.lock().phase();
        }
        lane.phase()
    }

    /// Answers requests that were put off because the client did not read.
    fn run_lane(&mut self) {
        let core = &self.up.core;
        let (state, mut watches) = (core.state(), core.watches());
        let mut reader = Reader {
            state: &state,
            watches: &mut *watches,
            watcher: self.link.watcher(),
            flags: CommandFlags::default(),
        };
        let mut lane = self.link.lane.lock();
        lane.run(&mut reader);
        lane.collect(&mut self.out);
    }

    /// Takes whole frames; whether something else must happen before more are taken.
    fn take(&mut self, input: &mut BytesMut, phase: Phase) -> bool {
        loop {
            let is_waiting = self.is_greeted && phase == Phase::Fresh;
            let is_full = self.out.len() >= OUT_HIGH_WATER;
            if self.is_finished || phase == Phase::Closing || is_waiting || is_full {
                return true;
            }
            let Ok(Some(frame)) = first_frame(input, FRAME_MAX) else { return false };
            let frame = frame.to_vec();
            let taken = if self.is_greeted { self.request(&frame) } else { self.greeting(&frame) };
            if taken == Taken::NotYet {
                return true;
            }
            input.advance(4 + frame.len());
        }
    }

    fn greeting(&mut self, frame: &[u8]) -> Taken {
        let Ok(request) = ConnectRequest::decode(frame) else {
            self.is_finished = true;
            return Taken::Yes;
        };
        let session = SessionId(request.session_id);
        let under_way = self.up.core.attaching().newest(session);
        let (applied, owner) = self
            .up
            .core
            .look(|state| (state.last_zxid(), state.session(session).map(|session| session.owner)));
        let known = owner.map_or(Known::Unknown, |_| Known::Global);
        let timeouts = TimeoutRange { min_ms: TIMEOUT_MIN_MS, max_ms: TIMEOUT_MAX_MS };
        let offer = Offer { read_only: false, local_sessions: false, applied, timeouts };
        self.is_greeted = true;
        if !self.up.is_serving() {
            self.is_finished = true;
            return Taken::Yes;
        }
        match handshake::decide(&request, &offer, known) {
            Decision::Attach(welcome) => {
                let former = former_owner(under_way, owner);
                let op = Op::AttachSession { timeout_ms: welcome.timeout_ms, former };
                self.ask_for_session(welcome, op);
            }
            Decision::Open(mut welcome) => {
                welcome.session = self.up.history.next_session();
                let op = Op::OpenSession { timeout_ms: welcome.timeout_ms };
                self.ask_for_session(welcome, op);
            }
            Decision::Reject(welcome) => {
                handshake::put_rejection(&mut self.out, &welcome);
                self.is_finished = true;
            }
            Decision::Refuse(_) | Decision::AttachLocal(_) | Decision::OpenLocal(_) => {
                self.is_finished = true;
            }
        }
        Taken::Yes
    }

    fn ask_for_session(&mut self, welcome: Welcome, op: Op<'_>) {
        self.up.history.asked(self.link.owner);
        *self.link.session.lock() = welcome.session;
        self.link.lane.lock().expect_welcome(welcome);
        self.propose(0, op);
    }

    fn request(&mut self, frame: &[u8]) -> Taken {
        let parsed = from_wire::parse(frame, &Settings::default());
        match parsed.action {
            Action::Write { op, shape } => self.write(parsed.xid, op, shape),
            Action::Local(local) => {
                self.local(frame, parsed.xid, &local);
                Taken::Yes
            }
            Action::Auth { .. } | Action::Reconfig(_) | Action::Close => {
                self.is_finished = true;
                Taken::Yes
            }
        }
    }

    fn write(&mut self, xid: i32, op: Op<'_>, shape: ReplyShape) -> Taken {
        let mut lane = self.link.lane.lock();
        if !lane.takes_writes() {
            return Taken::NotYet;
        }
        lane.expect_write(xid, shape);
        drop(lane);
        self.propose(xid, op);
        Taken::Yes
    }

    fn propose(&mut self, xid: i32, op: Op<'_>) {
        let command = Command {
            session: *self.link.session.lock(),
            owner: self.link.owner,
            xid,
            flags: CommandFlags::default(),
            identities: Vec::new(),
            op,
        };
        if self.up.propose(&command, Some(&self.link)).is_err() {
            self.link.lane.lock().retract();
            self.is_finished = true;
        }
    }

    /// Answers at once when nothing is owed; else the request waits in the lane.
    fn local(&mut self, frame: &[u8], xid: i32, local: &Local<'_>) {
        let identities = Identities::default();
        let mut lane = self.link.lane.lock();
        if let Local::Sync { .. } = local {
            let number = lane.defer_behind_barrier(frame, &identities);
            self.up.spawn(pass_barrier(Arc::clone(&self.up), Arc::clone(&self.link), number));
            return;
        }
        if lane.defer(frame, &identities) {
            return;
        }
        drop(lane);
        let core = &self.up.core;
        let (state, mut watches) = (core.state(), core.watches());
        // Events of what this state shows leave before the answers that show it; a state that came
        // whole brings none, and is shown to nobody who was here before.
        if self.link.lane.lock().collect(&mut self.out).phase == Phase::Closing {
            return;
        }
        let asker = Asker { session: *self.link.session.lock(), identities: &identities };
        let mut reader = Reader {
            state: &state,
            watches: &mut *watches,
            watcher: self.link.watcher(),
            flags: CommandFlags::default(),
        };
        let after = answer_local(xid, local, &asker, &mut reader, &mut self.out);
        self.is_finished |= after == After::Close;
    }
}

/// Waits until this server has caught up, and lets the lane go on.
async fn pass_barrier(up: Arc<Up>, link: Arc<Link>, number: u64) {
    while !up.catch_up().await {
        if link.is_dropped.load(Ordering::Relaxed) {
            return;
        }
        sleep(PAUSE).await;
    }
    let (state, mut watches) = (up.core.state(), up.core.watches());
    let mut reader = Reader {
        state: &state,
        watches: &mut *watches,
        watcher: link.watcher(),
        flags: CommandFlags::default(),
    };
    let _ = link.lane.lock().pass_barriers(number, &mut reader);
    link.bell.notify_one();
}
