//! Changing who the members are, and who leads: asked of any server, done by the leader.
//!
//! New servers are taken in as learners; when they have caught up, one joint change makes
//! them voters and demotes others. What a leader leaves half done, the next one finishes:
//! what is to become of each member stands in the membership itself. That goes for a server
//! that is not there yet, too: it is a member, and votes when it has come and caught up.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jute::Record as _;
use openraft::{
    ChangeMembers, Instant as _,
    async_runtime::WatchReceiver,
    errors::{ClientWriteError, RaftError},
    raft::Precondition,
};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout};

use super::{
    Role, ServerSpec, Shared,
    joining::{add_observers, join, read_member, wire_member},
    plan::{Plan, is_ready, progress},
};
use crate::{
    generated::peer as wire,
    peer::{Kind, frame::Frame, link::Reply},
    types::{Member, Membership, Types},
};

/// How long a server that was removed still gets the log, to know that it is.
const LEAVING_FOR: Duration = Duration::from_secs(3);
/// How long a change may take, for those who wait for it elsewhere.
const CHANGE_MAX: Duration = Duration::from_secs(60);
/// How long the leader may take for what was passed on to it: less than who asks waits.
const PASSED_ON_MAX: Duration = Duration::from_secs(8);
/// How long handing over may take.
const HAND_OVER_MAX: Duration = Duration::from_secs(3);
/// How often the leader looks for changes that are half done.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A member that was heard within this time is there.
pub(super) const HEARD_WITHIN: Duration = Duration::from_millis(1500);

/// Other members than now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberChange {
    /// The version of the configuration that must be the present one.
    pub expected_version: Option<u64>,
    /// To be members from now on: new numbers, or known ones with another role or address.
    pub put: Vec<ServerSpec>,
    /// Numbers to be members no more.
    pub remove: Vec<i64>,
}

/// Why the members, or the leader, are not changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChangeError {
    /// There is no leader, or it was lost meanwhile: what became of the change shows in the
    /// members.
    #[error("there is no leader that could do it")]
    NoLeader,
    /// The configuration is of another version by now.
    #[error("the configuration is of version {0}")]
    WrongVersion(u64),
    /// Another change is under way.
    #[error("another change is under way")]
    InProgress,
    /// Too few of the servers that would vote are there and have the log.
    #[error("no quorum of the new members is there and has the log")]
    NoQuorum,
    /// The leader is to vote no more and has given way: nothing is changed yet, ask the next.
    #[error("the leader gave way to one that stays; nothing is changed yet")]
    HandedOver,
    /// A server wants to be a member, and the configuration does not have its number.
    #[error("server.{0} is not in the configuration: add it with reconfig")]
    NotConfigured(i64),
    /// A server wants to be a member whose number another one has that is alive.
    #[error("server.{0} is in use: node {1:016x} has that number and is alive")]
    NumberInUse(i64, u64),
    /// No voters would be left, or no such server is a member.
    #[error("{0}")]
    Invalid(String),
    /// It failed.
    #[error("{0}")]
    Failed(String),
}

impl ChangeError {
    /// Its number in the peer protocol, and a number that belongs to it.
    const fn numbers(&self) -> (i32, i64) {
        match self {
            Self::NoLeader => (1, 0),
            Self::WrongVersion(version) => (2, version.cast_signed()),
            Self::InProgress => (3, 0),
            Self::NoQuorum => (4, 0),
            Self::NotConfigured(server) => (5, *server),
            Self::NumberInUse(..) => (6, 0),
            Self::Invalid(_) => (7, 0),
            Self::Failed(_) => (8, 0),
            Self::HandedOver => (9, 0),
        }
    }

    fn from_reply(reply: &wire::ChangeReply<'_>) -> Self {
        match reply.outcome {
            1 => Self::NoLeader,
            2 => Self::WrongVersion(reply.version.cast_unsigned()),
            3 => Self::InProgress,
            4 => Self::NoQuorum,
            5 => Self::NotConfigured(reply.version),
            7 => Self::Invalid(reply.text.to_owned()),
            9 => Self::HandedOver,
            _ => Self::Failed(reply.text.to_owned()),
        }
    }
}

