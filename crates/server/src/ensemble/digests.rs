//! Whether all servers have the same state.
//!
//! Each server tells the leader the digest of its state at every 128th transaction, and at the
//! last one, four times a tick. The leader compares ([`super::comparison`]). When they differ
//! it raises an alarm, and where a majority agrees the others leave service, the leader too:
//! each sets its data aside and gets it anew (see [`crate::Running::begin_anew`]).

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use raft_log::{Members, PeerMessage};
use tree::{State, Zxid};

use super::{
    Ensemble,
    comparison::{Comparable, Comparison, Difference},
};
use crate::{
    admin::{Metrics, metrics::Counter},
    service::Service,
};

/// The same servers are not complained about more often.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// This server has not the state that a majority has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateDiffers {
    /// At this transaction.
    pub zxid: Zxid,
    /// Its digest.
    pub own: u64,
    /// That of the majority.
    pub right: u64,
}

impl std::fmt::Display for StateDiffers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { zxid, own, right } = self;
        write!(f, "digest {own:016x} at zxid {zxid}, where a majority has {right:016x}")
    }
}

/// What this server has told.
#[derive(Debug, Default)]
pub(super) struct Telling {
    told: Zxid,
}

impl Telling {
    /// Tells the leader what is new, and the present digest whether it is new or not: while
    /// nothing is written that is all there is to compare.
    pub(super) fn tell(&mut self, service: &Service, ensemble: &Ensemble) {
        let points = self.points(&service.core.read());
        let newest = points.last().map(|(zxid, _)| *zxid);
        if ensemble.log.tell_leader(&PeerMessage::Digests(points)) {
            self.told = newest.unwrap_or(self.told);
        }
    }

    fn points(&self, state: &State) -> Vec<(Zxid, u64)> {
        let now = state.last_zxid();
        let noted = state.digest_points().filter(|(zxid, _)| *zxid > self.told && *zxid < now);
        noted.chain([(now, state.digest())]).collect()
    }
}

/// What the leader has been told, in one term.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    term: u64,
    comparison: Comparison,
    /// Who was complained about last, and when.
    said: Option<(BTreeSet<u64>, Instant)>,
}

impl Hearing {
    /// A server has told its digests. Sends those away whose state is not the majority's.
    pub(super) fn hear(
        &mut self,
        node: u64,
        points: &[(Zxid, u64)],
        ensemble: &Ensemble,
        metrics: &Metrics,
    ) {
        let status = ensemble.log.status();
        let (term, members) = {
            let status = status.borrow();
            (status.term, status.members.clone())
        };
        if self.term != term {
            *self = Self { term, ..Self::default() };
        }
        let Some(found) = self.comparison.take(node, points, &comparable(&members)) else { return };
        metrics.count(Counter::DigestMismatches, found.count);
        self.say(&found, &members);
        for (node, own) in found.odd() {
            let Some(right) = found.right else { continue };
            if node == ensemble.log.origin().node {
                ensemble.state_differs(StateDiffers { zxid: found.zxid, own, right });
            } else {
                // One that it does not reach is told again when it tells its next digest.
                let zxid = found.zxid;
                let differs = PeerMessage::StateDiffers { zxid, yours: own, theirs: right };
                ensemble.log.tell(node, &differs);
            }
        }
    }

    /// The alarm.
    fn say(&mut self, found: &Difference, members: &Members) {
        let about: BTreeSet<u64> = match found.right {
            Some(_) => found.odd().map(|(node, _)| node).collect(),
            None => found.told.keys().copied().collect(),
        };
        let said = self.said.as_ref();
        if said.is_some_and(|(whom, at)| *whom == about && at.elapsed() < SAY_EVERY) {
            return;
        }
        let digests: Vec<String> = found
            .told
            .iter()
            .map(|(node, digest)| format!("{}={digest:016x}", name_of(*node, members)))
            .collect();
        let odd: Vec<String> = found.odd().map(|(node, _)| name_of(node, members)).collect();
        let (zxid, digests, odd) = (found.zxid, digests.join(" "), odd.join(" "));
        if found.right.is_some() {
            tracing::error!(
                %zxid,
                digests,
                odd,
                "the states of the servers differ: those that are not as the majority's begin anew"
            );
        } else {
            tracing::error!(
                %zxid,
                digests,
                "the states of the servers differ, and no majority agrees: nothing is done about \
                 it, and some clients read what is wrong"
            );
        }
        self.said = Some((about, Instant::now()));
    }
}

fn comparable(members: &Members) -> Comparable {
    let voting = members.members.iter().filter(|member| member.voting);
    Comparable {
        members: members.members.iter().map(|member| member.node).collect(),
        voters: voting.map(|member| member.node).collect(),
    }
}

fn name_of(node: u64, members: &Members) -> String {
    let member = members.members.iter().find(|member| member.node == node);
    member.map_or_else(
        || format!("node.{node:016x}"),
        |member| format!("server.{}", member.server.server_id),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_not_told_again_but_the_present_is() {
        let mut state = State::new();
        let set = |state: &mut State, count: usize| {
            for _ in 0..count {
                state.set_config(&format!("server.1=a:1:2;{}\n", state.last_zxid().0));
            }
        };
        set(&mut state, 300);
        let telling = Telling::default();
        let zxids = |telling: &Telling, state: &State| -> Vec<i64> {
            telling.points(state).iter().map(|(zxid, _)| zxid.0).collect()
        };
        assert_eq!(zxids(&telling, &state), [128, 256, 300]);
        let telling = Telling { told: Zxid(300) };
        assert_eq!(zxids(&telling, &state), [300]);
        set(&mut state, 84);
        assert_eq!(zxids(&telling, &state), [384], "the present one is a noted one");
    }
}
