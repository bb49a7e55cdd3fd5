//! Every request: header and body, what it means, and back to bytes.

use bytes::BytesMut;
use jute::Record;
use proto::{Request, RequestHeader};
use session::{Action, Settings, from_wire};
use tree::{Batch, Command, CommandFlags, Millis, OriginId, Owner, SessionId};

use crate::{Seed, recordings::recordings};

/// Decodes, understands, and carries to the log.
///
/// # Panics
/// When something does not come back as it was.
pub fn check(input: &[u8]) {
    if let Ok((body, header)) = RequestHeader::decode(input)
        && let Ok(request) = Request::decode(header.op, body)
    {
        let mut again = BytesMut::new();
        request.encode(header.xid, &mut again);
        let (body, same) = RequestHeader::decode(&again).expect("a header");
        assert_eq!(same, header);
        assert_eq!(Request::decode(header.op, body), Ok(request));
    }
    for on in [false, true] {
        let settings = Settings {
            extended_types: on,
            reconfig_enabled: on,
            command_flags: CommandFlags::SCHEME_DIGEST,
        };
        let parsed = from_wire::parse(input, &settings);
        let _ = parsed.action.needs_no_identity();
        if let Action::Write { op, .. } = parsed.action {
            goes_to_the_log(parsed.xid, op);
        }
    }
}

/// Whatever a client can ask for, the log gives back as it was.
fn goes_to_the_log(xid: i32, op: tree::Op<'_>) {
    let command = Command {
        session: SessionId(5),
        owner: Owner(6),
        xid,
        flags: CommandFlags::SCHEME_DIGEST,
        identities: Vec::new(),
        op,
    };
    let origin = OriginId { node: 1, incarnation: 2 };
    let batch = Batch { origin, first_sequence: 1, time: Millis(3), commands: vec![command] };
    let entry = raft_log::fuzzing::encode(&batch);
    assert_eq!(raft_log::codec::decode(&entry).as_deref(), Ok(&[batch][..]));
}

/// What Apache's client sent.
pub fn seeds() -> Vec<Seed> {
    let sent = recordings().into_iter().filter(|one| one.from_client && !one.is_handshake());
    sent.map(|one| (one.name, one.payload)).collect()
}
