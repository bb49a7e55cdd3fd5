//! The ensemble as one server sees it, for people to look at: who belongs to it, who answers,
//! and how far each is.
//!
//! How far the members are only the leader knows, and is asked; whether they answer is tried
//! from here, since that is what somebody wants to know who looks for a broken network.

use std::time::Duration;

use futures_util::{StreamExt, stream::FuturesUnordered};
use openraft::async_runtime::WatchReceiver;

use super::{MemberView, Role, Shared, Status};
use crate::{
    generated::peer as wire,
    peer::{Kind, PeerError},
};

/// How long a member may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a leader counts as one after a quorum last answered it.
const LEADS_FOR: Duration = Duration::from_secs(3);

/// The ensemble as one server sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The number of the server that was asked; none while it is no member.
    pub asked: Option<i64>,
    /// What the server that was asked is. It names a leader only if it was in touch with a quorum
    /// by way of that lately.
    pub status: Status,
    /// The last entry of the leader; none if it could not be asked.
    pub last: Option<u64>,
    /// Every member, in order of the servers' numbers.
    pub members: Vec<MemberReport>,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberReport {
    /// Who it is.
    pub member: MemberView,
    /// Why it does not answer the server that was asked; none if it does.
    pub unreached: Option<String>,
    /// The number of the server that it takes for the leader; none if it knows none.
    pub follows: Option<i64>,
    /// The last entry that is on its disk, as far as the leader knows.
    pub matched: Option<u64>,
    /// How long ago the leader heard from it.
    pub heard: Option<Duration>,
}

/// What a member says about whom it follows.
type Answered = Result<Option<i64>, PeerError>;

impl Shared {
    /// Asks the leader and every member.
    pub(crate) async fn report(&self) -> Report {
        let status = self.status.borrow().clone();
        let (standings, answers) =
            futures_util::join!(self.leaders_standings(), self.probe_all(&status));
        let standing = |node: u64| {
            let found = standings.members.iter().find(|one| one.node.cast_unsigned() == node);
            (
                found.and_then(|one| u64::try_from(one.matched).ok()),
                found.and_then(|one| u64::try_from(one.heard_ms).ok()).map(Duration::from_millis),
            )
        };
        let members = answers.into_iter().map(|(member, answered)| {
            let (matched, heard) = standing(member.node);
            let (follows, unreached) = match answered {
                Ok(follows) => (follows, None),
                Err(error) => (None, Some(error.to_string())),
            };
            MemberReport { member, unreached, follows, matched, heard }
        });
        let members: Vec<MemberReport> = members.collect();
        // Nobody forgets the last leader before there is another one: not those that cannot
        // elect one, nor itself.
        let in_touch = self.contact_age().is_some_and(|age| age < LEADS_FOR);
        let leader = status.leader.filter(|_| standings.leads || in_touch);
        let status = Status { leader, ..status };
        let asked = members.iter().find(|one| one.member.node == self.node);
        let asked = asked.map(|one| one.member.server.server_id);
        Report { asked, status, last: u64::try_from(standings.last).ok(), members }
    }

    async fn leaders_standings(&self) -> wire::StandingsReply {
        if self.status.borrow().role == Role::Leading {
            return standings(self);
        }
        let Some(link) = self.link_to_leader() else { return nothing_known() };
        let answer = link.call(Kind::Standings, &wire::Ask { reserved: 0 }, PATIENCE).await;
        let reply = answer.ok().and_then(|answer| answer.record::<wire::StandingsReply>().ok());
        reply.filter(|reply| reply.leads).unwrap_or_else(nothing_known)
    }

    async fn probe_all(&self, status: &Status) -> Vec<(MemberView, Answered)> {
        let own = status.leader.map(|leader| leader.server_id);
        let asked: FuturesUnordered<_> = status
            .members
            .members
            .iter()
            .map(|member| async move {
                let answered =
                    if member.node == self.node { Ok(own) } else { self.probe(member).await };
                (member.clone(), answered)
            })
            .collect();
        let mut answers: Vec<_> = asked.collect().await;
        answers.sort_by_key(|(member, _)| (member.server.server_id, !member.voting));
        answers
    }

    async fn probe(&self, member: &MemberView) -> Answered {
        let Some(link) = self.link_to(member.node) else { return Ok(None) };
        let answer = link.call(Kind::Probe, &wire::Ask { reserved: 0 }, PATIENCE).await?;
        let reply: wire::ProbeReply = answer.record()?;
        Ok((reply.leader >= 0).then_some(reply.leader))
    }
}

const fn nothing_known() -> wire::StandingsReply {
    wire::StandingsReply { leads: false, last: -1, members: Vec::new() }
}

/// Answers Standings: as the leader that a quorum has answered lately.
pub(super) fn standings(shared: &Shared) -> wire::StandingsReply {
    let leads = shared.status.borrow().role == Role::Leading;
    if !leads || shared.quorum_age().is_none_or(|age| age > LEADS_FOR) {
        return nothing_known();
    }
    let last = shared.raft().metrics().borrow_watched().last_log_index;
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let lags = shared.lags().into_iter();
    let members = lags.map(|lag| wire::Standing {
        node: lag.peer.node.cast_signed(),
        matched: lag.matched.map_or(-1, number),
        heard_ms: lag
            .heard
            .map_or(-1, |heard| i64::try_from(heard.as_millis()).unwrap_or(i64::MAX)),
    });
    wire::StandingsReply { leads: true, last: last.map_or(-1, number), members: members.collect() }
}