fn reply(outcome: &Result<u64, ChangeError>) -> Reply {
    let (text, (number, version)) = match outcome {
        Ok(version) => (String::new(), (0, version.cast_signed())),
        Err(error) => (error.to_string(), error.numbers()),
    };
    let record = wire::ChangeReply { outcome: number, text: &text, version };
    Reply::new(Kind::ChangeMembers, &record)
}

/// Answers Join, ChangeMembers and HandOver of the node `from`.
pub(super) async fn answer(shared: &Arc<Shared>, from: u64, frame: &Frame) -> Reply {
    if shared.status.borrow().role != Role::Leading {
        return reply(&pass_on(shared, from, frame).await);
    }
    let outcome = if frame.kind == Kind::Join {
        join(shared, frame).await
    } else if frame.kind == Kind::HandOver {
        match wire::HandOver::from_exact_bytes(&frame.body) {
            Ok(record) => hand_over_locally(shared, (record.to >= 0).then_some(record.to)).await,
            Err(error) => Err(ChangeError::Invalid(error.to_string())),
        }
    } else {
        match wire::ChangeMembers::from_exact_bytes(&frame.body) {
            Ok(record) => change_locally(shared, read_change(&record)).await,
            Err(error) => Err(ChangeError::Invalid(error.to_string())),
        }
    };
    reply(&outcome)
}

/// A server that wants to be a member may not know the leader, which came after its
/// configuration. Passed on once: the leader of now may not be the one that is known here.
async fn pass_on(shared: &Shared, from: u64, frame: &Frame) -> Result<u64, ChangeError> {
    if frame.kind != Kind::Join {
        return Err(ChangeError::NoLeader);
    }
    let record = wire::Join::from_exact_bytes(&frame.body)
        .map_err(|error| ChangeError::Invalid(error.to_string()))?;
    if record.member.node.cast_unsigned() != from {
        return Err(ChangeError::NoLeader);
    }
    shared.ask_leader(Kind::Join, &record, PASSED_ON_MAX).await
}

pub(crate) fn read_change(record: &wire::ChangeMembers<'_>) -> MemberChange {
    let spec = |member: &wire::Member<'_>| {
        let member = read_member(member, 0);
        ServerSpec {
            server_id: member.server_id,
            addresses: member.addresses,
            votes: member.votes,
            spec: member.spec,
        }
    };
    MemberChange {
        expected_version: u64::try_from(record.expected).ok(),
        put: record.put.iter().map(spec).collect(),
        remove: record.remove.clone(),
    }
}

impl Shared {
    /// Changes the members, by way of the leader; gives the version that results.
    pub(crate) async fn change_members(
        self: Arc<Self>,
        change: MemberChange,
    ) -> Result<u64, ChangeError> {
        if self.status.borrow().role == Role::Leading {
            return change_locally(&self, change).await;
        }
        let members: Vec<Member> = change.put.iter().map(|server| server.to_member(0)).collect();
        let record = wire::ChangeMembers {
            expected: change.expected_version.map_or(-1, u64::cast_signed),
            put: members.iter().map(|member| wire_member(0, member)).collect(),
            remove: change.remove,
        };
        self.ask_leader(Kind::ChangeMembers, &record, CHANGE_MAX).await
    }

    /// Makes the leader give way to another server, or to whichever is best.
    pub(crate) async fn hand_over(self: Arc<Self>, to: Option<i64>) -> Result<(), ChangeError> {
        if self.status.borrow().role == Role::Leading {
            return hand_over_locally(&self, to).await.map(drop);
        }
        let record = wire::HandOver { to: to.unwrap_or(-1) };
        self.ask_leader(Kind::HandOver, &record, 2 * HAND_OVER_MAX).await.map(drop)
    }

