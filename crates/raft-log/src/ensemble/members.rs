//! Who belongs to the ensemble, as the server sees it.

use super::founding::is_stand_in;
use crate::{
    disk::LogPosition,
    types::{Member, Membership, StoredMembership, position},
};

/// A server as the configuration describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSpec {
    /// Its number in `zoo.cfg`.
    pub server_id: i64,
    /// Where its peers reach it: `host:port`, tried in order.
    pub addresses: Vec<String>,
    /// Whether it votes; an observer does not.
    pub votes: bool,
    /// How the configuration shows it (`host:port:port:role;client`); opaque here.
    pub spec: String,
}

impl ServerSpec {
    pub(crate) fn to_member(&self, cluster: u64) -> Member {
        Member {
            server_id: self.server_id,
            cluster,
            addresses: self.addresses.clone(),
            votes: self.votes,
            hidden: false,
            spec: self.spec.clone(),
        }
    }
}

/// The members as of some entry of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// The entry that made them so; its index is the version of the configuration.
    pub decided: Option<LogPosition>,
    /// A change is half done: old and new voters both count. The second half follows as an
    /// entry of its own.
    pub changing: bool,
    /// In order of the servers' numbers.
    pub members: Vec<MemberView>,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// Its Raft node id: another one after its disk was replaced.
    pub node: u64,
    /// What the configuration says of it.
    pub server: ServerSpec,
    /// Whether its vote counts now. One that is to vote and has not caught up yet, or whose
    /// predecessor under the same number still counts, has none.
    pub voting: bool,
    /// Whether the configuration shows it: not while it is on its way in or out.
    pub shown: bool,
}

impl MemberView {
    /// Whether no server has come under this number yet: the node id only stands for it.
    pub fn is_awaited(&self) -> bool {
        is_stand_in(self.node)
    }
}

impl Members {
    /// The version of the configuration: the index of the entry that decided it.
    pub fn version(&self) -> u64 {
        self.decided.map_or(0, |decided| decided.index)
    }

    pub(crate) fn of(stored: &StoredMembership) -> Self {
        Self::new(stored.log_id().as_ref().map(position), stored.membership())
    }

    pub(crate) fn new(decided: Option<LogPosition>, membership: &Membership) -> Self {
        let voters: std::collections::BTreeSet<u64> = membership.voter_ids().collect();
        let view = |(node, member): (&u64, &Member)| MemberView {
            node: *node,
            server: ServerSpec {
                server_id: member.server_id,
                addresses: member.addresses.clone(),
                votes: member.votes,
                spec: member.spec.clone(),
            },
            voting: voters.contains(node),
            shown: !member.hidden,
        };
        let mut members: Vec<_> = membership.nodes().map(view).collect();
        members.sort_by_key(|member| (member.server.server_id, !member.voting));
        Self { decided, changing: membership.get_joint_config().len() > 1, members }
    }
}
