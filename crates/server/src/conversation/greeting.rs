//! The first frame: which session the connection gets, and from whom.

use std::sync::Arc;

use bytes::BytesMut;
use proto::{ConnectRequest, OpCode};
use session::{
    LocalSessions, former_owner,
    handshake::{self, Decision, Known, Offer, Welcome},
};
use tree::{Former, Op, SessionId};

use super::{Conversation, Progress, ProtocolError, Taken};
use crate::{config::LocalSessionsMode, core::Core, ensemble::Serving};

impl Conversation {
    pub(super) fn take_greeting(
        &mut self,
        core: &Core,
        frame: &[u8],
        output: &mut BytesMut,
    ) -> Result<Taken, ProtocolError> {
        let request = ConnectRequest::decode(frame)?;
        self.last_request = (OpCode::CreateSession.code(), 0);
        let session = SessionId(request.session_id);
        let service = Arc::clone(&self.service);
        // Held until the session is this connection's, if it is a local one. Who is served is
        // looked at under the lock: it changes before the sessions of a former service go. So is
        // whose the session is: a local one that becomes global is first under way, then gone.
        let mut sessions = service.local_sessions.lock();
        let under_way = core.attaching().newest(session);
        let (applied, owner) = {
            let state = core.read();
            (state.last_zxid(), state.session(session).map(|session| session.owner))
        };
        let read_only = match service.serving() {
            Serving::Nobody => return Err(ProtocolError::NotServing),
            Serving::Readers => true,
            Serving::All => false,
        };
        self.read_only = read_only;
        let local_sessions = service.local_sessions_mode() != LocalSessionsMode::Off;
        let timeouts = service.config.session_timeouts;
        let offer = Offer { read_only, local_sessions, applied, timeouts };
        let known = match (sessions.get(session), owner) {
            (Some(_), _) => Known::Local,
            (None, Some(_)) => Known::Global,
            (None, None) => Known::Unknown,
        };
        let decision = handshake::decide(&request, &offer, known);
        core.metrics.connection_requested();
        match decision {
            Decision::Refuse(refused) => Err(ProtocolError::Refused(refused)),
            Decision::Reject(welcome) => {
                handshake::put_rejection(output, &welcome);
                self.sent += 1;
                self.replied += 1;
                self.finish();
                self.greeted = true;
                Ok(Taken::Yes)
            }
            Decision::Attach(welcome) => {
                drop(sessions);
                core.metrics.session_revalidated();
                let former = former_owner(under_way, owner);
                let op = Op::AttachSession { timeout_ms: welcome.timeout_ms, former };
                Ok(self.ask_for_session(welcome, op))
            }
            Decision::Open(mut welcome) => {
                drop(sessions);
                welcome.session = service.session_ids.lock().next();
                let op = Op::OpenSession { timeout_ms: welcome.timeout_ms };
                Ok(self.ask_for_session(welcome, op))
            }
            Decision::AttachLocal(welcome) => {
                core.metrics.session_revalidated();
                Ok(self.hold_locally(&mut sessions, welcome, output))
            }
            Decision::OpenLocal(mut welcome) => {
                welcome.session = service.session_ids.lock().next();
                Ok(self.hold_locally(&mut sessions, welcome, output))
            }
        }
    }

    fn ask_for_session(&mut self, welcome: Welcome, op: Op<'_>) -> Taken {
        self.link.set_session(welcome.session);
        self.link.lane.lock().expect_welcome(welcome);
        if self.propose(0, op).is_err() {
            return Taken::No(Progress::NeedsRoom);
        }
        self.greeted = true;
        Taken::Yes
    }

    /// Gives a local session to this connection. If writes of an earlier one are still on
    /// their way, the client hears of it behind them: else it could see them happen later.
    fn hold_locally(
        &mut self,
        sessions: &mut LocalSessions,
        welcome: Welcome,
        output: &mut BytesMut,
    ) -> Taken {
        let Welcome { session, timeout_ms, .. } = welcome;
        let core = Arc::clone(&self.service.core);
        sessions.attach(session, self.link.owner, timeout_ms, core.clock.monotonic_ms());
        let last_write = sessions.get(session).map_or(0, |known| known.last_write);
        self.link.set_session(session);
        self.link.set_local(true);
        let former = core.links.hold_session(session, Arc::clone(&self.link));
        if let Some(former) = former {
            former.drop_silently();
        }
        if last_write > core.applied_sequence() {
            let op = Op::AttachSession { timeout_ms, former: Former::Anybody };
            return self.ask_for_session(welcome, op);
        }
        let mut lane = self.link.lane.lock();
        lane.welcome(&welcome);
        let collected = lane.collect(output);
        drop(lane);
        self.note_collected(&collected);
        self.greeted = true;
        Taken::Yes
    }
}
