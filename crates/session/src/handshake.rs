//! The first exchange of a connection: which session it gets, or why none.
//!
//! Decides in the order in which ZooKeeper does (the read-only check, the zxid, the
//! timeout, the session, the password) and writes the answer. Opening and attaching global
//! sessions are commands: the answer is given when they were applied.

use bytes::BytesMut;
use proto::{ConnectRequest, ConnectResponse};
use tree::{Outcome, Reply, SessionId, Zxid};

use crate::{auth, lane::Phase};

/// The shortest and longest session timeout that the server agrees to, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeoutRange {
    /// `minSessionTimeout`, by default two ticks.
    pub min_ms: i32,
    /// `maxSessionTimeout`, by default twenty ticks.
    pub max_ms: i32,
}

/// What a server offers to those who connect now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Whether it reads only, for it has lost the others.
    pub read_only: bool,
    /// Whether new sessions are local ones: `localSessionsEnabled`.
    pub local_sessions: bool,
    /// The last zxid applied here.
    pub applied: Zxid,
    /// The timeouts it agrees to.
    pub timeouts: TimeoutRange,
}

/// What a server knows of the session that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// A local session of this server.
    Local,
    /// A global one.
    Global,
    /// Nothing: there is none, or this server has not heard of it yet.
    Unknown,
}

/// What a connect request comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Close the connection without a reply: this server must not or cannot serve it.
    Refuse(Refused),
    /// Ask the log for a new session.
    Open(Welcome),
    /// Open a new session on this server alone.
    OpenLocal(Welcome),
    /// Ask the log to move the session here.
    Attach(Welcome),
    /// Give the local session to this connection.
    AttachLocal(Welcome),
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
    /// The server reads only, and the client did not say that this will do.
    ReadOnly,
    /// The server reads only, and cannot move a session that others know of here.
    GlobalSession,
    /// The server reads only, and sessions of one server alone are not enabled.
    ///
    /// Compat(read-only): ZooKeeper sends a reply header with the error -119, which is no answer
    /// to a connect request: clients cannot read it and close the connection.
    NoNewSession,
}

/// What must be remembered to answer a connect request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The session asked for; 0 until a new one has its id.
    pub session: SessionId,
    /// The negotiated timeout.
    pub timeout_ms: i32,
    /// What the answer says about read-only service; nothing when the request lacked the
    /// trailing byte.
    pub read_only: Option<bool>,
}

/// Decides what a connect request comes to, given what this server offers and what it knows
/// of the session.
pub fn decide(request: &ConnectRequest<'_>, offer: &Offer, known: Known) -> Decision {
    if offer.read_only && request.read_only != Some(true) {
        return Decision::Refuse(Refused::ReadOnly);
    }
    let (seen, applied) = (Zxid(request.last_zxid_seen), offer.applied);
    if seen > applied {
        return Decision::Refuse(Refused::ClientIsAhead { seen, applied });
    }
    let session = SessionId(request.session_id);
    let welcome = Welcome {
        session,
        timeout_ms: request.timeout_ms.clamp(offer.timeouts.min_ms, offer.timeouts.max_ms),
        read_only: request.read_only.map(|_| offer.read_only),
    };
    if session == SessionId::NONE {
        return match (offer.local_sessions, offer.read_only) {
            (true, _) => Decision::OpenLocal(welcome),
            (false, true) => Decision::Refuse(Refused::NoNewSession),
            (false, false) => Decision::Open(welcome),
        };
    }
    if offer.read_only && known == Known::Global {
        return Decision::Refuse(Refused::GlobalSession);
    }
    // Compat(password-first): Apache drops the session's live connection before it looks at the
    // password, so that anyone who knows an id can kick its client. Checking first is invisible to
    // clients that have the password.
    if request.password.unwrap_or_default() != auth::session_password(session) {
        return Decision::Reject(welcome);
    }
    match known {
        Known::Local => Decision::AttachLocal(welcome),
        Known::Unknown if offer.read_only => Decision::Reject(welcome),
        Known::Global | Known::Unknown => Decision::Attach(welcome),
    }
}

