//! Applying commands, one file an operation: check in ZooKeeper's order, change, and
//! describe the change. Nothing here knows who watches or how a reply is sent.

mod check;
mod config;
mod create;
mod delete;
mod multi;
mod reap;
mod sessions;
mod set_acl;
mod set_data;

use crate::{
    State,
    command::{Command, CommandFlags, Identity, Op, Permissions},
    ids::{Millis, Owner, SessionId, Zxid},
    nodes::NodeRef,
    outcome::{Change, Outcome, Reject, Reply},
};

use create::NewZnode;

/// Everything about a command but what it asks for.
#[derive(Clone, Copy, Debug)]
struct Request<'c> {
    zxid: Zxid,
    time: Millis,
    session: SessionId,
    owner: Owner,
    flags: CommandFlags,
    identities: &'c [Identity<'c>],
}

impl Request<'_> {
    /// Whether the session is known to its server only.
    const fn is_local(&self) -> bool {
        self.flags.contains(CommandFlags::LOCAL_SESSION)
    }
}

/// Where an operation describes its changes.
type Changes = Vec<Change>;

impl State {
    /// Applies one command as the next transaction. A rejection is an outcome like any
    /// other: the same on every server, and it takes a zxid too.
    pub fn apply(&mut self, time: Millis, command: &Command<'_>) -> Outcome {
        self.zxid = self.zxid.next();
        let request = Request {
            zxid: self.zxid,
            time,
            session: command.session,
            owner: command.owner,
            flags: command.flags,
            identities: &command.identities,
        };
        let mut changes = Vec::new();
        let result = self.perform(&request, &command.op, &mut changes);
        assert!(result.is_ok() || changes.is_empty(), "what is rejected changes nothing");
        self.note_digest();
        Outcome { zxid: request.zxid, result, changes }
    }

    fn perform(
        &mut self,
        request: &Request<'_>,
        op: &Op<'_>,
        changes: &mut Changes,
    ) -> Result<Reply, Reject> {
        match op {
            Op::Create { path, data, acl, mode } => {
                let new = NewZnode { path, data: *data, acl: acl.as_deref(), mode: *mode };
                self.create(request, &new, changes)
            }
            Op::Delete { path, version } => self.delete(request, path, *version, changes),
            Op::SetData { path, data, version } => {
                self.set_data(request, *path, *data, *version, changes)
            }
            Op::SetAcl { path, acl, version } => {
                self.set_acl(request, *path, acl.as_deref(), *version)
            }
            // The wire's check exists within a multi only; see `multi.rs`.
            Op::Check { .. } => Err(Reject::Unimplemented),
            Op::Multi(ops) => self.multi(request, ops, changes),
            Op::Reject(reject) => Err(*reject),
            Op::OpenSession { timeout_ms } => self.open_session(request, *timeout_ms),
            Op::AttachSession { timeout_ms, former } => {
                self.attach_session(request, *timeout_ms, *former)
            }
            Op::CloseSession => self.close_session(request, changes),
            Op::ExpireSession { session, owner, term } => {
                self.expire_session(request, (*session, *owner), *term, changes)
            }
            Op::Reconfig { refused, before } => self.reconfig(request, *refused, *before, changes),
            Op::Reap { path } => self.reap(request, path, changes),
        }
    }

    /// The session must be open, and the connection must be the one that owns it. For a local
    /// session the proposer has checked both.
    fn check_session(&self, request: &Request<'_>) -> Result<(), Reject> {
        if request.session == SessionId::NONE || request.is_local() {
            return Ok(());
        }
        let session = self.sessions.get(request.session).ok_or(Reject::SessionExpired)?;
        if session.owner == request.owner { Ok(()) } else { Err(Reject::SessionMoved) }
    }

    fn check_acl(
        &self,
        request: &Request<'_>,
        node: NodeRef,
        perm: Permissions,
    ) -> Result<(), Reject> {
        self.check_access(node, perm, request.identities, request.flags)
    }

    /// Whether any of `identities` may do any of `perm` to `node`.
    pub(crate) fn check_access(
        &self,
        node: NodeRef,
        perm: Permissions,
        identities: &[Identity<'_>],
        flags: CommandFlags,
    ) -> Result<(), Reject> {
        let acl = self.nodes.get(node).fields.acl;
        let permitted = acl == crate::acl::OPEN_ACL
            || flags.contains(CommandFlags::SKIP_ACL)
            || self.acls.list(acl).permits(perm, identities);
        if permitted { Ok(()) } else { Err(Reject::NoAuth) }
    }

    /// Describes a change of `node` at `path`.
    fn describe(&self, kind: crate::ChangeKind, node: NodeRef, path: &str) -> Change {
        let slot = self.nodes.get(node);
        let parent = if node == NodeRef::ROOT { node } else { slot.parent };
        Change {
            kind,
            path: path.into(),
            acl: self.acls.view(slot.fields.acl),
            parent_acl: self.acls.view(self.nodes.get(parent).fields.acl),
        }
    }
}

/// -1 matches every version.
fn check_version(expected: i32, current: i32) -> Result<(), Reject> {
    if expected == -1 || expected == current { Ok(()) } else { Err(Reject::BadVersion) }
}
