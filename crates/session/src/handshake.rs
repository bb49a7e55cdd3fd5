//! The first exchange of a connection: which session it gets, or why none.
//!
//! Decides in the order in which ZooKeeper does (the read-only check, the zxid, the
//! timeout, the password) and writes the answer. Opening and attaching are commands: the
//! answer is given when they were applied.

use bytes::BytesMut;
use proto::{ConnectRequest, ConnectResponse};
use tree::{Op, Outcome, Reply, SessionId, Zxid};

use crate::{auth, lane::Phase};

/// The shortest and longest session timeout that the server agrees to, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeoutRange {
    /// `minSessionTimeout`, by default two ticks.
    pub min_ms: i32,
    /// `maxSessionTimeout`, by default twenty ticks.
    pub max_ms: i32,
}

/// What a connect request comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Close the connection without a reply: this server must not or cannot serve it.
    Refuse(Refused),
    /// Ask the log for a new session.
    Open(Welcome),
    /// Ask the log to move the session here.
    Attach(Welcome),
    /// Answer that there is no such session, then close.
    Reject(Welcome),
}

/// Why a connection is closed without a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The client has seen a later zxid than this server: it must find another one.
    ClientIsAhead {
        /// What the client has seen.
        seen: Zxid,
        /// What this server has applied.
        applied: Zxid,
    },
}

/// What must be remembered to answer a connect request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The session asked for; 0 until a new one has its id.
    pub session: SessionId,
    /// The negotiated timeout.
    pub timeout_ms: i32,
    /// Whether the request had the trailing read-only byte, and so the answer has it.
    pub has_read_only: bool,
}

impl Welcome {
    /// The command that opens or attaches the session.
    pub fn op(&self, decision: &Decision) -> Op<'static> {
        match decision {
            Decision::Attach(_) => Op::AttachSession { timeout_ms: self.timeout_ms },
            Decision::Open(_) | Decision::Reject(_) | Decision::Refuse(_) => {
                Op::OpenSession { timeout_ms: self.timeout_ms }
            }
        }
    }
}

/// Decides what a connect request comes to, given the last zxid applied here.
pub fn decide(request: &ConnectRequest<'_>, applied: Zxid, range: TimeoutRange) -> Decision {
    let seen = Zxid(request.last_zxid_seen);
    if seen > applied {
        return Decision::Refuse(Refused::ClientIsAhead { seen, applied });
    }
    let session = SessionId(request.session_id);
    let welcome = Welcome {
        session,
        timeout_ms: request.timeout_ms.clamp(range.min_ms, range.max_ms),
        has_read_only: request.read_only.is_some(),
    };
    if session == SessionId::NONE {
        return Decision::Open(welcome);
    }
    // Compat(password-first): Apache drops the session's live connection before it looks at the
    // password, so that anyone who knows an id can kick its client. Checking first is invisible to
    // clients that have the password.
    if request.password.unwrap_or_default() == auth::session_password(session) {
        Decision::Attach(welcome)
    } else {
        Decision::Reject(welcome)
    }
}

/// Writes the answer to the handshake, given what the log said.
pub fn put_welcome(out: &mut BytesMut, welcome: &Welcome, outcome: &Outcome) -> Phase {
    match outcome.result {
        Ok(Reply::Attached { timeout_ms }) => {
            let session = welcome.session;
            let password = auth::session_password(session);
            put_response(out, welcome, timeout_ms, session, &password);
            Phase::Attached { session, timeout_ms }
        }
        Ok(_) | Err(_) => {
            put_rejection(out, welcome);
            Phase::Closing
        }
    }
}

/// Writes "no such session": the client must start anew.
pub fn put_rejection(out: &mut BytesMut, welcome: &Welcome) {
    put_response(out, welcome, 0, SessionId::NONE, &[0; 16]);
}

fn put_response(
    out: &mut BytesMut,
    welcome: &Welcome,
    timeout_ms: i32,
    session: SessionId,
    password: &[u8; 16],
) {
    let response = ConnectResponse {
        protocol_version: 0,
        timeout_ms,
        session_id: session.0,
        password: Some(password),
        read_only: welcome.has_read_only.then_some(false),
    };
    proto::put_frame(out, |out| response.encode(out));
}
