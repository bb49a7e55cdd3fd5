//! What a change of the members consists of, and whether it can be made now.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use openraft::{ChangeMembers, async_runtime::WatchReceiver};
use tokio::time::{Instant, sleep};

use super::{
    Role, ServerSpec, Shared,
    change::{ChangeError, HEARD_WITHIN, MemberChange, is_heard, is_heard_within},
    founding::stand_in,
};
use crate::{
    peer::{Lane, Wanted, dial},
    types::{Member, Membership},
};

/// A member that is at most this many entries behind has caught up.
const CAUGHT_UP_ENTRIES: u64 = 1000;
/// How long all new servers are waited for where a quorum of the new members has caught up.
const ALL_WITHIN: Duration = Duration::from_secs(3);
/// How long a new server may take without any progress.
const PROGRESS_MAX: Duration = Duration::from_secs(20);
/// How often a condition is looked at again.
const POLL_EVERY: Duration = Duration::from_millis(20);

/// What a change of the members consists of.
#[derive(Default)]
pub(super) struct Plan {
    /// Nodes that are no members yet.
    pub(super) add: Vec<(u64, Member)>,
    /// How all that change are described when it is done.
    set: Vec<(u64, Member)>,
    /// Who is to vote when it is done, be it there or not; one node for each server.
    pub(super) voters: BTreeSet<u64>,
    /// Those among `add` that run and wait to be taken in.
    pub(super) present: BTreeSet<u64>,
}

impl Plan {
    pub(super) fn make(shared: &Shared, wanted: &MemberChange) -> Self {
        let membership = shared.membership();
        let members = membership.membership();
        let voting: BTreeSet<u64> = members.voter_ids().collect();
        let mut plan = Self { voters: voting.clone(), ..Self::default() };
        // Those that wait to vote count as well, but for successors of one that still does.
        for (node, member) in members.nodes().filter(|(_, member)| member.votes) {
            let has_vote = |(other, known): (&u64, &Member)| {
                voting.contains(other) && known.server_id == member.server_id
            };
            if !members.nodes().any(has_vote) {
                plan.voters.insert(*node);
            }
        }
        for server in &wanted.put {
            plan.put(shared, members, server);
        }
        for (node, member) in
            members.nodes().filter(|(_, known)| wanted.remove.contains(&known.server_id))
        {
            plan.set.push((*node, Member { hidden: true, votes: false, ..member.clone() }));
            plan.voters.remove(node);
        }
        plan
    }

    fn put(&mut self, shared: &Shared, members: &Membership, server: &ServerSpec) {
        let member = server.to_member(shared.cluster());
        // One that is on its way out and does not run is another server by now.
        let counts =
            |node: u64, known: &Member| known.votes || !known.hidden || is_heard(shared, node);
        let known: Vec<u64> = members
            .nodes()
            .filter(|(node, known)| known.server_id == server.server_id && counts(**node, known))
            .map(|(node, _)| *node)
            .collect();
        let mut nodes = known.clone();
        if known.is_empty() {
            let present = shared.candidates.find(server.server_id);
            let node = present.unwrap_or_else(|| stand_in(server.server_id));
            self.present.extend(present);
            self.add.push((node, member.clone()));
            nodes.push(node);
        }
        self.set.extend(nodes.iter().map(|node| (*node, member.clone())));
        if !server.votes {
            self.voters.retain(|voter| !nodes.contains(voter));
        } else if !self.voters.iter().any(|voter| nodes.contains(voter)) {
            self.voters.extend(nodes.last());
        }
    }

    /// Whether a quorum of those that are to vote is there; those that are not members yet
    /// count if `new` says so, the others if they were heard after this moment.
    fn has_quorum(&self, shared: &Shared, since: Instant, new: impl Fn(u64) -> bool) -> bool {
        let is_new = |node: u64| self.add.iter().any(|(added, _)| *added == node);
        let is_there = |node: u64| {
            let known =
                is_heard_within(shared, node, since.elapsed()) && has_caught_up(shared, node);
            if is_new(node) { new(node) } else { node == shared.node || known }
        };
        let there = self.voters.iter().filter(|voter| is_there(**voter)).count();
        there > self.voters.len() / 2
    }

    /// Waits for as long as a member that is there may take to be heard; new ones count if `new`
    /// says so. Who was heard a moment ago may be gone for good: a quorum that needs it would
    /// never be there again, and nobody could be taken in to replace it.
    pub(super) async fn wait_for_quorum(
        &self,
        shared: &Shared,
        new: impl Fn(u64) -> bool,
    ) -> Result<(), ChangeError> {
        if self.voters.is_empty() {
            return Err(ChangeError::Invalid("no server would be left that votes".to_owned()));
        }
        let begun = Instant::now();
        let asked = shared.raft().trigger().heartbeat().await;
        asked.map_err(|error| ChangeError::Failed(error.to_string()))?;
        while !self.has_quorum(shared, begun, &new) {
            if begun.elapsed() > HEARD_WITHIN {
                return Err(ChangeError::NoQuorum);
            }
            sleep(POLL_EVERY).await;
        }
        Ok(())
    }

