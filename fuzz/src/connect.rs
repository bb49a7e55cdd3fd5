//! The handshake: what a stranger says first, what comes of it, and the answer.

use bytes::BytesMut;
use proto::{ConnectRequest, ConnectResponse, first_frame};
use session::{
    handshake::{Decision, Known, Offer, TimeoutRange, decide, put_rejection, put_welcome},
    lane::Phase,
    session_password,
};
use tree::{Outcome, Reject, Reply, SessionId, Zxid};

use crate::{Seed, recordings::recordings};

/// Decodes it as a request and as an answer, and decides about it in every way.
///
/// # Panics
/// When it does not come back as it was, or a session is given to one without its password.
pub fn check(input: &[u8]) {
    if let Ok(response) = ConnectResponse::decode(input) {
        let mut out = BytesMut::new();
        response.encode(&mut out);
        assert_eq!(ConnectResponse::decode(&out), Ok(response));
    }
    let Ok(request) = ConnectRequest::decode(input) else { return };
    let mut out = BytesMut::new();
    request.encode(&mut out);
    assert_eq!(ConnectRequest::decode(&out), Ok(request));
    let timeouts = TimeoutRange { min_ms: 4000, max_ms: 40_000 };
    for bits in 0..4 {
        let (read_only, local_sessions) = (bits & 1 != 0, bits & 2 != 0);
        let offer = Offer { read_only, local_sessions, applied: Zxid(1 << 32), timeouts };
        for known in [Known::Local, Known::Global, Known::Unknown] {
            decided(&request, &decide(&request, &offer, known));
        }
    }
}

fn decided(request: &ConnectRequest<'_>, decision: &Decision) {
    let session = SessionId(request.session_id);
    let welcome = match decision {
        Decision::Refuse(_) => return,
        Decision::Open(welcome) | Decision::OpenLocal(welcome) => {
            assert_eq!(session, SessionId::NONE, "who has a session gets no other");
            welcome
        }
        Decision::Attach(welcome) | Decision::AttachLocal(welcome) => {
            assert_eq!(request.password, Some(&session_password(session)[..]));
            welcome
        }
        Decision::Reject(welcome) => {
            let mut out = BytesMut::new();
            put_rejection(&mut out, welcome);
            return assert_eq!(answer(&out).session_id, 0);
        }
    };
    assert!((4000..=40_000).contains(&welcome.timeout_ms), "as it was agreed");
    let timeout_ms = welcome.timeout_ms;
    for result in [Ok(Reply::Attached { timeout_ms }), Err(Reject::SessionExpired)] {
        let mut out = BytesMut::new();
        let granted = result.is_ok();
        let outcome = Outcome { zxid: Zxid(7), result, changes: Vec::new() };
        let phase = put_welcome(&mut out, welcome, &outcome);
        assert_eq!(phase != Phase::Closing, granted);
        let answer = answer(&out);
        assert_eq!(answer.timeout_ms, if granted { timeout_ms } else { 0 });
        assert_eq!(answer.read_only.is_some(), request.read_only.is_some());
    }
}

fn answer(out: &[u8]) -> ConnectResponse<'_> {
    let frame = first_frame(out, 64).expect("it is short").expect("it is whole");
    ConnectResponse::decode(frame).expect("a client understands it")
}

/// What was recorded, and one that comes back.
pub fn seeds() -> Vec<Seed> {
    let recorded = recordings().into_iter().filter(|recorded| recorded.is_handshake());
    let mut seeds: Vec<Seed> = recorded.map(|one| (one.name, one.payload)).collect();
    let session = SessionId(0x0100_0000_0000_0001);
    let back = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 7,
        timeout_ms: 10_000,
        session_id: session.0,
        password: Some(&session_password(session)),
        read_only: Some(true),
    };
    for (name, request) in [("back", back), ("old", ConnectRequest { read_only: None, ..back })] {
        let mut out = BytesMut::new();
        request.encode(&mut out);
        seeds.push((name.to_owned(), out.to_vec()));
    }
    seeds
}
