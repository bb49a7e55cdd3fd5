//! What each kind of frame holds, read as those read it who get it, and written again.

use std::io;

use bytes::{Bytes, BytesMut};
use jute::Record;

use super::{PEER, bytes};
use crate::{
    codec,
    ensemble::{read_change, read_member},
    forward,
    generated::peer as wire,
    peer::{
        Kind,
        convert::{
            put_append, read_append, read_append_reply, read_log_id, read_transfer, read_vote,
            read_vote_reply, read_vote_request, wire_append_reply, wire_log_id, wire_transfer,
            wire_vote, wire_vote_reply, wire_vote_request,
        },
        frame::Frame,
        link::unwrap_call,
    },
};

/// What can be made of a frame: a kind stands for a request and for its answer.
type Forms = Vec<io::Result<Bytes>>;

/// Reads a frame in each form that its kind has.
pub(super) fn read(frame: &Frame) -> Forms {
    match frame.kind {
        Kind::Hello => vec![same::<wire::Hello>(frame)],
        Kind::Welcome => vec![same::<wire::Welcome>(frame)],
        Kind::Refusal => vec![same::<wire::Refusal<'_>>(frame)],
        Kind::Append => vec![append(frame)],
        Kind::AppendReply => vec![append_reply(frame)],
        Kind::Call | Kind::Reply => vec![call(frame)],
        Kind::Vote | Kind::PreVote => vec![vote_request(frame), vote_reply(frame)],
        Kind::Transfer => vec![transfer(frame), same::<wire::Answer<'_>>(frame)],
        Kind::LeaderLost => vec![leader_lost(frame), same::<wire::Answer<'_>>(frame)],
        Kind::ReadIndex => vec![same::<wire::Ask>(frame), same::<wire::ReadIndexReply>(frame)],
        Kind::Probe => vec![same::<wire::Ask>(frame), same::<wire::ProbeReply>(frame)],
        Kind::Prepare => vec![same::<wire::Prepare>(frame), same::<wire::Promise<'_>>(frame)],
        Kind::Accept => vec![accept(frame), same::<wire::Promise<'_>>(frame)],
        Kind::Join => vec![join(frame)],
        Kind::ChangeMembers => vec![change(frame), same::<wire::ChangeReply<'_>>(frame)],
        Kind::HandOver => vec![same::<wire::HandOver>(frame)],
        Kind::SessionsHeard => vec![same::<wire::SessionsHeard>(frame)],
        Kind::Digests => vec![same::<wire::Digests>(frame)],
        Kind::StateDiffers => vec![same::<wire::StateDiffers>(frame)],
        Kind::Forward => vec![forwarded(frame)],
        Kind::NotLeader => vec![same::<wire::Ask>(frame)],
        Kind::Offer => vec![offer(frame)],
        Kind::Wanted => vec![same::<wire::Wanted>(frame)],
        Kind::Chunk => vec![same::<wire::Chunk<'_>>(frame)],
        Kind::Installed => vec![installed(frame)],
        Kind::Standings => vec![same::<wire::Ask>(frame), same::<wire::StandingsReply>(frame)],
    }
}

/// A record that is used as it is.
fn same<'f, R: Record<'f>>(frame: &'f Frame) -> io::Result<Bytes> {
    frame.record::<R>().map(|record| bytes(&record))
}

fn append(frame: &Frame) -> io::Result<Bytes> {
    let (request, quorum_age_ms) = read_append(frame)?;
    let mut out = BytesMut::new();
    put_append(&mut out, &request, quorum_age_ms);
    Ok(out.freeze())
}

fn append_reply(frame: &Frame) -> io::Result<Bytes> {
    Ok(bytes(&wire_append_reply(&read_append_reply(&frame.record()?)?)))
}

/// What is within is read as well; a call within a call is none that anybody reads.
fn call(frame: &Frame) -> io::Result<Bytes> {
    let (id, inner) = unwrap_call(frame.clone())?;
    if inner.kind != Kind::Call && inner.kind != Kind::Reply {
        drop(read(&inner));
    }
    let mut out = BytesMut::new();
    jute::put_long(&mut out, id);
    jute::put_int(&mut out, inner.kind.number());
    out.extend_from_slice(&inner.body);
    Ok(out.freeze())
}

fn vote_request(frame: &Frame) -> io::Result<Bytes> {
    let request = read_vote_request(&frame.record()?)?;
    Ok(bytes(&wire_vote_request(&request, false)))
}

fn vote_reply(frame: &Frame) -> io::Result<Bytes> {
    Ok(bytes(&wire_vote_reply(&read_vote_reply(&frame.record()?)?)))
}

fn transfer(frame: &Frame) -> io::Result<Bytes> {
    Ok(bytes(&wire_transfer(&read_transfer(&frame.record()?)?)))
}

fn leader_lost(frame: &Frame) -> io::Result<Bytes> {
    let record: wire::LeaderLost = frame.record()?;
    let (vote, last) =
        (wire_vote(&read_vote(record.vote)), wire_log_id(read_log_id(&record.last)?));
    Ok(bytes(&wire::LeaderLost { vote, last, ..record }))
}

fn accept(frame: &Frame) -> io::Result<Bytes> {
    let record: wire::Accept<'_> = frame.record()?;
    drop(codec::decode_membership(record.founding.members));
    Ok(bytes(&record))
}

fn join(frame: &Frame) -> io::Result<Bytes> {
    let record: wire::Join<'_> = frame.record()?;
    drop(read_member(&record.member, PEER.cluster));
    Ok(bytes(&record))
}

fn change(frame: &Frame) -> io::Result<Bytes> {
    let record: wire::ChangeMembers<'_> = frame.record()?;
    drop(read_change(&record));
    Ok(bytes(&record))
}

fn forwarded(frame: &Frame) -> io::Result<Bytes> {
    let entry = forward::batch_in(frame.clone(), &PEER)?;
    Ok(bytes(&wire::Forward { entry: &entry }))
}

fn offer(frame: &Frame) -> io::Result<Bytes> {
    let record: wire::Offer<'_> = frame.record()?;
    let (vote, applied) =
        (wire_vote(&read_vote(record.vote)), wire_log_id(read_log_id(&record.applied)?));
    drop(codec::decode_stored_membership(record.membership));
    Ok(bytes(&wire::Offer { vote, applied, ..record }))
}

fn installed(frame: &Frame) -> io::Result<Bytes> {
    let record: wire::Installed<'_> = frame.record()?;
    Ok(bytes(&wire::Installed { vote: wire_vote(&read_vote(record.vote)), ..record }))
}
