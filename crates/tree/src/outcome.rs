//! What applying a command comes to: a reply, and what changed for those who watch.

use std::sync::Arc;

use thiserror::Error;

use crate::{
    ids::{SessionId, Zxid},
    stat::Stat,
};

/// The result of one command, the same on every server.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The zxid that the command took. Rejected commands take one as well.
    pub zxid: Zxid,
    /// What to tell the client.
    pub result: Result<Reply, Reject>,
    /// What changed, in the order in which events must be sent.
    pub changes: Vec<Change>,
}

/// What to tell the client whose command succeeded.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A create: the real path, with its sequence number, and the new Stat.
    Created {
        /// Full path.
        path: Box<str>,
        /// Right after the creation.
        stat: Stat,
    },
    /// A delete, or a check within a multi.
    Done,
    /// A setData or setACL: the Stat right after it.
    Stat(Stat),
    /// A reconfig: the text of the configuration, and its Stat.
    Config {
        /// As `getData` of `/zookeeper/config` gives it.
        data: Box<[u8]>,
        /// Likewise.
        stat: Stat,
    },
    /// A multi, whether it succeeded or not.
    Multi(MultiOutcome),
    /// A session was opened or attached.
    Attached {
        /// Its timeout.
        timeout_ms: i32,
    },
    /// A session was closed by its client or ended by the leader.
    Closed(SessionId),
}

/// The result of a multi.
#[derive(Clone, Debug, PartialEq)]
pub enum MultiOutcome {
    /// Everything was applied: one reply per element.
    Applied(Vec<Reply>),
    /// Nothing was applied, because of the element at `index` (of `len`).
    Failed {
        /// Which element failed, from 0.
        index: usize,
        /// How many elements there were.
        len: usize,
        /// Why it failed.
        reject: Reject,
    },
}

/// Why a command or a query was refused. Part of the replicated result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Reject {
    /// The znode or its parent does not exist.
    #[error("no such znode")]
    NoNode,
    /// The ACL does not permit it.
    #[error("not permitted by the ACL")]
    NoAuth,
    /// The version is not the expected one.
    #[error("version does not match")]
    BadVersion,
    /// An ephemeral cannot have children.
    #[error("the parent is an ephemeral")]
    NoChildrenForEphemerals,
    /// The znode exists already.
    #[error("the znode exists")]
    NodeExists,
    /// The znode has children.
    #[error("the znode has children")]
    NotEmpty,
    /// The ACL list is empty, null, or has an invalid entry.
    #[error("invalid ACL")]
    InvalidAcl,
    /// The path, the flags or the TTL are not valid.
    #[error("bad arguments")]
    BadArguments,
    /// The request could not be understood.
    #[error("request could not be decoded")]
    Marshalling,
    /// The operation, or this form of it, is not offered.
    #[error("unimplemented")]
    Unimplemented,
    /// A hard quota would be exceeded.
    #[error("quota exceeded")]
    QuotaExceeded,
    /// The session is unknown, expired or closed.
    #[error("session expired")]
    SessionExpired,
    /// The session has another owner by now. Answered by closing the connection.
    #[error("session moved")]
    SessionMoved,
    /// A local session cannot own ephemerals, and may not become a global one.
    #[error("ephemeral on a local session")]
    EphemeralOnLocalSession,
    /// `reconfigEnabled` is false.
    #[error("reconfiguration is disabled")]
    ReconfigDisabled,
    /// Another reconfiguration is under way.
    #[error("reconfiguration in progress")]
    ReconfigInProgress,
    /// The new configuration would have no quorum.
    #[error("no quorum of the new configuration")]
    NewConfigNoQuorum,
    /// No such watch.
    #[error("no such watch")]
    NoWatcher,
    /// The command was applied before under the same sequence number, or came after a
    /// gap; it had no effect, took no zxid, and nobody is told.
    #[error("out of sequence")]
    OutOfSequence,
}

/// A change that watches may be waiting for.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// To which znode: its full path.
    pub path: Box<str>,
    /// The znode's ACL at the time, which decides who may hear of it.
    pub acl: AclView,
    /// The parent's ACL, which decides who may hear of its child event.
    pub parent_acl: AclView,
}

/// The kinds of change that fire watches. `setACL` fires none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The znode was created; its parent's children changed.
    Created,
    /// The znode was deleted; its parent's children changed.
    Deleted,
    /// The znode's data was set.
    DataChanged,
}

/// An ACL list as the state holds it, shared and interned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AclView {
    /// `world:anyone` with all permissions: the common case, which needs no check.
    Open,
    /// Any other list. See [`crate::AclList`].
    List(Arc<crate::AclList>),
}