    async fn ask_leader<'r>(
        &self,
        kind: Kind,
        record: &impl jute::Record<'r>,
        patience: Duration,
    ) -> Result<u64, ChangeError> {
        let link = self.link_to_leader().ok_or(ChangeError::NoLeader)?;
        let failed = |error: &dyn std::error::Error| ChangeError::Failed(error.to_string());
        let answer = link.call(kind, record, patience).await.map_err(|error| failed(&error))?;
        let reply: wire::ChangeReply<'_> = answer.record().map_err(|error| failed(&error))?;
        if reply.outcome == 0 {
            return Ok(reply.version.cast_unsigned());
        }
        Err(ChangeError::from_reply(&reply))
    }
}

/// One change of the membership, in one or two entries.
pub(super) async fn change(
    shared: &Shared,
    changes: ChangeMembers<u64, Member>,
) -> Result<u64, ChangeError> {
    // What was looked at before must still be so.
    let last_membership_log_id = *shared.membership().log_id();
    let unchanged = Precondition::LastMembershipLogId { last_membership_log_id };
    let changed = shared.raft().change_membership_if(changes, true, [unchanged]).await;
    changed.map(|response| response.log_id.index).map_err(change_error)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn change_error(error: RaftError<Types, ClientWriteError<Types>>) -> ChangeError {
    match &error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => ChangeError::NoLeader,
        RaftError::APIError(_) | RaftError::Fatal(_) => ChangeError::Failed(error.to_string()),
    }
}

/// Whether a member was heard lately.
pub(super) fn is_heard(shared: &Shared, node: u64) -> bool {
    is_heard_within(shared, node, HEARD_WITHIN)
}

/// Whether a member was heard within this time. This server hears itself.
pub(super) fn is_heard_within(shared: &Shared, node: u64, within: Duration) -> bool {
    let metrics = shared.raft().metrics();
    let metrics = metrics.borrow_watched();
    let heard = metrics.heartbeat.as_ref().and_then(|heard| heard.get(&node).copied().flatten());
    node == shared.node || heard.is_some_and(|heard| heard.elapsed() < within)
}

async fn change_locally(shared: &Arc<Shared>, wanted: MemberChange) -> Result<u64, ChangeError> {
    let Ok(_asked) = shared.asked.try_lock() else { return Err(ChangeError::InProgress) };
    let _changing = shared.changing.lock().await;
    add_observers(shared).await?;
    let membership = shared.membership();
    let version = membership.log_id().as_ref().map_or(0, |at| at.index);
    if wanted.expected_version.is_some_and(|expected| expected != version) {
        return Err(ChangeError::WrongVersion(version));
    }
    if membership.membership().get_joint_config().len() > 1 {
        return Err(ChangeError::InProgress);
    }
    let plan = Plan::make(shared, &wanted);
    plan.wait_for_quorum(shared, |node| plan.present.contains(&node)).await?;
    plan.check_addresses(shared).await?;
    if let Some(next) = plan.next_leader(shared) {
        hand_over_locally(shared, Some(next)).await?;
        return Err(ChangeError::HandedOver);
    }
    if !plan.add.is_empty() {
        let hidden = plan
            .add
            .iter()
            .map(|(node, member)| (*node, Member { hidden: true, ..member.clone() }));
        change(shared, ChangeMembers::AddNodes(hidden.collect())).await?;
    }
    if let Some(joint) = plan.joint_when_caught_up(shared).await {
        let version = change(shared, joint).await?;
        if !plan.voters.contains(&shared.node) {
            until_demoted(shared).await;
        }
        return Ok(version);
    }
    if !plan.add.is_empty() {
        let gone = plan.add.iter().map(|(node, _)| *node).collect();
        change(shared, ChangeMembers::RemoveNodes(gone)).await?;
    }
    Err(ChangeError::NoQuorum)
}

