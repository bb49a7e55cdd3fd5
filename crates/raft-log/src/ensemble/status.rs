//! What a server is in its ensemble, for the rest of the server to watch.

use std::time::Duration;

use super::Members;

/// What a server is in its ensemble.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// It belongs to no cluster yet: it waits for its peers, or to be taken in.
    #[default]
    Joining,
    /// It knows no leader.
    Looking,
    /// It follows and votes.
    Following,
    /// It follows and does not vote.
    Observing,
    /// It leads.
    Leading,
}

/// A server of the ensemble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerRef {
    /// Its Raft node id.
    pub node: u64,
    /// Its number in `zoo.cfg`.
    pub server_id: i64,
}

/// Changes when the leader, the term or the members do, not with every entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// What this server is.
    pub role: Role,
    /// The Raft term.
    pub term: u64,
    /// Who leads.
    pub leader: Option<PeerRef>,
    /// The members this server knows of, committed or not.
    pub members: Members,
}

/// How far a member is, as the leader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Which.
    pub peer: PeerRef,
    /// The last entry that is on its disk, as far as is known.
    pub matched: Option<u64>,
    /// How long ago it was heard from; none if never by this leader.
    pub heard: Option<Duration>,
}
