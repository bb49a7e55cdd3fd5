//! What a client's request comes to: the closed list that the conversation acts on.

use proto::ErrorCode;
use tree::{CommandFlags, Op, Query, Zxid};

use crate::watch::{AddWatchMode, WatcherType};

/// The settings that decide how requests are understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `extendedTypesEnabled`: TTL znodes are offered. Off by default.
    pub extended_types: bool,
    /// `reconfigEnabled`: the reconfig operation is offered. Off by default.
    pub reconfig_enabled: bool,
    /// What every command carries along.
    pub command_flags: CommandFlags,
}

/// What to do about one request.
#[derive(Clone, Debug, PartialEq)]
pub enum Action<'a> {
    /// Send it to the log; `shape` says how to answer when it succeeded.
    Write {
        /// The command's operation.
        op: Op<'a>,
        /// Give it to [`crate::to_wire::put_outcome`] with the outcome.
        shape: ReplyShape,
    },
    /// Answer it here, in its turn, from what this server has.
    Local(Local<'a>),
    /// Add to the connection's identities, and answer in its turn.
    Auth {
        /// How the client wants to prove who it is.
        scheme: &'a str,
        /// The proof.
        data: Option<&'a [u8]>,
    },
    /// Change the members of the ensemble, and answer in its turn with
    /// [`ReplyShape::Config`].
    Reconfig(Reconfig<'a>),
    /// Close the connection without an answer: what came cannot be understood.
    Close,
}

/// Other members than now, as a client describes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconfig<'a> {
    /// Servers to add or to change, `server.N=…` each, with commas between them.
    pub joining: Option<&'a str>,
    /// Numbers of servers to remove, with commas between them.
    pub leaving: Option<&'a str>,
    /// All members instead, with commas or ends of lines between them.
    pub members: Option<&'a str>,
    /// The version that the configuration must have; -1 for any.
    pub version: i64,
}

/// What needs no log.
#[derive(Clone, Debug, PartialEq)]
pub enum Local<'a> {
    /// One query of the state, and the watch that it may set.
    Read(Read<'a>),
    /// The asking session's own ephemerals.
    Ephemerals {
        /// Only those that start with this text; everything when null, blank or `/`.
        prefix: Option<&'a str>,
    },
    /// Several queries of one state, each with its own result.
    MultiRead(MultiRead<'a>),
    /// An answer shows that this server had caught up with the leader when it was asked.
    Sync {
        /// Comes back as it was sent; it need not exist, nor be a path.
        path: Option<&'a str>,
    },
    /// The client is alive.
    Ping,
    /// Which identities the connection has.
    WhoAmI,
    /// Set again the watches of an earlier connection.
    SetWatches(SetWatches<'a>),
    /// Set a watch that stays.
    AddWatch {
        /// Where; it need not exist.
        path: &'a str,
        /// Which kind.
        mode: AddWatchMode,
    },
    /// Take watches away.
    RemoveWatches {
        /// Where.
        path: &'a str,
        /// Which.
        kind: WatcherType,
    },
    /// Ask whether there are such watches.
    CheckWatches {
        /// Where.
        path: &'a str,
        /// Which.
        kind: WatcherType,
    },
    /// A step of an authentication that this server is not configured for.
    Sasl,
    /// An error, already known.
    Refuse(Refusal),
}

/// One query as a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read<'a> {
    /// What is asked.
    pub query: Query<'a>,
    /// Which watch it sets.
    pub watch: ReadWatch,
    /// Whether the Stat is part of the answer.
    pub stat: StatPart,
}

/// Whether a list of children comes with the Stat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatPart {
    /// The answer has it, as most have.
    Sent,
    /// The oldest form of `getChildren`, which has none.
    Left,
}

/// Which one-time watch a read sets, on the path that it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadWatch {
    /// None.
    None,
    /// A data watch, if the znode was read.
    DataIfRead,
    /// A data watch, also if there is no znode: that of `exists`.
    DataIfReadOrMissing,
    /// A child watch, if the znode was read.
    ChildIfRead,
}

/// The queries of a `multiRead`.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiRead<'a> {
    /// `getData` and `getChildren` without their watches.
    pub reads: Vec<Read<'a>>,
    /// Compat(multi-read-errors): a write or a null path among the elements fails the whole
    /// request, but the elements before it are answered all the same, behind the error.
    pub fails_at_end: bool,
}

/// The lists of `setWatches` and `setWatches2`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetWatches<'a> {
    /// The last zxid that the client saw.
    pub last_seen: Zxid,
    /// Watches of `getData`.
    pub data: Vec<&'a str>,
    /// Watches of `exists` on what was not there.
    pub exist: Vec<&'a str>,
    /// Watches of `getChildren`.
    pub child: Vec<&'a str>,
    /// Plain persistent watches.
    pub persistent: Vec<&'a str>,
    /// Recursive watches.
    pub recursive: Vec<&'a str>,
    /// Compat(null-watches): a list that is null fails the request when its turn comes; the
    /// lists before it are dealt with all the same, and those behind it are not.
    pub fails_at_end: bool,
}

/// An error that is answered without asking the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which error.
    pub code: ErrorCode,
    /// What the header says.
    pub zxid: HeaderZxid,
    /// What becomes of the connection.
    pub then: After,
}

/// Which zxid a reply header carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderZxid {
    /// The last one applied here, as usual.
    LastApplied,
    /// This one, for compatibility.
    Fixed(i64),
}

/// What becomes of the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It goes on.
    Continue,
    /// It is closed once the answer was sent.
    Close,
}

/// How the answer of a successful write looks: what its command does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyShape {
    /// A header and nothing else.
    Empty,
    /// The path of what was created.
    Path,
    /// The path and the Stat of what was created.
    PathAndStat,
    /// The Stat of what was changed.
    Stat,
    /// The text and the Stat of `/zookeeper/config`.
    Config,
    /// A result for each element.
    Multi(Box<[ElementShape]>),
}

/// How the result of one successful element of a multi looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementShape {
    /// A create that answers with the path.
    Create,
    /// A create that answers with path and Stat: containers and TTL znodes always do.
    Create2,
    /// A delete.
    Delete,
    /// A setData.
    SetData,
    /// A version check.
    Check,
}

impl Action<'_> {
    /// Whether a connection may ask it that lacks an identity of a required scheme.
    pub const fn needs_no_identity(&self) -> bool {
        match self {
            Self::Auth { .. } | Self::Close => true,
            Self::Local(local) => matches!(local, Local::Sasl),
            Self::Write { .. } | Self::Reconfig(_) => false,
        }
    }
}

impl Refusal {
    /// The request cannot be understood; the connection goes on.
    pub const MARSHALLING: Self = Self {
        code: ErrorCode::MarshallingError,
        zxid: HeaderZxid::LastApplied,
        then: After::Continue,
    };

    /// There is no such operation. Compat(zxid-of-replies): the header says zxid -1, and then the
    /// connection ends.
    pub const UNKNOWN_OPERATION: Self =
        Self { code: ErrorCode::Unimplemented, zxid: HeaderZxid::Fixed(-1), then: After::Close };

    /// The connection lacks a required identity.
    pub const IDENTITY_REQUIRED: Self = Self {
        code: ErrorCode::SessionClosedRequireAuth,
        zxid: HeaderZxid::Fixed(0),
        then: After::Close,
    };

    /// An auth packet was refused.
    pub const AUTH_FAILED: Self =
        Self { code: ErrorCode::AuthFailed, zxid: HeaderZxid::Fixed(0), then: After::Close };
}
