//! Bytes to begin with: one of each kind, as a server makes them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use jute::Record;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, TransferLeaderRequest, VoteRequest, VoteResponse,
};
use tree::{
    AclEntry, Batch, Command, CommandFlags, CreateMode, Former, Identity, Millis, Op, OriginId,
    Owner, Permissions, Reject, SessionId, Zxid,
};

use super::{OWN, PEER, bytes, encode};
use crate::{
    codec,
    disk::{EntryKind, LogPosition, StoredEntry, StoredVote},
    generated::peer as wire,
    peer::{
        Kind, Lane, MAGIC, VERSIONS,
        convert::{
            put_append, wire_append_reply, wire_transfer, wire_vote, wire_vote_reply,
            wire_vote_request,
        },
        frame::put_frame,
    },
    types::{Entry, Member, Membership, StoredMembership, Vote, from_stored, log_id, vote},
};

/// A name, and the bytes.
type Seed = (&'static str, Vec<u8>);

/// Where in the log all of this happens.
const AT: LogPosition = LogPosition { term: 4, index: 70 };

fn leader() -> Vote {
    vote(StoredVote { term: AT.term, node: PEER.node, committed: true })
}

fn position() -> Vec<wire::Position> {
    vec![wire::Position { term: 4, index: 70 }]
}

/// The beginnings of connections: what is said to a server, and what one answers.
pub fn handshakes() -> Vec<Seed> {
    let hello = wire::Hello {
        version_min: *VERSIONS.start(),
        version_max: *VERSIONS.end(),
        cluster: PEER.cluster.cast_signed(),
        node: PEER.node.cast_signed(),
        incarnation: PEER.incarnation.cast_signed(),
        server: PEER.server,
        to_node: OWN.node.cast_signed(),
        to_server: -1,
        lane: Lane::Append.number(),
    };
    let greeting = |more: &dyn Fn(&mut BytesMut)| {
        let mut out = BytesMut::from(&MAGIC[..]);
        put_frame(&mut out, Kind::Hello, |out| hello.encode(out));
        more(&mut out);
        out.to_vec()
    };
    let answered = |kind, record: Bytes| {
        let mut out = BytesMut::from(&MAGIC[..]);
        put_frame(&mut out, kind, |out| out.extend_from_slice(&record));
        out.to_vec()
    };
    let welcome = wire::Welcome {
        version: *VERSIONS.end(),
        cluster: PEER.cluster.cast_signed(),
        node: PEER.node.cast_signed(),
        incarnation: PEER.incarnation.cast_signed(),
        server: PEER.server,
    };
    vec![
        ("hello", greeting(&|_| ())),
        ("hello_and_append", greeting(&|out| put_frame(out, Kind::Append, append))),
        ("welcome", answered(Kind::Welcome, bytes(&welcome))),
        ("refusal", answered(Kind::Refusal, bytes(&wire::Refusal { reason: 2, text: "no" }))),
    ]
}

fn append(out: &mut BytesMut) {
    let request = AppendEntriesRequest {
        vote: leader(),
        prev_log_id: Some(log_id(AT)),
        leader_commit: Some(log_id(AT)),
        entries: log_entries(),
    };
    put_append(out, &request, 12);
}

/// One of each kind, as they are in the log.
fn log_entries() -> Vec<Entry> {
    let payloads = [
        (EntryKind::Blank, Bytes::new()),
        (EntryKind::Commands, encode(&batch(every_op()))),
        (EntryKind::Membership, codec::encode_membership(&membership())),
    ];
    let entry = |(index, (kind, payload))| {
        let position = LogPosition { term: AT.term, index };
        from_stored(StoredEntry { position, kind, payload }).expect("it was just made")
    };
    (AT.index + 1..).zip(payloads).map(entry).collect()
}

fn member(server_id: i64) -> Member {
    Member {
        server_id,
        cluster: PEER.cluster,
        addresses: vec![format!("10.0.0.{server_id}:2888"), "[::1]:2888".to_owned()],
        votes: server_id < 3,
        hidden: server_id == 3,
        spec: format!("10.0.0.{server_id}:2888:3888:participant;0.0.0.0:2181"),
    }
}

/// On the way from one set of voters to another.
fn membership() -> Membership {
    let nodes: BTreeMap<u64, Member> =
        (1..=3_i64).map(|server| (100 * server.unsigned_abs(), member(server))).collect();
    let configs = vec![BTreeSet::from([100, 200]), BTreeSet::from([100, 200, 300])];
    Membership::new(configs, nodes).expect("every voter has its node")
}

fn wire_member() -> wire::Member<'static> {
    wire::Member {
        node: 300,
        server: 3,
        cluster: 0,
        addresses: vec!["10.0.0.3:2888"],
        votes: true,
        hidden: false,
        spec: "10.0.0.3:2888:3888:participant;0.0.0.0:2181",
    }
}

