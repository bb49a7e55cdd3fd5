//! What a request means: from the bytes of a frame to an [`Action`].
//!
//! The wire's records end here. Everything that ZooKeeper decides before it looks at its
//! data is decided here, in its order: operations that are not offered, create flags, null
//! paths, modes and types of watches. What takes a zxid in ZooKeeper goes to the log as a
//! rejection, so that it takes one here; a body that cannot be decoded does not.

mod create;
mod multi;
#[cfg(test)]
mod tests;

use jute::Record;
use proto::{
    Acl, CreateRequest, CreateTtlRequest, OpCode, ReconfigRequest, Request, RequestHeader,
};
use tree::{AclEntry, Op, Permissions, Query, Reject, Zxid};

use crate::{
    action::{Action, Local, Read, ReadWatch, Reconfig, Refusal, SetWatches, Settings, StatPart},
    watch::{AddWatchMode, WatcherType},
};

pub use crate::action::ReplyShape;

use create::{Create, CreateKind};

/// A request that was understood, if only as an error.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed<'a> {
    /// The client's number for it, which goes back with the reply whatever it is.
    pub xid: i32,
    /// What to do.
    pub action: Action<'a>,
}

/// Understands the payload of one frame of an established connection.
pub fn parse<'a>(frame: &'a [u8], settings: &Settings) -> Parsed<'a> {
    let Ok((body, header)) = RequestHeader::decode(frame) else {
        return Parsed { xid: 0, action: Action::Close };
    };
    let action = match Request::decode(header.op, body) {
        Ok(request) => action(request, settings),
        Err(_) => undecodable(header.op),
    };
    Parsed { xid: header.xid, action }
}

/// What a request whose body cannot be decoded comes to.
fn undecodable<'a>(op: i32) -> Action<'a> {
    if op == OpCode::Auth.code() || op == OpCode::Sasl.code() {
        // Compat(undecodable): these are read before there is anybody to answer.
        Action::Close
    } else if op == OpCode::Multi.code() {
        // Compat(undecodable): of all undecodable requests only a multi takes a zxid.
        rejected(Reject::Marshalling)
    } else {
        Action::Local(Local::Refuse(Refusal::MARSHALLING))
    }
}

/// What a decoded request comes to.
fn action<'a>(request: Request<'a>, settings: &Settings) -> Action<'a> {
    match request {
        Request::Create(r) => create(CreateKind::Create, r, settings),
        Request::Create2(r) => create(CreateKind::Create2, r, settings),
        Request::CreateContainer(r) => create(CreateKind::Container, r, settings),
        Request::CreateTtl(r) => create_ttl(r, settings),
        Request::Delete(r) => match r.path {
            Some(path) => write(Op::Delete { path, version: r.version }, ReplyShape::Empty),
            None => rejected(Reject::Marshalling),
        },
        Request::SetData(r) => {
            let op = Op::SetData { path: r.path, data: r.data, version: r.version };
            write(op, ReplyShape::Stat)
        }
        Request::SetAcl(r) => {
            let op = Op::SetAcl { path: r.path, acl: entries(r.acl), version: r.version };
            write(op, ReplyShape::Stat)
        }
        Request::Multi(r) => multi::writes(r, settings),
        Request::MultiRead(r) => Action::Local(multi::reads(&r)),
        Request::Reconfig(r) if settings.reconfig_enabled => reconfig(r),
        Request::Reconfig(_) => rejected(Reject::ReconfigDisabled),
        Request::CloseSession => write(Op::CloseSession, ReplyShape::Empty),
        Request::Exists(r) => read(exists(r.path, r.watch)),
        Request::GetData(r) => read(get_data(r.path, r.watch)),
        Request::GetChildren(r) => read(get_children(r.path, r.watch, StatPart::Left)),
        Request::GetChildren2(r) => read(get_children(r.path, r.watch, StatPart::Sent)),
        Request::GetAcl(r) => read(r.path.map(|path| plain_read(Query::GetAcl { path }))),
        Request::GetAllChildrenNumber(r) => {
            read(r.path.map(|path| plain_read(Query::CountDescendants { path })))
        }
        Request::GetEphemerals(r) => Action::Local(Local::Ephemerals { prefix: r.prefix_path }),
        Request::Sync(r) => Action::Local(Local::Sync { path: r.path }),
        Request::Ping => Action::Local(Local::Ping),
        Request::WhoAmI => Action::Local(Local::WhoAmI),
        Request::SetWatches(r) => Action::Local(set_watches(
            r.relative_zxid,
            [r.data_watches, r.exist_watches, r.child_watches, Some(vec![]), Some(vec![])],
        )),
        Request::SetWatches2(r) => Action::Local(set_watches(
            r.relative_zxid,
            [
                r.data_watches,
                r.exist_watches,
                r.child_watches,
                r.persistent_watches,
                r.persistent_recursive_watches,
            ],
        )),
        Request::AddWatch(r) => Action::Local(add_watch(r.path, r.mode)),
        Request::RemoveWatches(r) => Action::Local(match watcher_type(r.kind) {
            Some(kind) => Local::RemoveWatches { path: watched(r.path), kind },
            None => Local::Refuse(Refusal::MARSHALLING),
        }),
        Request::CheckWatches(r) => Action::Local(match watcher_type(r.kind) {
            Some(kind) => Local::CheckWatches { path: watched(r.path), kind },
            None => Local::Refuse(Refusal::MARSHALLING),
        }),
        Request::Sasl(r) => match r.token {
            Some(_) => Action::Local(Local::Sasl),
            // Compat(null-token): the fault that a null token causes in ZooKeeper ends the
            // connection.
            None => Action::Close,
        },
        Request::Auth(r) => match r.scheme {
            Some(scheme) => Action::Auth { scheme, data: r.auth },
            None => Action::Local(Local::Refuse(Refusal::AUTH_FAILED)),
        },
        // Operations of servers among themselves are as unknown as any other number.
        Request::Unknown(_) => Action::Local(Local::Refuse(Refusal::UNKNOWN_OPERATION)),
    }
}

