//! What is different for a local session: its writes carry this server's word that it is
//! open, the first ephemeral makes a global session of it, and its end is no write.

use std::sync::Arc;

use bytes::BytesMut;
use proto::ErrorCode;
use raft_log::Busy;
use session::{After, HeaderZxid, LocalSession, Refusal};
use tree::{CreateMode, Op};

use super::{Conversation, Taken};
use crate::config::LocalSessionsMode;

/// The answer to the end of a session that no log has to hear of.
const CLOSED: Refusal =
    Refusal { code: ErrorCode::Ok, zxid: HeaderZxid::LastApplied, then: After::Close };

impl Conversation {
    /// Sends a write of a local session to the log. Its place in the lane is taken already.
    pub(super) fn propose_locally(&mut self, xid: i32, op: Op<'_>) -> Result<(), Busy> {
        let service = Arc::clone(&self.service);
        let session = self.link.session();
        let mut sessions = service.local_sessions.lock();
        let Some(known) = sessions.owned(session, self.link.owner) else {
            // The session has ended, or is another connection's by now.
            self.link.lane.lock().retract();
            self.link.drop_silently();
            self.finish();
            return Ok(());
        };
        let upgrades = service.local_sessions_mode() == LocalSessionsMode::Upgrading;
        if !upgrades || !creates_ephemeral(&op) {
            known.last_write = self.propose(xid, op)?;
            return Ok(());
        }
        self.open_globally(known)?;
        sessions.remove(session);
        drop(sessions);
        tracing::debug!(%session, "a local session becomes a global one");
        self.propose(xid, op).map(|_| ())
    }

    /// Opens the session for all servers. What it does from here on comes behind that in the
    /// log.
    ///
    /// Compat(session-upgrade): it stays a global session if the create that caused it fails.
    fn open_globally(&self, known: &LocalSession) -> Result<(), Busy> {
        self.link.set_local(false);
        let command = self.command(0, Op::OpenSession { timeout_ms: known.timeout_ms });
        let proposed = self.service.propose(&command, None);
        if proposed.is_err() {
            self.link.set_local(true);
            self.link.lane.lock().retract();
        }
        proposed.map(|_| ())
    }

    /// Ends a local session behind all that is owed.
    pub(super) fn close_locally(&mut self, xid: i32, output: &mut BytesMut) -> Taken {
        let taken = self.take_refusal(xid, &CLOSED, output);
        if matches!(taken, Taken::Yes) {
            let (session, owner) = (self.link.session(), self.link.owner);
            let mut sessions = self.service.local_sessions.lock();
            if sessions.owned(session, owner).is_some() {
                sessions.remove(session);
                self.service.core.links.release_session(session);
            }
        }
        taken
    }
}

/// Whether an operation is for global sessions only.
fn creates_ephemeral(op: &Op<'_>) -> bool {
    match op {
        Op::Create { mode, .. } => match mode {
            CreateMode::Ephemeral | CreateMode::EphemeralSequential => true,
            CreateMode::Persistent
            | CreateMode::PersistentSequential
            | CreateMode::Container
            | CreateMode::PersistentWithTtl { .. }
            | CreateMode::PersistentSequentialWithTtl { .. } => false,
        },
        Op::Multi(ops) => ops.iter().any(creates_ephemeral),
        Op::Delete { .. }
        | Op::SetData { .. }
        | Op::SetAcl { .. }
        | Op::Check { .. }
        | Op::Reject(_)
        | Op::Reconfig { .. }
        | Op::OpenSession { .. }
        | Op::AttachSession { .. }
        | Op::CloseSession
        | Op::ExpireSession { .. }
        | Op::Reap { .. } => false,
    }
}
