//! Create, in all its modes.

use std::borrow::Cow;

use super::{Changes, Request};
use crate::{
    ChangeKind, State, acl,
    command::{AclEntry, CommandFlags, CreateMode, Permissions},
    ids::SessionId,
    nodes::{Fields, Kind, NewNode, NodeRef},
    outcome::{Reject, Reply},
    path,
};

/// What a create asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewZnode<'c> {
    pub(super) path: &'c str,
    pub(super) data: Option<&'c [u8]>,
    pub(super) acl: Option<&'c [AclEntry<'c>]>,
    pub(super) mode: CreateMode,
}

impl State {
    pub(super) fn create(
        &mut self,
        request: &Request<'_>,
        new: &NewZnode<'_>,
        changes: &mut Changes,
    ) -> Result<Reply, Reject> {
        if !new.mode.has_valid_ttl() {
            return Err(Reject::BadArguments);
        }
        if request.is_local() && is_ephemeral(new.mode) {
            return Err(Reject::EphemeralOnLocalSession);
        }
        self.check_session(request)?;
        let (kind, owner) = kind_and_owner(new.mode, request.session)?;
        let parent_path = path::parent_for_create(new.path)?;
        let acl = acl::fix_up(new.acl, request.identities, request.flags)?;
        let parent = self.nodes.find(parent_path).ok_or(Reject::NoNode)?;
        self.check_acl(request, parent, Permissions::CREATE)?;
        let path = self.full_path(parent, new);
        path::validate(&path)?;
        self.check_place(request, parent, &path, new.data)?;

        self.count_creation(request, parent);
        let acl = self.acls.intern(&acl);
        let fields = Fields { owner, acl, ..fresh_fields(request) };
        let node = self.insert_node(&NewNode { parent, path: &path, data: new.data, fields, kind });
        let stat = self.nodes.stat(node);
        changes.push(self.describe(ChangeKind::Created, node, &path));
        self.quota_after_create(&path, new.data.map_or(0, <[u8]>::len));
        Ok(Reply::Created { path: path.into(), stat })
    }

    /// Compat(sequence-number): the number of children ever created, as it was before this create.
    fn full_path<'c>(&self, parent: NodeRef, new: &NewZnode<'c>) -> Cow<'c, str> {
        if !is_sequential(new.mode) {
            return Cow::Borrowed(new.path);
        }
        let number = self.nodes.get(parent).fields.children_created;
        Cow::Owned(format!("{}{number:010}", new.path))
    }

    fn check_place(
        &self,
        request: &Request<'_>,
        parent: NodeRef,
        path: &str,
        data: Option<&[u8]>,
    ) -> Result<(), Reject> {
        let taken = path == "/" || self.nodes.child(parent, path::name_of(path)).is_some();
        if taken {
            return Err(Reject::NodeExists);
        }
        if self.nodes.get(parent).kind == Kind::Ephemeral {
            return Err(Reject::NoChildrenForEphemerals);
        }
        if request.flags.contains(CommandFlags::ENFORCE_QUOTA) {
            let bytes = i64::try_from(data.map_or(0, <[u8]>::len)).unwrap_or(i64::MAX);
            self.check_quota(request.flags, path, bytes, 1)?;
        }
        Ok(())
    }

    /// Compat(sequence-number): the counter sticks at its maximum, and with it the parent's pzxid.
    fn count_creation(&mut self, request: &Request<'_>, parent: NodeRef) {
        let zxid = request.zxid;
        self.change_fields(parent, |fields| {
            if let Some(created) = fields.children_created.checked_add(1) {
                fields.children_created = created;
                fields.pzxid = zxid;
            }
        });
    }
}

fn fresh_fields(request: &Request<'_>) -> Fields {
    Fields {
        czxid: request.zxid,
        mzxid: request.zxid,
        pzxid: request.zxid,
        ctime: request.time,
        mtime: request.time,
        ..Fields::default()
    }
}

/// How long it lives, and what that depends on. No session, no ephemerals.
fn kind_and_owner(mode: CreateMode, session: SessionId) -> Result<(Kind, i64), Reject> {
    match mode {
        CreateMode::Persistent | CreateMode::PersistentSequential => Ok((Kind::Persistent, 0)),
        CreateMode::Ephemeral | CreateMode::EphemeralSequential => {
            if session == SessionId::NONE {
                return Err(Reject::SessionExpired);
            }
            Ok((Kind::Ephemeral, session.0))
        }
        CreateMode::Container => Ok((Kind::Container, 0)),
        CreateMode::PersistentWithTtl { ttl_ms }
        | CreateMode::PersistentSequentialWithTtl { ttl_ms } => Ok((Kind::Ttl, ttl_ms)),
    }
}

const fn is_ephemeral(mode: CreateMode) -> bool {
    match mode {
        CreateMode::Ephemeral | CreateMode::EphemeralSequential => true,
        CreateMode::Persistent
        | CreateMode::PersistentSequential
        | CreateMode::Container
        | CreateMode::PersistentWithTtl { .. }
        | CreateMode::PersistentSequentialWithTtl { .. } => false,
    }
}

fn is_sequential(mode: CreateMode) -> bool {
    match mode {
        CreateMode::PersistentSequential
        | CreateMode::EphemeralSequential
        | CreateMode::PersistentSequentialWithTtl { .. } => true,
        CreateMode::Persistent
        | CreateMode::Ephemeral
        | CreateMode::Container
        | CreateMode::PersistentWithTtl { .. } => false,
    }
}