/// Hands the lead to another server; waits until it has it.
pub(crate) async fn hand_over_locally(
    shared: &Arc<Shared>,
    to: Option<i64>,
) -> Result<u64, ChangeError> {
    let Some(target) = successor(shared, to) else {
        return Err(ChangeError::Invalid("there is no such server that votes".to_owned()));
    };
    tracing::info!("handing the lead over");
    let triggered = shared.raft().trigger().transfer_leader(target).await;
    triggered.map_err(|error| ChangeError::Failed(error.to_string()))?;
    let mut status = shared.status.subscribe();
    let own = shared.node;
    let handed = status.wait_for(|status| status.leader.is_some_and(|leader| leader.node != own));
    match timeout(HAND_OVER_MAX, handed).await {
        Ok(Ok(_)) => Ok(shared.membership().log_id().as_ref().map_or(0, |at| at.index)),
        Ok(Err(_)) | Err(_) => Err(ChangeError::Failed("the other server did not take it".into())),
    }
}

/// The voter of that number, or the one that is furthest.
fn successor(shared: &Shared, to: Option<i64>) -> Option<u64> {
    let membership = shared.membership();
    let members = membership.membership();
    let voters: BTreeSet<u64> = members.voter_ids().collect();
    let fits = |(node, member): &(&u64, &Member)| {
        **node != shared.node
            && voters.contains(*node)
            && member.votes
            && to.is_none_or(|to| to == member.server_id)
            && is_heard(shared, **node)
    };
    members.nodes().filter(fits).map(|(node, _)| *node).max_by_key(|node| progress(shared, *node))
}

/// Runs for as long as the server does: as the leader it finishes what is half done.
pub(crate) async fn ensure_joint_ends(shared: Arc<Shared>) {
    let mut leaving = Leaving::default();
    loop {
        sleep(LOOK_EVERY).await;
        if shared.status.borrow().role != Role::Leading {
            leaving.clear();
            continue;
        }
        let Ok(_changing) = shared.changing.try_lock() else { continue };
        if add_observers(&shared).await.is_err() {
            continue;
        }
        let membership = shared.membership();
        let members = membership.membership();
        let is_joint = members.get_joint_config().len() > 1;
        if !is_joint
            && stays_until_another_leads(&shared, members)
            && hand_over_locally(&shared, None).await.is_ok()
        {
            continue;
        }
        let outcome = if is_joint {
            change(&shared, ChangeMembers::AddVoterIds(BTreeSet::new())).await
        } else if let Some(changes) = due(&shared, members, &mut leaving) {
            change(&shared, changes).await
        } else {
            continue;
        };
        match outcome {
            Ok(version) => tracing::info!(version, "the members have changed"),
            Err(error) => tracing::debug!(%error, "the members could not be changed"),
        }
    }
}

/// Gives way to one of the new voters, who then demotes this server: until then what it has
/// counts, and it may be about to be taken away. What cannot be done now is done later.
async fn until_demoted(shared: &Arc<Shared>) {
    let _ = hand_over_locally(shared, None).await;
    let votes = || shared.membership().membership().voter_ids().any(|voter| voter == shared.node);
    let demoted = async {
        while votes() {
            sleep(LOOK_EVERY).await;
        }
    };
    let _ = timeout(HAND_OVER_MAX, demoted).await;
}

/// Whether this leader votes only because nobody else that voted was to vote on: all voters are
/// replaced, or an observer is what was left of an ensemble.
fn stays_until_another_leads(shared: &Shared, members: &Membership) -> bool {
    let is_to_vote = members.get_node(&shared.node).is_some_and(|member| member.votes);
    !is_to_vote && members.voter_ids().any(|voter| voter == shared.node)
}

/// Members that do not count any more, and since when this leader knows.
type Leaving = BTreeMap<u64, Instant>;

