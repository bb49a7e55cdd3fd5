//! openraft's type parameters, chosen once, and its aliases. Nothing generic above this.

use std::fmt;

use bytes::Bytes;
use openraft::{RaftTypeConfig, alias, impls};

use crate::disk::{EntryKind, LogPosition, StoredEntry, StoredVote};

/// The choice of types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Types;

type Leader = impls::leader_id_std::LeaderId<u64, u64>;

impl RaftTypeConfig for Types {
    type D = Batches;
    type R = ();
    type NodeId = u64;
    type Node = Member;
    type Term = u64;
    // One leader a term: that is what an epoch in a zxid means.
    type LeaderId = Leader;
    type Vote = impls::Vote<Leader>;
    type Payload = impls::EntryPayload<Batches, u64, Member>;
    type Entry = impls::Entry<alias::CommittedLeaderIdOf<Self>, Self::Payload>;
    type AsyncRuntime = crate::execution::Runtime;
    type Responder<T>
        = impls::OneshotResponder<Self, T>
    where
        T: Send + 'static;
    type Batch<T>
        = impls::InlineBatch<T>
    where
        T: Send + 'static;
    type ErrorSource = impls::BoxedErrorSource;
}

pub(crate) type Entry = alias::EntryOf<Types>;
pub(crate) type LogId = alias::LogIdOf<Types>;
pub(crate) type Vote = alias::VoteOf<Types>;
pub(crate) type Membership = openraft::Membership<u64, Member>;
pub(crate) type StoredMembership = alias::StoredMembershipOf<Types>;
pub(crate) type SnapshotMeta = alias::SnapshotMetaOf<Types>;
pub(crate) type Payload = alias::PayloadOf<Types>;

/// Encoded batches of commands: what an entry carries. Encoded once, by the proposer;
/// the same bytes go to the log, to the disk and to apply.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Batches(pub(crate) Bytes);

impl fmt::Debug for Batches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl fmt::Display for Batches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// A member of the ensemble, as the log knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Member {
    /// The server's number in `zoo.cfg`.
    pub(crate) server_id: i64,
    /// The cluster, the same for all: it goes wherever the members are known.
    pub(crate) cluster: u64,
    /// Where its peers reach it, tried in order; empty for a server that stands alone.
    pub(crate) addresses: Vec<String>,
    /// Whether it is to vote: a learner that is gets to once it has caught up.
    pub(crate) votes: bool,
    /// Whether it is on its way in or out, and the configuration does not show it.
    pub(crate) hidden: bool,
    /// How the configuration shows it; opaque here.
    pub(crate) spec: String,
}

impl Member {
    /// Whether it is on its way out.
    pub(crate) const fn is_leaving(&self) -> bool {
        self.hidden && !self.votes
    }
}

pub(crate) fn log_id(position: LogPosition) -> LogId {
    LogId::new_term_index(position.term, position.index)
}

pub(crate) fn position(log_id: &LogId) -> LogPosition {
    LogPosition { term: log_id.leader_id.term, index: log_id.index }
}

pub(crate) fn stored_vote(vote: &Vote) -> StoredVote {
    StoredVote {
        term: vote.leader_id.term,
        node: vote.leader_id.voted_for,
        committed: vote.committed,
    }
}

pub(crate) fn vote(stored: StoredVote) -> Vote {
    if stored.committed {
        Vote::new_committed(stored.term, stored.node)
    } else {
        Vote::new(stored.term, stored.node)
    }
}

/// An entry as it is stored.
pub(crate) fn to_stored(entry: &Entry) -> StoredEntry {
    let (kind, payload) = match &entry.payload {
        Payload::Blank => (EntryKind::Blank, Bytes::new()),
        Payload::Normal(batches) => (EntryKind::Commands, batches.0.clone()),
        Payload::Membership(membership) => {
            (EntryKind::Membership, crate::codec::encode_membership(membership))
        }
    };
    StoredEntry { position: position(&entry.log_id), kind, payload }
}

/// A stored entry as openraft sees it.
pub(crate) fn from_stored(stored: StoredEntry) -> std::io::Result<Entry> {
    let payload = match stored.kind {
        EntryKind::Blank => Payload::Blank,
        EntryKind::Commands => Payload::Normal(Batches(stored.payload)),
        EntryKind::Membership => {
            let membership = crate::codec::decode_membership(&stored.payload);
            Payload::Membership(membership.map_err(std::io::Error::other)?)
        }
    };
    Ok(Entry { log_id: log_id(stored.position), payload })
}