/// Writes the answer to the handshake, given what the log said. That the session has moved is
/// no answer: it has not ended, and the client must ask again.
pub fn put_welcome(out: &mut BytesMut, welcome: &Welcome, outcome: &Outcome) -> Phase {
    match outcome.result {
        Ok(Reply::Attached { timeout_ms }) => put_granted(out, &Welcome { timeout_ms, ..*welcome }),
        Ok(_) | Err(_) => {
            put_rejection(out, welcome);
            Phase::Closing
        }
    }
}

/// Writes that the session is the client's.
pub(crate) fn put_granted(out: &mut BytesMut, welcome: &Welcome) -> Phase {
    let Welcome { session, timeout_ms, .. } = *welcome;
    put_response(out, welcome, timeout_ms, session, &auth::session_password(session));
    Phase::Attached { session, timeout_ms }
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
        read_only: welcome.read_only,
    };
    proto::put_frame(out, |out| response.encode(out));
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    /// A table row: who asks, and what comes of it at three kinds of servers.
    fn row(name: &str, request: &ConnectRequest<'_>, known: Known) -> String {
        let timeouts = TimeoutRange { min_ms: 2000, max_ms: 20_000 };
        let servers = [(false, false), (false, true), (true, false), (true, true)];
        let cells = servers.map(|(read_only, local_sessions)| {
            let offer = Offer { read_only, local_sessions, applied: Zxid(5), timeouts };
            match decide(request, &offer, known) {
                Decision::Refuse(Refused::ClientIsAhead { .. }) => "ahead".to_owned(),
                Decision::Refuse(refused) => format!("{refused:?}"),
                Decision::Open(_) => "open".to_owned(),
                Decision::OpenLocal(_) => "open local".to_owned(),
                Decision::Attach(_) => "attach".to_owned(),
                Decision::AttachLocal(_) => "attach local".to_owned(),
                Decision::Reject(_) => "reject".to_owned(),
            }
        });
        format!("{name}: {}\n", cells.join(" | "))
    }

    /// As Apache ZooKeeper 3.9.5 decides, but for the order of password and live connection.
    #[test]
    fn the_table() {
        let password = auth::session_password(SessionId(9));
        let fresh = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout_ms: 10_000,
            session_id: 0,
            password: None,
            read_only: Some(true),
        };
        let back = ConnectRequest { session_id: 9, password: Some(&password), ..fresh };
        let table = [
            row("old client", &ConnectRequest { read_only: None, ..fresh }, Known::Unknown),
            row(
                "not read-only",
                &ConnectRequest { read_only: Some(false), ..fresh },
                Known::Unknown,
            ),
            row("ahead", &ConnectRequest { last_zxid_seen: 6, ..fresh }, Known::Unknown),
            row("new", &fresh, Known::Unknown),
            row("unknown", &back, Known::Unknown),
            row("global", &back, Known::Global),
            row("local", &back, Known::Local),
            row("global, no password", &ConnectRequest { password: None, ..back }, Known::Global),
            row("local, no password", &ConnectRequest { password: None, ..back }, Known::Local),
        ];
        expect![[r#"
            old client: open | open local | ReadOnly | ReadOnly
            not read-only: open | open local | ReadOnly | ReadOnly
            ahead: ahead | ahead | ahead | ahead
            new: open | open local | NoNewSession | open local
            unknown: attach | attach | reject | reject
            global: attach | attach | GlobalSession | GlobalSession
            local: attach local | attach local | attach local | attach local
            global, no password: reject | reject | GlobalSession | GlobalSession
            local, no password: reject | reject | reject | reject
        "#]]
        .assert_eq(&table.concat());
    }

    #[test]
    fn the_answer_says_read_only_to_those_who_asked() {
        let mut out = BytesMut::new();
        let welcome = Welcome { session: SessionId(9), timeout_ms: 4000, read_only: Some(true) };
        put_granted(&mut out, &welcome);
        assert_eq!((out.len(), out[out.len() - 1]), (4 + 37, 1));
        out.clear();
        put_rejection(&mut out, &welcome);
        assert_eq!((out.len(), out[out.len() - 1]), (4 + 37, 1));
        out.clear();
        put_granted(&mut out, &Welcome { read_only: None, ..welcome });
        assert_eq!(out.len(), 4 + 36);
    }
}
