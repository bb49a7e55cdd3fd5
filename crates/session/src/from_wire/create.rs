//! Create flags: what kind of znode a create makes, for each of the operations that can.
//!
//! ZooKeeper has four create operations and seven flags, and most clients use only the
//! combinations that match. The others do what they do there, but for two that are refused as
//! bad arguments: see the notes.

use tree::{AclEntry, CreateMode, Op, Reject};

use crate::action::{ElementShape, Settings};

/// Which operation a create came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CreateKind {
    /// `create`.
    Create,
    /// `create2`.
    Create2,
    /// `createContainer`.
    Container,
    /// `createTTL`, with its time to live.
    Ttl {
        /// In milliseconds, as the client sent it.
        ttl_ms: i64,
    },
}

/// A create as it came.
#[derive(Clone, Debug)]
pub(super) struct Create<'a> {
    pub(super) kind: CreateKind,
    pub(super) path: Option<&'a str>,
    pub(super) data: Option<&'a [u8]>,
    pub(super) acl: Option<Vec<AclEntry<'a>>>,
    pub(super) flags: i32,
}

/// The create flags by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flags {
    Plain(CreateMode),
    Container,
    Ttl { sequential: bool },
}

impl Flags {
    const fn parse(flags: i32) -> Option<Self> {
        Some(match flags {
            0 => Self::Plain(CreateMode::Persistent),
            1 => Self::Plain(CreateMode::Ephemeral),
            2 => Self::Plain(CreateMode::PersistentSequential),
            3 => Self::Plain(CreateMode::EphemeralSequential),
            4 => Self::Container,
            5 => Self::Ttl { sequential: false },
            6 => Self::Ttl { sequential: true },
            _ => return None,
        })
    }
}

impl<'a> Create<'a> {
    /// The command of a create that stands alone.
    pub(super) fn into_op(self, settings: &Settings) -> Op<'a> {
        let mode = match Flags::parse(self.flags) {
            None => Err(Reject::BadArguments),
            Some(flags) => self.mode(flags, settings),
        };
        match (mode, self.path) {
            (Err(reject), _) => Op::Reject(reject),
            (Ok(mode), None) if !mode.has_valid_ttl() => Op::Reject(Reject::BadArguments),
            // Compat(null-path): a null path is found out late, by a fault in ZooKeeper's server.
            (Ok(_), None) => Op::Reject(Reject::Marshalling),
            (Ok(mode), Some(path)) => self.with(path, mode),
        }
    }

    /// The command of a create within a multi, and how its result looks. None when it
    /// spoils the whole multi.
    pub(super) fn into_element(self, settings: &Settings) -> Option<(Op<'a>, ElementShape)> {
        let path = self.path?;
        let is_ttl = matches!(self.kind, CreateKind::Ttl { .. });
        let flags = Flags::parse(self.flags);
        if !is_ttl && (self.acl.is_none() || matches!(flags, None | Some(Flags::Ttl { .. }))) {
            return None;
        }
        let mode = match flags {
            None => Err(Reject::BadArguments),
            // Compat(create-flags): within a multi every operation makes a container when the
            // flags say so, and createTTL whatever they say.
            Some(Flags::Container) => Ok(CreateMode::Container),
            Some(Flags::Plain(mode)) if is_ttl => Ok(mode),
            Some(flags) => self.mode(flags, settings),
        };
        let shape = match (flags, self.kind) {
            (Some(Flags::Plain(_)), CreateKind::Create | CreateKind::Ttl { .. }) => {
                ElementShape::Create
            }
            (Some(Flags::Plain(_)), CreateKind::Create2 | CreateKind::Container)
            | (Some(Flags::Container | Flags::Ttl { .. }) | None, _) => ElementShape::Create2,
        };
        let op = match mode {
            Ok(mode) => self.with(path, mode),
            Err(reject) => Op::Reject(reject),
        };
        Some((op, shape))
    }

    /// The mode that operation and flags make together, outside of a multi.
    const fn mode(&self, flags: Flags, settings: &Settings) -> Result<CreateMode, Reject> {
        match (flags, self.kind) {
            (Flags::Ttl { .. }, _) if !settings.extended_types => Err(Reject::Unimplemented),
            (Flags::Plain(mode), CreateKind::Create | CreateKind::Create2) => Ok(mode),
            // Compat(create-flags): only `createContainer` makes containers, and it makes nothing
            // else, whatever the flags say.
            (Flags::Container, CreateKind::Create | CreateKind::Create2) => {
                Ok(CreateMode::Persistent)
            }
            (
                Flags::Container | Flags::Plain(CreateMode::Persistent | CreateMode::Ephemeral),
                CreateKind::Container,
            ) => Ok(CreateMode::Container),
            (Flags::Ttl { sequential: false }, CreateKind::Ttl { ttl_ms }) => {
                Ok(CreateMode::PersistentWithTtl { ttl_ms })
            }
            (Flags::Ttl { sequential: true }, CreateKind::Ttl { ttl_ms }) => {
                Ok(CreateMode::PersistentSequentialWithTtl { ttl_ms })
            }
            // Compat(create-flags): ZooKeeper makes a sequential container of a sequential flag
            // that comes by `createContainer`, and crashes on a negative time to live by
            // `createTTL` with other flags.
            (Flags::Plain(_), CreateKind::Container | CreateKind::Ttl { .. })
            | (Flags::Container, CreateKind::Ttl { .. })
            | (
                Flags::Ttl { .. },
                CreateKind::Create | CreateKind::Create2 | CreateKind::Container,
            ) => Err(Reject::BadArguments),
        }
    }

    fn with(self, path: &'a str, mode: CreateMode) -> Op<'a> {
        Op::Create { path, data: self.data, acl: self.acl, mode }
    }
}
