//! What other servers send, and what lies in the log, put through the code that reads it:
//! for the fuzzer, which knows nothing of this crate's insides.
//!
//! Each check takes any bytes at all. It panics when they are read as something that does not
//! come back when it is written and read again; that they are refused is always right.
//! `fuzz/` has the targets, and the bytes of [`seeds`] to begin with.

mod checkpoint;
mod records;
mod seeds;

use std::{fmt::Debug, io};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use jute::Record;
use tree::Batch;

use crate::{
    codec,
    peer::{
        Identity, Kind, Lane, Session, VERSIONS, Wanted,
        frame::{Frame, FrameReader, FrameWriter, put_frame},
        greet, welcome,
    },
    transport::Connection,
};

pub use checkpoint::checkpoint;
pub use seeds::{checkpoints, entries, frames, handshakes};

/// The server that hears what the fuzzer sends.
const OWN: Identity = Identity { cluster: 9, node: 200, incarnation: 2, server: 2 };
/// The server that the fuzzer takes the part of.
const PEER: Identity = Identity { cluster: 9, node: 100, incarnation: 3, server: 1 };

/// A connection on which `input` comes in.
fn connection(input: &[u8]) -> Connection {
    Connection {
        reader: Box::new(io::Cursor::new(input.to_vec())),
        writer: Box::new(tokio::io::sink()),
        peer: "fuzzer".to_owned(),
    }
}

/// A connection on which `input` comes in, behind the handshake.
fn session(input: &[u8]) -> Session {
    let Connection { reader, writer, .. } = connection(input);
    let mut reader = FrameReader::new(reader);
    reader.trust();
    let version = *VERSIONS.end();
    Session { reader, writer: FrameWriter(writer), peer: PEER, version }
}

/// What a stranger says to a server that accepted its connection, and what one answers whom a
/// server dialled: nobody has proved anything yet. Must be called within a tokio runtime.
pub async fn stranger(input: &[u8]) {
    if let Ok((session, _)) = welcome(connection(input), || OWN).await {
        rest(session).await;
    }
    for wanted in [Wanted::Node(PEER.node), Wanted::Server(PEER.server)] {
        if let Ok(session) = greet(connection(input), OWN, wanted, Lane::Append).await {
            assert_eq!(session.peer.cluster, OWN.cluster, "or it has none yet");
        }
    }
}

/// Takes frames as long as there are any.
async fn rest(mut session: Session) {
    while let Ok(frame) = session.reader.next().await {
        drop(records::read(&frame));
    }
}

/// A frame of any kind with any record, as each lane reads it; the kind is the first byte.
pub fn message(input: &[u8]) {
    let Some((number, body)) = input.split_first() else { return };
    let Some(kind) = Kind::from_number(i32::from(*number)) else { return };
    let mut out = BytesMut::new();
    put_frame(&mut out, kind, |out| out.extend_from_slice(body));
    let mut session = session(&out);
    // All of it is there, so that nothing is waited for.
    let frame = session.reader.next().now_or_never().expect("a whole frame is there");
    let frame = frame.expect("it is not damaged");
    assert_eq!((frame.kind, &frame.body[..]), (kind, body), "a frame is what was sent");
    for (form, again) in records::read(&frame).into_iter().enumerate() {
        let Ok(again) = again else { continue };
        let second = Frame { kind, body: again.clone() };
        let third = records::read(&second).swap_remove(form);
        assert_eq!(third.ok(), Some(again), "{kind:?} comes back as it was");
    }
}

/// A log entry with commands: what is read, is the same when it is written and read again.
pub fn entry(input: &[u8]) {
    // Whatever they find in bytes that are no entry, it is found without a panic.
    let (count, time) = (codec::count_commands(input), codec::time_made(input));
    let Ok(batches) = codec::decode(input) else { return };
    assert_eq!(count, batches.iter().map(|batch| batch.commands.len() as u64).sum::<u64>());
    if let Some(first) = batches.first() {
        assert_eq!(time, first.time);
    }
    if let [batch] = batches.as_slice() {
        assert_eq!(codec::origin(input), Some(batch.origin));
    }
    for batch in batches {
        let again = encode(&batch);
        assert_eq!(codec::decode(&again).as_deref(), Ok(&[batch][..]));
    }
}

/// An entry with one batch, as a server's proposer makes it.
pub fn encode(batch: &Batch<'_>) -> Bytes {
    let mut out = BytesMut::new();
    codec::begin_entry(&mut out, batch.origin, batch.first_sequence, batch.time);
    for command in &batch.commands {
        codec::encode_command(command, &mut out);
    }
    codec::end_entry(&mut out, u32::try_from(batch.commands.len()).expect("they fit into memory"));
    out.freeze()
}

/// The members in an entry and in a checkpoint.
pub fn members(input: &[u8]) {
    if let Ok(members) = codec::decode_membership(input) {
        comes_back(&members, codec::encode_membership, codec::decode_membership);
    }
    if let Ok(members) = codec::decode_stored_membership(input) {
        comes_back(&members, codec::encode_stored_membership, codec::decode_stored_membership);
    }
}

fn comes_back<T: Debug + PartialEq, E: Debug>(
    value: &T,
    encode: impl Fn(&T) -> Bytes,
    decode: impl Fn(&[u8]) -> Result<T, E>,
) {
    let again = decode(&encode(value)).expect("what was written is read again");
    assert_eq!(again, *value);
}

/// A record by itself.
fn bytes<'r>(record: &impl Record<'r>) -> Bytes {
    let mut out = BytesMut::new();
    record.encode(&mut out);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_servers_say_goes_through_every_check() {
        for (name, bytes) in handshakes() {
            stranger(&bytes).await;
            assert_eq!(
                welcome(connection(&bytes), || OWN).await.is_ok(),
                name.starts_with("hello")
            );
        }
        for (name, bytes) in frames() {
            message(&bytes);
            let kind = Kind::from_number(i32::from(bytes[0])).expect("a kind");
            let frame = Frame { kind, body: Bytes::copy_from_slice(&bytes[1..]) };
            assert!(records::read(&frame).iter().any(Result::is_ok), "{name}");
        }
        for (name, bytes) in entries() {
            entry(&bytes);
            members(&bytes);
            let known = codec::decode(&bytes).is_ok()
                || codec::decode_membership(&bytes).is_ok()
                || codec::decode_stored_membership(&bytes).is_ok();
            assert!(known, "{name}");
        }
        for (name, records) in checkpoints() {
            let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
            assert!(checkpoint::taken(&records).await.is_ok() == (name == "whole"), "{name}");
        }
    }
}
