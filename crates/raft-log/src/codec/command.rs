//! One command and its operation.

use bytes::BytesMut;
use jute::Record;
use tree::{
    AclEntry, Command, CommandFlags, CreateMode, Former, Identity, Op, Owner, Permissions,
    SessionId, Zxid,
};

use super::{CodecError, reject};
use crate::generated::command as wire;

/// The numbers of the operations.
mod kind {
    pub(super) const CREATE: i32 = 1;
    pub(super) const DELETE: i32 = 2;
    pub(super) const SET_DATA: i32 = 3;
    pub(super) const SET_ACL: i32 = 4;
    pub(super) const CHECK: i32 = 5;
    pub(super) const MULTI: i32 = 6;
    pub(super) const REJECT: i32 = 7;
    pub(super) const OPEN_SESSION: i32 = 8;
    pub(super) const ATTACH_SESSION: i32 = 9;
    pub(super) const CLOSE_SESSION: i32 = 10;
    pub(super) const EXPIRE_SESSION: i32 = 11;
    pub(super) const REAP: i32 = 12;
    pub(super) const RECONFIG: i32 = 13;
    pub(super) const MOVE_SESSION: i32 = 14;
    pub(super) const EXPIRE_IN_TERM: i32 = 15;
}

/// Appends a command.
pub(crate) fn encode_command(command: &Command<'_>, out: &mut BytesMut) {
    jute::put_long(out, command.session.0);
    jute::put_long(out, command.owner.0.cast_signed());
    jute::put_int(out, command.xid);
    jute::put_int(out, command.flags.0.cast_signed());
    jute::put_vector(out, &command.identities, |out, identity| {
        jute::put_ustring(out, identity.scheme);
        jute::put_ustring(out, identity.id);
    });
    encode_op(&command.op, out);
}

