//! When the majority is lost for good: a survivor goes on alone.
//!
//! Not a part of a running ensemble: an operator calls for it, on one survivor, with all
//! servers stopped. What the survivor's log holds becomes the truth. What only the lost
//! servers had is lost; and what was never acknowledged may count now.
//!
//! The cluster gets a new id, so that a server that comes back from the dead is refused
//! instead of being believed. The other servers start with empty disks and are taken in.

use std::collections::BTreeMap;

use openraft::Membership;
use thiserror::Error;

use crate::{
    checkpoints::{CheckpointError, CheckpointStore},
    codec,
    disk::{DiskState, EntryKind, LogDisk, LogOp, LogPosition, StoredEntry, StoredVote},
    ensemble::{ServerSpec, stand_in},
    types::Member,
};

/// Entries that are looked through at once.
const READ_BYTES: usize = 4 << 20;

/// Why a survivor cannot go on alone.
#[derive(Debug, Error)]
pub enum RecoverError {
    /// Log or checkpoint cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The log cannot be read or written.
    #[error("log: {0}")]
    Log(#[from] std::io::Error),
    /// It holds nothing.
    #[error("this server was never a member of a cluster: there is nothing to go on with")]
    Empty,
}

/// What a survivor goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Its last entry before this.
    pub last: LogPosition,
    /// How far was known to be committed: what is behind may never have been acknowledged.
    pub committed: Option<LogPosition>,
    /// The servers that it knew of, itself too. When they come back with empty disks they
    /// are taken in under their numbers.
    pub servers: Vec<ServerSpec>,
}

/// Makes `node` the only one whose vote counts, in a cluster with the new id `cluster`.
/// Only with all servers stopped. Nothing is changed but the log, and that in one step.
///
/// # Errors
/// [`RecoverError`]; the log is as before.
pub fn recover(
    disk: &dyn LogDisk,
    checkpoints: &dyn CheckpointStore,
    node: u64,
    cluster: u64,
) -> Result<Recovered, RecoverError> {
    let found = disk.state()?;
    let checkpoint = checkpoints.read(&mut |_, _| Ok(()))?.unwrap_or_default();
    let last = found.last.max(checkpoint.applied).ok_or(RecoverError::Empty)?;
    let known = codec::decode_stored_membership(&checkpoint.membership)
        .map(|stored| stored.membership().clone())
        .unwrap_or_default();
    let members: BTreeMap<u64, Member> = newest_members(disk, &found)?
        .unwrap_or(known)
        .nodes()
        .map(|(node, member)| (*node, member.clone()))
        .collect();
    let own = members.get(&node).ok_or(RecoverError::Empty)?.server_id;
    let mut nodes = BTreeMap::new();
    for member in members.values().filter(|member| !member.hidden) {
        let as_node = if member.server_id == own { node } else { stand_in(member.server_id) };
        nodes.insert(as_node, Member { cluster, ..member.clone() });
    }
    let servers = nodes.values().map(|member| ServerSpec {
        server_id: member.server_id,
        addresses: member.addresses.clone(),
        votes: member.votes,
        spec: member.spec.clone(),
    });
    let recovered = Recovered { last, committed: found.committed, servers: servers.collect() };
    let alone = Membership::new(vec![[node].into()], nodes).map_err(std::io::Error::other)?;
    let term = 1 + last.term.max(found.vote.map_or(0, |vote| vote.term));
    let entry = StoredEntry {
        position: LogPosition { term, index: last.index + 1 },
        kind: EntryKind::Membership,
        payload: codec::encode_membership(&alone),
    };
    let mut group = Vec::new();
    // A log that ends before its checkpoint begins anew behind it.
    if found.last < Some(last) {
        group.push(LogOp::Purge(last));
    }
    group.push(LogOp::Vote(StoredVote { term, node, committed: false }));
    group.push(LogOp::Append(vec![entry]));
    disk.write(&group, true)?;
    disk.rest()?;
    Ok(recovered)
}

/// The last members in the log.
fn newest_members(
    disk: &dyn LogDisk,
    found: &DiskState,
) -> Result<Option<crate::types::Membership>, RecoverError> {
    let mut start = found.purged.map_or(0, |purged| purged.index + 1);
    let end = found.last.map_or(0, |last| last.index + 1);
    let mut newest = None;
    while start < end {
        let entries = disk.read(start, end, READ_BYTES)?;
        let Some(last) = entries.last() else { break };
        start = last.position.index + 1;
        for entry in entries.iter().filter(|entry| entry.kind == EntryKind::Membership) {
            let members = codec::decode_membership(&entry.payload);
            newest = Some(members.map_err(std::io::Error::other)?);
        }
    }
    Ok(newest)
}
