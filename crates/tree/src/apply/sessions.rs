//! Sessions come, change hands and go, and with them their ephemerals.

use super::{Changes, Request};
use crate::{
    State,
    command::Former,
    ids::{Owner, SessionId},
    outcome::{Reject, Reply},
    sessions::Session,
};

impl State {
    /// An id that is open already is taken over; ids are not reused, so nobody notices.
    pub(super) fn open_session(
        &mut self,
        request: &Request<'_>,
        timeout_ms: i32,
    ) -> Result<Reply, Reject> {
        if request.session == SessionId::NONE {
            return Err(Reject::BadArguments);
        }
        self.sessions.put(request.session, Session { timeout_ms, owner: request.owner });
        Ok(Reply::Attached { timeout_ms })
    }

    /// From here on, commands of the former owner are rejected as moved. A local session is
    /// attached by its own server; it comes this way to wait behind its earlier writes.
    pub(super) fn attach_session(
        &mut self,
        request: &Request<'_>,
        timeout_ms: i32,
        former: Former,
    ) -> Result<Reply, Reject> {
        if request.is_local() {
            return Ok(Reply::Attached { timeout_ms });
        }
        let session = self.sessions.get(request.session).ok_or(Reject::SessionExpired)?;
        let is_as_seen = match former {
            Former::Anybody => true,
            Former::Owner(owner) => session.owner == owner,
            Former::Unknown => false,
        };
        if !is_as_seen {
            return Err(Reject::SessionMoved);
        }
        self.sessions.put(request.session, Session { timeout_ms, owner: request.owner });
        Ok(Reply::Attached { timeout_ms })
    }

    /// Closing a session that is not open succeeds and does nothing.
    pub(super) fn close_session(
        &mut self,
        request: &Request<'_>,
        changes: &mut Changes,
    ) -> Result<Reply, Reject> {
        self.end_session(request, request.session, request.owner, changes)
    }

    /// The session is spared if another connection took it over after the leader decided, or if
    /// that one leads no more: what a former leader did not hear, because it stood still or was
    /// cut off, is known to the present one, and the former one's word may come late.
    pub(super) fn expire_session(
        &mut self,
        request: &Request<'_>,
        (session, owner): (SessionId, Owner),
        judged_in: Option<u64>,
        changes: &mut Changes,
    ) -> Result<Reply, Reject> {
        if judged_in.is_some_and(|term| term != self.term) {
            return Err(Reject::SessionMoved);
        }
        self.end_session(request, session, owner, changes)
    }

    fn end_session(
        &mut self,
        request: &Request<'_>,
        session: SessionId,
        owner: Owner,
        changes: &mut Changes,
    ) -> Result<Reply, Reject> {
        let Some(open) = self.sessions.get(session) else { return Ok(Reply::Closed(session)) };
        if open.owner != owner {
            return Err(Reject::SessionMoved);
        }
        for path in self.ephemerals_of(session) {
            let node = self.nodes.find(&path).expect("its path was asked for just now");
            self.remove(request, node, &path, changes);
        }
        self.sessions.remove(session);
        Ok(Reply::Closed(session))
    }
}
