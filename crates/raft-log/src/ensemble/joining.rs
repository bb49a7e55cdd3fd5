//! A server that is no member and wants to be one: new, or back with an empty disk under
//! its old number.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jute::Record as _;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    ServerSpec, Shared,
    change::{ChangeError, change, is_heard},
    founding::stand_in,
};
use crate::{
    generated::peer as wire,
    peer::{Kind, Wanted, frame::Frame},
    types::Member,
};

/// How long a server that asked to be a member counts as there.
const CANDIDATE_FOR: Duration = Duration::from_secs(10);
/// How long the leader may take to take a server in.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a member waits for a leader to reach it before it asks the others.
const LOST_AFTER: Duration = Duration::from_secs(3);
/// Servers that are remembered as wanting to be members.
const CANDIDATES_MAX: usize = 64;

/// Servers that want to be members, by number: their node, who they are, and when they
/// last asked.
#[derive(Debug, Default)]
pub(crate) struct Candidates(Mutex<BTreeMap<i64, (u64, Member, Instant)>>);

impl Candidates {
    fn note(&self, node: u64, member: Member) {
        let mut known = self.0.lock();
        known.retain(|_, (_, _, asked)| asked.elapsed() < CANDIDATE_FOR);
        if known.len() < CANDIDATES_MAX {
            known.insert(member.server_id, (node, member, Instant::now()));
        }
    }

    /// The node that has this number and wants to be a member.
    pub(super) fn find(&self, server_id: i64) -> Option<u64> {
        let known = self.0.lock();
        let (node, _, asked) = known.get(&server_id)?;
        (asked.elapsed() < CANDIDATE_FOR).then_some(*node)
    }
}

/// Whether this node is a member.
pub(super) fn is_member(shared: &Shared) -> bool {
    shared.membership().membership().get_node(&shared.node).is_some()
}

/// Whether no leader reaches this server: the members have it at another address than its
/// configuration (after a reconfig that may be the older one), or it was removed while it was
/// away, or there is no leader.
pub(super) fn is_lost(shared: &Shared) -> bool {
    let silence = shared.contact_age().unwrap_or_else(|| shared.started.elapsed());
    silence > LOST_AFTER
}

/// Asks a server to be taken in. What comes of it is said when it is not what was `said`.
pub(super) async fn ask(shared: &Shared, server_id: i64, said: &mut String) {
    let find = |id: i64| shared.servers.iter().find(|server| server.server_id == id);
    let (Some(server), Some(own)) = (find(server_id), find(shared.server_id)) else { return };
    let link = shared.links.to(Wanted::Server(server_id), &server.addresses);
    let own = own.to_member(shared.cluster());
    let member = wire_member(shared.node, &own);
    let answer = link.call(Kind::Join, &wire::Join { member }, PATIENCE).await;
    let refusal = match answer {
        Ok(frame) => frame.record::<wire::ChangeReply<'_>>().map_or_else(
            |error| Some(error.to_string()),
            |reply| (reply.outcome != 0).then(|| reply.text.to_owned()),
        ),
        Err(error) => Some(error.to_string()),
    };
    let text = refusal.as_ref().map_or_else(
        || format!("asked server.{server_id} to be taken in: waiting for the log"),
        |refusal| format!("server.{server_id} does not take this server in: {refusal}"),
    );
    if *said == text {
        return;
    }
    match refusal {
        None => tracing::info!("{text}"),
        Some(_) => tracing::warn!("{text}"),
    }
    *said = text;
}

pub(super) fn wire_member(node: u64, member: &Member) -> wire::Member<'_> {
    wire::Member {
        node: node.cast_signed(),
        server: member.server_id,
        cluster: member.cluster.cast_signed(),
        addresses: member.addresses.iter().map(String::as_str).collect(),
        votes: member.votes,
        hidden: member.hidden,
        spec: &member.spec,
    }
}

