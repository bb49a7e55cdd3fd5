//! A leader whose process ended is replaced at once, without waiting for a timeout.
//!
//! When the leader's connection breaks, a follower dials it. If nobody answers there, it
//! asks the other voters whether they have lost it, too. When a quorum has, the one whose
//! log reaches furthest stands for election, and says in its request that the leader is
//! gone, so that its lease does not count. (openraft's own pre-vote would refuse while
//! the lease runs; a leader that is merely slow, or cut off, is left to that.)

use std::{cmp::Reverse, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use openraft::async_runtime::WatchReceiver;
use tokio::time::{Instant, sleep, timeout};

use super::Shared;
use crate::{
    generated::peer as wire,
    peer::{
        Identity, Kind, Lane, Wanted,
        convert::{read_log_id, read_vote, wire_log_id, wire_vote},
        dial,
        frame::Frame,
    },
    types::{LogId, Vote},
};

/// How long the leader may take to take a connection before it counts as slow, not gone.
const DIAL_MAX: Duration = Duration::from_millis(300);
/// How long the others may take to say whether they lost it.
const ASK_MAX: Duration = Duration::from_millis(700);
/// How long one whose log reaches less far waits for the others.
const AFTER_YOU: Duration = Duration::from_millis(300);

/// Another server should stand: its log reaches further, or as far and its node id is lower.
const BETTER: &str = "this one should stand";

/// The leader that is followed, and the last entry here.
fn followed(shared: &Shared) -> Option<(Vote, Option<LogId>)> {
    let metrics = shared.raft().metrics();
    let metrics = metrics.borrow_watched();
    let follows = metrics.vote.committed && metrics.vote.leader_id.voted_for != shared.node;
    follows.then(|| (metrics.vote, shared.log.last()))
}

/// A connection from `peer` broke. If it led, and is gone, it is replaced.
pub(crate) async fn suspect(shared: &Arc<Shared>, peer: Identity) {
    let Identity { node, incarnation, .. } = peer;
    let Some((vote, last)) = followed(shared) else { return };
    if vote.leader_id.voted_for != node || !is_gone(shared, node, incarnation).await {
        return;
    }
    tracing::info!(term = vote.leader_id.term, "the leader is gone");
    let voters: Vec<u64> = shared.membership().membership().voter_ids().collect();
    if !voters.contains(&shared.node) {
        return;
    }
    let record = &wire::LeaderLost {
        vote: wire_vote(&vote),
        incarnation: incarnation.cast_signed(),
        last: wire_log_id(last),
    };
    let others = voters.iter().filter(|voter| **voter != shared.node && **voter != node);
    let mut answers: FuturesUnordered<_> = others
        .map(|voter| async move {
            let link = shared.link_to(*voter)?;
            let answer = link.call(Kind::LeaderLost, record, ASK_MAX).await.ok()?;
            let answer: wire::Answer<'_> = answer.record().ok()?;
            Some((answer.yes, answer.text == BETTER))
        })
        .collect();
    let (mut lost, mut better) = (1, false);
    // A quorum is enough: a third server that is gone, too, must not be waited for.
    while lost <= voters.len() / 2 || better {
        let Some(answer) = answers.next().await else { break };
        let (yes, is_better) = answer.unwrap_or_default();
        lost += usize::from(yes || is_better);
        better |= is_better;
    }
    if lost <= voters.len() / 2 {
        return;
    }
    *shared.gone.lock() = Some((vote.leader_id.term, Instant::now()));
    if better {
        sleep(AFTER_YOU).await;
    }
    if followed(shared).is_some_and(|(now, _)| now == vote) {
        // An error means that openraft has stopped, which is seen elsewhere.
        let _ = shared.raft().trigger().elect(false).await;
    }
}

/// Whether nobody takes connections where that node should be, or it was started anew.
async fn is_gone(shared: &Shared, node: u64, incarnation: u64) -> bool {
    let membership = shared.membership();
    let Some(member) = membership.membership().get_node(&node) else { return true };
    let links = &shared.links;
    let wanted = Wanted::Node(node);
    let dialled = dial(links.transport(), &member.addresses, links.own(), wanted, Lane::Control);
    // One that does not answer at all may come back: only a refusal is a sign.
    timeout(DIAL_MAX, dialled)
        .await
        .is_ok_and(|session| session.map_or(true, |there| there.peer.incarnation != incarnation))
}

/// Answers another voter: whether the leader is lost here, too, and it may stand.
pub(super) async fn is_lost(
    shared: &Arc<Shared>,
    from: Identity,
    frame: &Frame,
) -> wire::Answer<'static> {
    let no = |text| wire::Answer { yes: false, text };
    let Ok(record) = frame.record::<wire::LeaderLost>() else { return no("nonsense") };
    let (asked, Ok(theirs)) = (read_vote(record.vote), read_log_id(&record.last)) else {
        return no("nonsense");
    };
    let Some((vote, last)) = followed(shared) else { return no("this one follows nobody") };
    if vote != asked {
        return no("this one follows another leader");
    }
    if !is_gone(shared, vote.leader_id.voted_for, record.incarnation.cast_unsigned()).await {
        return no("the leader answers here");
    }
    *shared.gone.lock() = Some((vote.leader_id.term, Instant::now()));
    // One of two must stand back, or both vote for themselves.
    if (theirs, Reverse(from.node)) < (last, Reverse(shared.node)) {
        return no(BETTER);
    }
    wire::Answer { yes: true, text: "" }
}