/// What is to be done about members that are not yet, or no more, what they should be.
fn due(
    shared: &Shared,
    members: &Membership,
    leaving: &mut Leaving,
) -> Option<ChangeMembers<u64, Member>> {
    let voters: BTreeSet<u64> = members.voter_ids().collect();
    let is_learner = |node: u64| !voters.contains(&node);
    // A successor that has caught up takes the place of the one whose number it has.
    let ready = members
        .nodes()
        .find(|(node, member)| member.votes && is_learner(**node) && is_ready(shared, **node));
    if let Some((node, ready)) = ready {
        let former = members.nodes().filter(|(other, member)| {
            *other != node && member.server_id == ready.server_id && voters.contains(*other)
        });
        let former: Vec<(u64, Member)> = former
            .map(|(node, member)| (*node, Member { hidden: true, votes: false, ..member.clone() }))
            .collect();
        let demote = former.iter().map(|(node, _)| *node).collect();
        let mut set = former;
        set.push((*node, Member { hidden: false, ..ready.clone() }));
        return Some(ChangeMembers::Batch(vec![
            ChangeMembers::SetNodes(set.into_iter().collect()),
            ChangeMembers::AddVoterIds([*node].into()),
            ChangeMembers::RemoveVoters(demote),
        ]));
    }
    if let Some(changes) = superseded(shared, members, &voters) {
        return Some(changes);
    }
    if let Some(changes) = former_leaders(shared, members, &voters) {
        return Some(changes);
    }
    // Those that were replaced or removed, and vote no more.
    let leaves = |(node, member): &(&u64, &Member)| member.is_leaving() && is_learner(**node);
    let now = Instant::now();
    let since = |(node, _): (&u64, &Member)| (*node, leaving.get(node).copied().unwrap_or(now));
    let known: Leaving = members.nodes().filter(leaves).map(since).collect();
    *leaving = known;
    let gone: BTreeSet<u64> = leaving
        .iter()
        .filter(|(_, since)| since.elapsed() > LEAVING_FOR)
        .map(|(node, _)| *node)
        .collect();
    (!gone.is_empty()).then_some(ChangeMembers::RemoveNodes(gone))
}

/// Those that led until another one could, and are not to vote, once a quorum of all that are to
/// does: what few of them have is not safe.
fn former_leaders(
    shared: &Shared,
    members: &Membership,
    voters: &BTreeSet<u64>,
) -> Option<ChangeMembers<u64, Member>> {
    let to_vote = || members.nodes().filter(|(_, member)| member.votes);
    let servers: BTreeSet<i64> = to_vote().map(|(_, member)| member.server_id).collect();
    let stays = |node: u64| voters.contains(&node) && is_ready(shared, node);
    let stay = to_vote().filter(|(node, _)| stays(**node)).count();
    let is_former = |(node, member): &(&u64, &Member)| {
        voters.contains(*node) && !member.votes && **node != shared.node
    };
    let go: BTreeSet<u64> = members.nodes().filter(is_former).map(|(node, _)| *node).collect();
    (!go.is_empty() && stay > servers.len() / 2).then_some(ChangeMembers::RemoveVoters(go))
}

/// Learners whose number another has. A change may make an observer of a server that has come
/// back with an empty disk, before its new node has taken the place of the former one: both
/// observe then. And a server on its way out that is taken for dead gets a node that stands for
/// it, beside its own. Those that are not there are on their way out when another is there and has
/// caught up; where none is, nobody goes.
fn superseded(
    shared: &Shared,
    members: &Membership,
    voters: &BTreeSet<u64>,
) -> Option<ChangeMembers<u64, Member>> {
    let has_successor = |node: u64, member: &Member| {
        members.nodes().any(|(other, same)| {
            let is_same = *other != node && same.server_id == member.server_id;
            is_same && !same.is_leaving() && is_ready(shared, *other)
        })
    };
    let gone: BTreeMap<u64, Member> = members
        .nodes()
        .filter(|(node, member)| !member.hidden && !voters.contains(*node))
        .filter(|(node, member)| !is_heard(shared, **node) && has_successor(**node, member))
        .map(|(node, member)| (*node, Member { hidden: true, votes: false, ..member.clone() }))
        .collect();
    (!gone.is_empty()).then_some(ChangeMembers::SetNodes(gone))
}