const fn write<'a>(op: Op<'a>, shape: ReplyShape) -> Action<'a> {
    Action::Write { op, shape }
}

/// A request that is known to fail and takes a zxid nevertheless.
const fn rejected<'a>(reject: Reject) -> Action<'a> {
    write(Op::Reject(reject), ReplyShape::Empty)
}

fn create<'a>(kind: CreateKind, r: CreateRequest<'a>, settings: &Settings) -> Action<'a> {
    let shape = match kind {
        CreateKind::Create => ReplyShape::Path,
        CreateKind::Create2 | CreateKind::Container | CreateKind::Ttl { .. } => {
            ReplyShape::PathAndStat
        }
    };
    write(plain_create(kind, r).into_op(settings), shape)
}

fn create_ttl<'a>(r: CreateTtlRequest<'a>, settings: &Settings) -> Action<'a> {
    write(ttl_create(r).into_op(settings), ReplyShape::PathAndStat)
}

fn plain_create<'a>(kind: CreateKind, r: CreateRequest<'a>) -> Create<'a> {
    Create { kind, path: r.path, data: r.data, acl: entries(r.acl), flags: r.flags }
}

fn ttl_create<'a>(r: CreateTtlRequest<'a>) -> Create<'a> {
    let kind = CreateKind::Ttl { ttl_ms: r.ttl };
    Create { kind, path: r.path, data: r.data, acl: entries(r.acl), flags: r.flags }
}

const fn reconfig<'a>(r: ReconfigRequest<'a>) -> Action<'a> {
    Action::Reconfig(Reconfig {
        joining: r.joining_servers,
        leaving: r.leaving_servers,
        members: r.new_members,
        version: r.current_config_id,
    })
}

/// An ACL as the tree takes it. A null scheme or id is an empty one: invalid as well.
fn entries<'a>(acl: Option<Vec<Acl<'a>>>) -> Option<Vec<AclEntry<'a>>> {
    let entry = |acl: Acl<'a>| AclEntry {
        perms: Permissions(acl.perms),
        scheme: acl.id.scheme.unwrap_or_default(),
        id: acl.id.id.unwrap_or_default(),
    };
    Some(acl?.into_iter().map(entry).collect())
}

/// A read, unless its path is null.
fn read(read: Option<Read<'_>>) -> Action<'_> {
    Action::Local(read.map_or(Local::Refuse(Refusal::MARSHALLING), Local::Read))
}

const fn plain_read(query: Query<'_>) -> Read<'_> {
    Read { query, watch: ReadWatch::None, stat: StatPart::Sent }
}

fn exists(path: Option<&str>, watch: bool) -> Option<Read<'_>> {
    let watch = if watch { ReadWatch::DataIfReadOrMissing } else { ReadWatch::None };
    Some(Read { query: Query::Exists { path: path? }, watch, stat: StatPart::Sent })
}

fn get_data(path: Option<&str>, watch: bool) -> Option<Read<'_>> {
    let watch = if watch { ReadWatch::DataIfRead } else { ReadWatch::None };
    Some(Read { query: Query::GetData { path: path? }, watch, stat: StatPart::Sent })
}

fn get_children(path: Option<&str>, watch: bool, stat: StatPart) -> Option<Read<'_>> {
    let watch = if watch { ReadWatch::ChildIfRead } else { ReadWatch::None };
    Some(Read { query: Query::GetChildren { path: path? }, watch, stat })
}

fn add_watch(path: Option<&str>, mode: i32) -> Local<'_> {
    let mode = match mode {
        0 => AddWatchMode::Persistent,
        1 => AddWatchMode::PersistentRecursive,
        _ => return Local::Refuse(Refusal::MARSHALLING),
    };
    Local::AddWatch { path: watched(path), mode }
}

/// The lists up to one that is null, in the order in which they are dealt with.
fn set_watches(last_seen: i64, lists: [Option<Vec<&str>>; 5]) -> Local<'_> {
    let fails_at_end = lists.iter().any(Option::is_none);
    let mut lists = lists.into_iter().map_while(|list| list).fuse();
    let mut next = || lists.next().unwrap_or_default();
    Local::SetWatches(SetWatches {
        last_seen: Zxid(last_seen),
        data: next(),
        exist: next(),
        child: next(),
        persistent: next(),
        recursive: next(),
        fails_at_end,
    })
}

/// Compat(watch-anything): watches can be set on anything, a null path included; nothing ever
/// happens to it, so the empty path, to which nothing happens either, stands for it.
fn watched(path: Option<&str>) -> &str {
    path.unwrap_or_default()
}

const fn watcher_type(number: i32) -> Option<WatcherType> {
    Some(match number {
        1 => WatcherType::Children,
        2 => WatcherType::Data,
        3 => WatcherType::Any,
        4 => WatcherType::Persistent,
        5 => WatcherType::PersistentRecursive,
        _ => return None,
    })
}
