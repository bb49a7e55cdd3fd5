//! What clients ask: which requests there are, and how they look.

use proto::{
    Acl, AddWatchRequest, CreateRequest, DeleteRequest, ExistsRequest, GetChildrenRequest,
    GetDataRequest, Id, Request, SetDataRequest, SetWatches2, SyncRequest, xid,
};
use tree::Zxid;

use crate::checks::watches::{Kind, Watches};

/// What all clients share.
pub(super) const SHARED: &str = "/shared";

/// A request, and what its answer is checked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The parent of what all share.
    CreateShared,
    /// The znode that only this client writes.
    CreateOwn,
    SetOwn,
    ReadOwn,
    /// An ephemeral that only this client knows.
    CreateEphemeral(String),
    DeleteEphemeral(String),
    ReadEphemeral(String),
    /// An ephemeral of a session that has ended.
    ReadGone(String),
    /// Something that all write.
    Create(String, bool),
    Delete(String),
    Set(String),
    GetData(String, bool),
    Exists(String, bool),
    GetChildren(bool),
    AddWatch(String, bool),
    SetWatches(Zxid, Vec<(Kind, Vec<String>)>),
    Sync,
    Ping,
    Close,
}

impl Asked {
    /// `setWatches`, for a client that saw so much.
    pub(super) fn set_watches(watches: &Watches, seen: Zxid) -> Self {
        Self::SetWatches(seen, Kind::ALL.map(|kind| (kind, watches.paths(kind))).to_vec())
    }

    /// Whether it goes through the log.
    pub(super) const fn is_write(&self) -> bool {
        match self {
            Self::CreateShared
            | Self::CreateOwn
            | Self::SetOwn
            | Self::CreateEphemeral(_)
            | Self::DeleteEphemeral(_)
            | Self::Create(..)
            | Self::Delete(_)
            | Self::Set(_)
            | Self::Close => true,
            Self::ReadOwn
            | Self::ReadEphemeral(_)
            | Self::ReadGone(_)
            | Self::GetData(..)
            | Self::Exists(..)
            | Self::GetChildren(_)
            | Self::AddWatch(..)
            | Self::SetWatches(..)
            | Self::Sync
            | Self::Ping => false,
        }
    }

    /// The number that goes with it, unless that is its own.
    pub(super) const fn xid(&self, next: i32) -> i32 {
        if matches!(self, Self::Ping) {
            xid::PING
        } else if matches!(self, Self::SetWatches(..)) {
            xid::SET_WATCHES
        } else {
            next
        }
    }

    /// As it goes over the wire; `own` is the client's znode.
    pub(super) fn request<'a>(&'a self, own: &'a str) -> Request<'a> {
        match self {
            Self::CreateShared => create(SHARED, false),
            Self::CreateOwn => create(own, false),
            Self::SetOwn => set(own),
            Self::ReadOwn => get(own, false),
            Self::CreateEphemeral(path) => create(path, true),
            Self::DeleteEphemeral(path) | Self::Delete(path) => {
                Request::Delete(DeleteRequest { path: Some(path), version: -1 })
            }
            Self::ReadEphemeral(path) | Self::ReadGone(path) => get(path, false),
            Self::Create(path, is_ephemeral) => create(path, *is_ephemeral),
            Self::Set(path) => set(path),
            Self::GetData(path, watch) => get(path, *watch),
            Self::Exists(path, watch) => {
                Request::Exists(ExistsRequest { path: Some(path), watch: *watch })
            }
            Self::GetChildren(watch) => {
                Request::GetChildren(GetChildrenRequest { path: Some(SHARED), watch: *watch })
            }
            Self::AddWatch(path, is_recursive) => {
                let mode = i32::from(*is_recursive);
                Request::AddWatch(AddWatchRequest { path: Some(path), mode })
            }
            Self::SetWatches(seen, lists) => set_watches(*seen, lists),
            Self::Sync => Request::Sync(SyncRequest { path: Some("/") }),
            Self::Ping => Request::Ping,
            Self::Close => Request::CloseSession,
        }
    }
}

fn create(path: &str, is_ephemeral: bool) -> Request<'_> {
    let anyone = Acl { perms: 31, id: Id { scheme: Some("world"), id: Some("anyone") } };
    Request::Create(CreateRequest {
        path: Some(path),
        data: Some(b"data"),
        acl: Some(vec![anyone]),
        flags: i32::from(is_ephemeral),
    })
}

fn set(path: &str) -> Request<'_> {
    Request::SetData(SetDataRequest { path: Some(path), data: Some(b"more"), version: -1 })
}

fn get(path: &str, watch: bool) -> Request<'_> {
    Request::GetData(GetDataRequest { path: Some(path), watch })
}

fn set_watches(seen: Zxid, lists: &[(Kind, Vec<String>)]) -> Request<'_> {
    let list = |kind: Kind| {
        let of_kind = lists.iter().filter(move |(one, _)| *one == kind);
        Some(of_kind.flat_map(|(_, paths)| paths.iter().map(String::as_str)).collect())
    };
    Request::SetWatches2(SetWatches2 {
        relative_zxid: seen.0,
        data_watches: list(Kind::Data),
        exist_watches: list(Kind::Exist),
        child_watches: list(Kind::Child),
        persistent_watches: list(Kind::Persistent),
        persistent_recursive_watches: list(Kind::Recursive),
    })
}
