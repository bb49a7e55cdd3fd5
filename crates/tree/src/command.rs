//! What the log can hold: every change to the state is one of these.
//!
//! Commands borrow from the bytes they were decoded from. They carry all that differs
//! between servers (time, identities, settings), so that applying them is pure.

use crate::ids::{Millis, Owner, SessionId, Zxid};

/// Commands of one origin that travel together: one unit of forwarding and of apply.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch<'a> {
    /// Which run of which server proposed these.
    pub origin: OriginId,
    /// Sequence number of the first command; the others follow one by one.
    pub first_sequence: u64,
    /// Wall clock of the proposer: the ctime and mtime of everything in the batch.
    pub time: Millis,
    /// In the order in which the origin took them.
    pub commands: Vec<Command<'a>>,
}

/// One run of one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OriginId {
    /// The server's Raft node id.
    pub node: u64,
    /// Counts the server's starts, durably: a later run has a higher number.
    pub incarnation: u64,
}

/// One client command, or one of the leader's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Command<'a> {
    /// The session it belongs to; [`SessionId::NONE`] for the leader's own.
    pub session: SessionId,
    /// The connection that sent it; must own the session when the command is applied.
    pub owner: Owner,
    /// The client's own number for the request, for people who read logs.
    pub xid: i32,
    /// Settings of the proposer that change the result.
    pub flags: CommandFlags,
    /// Who asks, as known when the request was read.
    pub identities: Vec<Identity<'a>>,
    /// What is asked.
    pub op: Op<'a>,
}

/// Settings of the proposer that change a command's result; one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommandFlags(pub u32);

impl CommandFlags {
    /// `skipACL=yes`: no access checks.
    pub const SKIP_ACL: Self = Self(1);
    /// `enforceQuota=true`: hard quotas reject.
    pub const ENFORCE_QUOTA: Self = Self(1 << 1);
    /// The `digest` scheme is valid in ACLs.
    pub const SCHEME_DIGEST: Self = Self(1 << 2);
    /// The `sasl` scheme is valid in ACLs.
    pub const SCHEME_SASL: Self = Self(1 << 3);
    /// The `x509` scheme is valid in ACLs.
    pub const SCHEME_X509: Self = Self(1 << 4);
    /// The session is a local one: only the proposer knows it, and vouches for it.
    pub const LOCAL_SESSION: Self = Self(1 << 5);
    /// Beside [`Self::ENFORCE_QUOTA`]: limits that cannot be read fail a request also where
    /// nothing is counted. Entries written before there was this flag do not have it, and are
    /// applied as they were then.
    pub const JUDGE_LIMITS: Self = Self(1 << 6);

    /// Whether every bit of `other` is set here.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets of bits.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// An authenticated identity of a connection, such as (`ip`, `127.0.0.1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The authentication scheme.
    pub scheme: &'a str,
    /// The id within the scheme.
    pub id: &'a str,
}

/// Permission bits of an ACL entry: read 1, write 2, create 4, delete 8, admin 16.
/// Unknown bits are stored as given, as ZooKeeper does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Permissions(pub i32);

impl Permissions {
    /// May read data and list children.
    pub const READ: Self = Self(1);
    /// May set data.
    pub const WRITE: Self = Self(2);
    /// May create children.
    pub const CREATE: Self = Self(4);
    /// May delete children.
    pub const DELETE: Self = Self(8);
    /// May set the ACL.
    pub const ADMIN: Self = Self(16);
    /// All five.
    pub const ALL: Self = Self(31);
}

/// One entry of an ACL list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AclEntry<'a> {
    /// What it permits.
    pub perms: Permissions,
    /// To whom: the scheme.
    pub scheme: &'a str,
    /// To whom: the id within the scheme.
    pub id: &'a str,
}

/// What kind of znode a create makes, and whether its name gets a sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateMode {
    /// Stays until deleted.
    Persistent,
    /// Goes with its session.
    Ephemeral,
    /// Persistent, name numbered.
    PersistentSequential,
    /// Ephemeral, name numbered.
    EphemeralSequential,
    /// Reaped some time after its last child went.
    Container,
    /// Reaped when childless and unmodified for `ttl_ms`.
    PersistentWithTtl {
        /// 1..=0xFF_FFFF_FFFF milliseconds, checked when applied.
        ttl_ms: i64,
    },
    /// As [`Self::PersistentWithTtl`], name numbered.
    PersistentSequentialWithTtl {
        /// 1..=0xFF_FFFF_FFFF milliseconds, checked when applied.
        ttl_ms: i64,
    },
}