/// The kind, then the record behind its length, which is filled in afterwards.
fn encode_op(op: &Op<'_>, out: &mut BytesMut) {
    jute::put_int(out, number(op));
    let length_at = out.len();
    jute::put_int(out, 0);
    encode_body(op, out);
    let length = out.len() - length_at - 4;
    let length = u32::try_from(length).expect("an operation is shorter than 4 GiB");
    out[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
}

const fn number(op: &Op<'_>) -> i32 {
    match op {
        Op::Create { .. } => kind::CREATE,
        Op::Delete { .. } => kind::DELETE,
        Op::SetData { .. } => kind::SET_DATA,
        Op::SetAcl { .. } => kind::SET_ACL,
        Op::Check { .. } => kind::CHECK,
        Op::Multi(_) => kind::MULTI,
        Op::Reject(_) => kind::REJECT,
        Op::OpenSession { .. } => kind::OPEN_SESSION,
        Op::AttachSession { former: Former::Anybody, .. } => kind::ATTACH_SESSION,
        Op::AttachSession { former: Former::Owner(_) | Former::Unknown, .. } => kind::MOVE_SESSION,
        Op::CloseSession => kind::CLOSE_SESSION,
        Op::ExpireSession { term: None, .. } => kind::EXPIRE_SESSION,
        Op::ExpireSession { term: Some(_), .. } => kind::EXPIRE_IN_TERM,
        Op::Reap { .. } => kind::REAP,
        Op::Reconfig { .. } => kind::RECONFIG,
    }
}

fn encode_body(op: &Op<'_>, out: &mut BytesMut) {
    match op {
        Op::Create { path, data, acl, mode } => {
            let (mode, ttl) = mode_numbers(*mode);
            wire::Create { path, data: *data, acl: acl.as_deref().map(wire_acl), mode, ttl }
                .encode(out);
        }
        Op::Delete { path, version } => wire::Delete { path, version: *version }.encode(out),
        Op::SetData { path, data, version } => {
            wire::SetData { path: *path, data: *data, version: *version }.encode(out);
        }
        Op::SetAcl { path, acl, version } => {
            let acl = acl.as_deref().map(wire_acl);
            wire::SetAcl { path: *path, acl, version: *version }.encode(out);
        }
        Op::Check { path, version } => {
            wire::Check { path: *path, version: *version }.encode(out);
        }
        Op::Multi(ops) => jute::put_vector(out, ops, |out, op| encode_op(op, out)),
        Op::Reject(reason) => wire::Reject { reason: reject::number(*reason) }.encode(out),
        Op::OpenSession { timeout_ms } => wire::OpenSession { timeout: *timeout_ms }.encode(out),
        Op::AttachSession { timeout_ms, former } => encode_attach(*timeout_ms, *former, out),
        Op::CloseSession => {}
        Op::ExpireSession { session, owner, term } => encode_expire(*session, *owner, *term, out),
        Op::Reap { path } => wire::Reap { path }.encode(out),
        Op::Reconfig { refused, before } => {
            let reason = refused.map_or(0, reject::number);
            wire::Reconfig { reason, before: before.0 }.encode(out);
        }
    }
}

/// Reads a command.
pub(super) fn command(record: wire::Command<'_>) -> Result<Command<'_>, CodecError> {
    Ok(Command {
        session: SessionId(record.session),
        owner: Owner(record.owner.cast_unsigned()),
        xid: record.xid,
        flags: CommandFlags(record.flags.cast_unsigned()),
        identities: record
            .identities
            .into_iter()
            .map(|identity| Identity { scheme: identity.scheme, id: identity.id })
            .collect(),
        op: op(record.op)?,
    })
}

fn op(record: wire::Op<'_>) -> Result<Op<'_>, CodecError> {
    if record.kind == kind::MULTI {
        let multi = wire::Multi::from_exact_bytes(record.body)?;
        return multi.ops.into_iter().map(element).collect::<Result<_, _>>().map(Op::Multi);
    }
    element(record)
}

/// Any operation but a multi.
fn element(record: wire::Op<'_>) -> Result<Op<'_>, CodecError> {
    let body = record.body;
    Ok(match record.kind {
        kind::CREATE => {
            let create = wire::Create::from_exact_bytes(body)?;
            Op::Create {
                path: create.path,
                data: create.data,
                acl: create.acl.map(entries),
                mode: mode(create.mode, create.ttl)?,
            }
        }
        kind::DELETE => {
            let wire::Delete { path, version } = Record::from_exact_bytes(body)?;
            Op::Delete { path, version }
        }
        kind::SET_DATA => {
            let wire::SetData { path, data, version } = Record::from_exact_bytes(body)?;
            Op::SetData { path, data, version }
        }
        kind::SET_ACL => {
            let wire::SetAcl { path, acl, version } = Record::from_exact_bytes(body)?;
            Op::SetAcl { path, acl: acl.map(entries), version }
        }
        kind::CHECK => {
            let wire::Check { path, version } = Record::from_exact_bytes(body)?;
            Op::Check { path, version }
        }
        kind::REJECT => Op::Reject(reject::reject(wire::Reject::from_exact_bytes(body)?.reason)?),
        kind::OPEN_SESSION => {
            Op::OpenSession { timeout_ms: wire::OpenSession::from_exact_bytes(body)?.timeout }
        }
        kind::ATTACH_SESSION => {
            let wire::AttachSession { timeout } = Record::from_exact_bytes(body)?;
            Op::AttachSession { timeout_ms: timeout, former: Former::Anybody }
        }
        kind::MOVE_SESSION => {
            let wire::MoveSession { timeout, known, former } = Record::from_exact_bytes(body)?;
            let former =
                if known { Former::Owner(Owner(former.cast_unsigned())) } else { Former::Unknown };
            Op::AttachSession { timeout_ms: timeout, former }
        }
        kind::CLOSE_SESSION => Op::CloseSession,
        kind::EXPIRE_SESSION => {
            let wire::ExpireSession { session, owner } = Record::from_exact_bytes(body)?;
            let (session, owner) = (SessionId(session), Owner(owner.cast_unsigned()));
            Op::ExpireSession { session, owner, term: None }
        }
        kind::EXPIRE_IN_TERM => {
            let wire::ExpireInTerm { session, owner, term } = Record::from_exact_bytes(body)?;
            let (session, owner) = (SessionId(session), Owner(owner.cast_unsigned()));
            Op::ExpireSession { session, owner, term: Some(term.cast_unsigned()) }
        }
        kind::REAP => Op::Reap { path: wire::Reap::from_exact_bytes(body)?.path },
        kind::RECONFIG => {
            let wire::Reconfig { reason, before } = Record::from_exact_bytes(body)?;
            let refused = (reason != 0).then(|| reject::reject(reason)).transpose()?;
            Op::Reconfig { refused, before: Zxid(before) }
        }
        kind::MULTI => return Err(CodecError::Nested),
        number => return Err(CodecError::Unknown { what: "operation", number }),
    })
}

fn encode_attach(timeout: i32, former: Former, out: &mut BytesMut) {
    let (known, former) = match former {
        Former::Anybody => return wire::AttachSession { timeout }.encode(out),
        Former::Owner(owner) => (true, owner.0.cast_signed()),
        Former::Unknown => (false, 0),
    };
    wire::MoveSession { timeout, known, former }.encode(out);
}

fn encode_expire(session: SessionId, owner: Owner, term: Option<u64>, out: &mut BytesMut) {
    let (session, owner) = (session.0, owner.0.cast_signed());
    match term.map(u64::cast_signed) {
        None => wire::ExpireSession { session, owner }.encode(out),
        Some(term) => wire::ExpireInTerm { session, owner, term }.encode(out),
    }
}

fn wire_acl<'a>(acl: &[AclEntry<'a>]) -> Vec<wire::AclEntry<'a>> {
    let entry = |entry: &AclEntry<'a>| wire::AclEntry {
        perms: entry.perms.0,
        scheme: entry.scheme,
        id: entry.id,
    };
    acl.iter().map(entry).collect()
}

fn entries<'a>(acl: Vec<wire::AclEntry<'a>>) -> Vec<AclEntry<'a>> {
    let entry = |entry: wire::AclEntry<'a>| AclEntry {
        perms: Permissions(entry.perms),
        scheme: entry.scheme,
        id: entry.id,
    };
    acl.into_iter().map(entry).collect()
}

/// The mode as a number (those of the wire's create flags), and the time to live.
const fn mode_numbers(mode: CreateMode) -> (i32, i64) {
    match mode {
        CreateMode::Persistent => (0, 0),
        CreateMode::Ephemeral => (1, 0),
        CreateMode::PersistentSequential => (2, 0),
        CreateMode::EphemeralSequential => (3, 0),
        CreateMode::Container => (4, 0),
        CreateMode::PersistentWithTtl { ttl_ms } => (5, ttl_ms),
        CreateMode::PersistentSequentialWithTtl { ttl_ms } => (6, ttl_ms),
    }
}

const fn mode(number: i32, ttl_ms: i64) -> Result<CreateMode, CodecError> {
    Ok(match number {
        0 => CreateMode::Persistent,
        1 => CreateMode::Ephemeral,
        2 => CreateMode::PersistentSequential,
        3 => CreateMode::EphemeralSequential,
        4 => CreateMode::Container,
        5 => CreateMode::PersistentWithTtl { ttl_ms },
        6 => CreateMode::PersistentSequentialWithTtl { ttl_ms },
        number => return Err(CodecError::Unknown { what: "create mode", number }),
    })
}
