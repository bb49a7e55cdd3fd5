//! What can be asked of the state: every read of a client is one of these.

mod descendants;
mod ephemerals;
mod exists;
mod get_acl;
mod get_children;
mod get_data;

use crate::{
    State,
    command::{CommandFlags, Identity, Permissions},
    ids::SessionId,
    nodes::NodeRef,
    outcome::Reject,
    stat::Stat,
};

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
        entries: Vec<(Permissions, &'s str, std::borrow::Cow<'s, str>)>,
        /// The Stat.
        stat: Stat,
    },
    /// CountDescendants.
    Count(i32),
    /// Ephemerals.
    Paths(Vec<String>),
}

impl State {
    /// Answers a read. Only reads: any number may run at once.
    ///
    /// # Errors
    ///
    /// As ZooKeeper refuses it: a missing znode is told before a missing permission.
    pub fn query(
        &self,
        query: &Query<'_>,
        identities: &[Identity<'_>],
        flags: CommandFlags,
    ) -> Result<Answer<'_>, Reject> {
        let asker = Asker { identities, flags };
        match *query {
            Query::Exists { path } => self.exists(path, asker),
            Query::GetData { path } => self.get_data(path, asker),
            Query::GetChildren { path } => self.get_children(path, asker),
            Query::GetAcl { path } => self.get_acl(path, asker),
            Query::CountDescendants { path } => self.count_descendants(path, asker),
            Query::Ephemerals { session, prefix } => Ok(self.ephemerals(session, prefix)),
        }
    }

    /// The znode at `path`, if `asker` may do any of `perm` to it.
    fn permitted(
        &self,
        path: &str,
        perm: Permissions,
        asker: Asker<'_>,
    ) -> Result<NodeRef, Reject> {
        let node = self.nodes.find(path).ok_or(Reject::NoNode)?;
        self.check_access(node, perm, asker.identities, asker.flags)?;
        Ok(node)
    }
}

/// Who asks, and under which settings.
#[derive(Clone, Copy, Debug)]
struct Asker<'a> {
    identities: &'a [Identity<'a>],
    flags: CommandFlags,
}