pub(crate) fn read_member(record: &wire::Member<'_>, cluster: u64) -> Member {
    Member {
        server_id: record.server,
        cluster,
        addresses: record.addresses.iter().map(|address| (*address).to_owned()).collect(),
        votes: record.votes,
        hidden: record.hidden,
        spec: record.spec.to_owned(),
    }
}

/// The leader's side: takes a server in, if the configuration has its number.
pub(super) async fn join(shared: &Arc<Shared>, frame: &Frame) -> Result<u64, ChangeError> {
    let invalid = |error: jute::DecodeError| ChangeError::Invalid(error.to_string());
    let record = wire::Join::from_exact_bytes(&frame.body).map_err(invalid)?;
    let node = record.member.node.cast_unsigned();
    let joining = read_member(&record.member, shared.cluster());
    let _changing = shared.changing.lock().await;
    add_observers(shared).await?;
    let membership = shared.membership();
    let members = membership.membership();
    let version = membership.log_id().as_ref().map_or(0, |at| at.index);
    if let Some(known) = members.get_node(&node) {
        if known.addresses == joining.addresses {
            return Ok(version);
        }
        tracing::info!(server = known.server_id, "a server has moved to another address");
        let Member { addresses, spec, .. } = joining;
        let moved = Member { addresses, spec, ..known.clone() };
        return change(shared, openraft::ChangeMembers::SetNodes([(node, moved)].into())).await;
    }
    let same: Vec<(u64, Member)> = members
        .nodes()
        .filter(|(_, member)| member.server_id == joining.server_id && !member.is_leaving())
        .map(|(node, member)| (*node, member.clone()))
        .collect();
    let Some((_, known)) = same.first() else {
        let server_id = joining.server_id;
        shared.candidates.note(node, joining);
        return Err(ChangeError::NotConfigured(server_id));
    };
    if let Some((former, _)) = same.iter().find(|(node, _)| is_heard(shared, *node)) {
        return Err(ChangeError::NumberInUse(joining.server_id, *former));
    }
    let voters: Vec<u64> = members.voter_ids().collect();
    let learners = same.iter().map(|(node, _)| *node).filter(|node| !voters.contains(node));
    let learners: std::collections::BTreeSet<u64> = learners.collect();
    // The configuration says what it is; where it is it knows better.
    let tells = joining.votes == known.votes && joining.addresses != known.addresses;
    let spec = if tells { joining.spec.clone() } else { known.spec.clone() };
    let member = Member { votes: known.votes, hidden: false, spec, ..joining };
    tracing::info!(
        server = member.server_id,
        "taking in a server that came with an empty disk; it counts once it has caught up"
    );
    // Predecessors that do not vote go at once; one that votes goes when this one has
    // caught up and takes its place.
    let changes = vec![
        openraft::ChangeMembers::RemoveNodes(learners),
        openraft::ChangeMembers::AddNodes([(node, member)].into()),
    ];
    change(shared, openraft::ChangeMembers::Batch(changes)).await
}

/// The founders of a cluster are its voters. Before anything else is changed the observers
/// of the configuration are added, as servers that have not come yet.
pub(super) async fn add_observers(shared: &Shared) -> Result<(), ChangeError> {
    let membership = shared.membership();
    if membership.log_id().as_ref().is_none_or(|at| at.index > 0) {
        return Ok(());
    }
    // A configuration that was changed by hand since may call a founder an observer.
    let is_founder =
        |number: i64| membership.membership().nodes().any(|(_, member)| member.server_id == number);
    let is_new = |server: &&ServerSpec| !server.votes && !is_founder(server.server_id);
    let observers = shared.servers.iter().filter(is_new);
    let observers: BTreeMap<u64, Member> = observers
        .map(|server| (stand_in(server.server_id), server.to_member(shared.cluster())))
        .collect();
    if observers.is_empty() {
        return Ok(());
    }
    change(shared, openraft::ChangeMembers::AddNodes(observers)).await.map(drop)
}
