//! What can be asked of the state: every read of a client is one of these.

use crate::{ids::SessionId, stat::Stat};

/// A read. Paths come as the client sent them; ZooKeeper does not validate them on reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query<'a> {
    /// The Stat of a znode.
    Exists {
        /// Which; `""` is the root.
        path: &'a str,
    },
    /// Data and Stat.
    GetData {
        /// Which.
        path: &'a str,
    },
    /// Names of the children, and the Stat.
    GetChildren {
        /// Of which.
        path: &'a str,
    },
    /// The ACL and the Stat.
    GetAcl {
        /// Of which.
        path: &'a str,
    },
    /// How many znodes are below this one.
    CountDescendants {
        /// Which.
        path: &'a str,
    },
    /// Paths of a session's own ephemerals.
    Ephemerals {
        /// Whose.
        session: SessionId,
        /// Only those that start with this text; everything when null, blank or `/`.
        prefix: Option<&'a str>,
    },
}

/// What a query found. Borrows from the state: encode it while the lock is held.
#[derive(Debug)]
pub enum Answer<'s> {
    /// Exists.
    Stat(Stat),
    /// GetData.
    Data {
        /// Null is kept apart from empty.
        data: Option<&'s [u8]>,
        /// The Stat.
        stat: Stat,
    },
    /// GetChildren.
    Children {
        /// Names, not paths, in no particular order.
        names: Vec<&'s str>,
        /// The Stat.
        stat: Stat,
    },
    /// GetAcl.
    Acl {
        /// The entries; digest ids already masked where the asker may not see them.
        entries: Vec<(crate::Permissions, &'s str, std::borrow::Cow<'s, str>)>,
        /// The Stat.
        stat: Stat,
    },
    /// CountDescendants.
    Count(i32),
    /// Ephemerals.
    Paths(Vec<String>),
}
