//! When the majority is lost for good: a survivor goes on alone.
//!
//! Not a part of a running ensemble: an operator calls for it, on one survivor, with all
//! servers stopped. What the survivor's log holds becomes the truth. What only the lost
//! servers had is lost; and what was never acknowledged may count now.
//!
//! The cluster gets a new id, so that a server that comes back from the dead is refused
//! instead of being believed. The other servers start with empty disks and are taken in.

use std::collections::{BTreeMap, BTreeSet};

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
    /// Its number.
    pub server_id: i64,
    /// Its last entry before this.
    pub last: LogPosition,
    /// How far was known to be committed: what is behind may never have been acknowledged.
    pub committed: Option<LogPosition>,
    /// The servers that it knew of, itself too. When they come back with empty disks they
    /// are taken in under their numbers.
    pub servers: Vec<ServerSpec>,
    /// Those of them whose votes counted until now, by number.
    pub voters: Vec<i64>,
}

/// Says what [`recover`] would go on with, and changes nothing.
///
/// # Errors
/// [`RecoverError`].
pub fn survey(
    disk: &dyn LogDisk,
    checkpoints: &dyn CheckpointStore,
    node: u64,
) -> Result<Recovered, RecoverError> {
    Ok(Survivor::read(disk, checkpoints, node)?.recovered())
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
    let survivor = Survivor::read(disk, checkpoints, node)?;
    let (found, last) = (&survivor.found, survivor.last);
    let alone = Membership::new(vec![[node].into()], survivor.nodes(cluster));
    let alone = alone.map_err(std::io::Error::other)?;
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
    Ok(survivor.recovered())
}

/// What is on the disk of the one that is left.
struct Survivor {
    node: u64,
    server_id: i64,
    found: DiskState,
    last: LogPosition,
    members: crate::types::Membership,
}

impl Survivor {
    fn read(
        disk: &dyn LogDisk,
        checkpoints: &dyn CheckpointStore,
        node: u64,
    ) -> Result<Self, RecoverError> {
        let found = disk.state()?;
        let checkpoint = checkpoints.read(&mut |_, _| Ok(()))?.unwrap_or_default();
        let last = found.last.max(checkpoint.applied).ok_or(RecoverError::Empty)?;
        let known = codec::decode_stored_membership(&checkpoint.membership)
            .map(|stored| stored.membership().clone())
            .unwrap_or_default();
        let members = newest_members(disk, &found)?.unwrap_or(known);
        let own = members.nodes().find(|(id, _)| **id == node).ok_or(RecoverError::Empty)?;
        Ok(Self { node, server_id: own.1.server_id, found, last, members })
    }

    /// All members, each under its number: itself, also if it was on its way in or out, and
    /// stand-ins for the others.
    fn nodes(&self, cluster: u64) -> BTreeMap<u64, Member> {
        let is_own = |node: &u64| *node == self.node;
        let own = self.members.nodes().filter(|(node, _)| is_own(node));
        let others = self.members.nodes().filter(|(node, member)| !is_own(node) && !member.hidden);
        let known_as = |(_, member): (&u64, &Member)| {
            let own = member.server_id == self.server_id;
            let node = if own { self.node } else { stand_in(member.server_id) };
            (node, Member { cluster, hidden: false, ..member.clone() })
        };
        // One that it replaces is shown, and says what it is to be.
        own.chain(others).map(known_as).collect()
    }

    fn recovered(&self) -> Recovered {
        let nodes = self.nodes(0);
        let servers = nodes.values().map(|member| ServerSpec {
            server_id: member.server_id,
            addresses: member.addresses.clone(),
            votes: member.votes,
            spec: member.spec.clone(),
        });
        let voters: BTreeSet<u64> = self.members.voter_ids().collect();
        let voters = self.members.nodes().filter(|(node, _)| voters.contains(*node));
        let mut voters: Vec<i64> = voters.map(|(_, member)| member.server_id).collect();
        voters.sort_unstable();
        let mut servers: Vec<ServerSpec> = servers.collect();
        servers.sort_by_key(|server| server.server_id);
        Recovered {
            server_id: self.server_id,
            last: self.last,
            committed: self.found.committed,
            servers,
            voters,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::{MemCheckpoints, MemLog};

    const OWN: u64 = 70_000;

    /// What the log of a server holds when its members were these: node, number, vote, whether
    /// it is on its way in or out.
    fn log(members: &[(u64, i64, bool, bool)]) -> MemLog {
        let member = |&(node, server_id, votes, hidden)| {
            let addresses = vec![format!("127.0.0.1:{}", 2000 + server_id)];
            let spec = ServerSpec { server_id, addresses, votes, spec: String::new() };
            (node, Member { hidden, ..spec.to_member(1) })
        };
        let nodes: BTreeMap<u64, Member> = members.iter().map(member).collect();
        let voters = nodes.iter().filter(|(_, member)| member.votes).map(|(node, _)| *node);
        let membership = Membership::new(vec![voters.collect()], nodes.clone()).unwrap();
        let entry = StoredEntry {
            position: LogPosition { term: 3, index: 0 },
            kind: EntryKind::Membership,
            payload: codec::encode_membership(&membership),
        };
        let log = MemLog::default();
        log.write(&[LogOp::Append(vec![entry])], true).unwrap();
        log
    }

    #[test]
    fn a_survivor_that_was_on_its_way_goes_on_too() {
        struct Row {
            what: &'static str,
            members: &'static [(u64, i64, bool, bool)],
            /// By number, and whether it is to vote.
            servers: &'static [(i64, bool)],
        }
        let rows = [
            Row {
                what: "shown",
                members: &[(OWN, 1, true, false), (70_002, 2, true, false)],
                servers: &[(1, true), (2, true)],
            },
            Row {
                what: "on its way out",
                members: &[(OWN, 1, false, true), (70_002, 2, true, false)],
                servers: &[(1, false), (2, true)],
            },
            Row {
                what: "with a new disk, beside its former node",
                members: &[
                    (OWN, 1, false, true),
                    (OWN + 1, 1, true, false),
                    (70_002, 2, true, false),
                ],
                servers: &[(1, true), (2, true)],
            },
            Row {
                what: "another one is on its way",
                members: &[(OWN, 1, true, false), (70_002, 2, false, true)],
                servers: &[(1, true)],
            },
        ];
        for Row { what, members, servers } in rows {
            let log = log(members);
            let recovered = recover(&log, &MemCheckpoints::default(), OWN, 4711).expect(what);
            let known: Vec<_> =
                recovered.servers.iter().map(|server| (server.server_id, server.votes)).collect();
            assert_eq!(known, servers, "{what}");
            let alone = newest_members(&log, &log.state().unwrap()).unwrap().unwrap();
            assert_eq!(alone.voter_ids().collect::<Vec<_>>(), [OWN], "{what}");
            let own = alone.get_node(&OWN).unwrap();
            assert_eq!((own.server_id, own.hidden, own.cluster), (1, false, 4711), "{what}");
        }
    }
}