/// Log entries: commands of every kind, and members.
pub fn entries() -> Vec<Seed> {
    let multi = Op::Multi(vec![
        Op::Check { path: Some("/a"), version: 3 },
        Op::Delete { path: "/a", version: -1 },
        Op::Reject(Reject::BadArguments),
    ]);
    let stored = StoredMembership::new(Some(log_id(AT)), membership());
    vec![
        ("every_op", encode(&batch(every_op())).to_vec()),
        ("multi", encode(&batch(vec![multi])).to_vec()),
        ("empty", encode(&batch(Vec::new())).to_vec()),
        ("members", codec::encode_membership(&membership()).to_vec()),
        ("stored_members", codec::encode_stored_membership(&stored).to_vec()),
    ]
}

fn every_op() -> Vec<Op<'static>> {
    let acl = || Some(vec![AclEntry { perms: Permissions::ALL, scheme: "world", id: "anyone" }]);
    vec![
        Op::OpenSession { timeout_ms: 4000 },
        Op::AttachSession { timeout_ms: 4001, former: Former::Anybody },
        Op::AttachSession { timeout_ms: 4001, former: Former::Owner(Owner(6)) },
        Op::AttachSession { timeout_ms: 4001, former: Former::Unknown },
        Op::Create { path: "/a", data: Some(b"d"), acl: acl(), mode: CreateMode::Ephemeral },
        Op::Create {
            path: "/t-",
            data: None,
            acl: acl(),
            mode: CreateMode::PersistentSequentialWithTtl { ttl_ms: 5 },
        },
        Op::SetData { path: Some("/a"), data: Some(b""), version: 3 },
        Op::SetAcl { path: Some("/a"), acl: acl(), version: 0 },
        Op::Reap { path: "/gone" },
        Op::Reconfig { refused: Some(Reject::NewConfigNoQuorum), before: Zxid(7) },
        Op::ExpireSession { session: SessionId(-5), owner: Owner(6), term: None },
        Op::ExpireSession { session: SessionId(-5), owner: Owner(6), term: Some(7) },
        Op::CloseSession,
    ]
}