    /// A member that runs must be reached where it is said to be from now on, or it would be
    /// lost: it listens where its own configuration says.
    pub(super) async fn check_addresses(&self, shared: &Shared) -> Result<(), ChangeError> {
        let membership = shared.membership();
        for (node, member) in self.set.iter().filter(|(_, member)| !member.hidden) {
            let known = membership.membership().get_node(node);
            let moves = known.is_some_and(|known| known.addresses != member.addresses);
            if !moves || !is_heard(shared, *node) {
                continue;
            }
            let (links, wanted) = (&shared.links, Wanted::Node(*node));
            let found =
                dial(links.transport(), &member.addresses, links.own(), wanted, Lane::Control);
            if let Err(error) = found.await {
                let server = member.server_id;
                return Err(ChangeError::Invalid(format!(
                    "server.{server} runs, but not at its new address: {error}"
                )));
            }
        }
        Ok(())
    }

    /// Whom this leader lets lead first, since it is to vote no more: the server of a voter that
    /// stays. None if it stays itself, or no voter does: then it leads until new ones vote.
    pub(super) fn next_leader(&self, shared: &Shared) -> Option<i64> {
        let membership = shared.membership();
        let members = membership.membership();
        let stays = |node: &u64| self.voters.contains(node) && is_ready(shared, *node);
        let next = || members.voter_ids().find(stays).and_then(|node| members.get_node(&node));
        if self.voters.contains(&shared.node) { None } else { next().map(|next| next.server_id) }
    }

    /// The change itself, once enough of the new servers have caught up; none if they do not.
    pub(super) async fn joint_when_caught_up(
        &self,
        shared: &Shared,
    ) -> Option<ChangeMembers<u64, Member>> {
        if !self.add.is_empty() {
            let ready = |node| has_caught_up(shared, node);
            if !self.caught_up(shared).await || self.wait_for_quorum(shared, ready).await.is_err() {
                return None;
            }
        }
        self.joint(shared)
    }

    /// Waits until the new servers that are there have caught up: all of them for a while,
    /// then enough of them; false when those make no progress, or this server leads no more.
    async fn caught_up(&self, shared: &Shared) -> bool {
        let begun = Instant::now();
        let (mut furthest, mut since) = (BTreeMap::new(), begun);
        loop {
            let behind: Vec<u64> = self
                .present
                .iter()
                .filter(|node| self.voters.contains(node) && !has_caught_up(shared, **node))
                .copied()
                .collect();
            let enough = self.has_quorum(shared, begun, |node| has_caught_up(shared, node));
            if enough && (behind.is_empty() || begun.elapsed() > ALL_WITHIN) {
                return true;
            }
            for node in behind {
                let now = progress(shared, node).map(|(matched, _)| matched);
                if furthest.insert(node, now) < Some(now) {
                    since = Instant::now();
                }
                // A checkpoint on its way shows as signs of life only.
                if is_heard(shared, node) {
                    since = since.max(Instant::now() - PROGRESS_MAX / 2);
                }
            }
            if since.elapsed() > PROGRESS_MAX || shared.status.borrow().role != Role::Leading {
                return false;
            }
            sleep(POLL_EVERY).await;
        }
    }

    /// The change itself. Who is to vote and has not caught up is left to the leader, who
    /// looks for such members all the time; none if fewer than a quorum of those that are to
    /// vote would do so at once: what few of them have is not safe. This leader votes until
    /// another one leads.
    fn joint(&self, shared: &Shared) -> Option<ChangeMembers<u64, Member>> {
        let voting: BTreeSet<u64> = shared.membership().membership().voter_ids().collect();
        let ready = |node: &u64| is_ready(shared, *node);
        let promote: BTreeSet<u64> =
            self.voters.difference(&voting).copied().filter(ready).collect();
        let votes_at_once = voting.intersection(&self.voters).count() + promote.len();
        let goes = |node: &u64| *node != shared.node && !self.voters.contains(node);
        let demote = voting.iter().copied().filter(goes).collect();
        (votes_at_once > self.voters.len() / 2).then(|| {
            ChangeMembers::Batch(vec![
                ChangeMembers::SetNodes(self.set.iter().cloned().collect()),
                ChangeMembers::AddVoterIds(promote),
                ChangeMembers::RemoveVoters(demote),
            ])
        })
    }
}

/// How far a member is, and the leader's last entry.
pub(crate) fn progress(shared: &Shared, node: u64) -> Option<(u64, u64)> {
    let metrics = shared.raft().metrics();
    let metrics = metrics.borrow_watched();
    let matched = metrics.replication.as_ref()?.get(&node)?.as_ref()?.index;
    Some((matched, metrics.last_log_index?))
}

/// Whether a member is there and could take the place of another.
pub(super) fn is_ready(shared: &Shared, node: u64) -> bool {
    is_heard(shared, node) && has_caught_up(shared, node)
}

pub(super) fn has_caught_up(shared: &Shared, node: u64) -> bool {
    progress(shared, node).is_some_and(|(matched, last)| matched + CAUGHT_UP_ENTRIES >= last)
}
