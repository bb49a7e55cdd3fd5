//! The records of the peer protocol, to and from openraft's types.

use std::io;

use bytes::{Bytes, BytesMut};
use jute::Record;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, TransferLeaderRequest, VoteRequest, VoteResponse,
};

use super::frame::{Frame, invalid};
use crate::{
    disk::{EntryKind, LogPosition, StoredEntry, StoredVote},
    generated::peer as wire,
    types::{
        Entry, LogId, Types, Vote, from_stored, log_id, position, stored_vote, to_stored, vote,
    },
};

pub(crate) fn wire_position(at: LogPosition) -> wire::Position {
    wire::Position { term: at.term.cast_signed(), index: at.index.cast_signed() }
}

pub(crate) fn wire_log_id(at: Option<LogId>) -> Vec<wire::Position> {
    at.iter().map(|at| wire_position(position(at))).collect()
}

pub(crate) fn read_position(at: &wire::Position) -> LogPosition {
    LogPosition { term: at.term.cast_unsigned(), index: at.index.cast_unsigned() }
}

/// One or none.
pub(crate) fn read_log_id(at: &[wire::Position]) -> io::Result<Option<LogId>> {
    match at {
        [] => Ok(None),
        [at] => Ok(Some(log_id(read_position(at)))),
        _ => Err(invalid("two places in the log where one was meant")),
    }
}

pub(crate) fn wire_vote(vote: &Vote) -> wire::Vote {
    let StoredVote { term, node, committed } = stored_vote(vote);
    wire::Vote { term: term.cast_signed(), node: node.cast_signed(), committed }
}

pub(crate) fn read_vote(record: wire::Vote) -> Vote {
    vote(StoredVote {
        term: record.term.cast_unsigned(),
        node: record.node.cast_unsigned(),
        committed: record.committed,
    })
}

const fn kind_number(kind: EntryKind) -> i32 {
    match kind {
        EntryKind::Blank => 0,
        EntryKind::Commands => 1,
        EntryKind::Membership => 2,
    }
}

/// Appends the record of an Append. The payloads are copied once, straight into the frame.
pub(crate) fn put_append(
    out: &mut BytesMut,
    request: &AppendEntriesRequest<Types>,
    quorum_age_ms: u64,
) {
    wire_vote(&request.vote).encode(out);
    let put = |out: &mut BytesMut, at: Option<LogId>| {
        jute::put_vector(out, &wire_log_id(at), |out, at| at.encode(out));
    };
    put(out, request.prev_log_id);
    put(out, request.leader_commit);
    jute::put_long(out, i64::try_from(quorum_age_ms).unwrap_or(i64::MAX));
    jute::put_vector(out, &request.entries, |out, entry| {
        let StoredEntry { position, kind, payload } = to_stored(entry);
        let position = wire_position(position);
        wire::LogEntry { position, kind: kind_number(kind), payload: &payload }.encode(out);
    });
}

/// Reads an Append; the payloads share the frame's memory.
pub(crate) fn read_append(frame: &Frame) -> io::Result<(AppendEntriesRequest<Types>, u64)> {
    let record: wire::Append<'_> = frame.record()?;
    let entries = record.entries.iter().map(|entry| read_entry(&frame.body, entry));
    let request = AppendEntriesRequest {
        vote: read_vote(record.vote),
        prev_log_id: read_log_id(&record.prev)?,
        leader_commit: read_log_id(&record.commit)?,
        entries: entries.collect::<io::Result<_>>()?,
    };
    Ok((request, record.quorum_age.max(0).cast_unsigned()))
}

fn read_entry(body: &Bytes, record: &wire::LogEntry<'_>) -> io::Result<Entry> {
    let kind = match record.kind {
        0 => EntryKind::Blank,
        1 => EntryKind::Commands,
        2 => EntryKind::Membership,
        kind => return Err(invalid(&format!("a log entry of the unknown kind {kind}"))),
    };
    let position = read_position(&record.position);
    from_stored(StoredEntry { position, kind, payload: body.slice_ref(record.payload) })
}

pub(crate) fn wire_append_reply(response: &AppendEntriesResponse<Types>) -> wire::AppendReply {
    let (outcome, matching, vote) = match response {
        AppendEntriesResponse::Success => (0, Vec::new(), Vec::new()),
        AppendEntriesResponse::PartialSuccess(at) => (1, wire_log_id(*at), Vec::new()),
        AppendEntriesResponse::Conflict => (2, Vec::new(), Vec::new()),
        AppendEntriesResponse::HigherVote(vote) => (3, Vec::new(), vec![wire_vote(vote)]),
    };
    wire::AppendReply { outcome, matching, vote }
}

pub(crate) fn read_append_reply(
    record: &wire::AppendReply,
) -> io::Result<AppendEntriesResponse<Types>> {
    Ok(match (record.outcome, record.vote.as_slice()) {
        (0, _) => AppendEntriesResponse::Success,
        (1, _) => AppendEntriesResponse::PartialSuccess(read_log_id(&record.matching)?),
        (2, _) => AppendEntriesResponse::Conflict,
        (3, [vote]) => AppendEntriesResponse::HigherVote(read_vote(*vote)),
        (outcome, _) => return Err(invalid(&format!("an answer of the unknown kind {outcome}"))),
    })
}

pub(crate) fn wire_vote_request(
    request: &VoteRequest<Types>,
    leader_gone: bool,
) -> wire::VoteRequest {
    wire::VoteRequest {
        vote: wire_vote(&request.vote),
        last: wire_log_id(request.last_log_id),
        leader_gone: leader_gone || request.leadership_transfer,
    }
}

pub(crate) fn read_vote_request(record: &wire::VoteRequest) -> io::Result<VoteRequest<Types>> {
    let mut request = VoteRequest::new(read_vote(record.vote), read_log_id(&record.last)?);
    request.leadership_transfer = record.leader_gone;
    Ok(request)
}

pub(crate) fn wire_vote_reply(response: &VoteResponse<Types>) -> wire::VoteReply {
    wire::VoteReply {
        vote: wire_vote(&response.vote),
        granted: response.vote_granted,
        last: wire_log_id(response.last_log_id),
    }
}

pub(crate) fn read_vote_reply(record: &wire::VoteReply) -> io::Result<VoteResponse<Types>> {
    let last = read_log_id(&record.last)?;
    Ok(VoteResponse::new(read_vote(record.vote), last, record.granted))
}

pub(crate) fn wire_transfer(request: &TransferLeaderRequest<Types>) -> wire::Transfer {
    wire::Transfer {
        vote: wire_vote(request.from_leader()),
        to: request.to_node_id().cast_signed(),
        last: wire_log_id(request.last_log_id().copied()),
    }
}

pub(crate) fn read_transfer(record: &wire::Transfer) -> io::Result<TransferLeaderRequest<Types>> {
    let last = read_log_id(&record.last)?;
    Ok(TransferLeaderRequest::new(read_vote(record.vote), record.to.cast_unsigned(), last))
}
