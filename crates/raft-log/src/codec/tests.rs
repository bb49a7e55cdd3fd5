//! Every operation comes back as it was; what is not an entry is refused.

use bytes::BytesMut;
use tree::{
    AclEntry, Command, CommandFlags, CreateMode, Former, Identity, Op, Owner, Permissions, Reject,
    SessionId, Zxid,
};

use super::*;

fn every_op() -> Vec<Op<'static>> {
    let acl = || Some(vec![AclEntry { perms: Permissions::ALL, scheme: "world", id: "anyone" }]);
    let create = |mode| Op::Create { path: "/a", data: Some(b"d"), acl: acl(), mode };
    vec![
        create(CreateMode::Persistent),
        create(CreateMode::Ephemeral),
        create(CreateMode::PersistentSequential),
        create(CreateMode::EphemeralSequential),
        create(CreateMode::Container),
        create(CreateMode::PersistentWithTtl { ttl_ms: 5 }),
        create(CreateMode::PersistentSequentialWithTtl { ttl_ms: -1 }),
        Op::Create { path: "", data: None, acl: None, mode: CreateMode::Persistent },
        Op::Delete { path: "/a", version: -1 },
        Op::SetData { path: None, data: None, version: 3 },
        Op::SetData { path: Some("/b"), data: Some(b""), version: 3 },
        Op::SetAcl { path: Some("/b"), acl: acl(), version: 0 },
        Op::SetAcl { path: None, acl: None, version: 0 },
        Op::Check { path: Some("/c"), version: 7 },
        Op::Multi(vec![]),
        Op::Multi(vec![Op::Delete { path: "/a", version: 1 }, Op::Reject(Reject::BadArguments)]),
        Op::Reject(Reject::ReconfigDisabled),
        Op::OpenSession { timeout_ms: 4000 },
        Op::AttachSession { timeout_ms: 4001, former: Former::Anybody },
        Op::AttachSession { timeout_ms: 4001, former: Former::Owner(Owner(u64::MAX)) },
        Op::AttachSession { timeout_ms: 4001, former: Former::Unknown },
        Op::CloseSession,
        Op::ExpireSession { session: SessionId(-5), owner: Owner(u64::MAX), term: None },
        Op::ExpireSession { session: SessionId(-5), owner: Owner(u64::MAX), term: Some(u64::MAX) },
        Op::Reap { path: "/gone" },
        Op::Reconfig { refused: None, before: Zxid(7) },
        Op::Reconfig { refused: Some(Reject::NewConfigNoQuorum), before: Zxid::ZERO },
    ]
}

fn entry(ops: Vec<Op<'static>>) -> (BytesMut, Batch<'static>) {
    let origin = OriginId { node: u64::MAX, incarnation: 2 };
    let mut out = BytesMut::new();
    begin_entry(&mut out, origin, 41, Millis(1234));
    let mut commands = Vec::new();
    for op in ops {
        let command = Command {
            session: SessionId(-1),
            owner: Owner(u64::MAX - 1),
            xid: -4,
            flags: CommandFlags(u32::MAX).without(CommandFlags::JUDGE_LIMITS),
            identities: vec![Identity { scheme: "ip", id: "127.0.0.1" }],
            op,
        };
        encode_command(&command, &mut out);
        commands.push(command);
    }
    end_entry(&mut out, u32::try_from(commands.len()).unwrap());
    (out, Batch { origin, first_sequence: 41, time: Millis(1234), commands })
}

#[test]
fn every_operation_comes_back_as_it_was() {
    let (bytes, batch) = entry(every_op());
    assert_eq!(count_commands(&bytes), batch.commands.len() as u64);
    assert_eq!(decode(&bytes), Ok(vec![batch]));
}

#[test]
fn entries_are_joined_to_one_with_all_their_batches() {
    let (first, first_batch) = entry(every_op());
    let (second, second_batch) = entry(vec![Op::CloseSession]);
    let (first, second) = (first.freeze(), second.freeze());
    assert_eq!(join_entries(std::slice::from_ref(&first)), first);

    let two = join_entries(&[first, second.clone()]);
    let three = join_entries(&[two, second]);
    assert_eq!(count_commands(&three), first_batch.commands.len() as u64 + 2);
    assert_eq!(time_made(&three), Millis(1234));
    assert_eq!(origin(&three), None, "it has several");
    assert_eq!(decode(&three), Ok(vec![first_batch, second_batch.clone(), second_batch]));
}

/// What version 1 of the log had, as bytes: attachments from anybody stay as they were.
#[test]
fn an_attachment_of_the_first_version_is_read_as_it_was() {
    let (bytes, batch) =
        entry(vec![Op::AttachSession { timeout_ms: 4001, former: Former::Anybody }]);
    let op = [0, 0, 0, 9, 0, 0, 0, 4, 0, 0, 0x0f, 0xa1];
    assert_eq!(bytes[bytes.len() - op.len()..], op);
    assert_eq!(decode(&bytes), Ok(vec![batch]));
    let (bytes, _) =
        entry(vec![Op::AttachSession { timeout_ms: 4001, former: Former::Owner(Owner(5)) }]);
    let op = [0, 0, 0, 14, 0, 0, 0, 13, 0, 0, 0x0f, 0xa1, 1, 0, 0, 0, 0, 0, 0, 0, 5];
    assert_eq!(bytes[bytes.len() - op.len()..], op);
}