fn batch(ops: Vec<Op<'static>>) -> Batch<'static> {
    let command = |op| Command {
        session: SessionId(0x0100_0000_0000_0001),
        owner: Owner(7),
        xid: 5,
        flags: CommandFlags::SCHEME_DIGEST,
        identities: vec![Identity { scheme: "ip", id: "127.0.0.1" }],
        op,
    };
    Batch {
        origin: OriginId { node: PEER.node, incarnation: PEER.incarnation },
        first_sequence: 41,
        time: Millis(1234),
        commands: ops.into_iter().map(command).collect(),
    }
}

/// Every kind of frame: its number in one byte, and its record.
pub fn frames() -> Vec<Seed> {
    let all = [handshake_frames(), log_frames(), vote_frames(), member_frames(), other_frames()];
    let numbered = |(name, kind, record): (&'static str, Kind, Bytes)| {
        let number = u8::try_from(kind.number()).expect("there are few");
        (name, [&[number][..], &record].concat())
    };
    all.into_iter().flatten().map(numbered).collect()
}

type Frames = Vec<(&'static str, Kind, Bytes)>;

fn handshake_frames() -> Frames {
    let body = |at: usize| {
        // Behind the magic, the length, the checksum and the kind.
        Bytes::from(handshakes().swap_remove(at).1).slice(MAGIC.len() + 12..)
    };
    vec![
        ("hello", Kind::Hello, body(0)),
        ("welcome", Kind::Welcome, body(2)),
        ("refusal", Kind::Refusal, body(3)),
    ]
}

fn log_frames() -> Frames {
    let mut appended = BytesMut::new();
    append(&mut appended);
    let reply = |response: &AppendEntriesResponse<_>| bytes(&wire_append_reply(response));
    let partial = AppendEntriesResponse::PartialSuccess(Some(log_id(AT)));
    let entry = encode(&batch(every_op()));
    vec![
        ("append", Kind::Append, appended.freeze()),
        ("success", Kind::AppendReply, reply(&AppendEntriesResponse::Success)),
        ("partial", Kind::AppendReply, reply(&partial)),
        ("conflict", Kind::AppendReply, reply(&AppendEntriesResponse::Conflict)),
        ("higher", Kind::AppendReply, reply(&AppendEntriesResponse::HigherVote(leader()))),
        ("forward", Kind::Forward, bytes(&wire::Forward { entry: &entry })),
        ("not_leader", Kind::NotLeader, bytes(&wire::Ask { reserved: 0 })),
    ]
}

fn vote_frames() -> Frames {
    let request = wire_vote_request(&VoteRequest::new(leader(), Some(log_id(AT))), true);
    let reply = wire_vote_reply(&VoteResponse::new(leader(), Some(log_id(AT)), true));
    let transfer = TransferLeaderRequest::new(leader(), OWN.node, Some(log_id(AT)));
    let lost = wire::LeaderLost { vote: wire_vote(&leader()), incarnation: 3, last: position() };
    let call = {
        let mut out = BytesMut::new();
        jute::put_long(&mut out, 8);
        jute::put_int(&mut out, Kind::PreVote.number());
        request.encode(&mut out);
        out.freeze()
    };
    vec![
        ("call", Kind::Call, call.clone()),
        ("reply", Kind::Reply, call),
        ("vote", Kind::Vote, bytes(&request)),
        ("vote_reply", Kind::Vote, bytes(&reply)),
        ("pre_vote", Kind::PreVote, bytes(&request)),
        ("transfer", Kind::Transfer, bytes(&wire_transfer(&transfer))),
        ("leader_lost", Kind::LeaderLost, bytes(&lost)),
        ("answer", Kind::LeaderLost, bytes(&wire::Answer { yes: false, text: "no" })),
    ]
}

fn member_frames() -> Frames {
    let ballot = wire::Ballot { round: 3, server: 1 };
    let members = codec::encode_membership(&membership());
    let founding = wire::Founding { ballot, members: &members };
    let promise = wire::Promise { yes: true, promised: ballot, accepted: vec![founding] };
    let change = wire::ChangeMembers { expected: -1, put: vec![wire_member()], remove: vec![2, 3] };
    let changed = wire::ChangeReply { outcome: 7, text: "no", version: 70 };
    vec![
        ("prepare", Kind::Prepare, bytes(&wire::Prepare { ballot })),
        ("promise", Kind::Prepare, bytes(&promise)),
        ("accept", Kind::Accept, bytes(&wire::Accept { founding })),
        ("join", Kind::Join, bytes(&wire::Join { member: wire_member() })),
        ("change", Kind::ChangeMembers, bytes(&change)),
        ("changed", Kind::ChangeMembers, bytes(&changed)),
        ("hand_over", Kind::HandOver, bytes(&wire::HandOver { to: 2 })),
    ]
}

fn other_frames() -> Frames {
    let standing = wire::Standing { node: 100, matched: 70, heard_ms: 5 };
    let standings = wire::StandingsReply { leads: true, last: 70, members: vec![standing] };
    let present = vec![wire::Present { bytes: 7, checksum: -1 }];
    let installed = wire::Installed { yes: false, vote: wire_vote(&leader()), text: "no" };
    vec![
        ("ask", Kind::ReadIndex, bytes(&wire::Ask { reserved: 0 })),
        ("index", Kind::ReadIndex, bytes(&wire::ReadIndexReply { known: true, index: 70 })),
        ("probe", Kind::Probe, bytes(&wire::ProbeReply { cluster: 9, node: 100, leader: 1 })),
        ("heard", Kind::SessionsHeard, bytes(&wire::SessionsHeard { sessions: vec![1, -2] })),
        ("standings", Kind::Standings, bytes(&standings)),
        ("offer", Kind::Offer, offer(&[("values", 5), ("MANIFEST-000004", 1 << 40)])),
        ("wanted", Kind::Wanted, bytes(&wire::Wanted { present })),
        ("chunk", Kind::Chunk, bytes(&wire::Chunk { file: 0, offset: 5, bytes: b"abc" })),
        ("installed", Kind::Installed, bytes(&installed)),
    ]
}

fn offer(files: &[(&'static str, i64)]) -> Bytes {
    let stored = StoredMembership::new(Some(log_id(AT)), membership());
    let membership = codec::encode_stored_membership(&stored);
    let files = files.iter().map(|(name, bytes)| wire::File { name, bytes: *bytes });
    bytes(&wire::Offer {
        vote: wire_vote(&leader()),
        applied: position(),
        membership: &membership,
        files: files.collect(),
    })
}

/// Checkpoints on their way, record by record: one that comes as a whole, and others that do
/// not.
pub fn checkpoints() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let sent = |files: &[(&'static str, i64)], chunks: &[(i64, &[u8])]| {
        let chunk = |(offset, part): &(i64, &[u8])| {
            bytes(&wire::Chunk { file: 0, offset: *offset, bytes: part }).to_vec()
        };
        std::iter::once(offer(files).to_vec()).chain(chunks.iter().map(chunk)).collect()
    };
    vec![
        ("whole", sent(&[("values", 8)], &[(0, b"12345"), (5, b"678"), (8, b"")])),
        ("too_short", sent(&[("values", 9)], &[(0, b"12345"), (5, b"")])),
        ("gap", sent(&[("values", 9)], &[(7, b"89")])),
        ("no_chunks", sent(&[("values", i64::MAX)], &[])),
        ("two_files", sent(&[("values", 1), ("more", 1)], &[])),
    ]
}
