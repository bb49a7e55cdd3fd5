//! Every reply and event, as Rookery's own clients read them: the load generator, the demo and
//! the tests trust no server.

use bytes::BytesMut;
use jute::Record;
use proto::{OpCode, ReplyHeader, Response, WatcherEvent, xid};

use crate::{Seed, input::Input, recordings::recordings};

/// The first byte is the operation that is answered, the rest the reply.
///
/// # Panics
/// When what is decoded does not come back as it was.
pub fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let op = i32::from(input.byte().cast_signed());
    let Ok((body, header)) = ReplyHeader::decode(input.rest()) else { return };
    let mut again = BytesMut::new();
    if header.xid == xid::EVENT {
        let Ok(event) = WatcherEvent::from_exact_bytes(body) else { return };
        event.encode(&mut again);
        assert_eq!(WatcherEvent::from_exact_bytes(&again), Ok(event));
    } else if let Ok(response) = Response::decode(op, body) {
        response.encode(&mut again);
        assert_eq!(Response::decode(op, &again), Ok(response));
    }
}

/// What Apache's server sent, each behind the operation that it answers.
pub fn seeds() -> Vec<Seed> {
    let mut op = OpCode::Ping.code();
    let mut seeds = Vec::new();
    for one in recordings() {
        if one.is_handshake() {
            continue;
        }
        if one.from_client {
            let header = one.payload.get(4..8).and_then(|op| op.try_into().ok());
            op = header.map_or(op, i32::from_be_bytes);
        } else {
            let op = i8::try_from(op).expect("operations have small numbers");
            seeds.push((one.name, [&[op.cast_unsigned()][..], &one.payload].concat()));
        }
    }
    seeds
}