/// The same of the ends of sessions: those that name no term stay as they were.
#[test]
fn an_expiry_of_the_first_version_is_read_as_it_was() {
    let expire = |term| Op::ExpireSession { session: SessionId(6), owner: Owner(5), term };
    let (bytes, batch) = entry(vec![expire(None)]);
    let body = [0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 5];
    assert_eq!(bytes[bytes.len() - 24..], [&[0, 0, 0, 11, 0, 0, 0, 16], &body[..]].concat());
    assert_eq!(decode(&bytes), Ok(vec![batch]));
    let (bytes, batch) = entry(vec![expire(Some(7))]);
    let term = [0, 0, 0, 0, 0, 0, 0, 7];
    let op = [&[0, 0, 0, 15, 0, 0, 0, 24], &body[..], &term].concat();
    assert_eq!(bytes[bytes.len() - 32..], op);
    assert_eq!(decode(&bytes), Ok(vec![batch]));
}

fn encoded(batch: &Batch<'_>) -> Bytes {
    let mut out = BytesMut::new();
    begin_entry(&mut out, batch.origin, batch.first_sequence, batch.time);
    for command in &batch.commands {
        encode_command(command, &mut out);
    }
    end_entry(&mut out, u32::try_from(batch.commands.len()).unwrap());
    out.freeze()
}

/// Else an older leader would break the connection, and an older follower stop.
#[test]
fn a_server_of_an_older_version_gets_what_it_can_read() {
    let attach = |former| Op::AttachSession { timeout_ms: 4001, former };
    let (new, _) = entry(vec![Op::CloseSession, attach(Former::Owner(Owner(5)))]);
    let (unknown, _) = entry(vec![Op::CloseSession, attach(Former::Unknown)]);
    let (old, old_batch) = entry(vec![Op::CloseSession, attach(Former::Anybody)]);
    let (new, old) = (new.freeze(), old.freeze());
    for version in [1, 2] {
        assert_eq!(*readable_by(version, &new), old);
        assert_eq!(*readable_by(version, &unknown.clone().freeze()), old);
        assert_eq!(*readable_by(version, &old), old);
    }
    assert_eq!(*readable_by(3, &new), new);
    let mut judging = old_batch.clone();
    for command in &mut judging.commands {
        command.flags = command.flags.with(CommandFlags::JUDGE_LIMITS);
    }
    let judging = encoded(&judging);
    assert_eq!(*readable_by(2, &judging), old);
    assert_eq!(*readable_by(3, &judging), judging);
    let joined = join_entries(&[new, old]);
    assert_eq!(decode(&readable_by(2, &joined)), Ok(vec![old_batch.clone(), old_batch]));
}

/// The version before the last one gets what it can read, and no less than that.
#[test]
fn a_server_that_knows_no_terms_gets_the_end_of_a_session_without() {
    let expire = |term| Op::ExpireSession { session: SessionId(6), owner: Owner(5), term };
    let attach = |former| Op::AttachSession { timeout_ms: 4001, former };
    let said = |former, term| entry(vec![attach(former), expire(term)]).0.freeze();
    let new = said(Former::Unknown, Some(7));
    assert_eq!(*readable_by(4, &new), new);
    assert_eq!(*readable_by(3, &new), said(Former::Unknown, None));
    for version in [1, 2] {
        assert_eq!(*readable_by(version, &new), said(Former::Anybody, None));
    }
}

#[test]
fn an_entry_that_miscounts_its_commands_is_refused() {
    let (mut bytes, _) = entry(vec![Op::CloseSession]);
    bytes[COMMANDS_AT + 3] = 2;
    assert_eq!(decode(&bytes), Err(CodecError::Count { found: 1, said: 2 }));
}

#[test]
fn what_is_cut_short_is_refused() {
    let (bytes, _) = entry(every_op());
    for cut in 0..bytes.len() {
        assert!(decode(&bytes[..cut]).is_err(), "{cut} bytes are no entry");
    }
}

#[test]
fn another_format_is_refused_by_name() {
    let (mut bytes, _) = entry(vec![]);
    bytes[3] = 2;
    assert_eq!(decode(&bytes), Err(CodecError::Format(2)));
}

#[test]
fn a_multi_within_a_multi_is_refused() {
    let (bytes, _) = entry(vec![Op::Multi(vec![Op::Multi(vec![])])]);
    assert_eq!(decode(&bytes), Err(CodecError::Nested));
}

/// Else one entry of a few bytes would be two thousand million commands, and a checkpoint due at
/// once. A batch's own number is read as that of an empty list, or refused.
#[test]
fn a_negative_number_of_commands_counts_as_none() {
    for count in [-1_i32, -2, i32::MIN] {
        let (mut bytes, _) = entry(vec![]);
        bytes[BATCH_COMMANDS_AT..].copy_from_slice(&count.to_be_bytes());
        let read = decode(&bytes).map(|batches| batches[0].commands.len());
        // -1 is no list at all, which is refused here.
        assert_eq!(read.ok(), (count < -1).then_some(0), "{count}");
        assert_eq!(count_commands(&bytes), 0, "{count}");
        bytes[COMMANDS_AT..BATCHES_AT].copy_from_slice(&count.to_be_bytes());
        assert_eq!(count_commands(&bytes), 0, "{count}");
        assert!(decode(&bytes).is_err(), "{count}");
    }
}