/// Whose a session must still be for [`Op::AttachSession`] to move it; else that is rejected as
/// moved, and the connection is closed.
///
/// An attachment can be applied long after its client has given up waiting for it: its server
/// was cut off, and sends it again. By then the client may be served elsewhere, and the session
/// must not be taken from it for a dead connection. So the attachment carries the owner that
/// its server knew *when the client asked*. Looking later, such as behind a read barrier, would
/// not do: the client may have moved on while the server waited.
///
/// A server that lags behind may know an owner that was replaced before the client asked. That
/// client is closed for nothing, but once: it was told nothing since it was attached last
/// (whoever was told has seen a later zxid, and is not let in by a server that lags), and when
/// the rejection is applied there its server knows the owner of now, so that asking again works.
/// The server does not ask again by itself, for it cannot know that the client is still there.
///
/// An owner is one connection for ever, so that the same owner means that nothing happened in
/// between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Former {
    /// Anybody's. So said attachments before version 3 of the protocol between servers, and so
    /// say those of local sessions, which have no owner in the state.
    Anybody,
    /// That of this connection.
    Owner(Owner),
    /// The server that was asked knew of no such session: it has ended, or was opened and moved
    /// on since.
    Unknown,
}

/// Compat(ttl-range): 40 bits, which is what ZooKeeper stores.
const TTL_MAX_MS: i64 = 0xFF_FFFF_FFFF;

impl CreateMode {
    /// Whether its time to live, if it has one, is one that can be kept.
    pub const fn has_valid_ttl(self) -> bool {
        match self {
            Self::PersistentWithTtl { ttl_ms } | Self::PersistentSequentialWithTtl { ttl_ms } => {
                1 <= ttl_ms && ttl_ms <= TTL_MAX_MS
            }
            Self::Persistent
            | Self::Ephemeral
            | Self::PersistentSequential
            | Self::EphemeralSequential
            | Self::Container => true,
        }
    }
}

/// What a command asks for. Paths and ACLs come as the client sent them: they are
/// checked when applied, at the point in the order of checks where ZooKeeper does.
#[derive(Clone, Debug, PartialEq)]
pub enum Op<'a> {
    /// Create a znode.
    Create {
        /// Where, before any sequence number.
        path: &'a str,
        /// Its data; null is kept apart from empty.
        data: Option<&'a [u8]>,
        /// Its ACL; null is invalid, which is an answer, not an error in the request.
        acl: Option<Vec<AclEntry<'a>>>,
        /// Its kind.
        mode: CreateMode,
    },
    /// Delete a znode.
    Delete {
        /// Which.
        path: &'a str,
        /// Expected data version, -1 for any.
        version: i32,
    },
    /// Replace a znode's data.
    SetData {
        /// Which; null is answered as a bad argument.
        path: Option<&'a str>,
        /// The new data.
        data: Option<&'a [u8]>,
        /// Expected data version, -1 for any.
        version: i32,
    },
    /// Replace a znode's ACL.
    SetAcl {
        /// Which; null is answered as a bad argument.
        path: Option<&'a str>,
        /// The new list.
        acl: Option<Vec<AclEntry<'a>>>,
        /// Expected ACL version, -1 for any.
        version: i32,
    },
    /// Check a znode's version. Only within [`Op::Multi`].
    Check {
        /// Which; null is answered as a bad argument.
        path: Option<&'a str>,
        /// Expected data version, -1 for any.
        version: i32,
    },
    /// All or nothing; each sees the effects of those before it. Holds Create, Delete,
    /// SetData, Check and Reject only.
    Multi(Vec<Self>),
    /// Nothing but a rejection that the proposer already knows and that, as in
    /// ZooKeeper, takes a zxid: bad create flags, TTL without extended types, reconfig
    /// where it is off.
    Reject(Reject),
    /// Open [`Command::session`], owned by [`Command::owner`].
    OpenSession {
        /// Negotiated timeout.
        timeout_ms: i32,
    },
    /// Give [`Command::session`] the new owner [`Command::owner`], if it still has the former.
    AttachSession {
        /// Negotiated timeout, which replaces the former one.
        timeout_ms: i32,
        /// Whose it must be until then.
        former: Former,
    },
    /// The client ends its session: its ephemerals go with it.
    CloseSession,
    /// The leader ends a session that fell silent. No effect when the session has
    /// another owner by now, for then it was heard from; nor when another term has begun, for
    /// then another leader knows who was heard.
    ExpireSession {
        /// Which session.
        session: SessionId,
        /// Its owner when the leader decided.
        owner: Owner,
        /// The term in which it led when it decided. None: in whichever this is applied, as a
        /// server that stands alone says, and servers of former versions did.
        term: Option<u64>,
    },
    /// The members were changed at a client's request, or are not for a reason that is known:
    /// answers with `/zookeeper/config`.
    Reconfig {
        /// Why they are not changed.
        refused: Option<Reject>,
        /// The version of the configuration before: if it still has that, nothing in it was
        /// changed, and it gets a new one all the same.
        before: Zxid,
    },
    /// The leader removes an emptied container or an outlived TTL znode. No effect when
    /// it has children again, is gone, or (TTL) was modified since.
    Reap {
        /// Which znode.
        path: &'a str,
    },
}

use crate::outcome::Reject;
