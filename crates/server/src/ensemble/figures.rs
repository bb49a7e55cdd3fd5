//! What monitoring asks about a server's place among others: who follows, since when it leads,
//! how long it was without a leader.
//!
//! A task of its own follows the log's status; what is counted on the way of a write is in
//! [`crate::admin::metrics`].

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use raft_log::{Lag, MemberView, Role, Status};
use tokio::{sync::watch, time::timeout};

use super::Ensemble;
use crate::{
    admin::{
        EnsembleOverview, EnsembleView, Leading, Metrics,
        metrics::{Counter, Duty, Summary},
    },
    config::Member,
    measured::milliseconds,
    service::Service,
};

/// How often a leader looks who follows it.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A member that was heard within this time follows.
const HEARD_WITHIN: Duration = Duration::from_millis(1500);
/// A member that is at most this many entries behind has caught up.
const SYNCED_ENTRIES: u64 = 1000;

/// Since when things are as they are.
#[derive(Debug)]
pub(crate) struct Figures(Mutex<Times>);

#[derive(Debug)]
struct Times {
    /// Since when there is no leader, if there is none.
    leaderless: Option<Instant>,
    /// Since when there is one, and which node it is.
    led: Option<(u64, Instant)>,
    /// Since when no clients are served, if they are not.
    unserved: Option<Instant>,
    /// Who followed at the last look, by node.
    learners: BTreeSet<u64>,
}

impl Figures {
    /// A server that has just started.
    pub(super) fn new() -> Self {
        let now = Some(Instant::now());
        let learners = BTreeSet::new();
        Self(Mutex::new(Times { leaderless: now, led: None, unserved: now, learners }))
    }

    /// Clients are served from now on, or no more.
    pub(super) fn note_serving(&self, serving: bool, metrics: &Metrics) {
        let mut times = self.0.lock();
        if !serving {
            times.unserved.get_or_insert_with(Instant::now);
            return;
        }
        if let Some(since) = times.unserved.take() {
            metrics.observe(Summary::Unavailable, milliseconds(since.elapsed()));
        }
        let caught_up = times.led.map_or(Duration::ZERO, |(_, since)| since.elapsed());
        match metrics.duty() {
            Duty::Follows => metrics.observe(Summary::FollowerSync, milliseconds(caught_up)),
            Duty::Observes => metrics.observe(Summary::ObserverSync, milliseconds(caught_up)),
            Duty::Alone | Duty::Leads => {}
        }
    }

    fn note_status(&self, status: &Status, metrics: &Metrics) {
        let duty = match status.role {
            Role::Leading => Duty::Leads,
            Role::Observing => Duty::Observes,
            Role::Following | Role::Looking | Role::Joining => Duty::Follows,
        };
        metrics.set_duty(duty);
        let mut times = self.0.lock();
        let Some(leader) = status.leader else {
            times.led = None;
            times.leaderless.get_or_insert_with(|| {
                metrics.count(Counter::Looking, 1);
                Instant::now()
            });
            return;
        };
        if times.led.is_none_or(|(node, _)| node != leader.node) {
            times.led = Some((leader.node, Instant::now()));
            times.learners.clear();
        }
        if let Some(since) = times.leaderless.take() {
            let took = milliseconds(since.elapsed());
            if duty != Duty::Observes {
                metrics.observe(Summary::Election, took);
            }
            if duty == Duty::Leads {
                metrics.observe(Summary::LeaderUnavailable, took);
            }
        }
    }

    fn note_learners(&self, learners: BTreeSet<u64>, metrics: &Metrics) {
        let mut times = self.0.lock();
        let fresh = learners.difference(&times.learners).count();
        metrics.count(Counter::LogsSent, fresh as u64);
        times.learners = learners;
    }

    fn led_for(&self) -> Duration {
        self.0.lock().led.map_or(Duration::ZERO, |(_, since)| since.elapsed())
    }
}

/// Keeps the figures, until told to stop.
pub(crate) async fn keep_figures(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let Some(ensemble) = &service.ensemble else { return };
    let metrics = &service.core.metrics;
    metrics.count(Counter::Looking, 1);
    let mut status = ensemble.log.status();
    loop {
        let leads = {
            let status = status.borrow_and_update();
            ensemble.figures.note_status(&status, metrics);
            status.role == Role::Leading
        };
        if leads {
            let learners = ensemble.followers().into_iter().map(|(member, _)| member.node);
            ensemble.figures.note_learners(learners.collect(), metrics);
        }
        tokio::select! {
            // Whichever comes first; the log ends last.
            _ = timeout(LOOK_EVERY, status.changed()) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

impl Ensemble {
    /// The figures that cost nothing.
    pub(crate) fn overview(&self, metrics: &Metrics) -> EnsembleOverview {
        let (role, voters, leader) = {
            let status = self.log.status();
            let status = status.borrow();
            let voters = status.members.members.iter().filter(|member| member.voting).count();
            (status.role, voters as u64, status.leader)
        };
        EnsembleOverview {
            voters,
            peer_state: match role {
                Role::Leading => "leading - broadcast",
                Role::Observing => "observing - broadcast",
                Role::Following => "following - broadcast",
                Role::Looking | Role::Joining => "looking - election",
            },
            observer_master: leader
                .filter(|_| role == Role::Observing)
                .map(|leader| leader.server_id),
            leading: (role == Role::Leading).then(|| self.leading(metrics)),
        }
    }

    fn leading(&self, metrics: &Metrics) -> Leading {
        let mut leading = Leading {
            uptime_ms: milliseconds(self.figures.led_for()),
            pending_syncs: self.barriers.count() as u64,
            proposal_sizes: metrics.proposal_sizes(),
            ..Leading::default()
        };
        for (member, synced) in self.followers() {
            leading.learners += 1;
            let kind = match (member.server.votes, member.voting) {
                (true, true) => &mut leading.synced_followers,
                (true, false) => &mut leading.synced_non_voting_followers,
                (false, _) => &mut leading.synced_observers,
            };
            *kind += u64::from(synced);
        }
        leading
    }

    /// The members that follow this server while it leads, and whether they have caught up.
    fn followers(&self) -> Vec<(MemberView, bool)> {
        let lags = self.log.lags();
        let own = self.log.origin().node;
        let last = lags.iter().filter_map(|lag| lag.matched).max().unwrap_or(0);
        let heard = |lag: &&Lag| {
            lag.peer.node != own && lag.heard.is_some_and(|heard| heard < HEARD_WITHIN)
        };
        let status = self.log.status();
        let status = status.borrow();
        let members = &status.members.members;
        let follower = |lag: &Lag| {
            let member = members.iter().find(|member| member.node == lag.peer.node)?;
            let synced = lag.matched.is_some_and(|matched| matched + SYNCED_ENTRIES >= last);
            Some((member.clone(), synced))
        };
        lags.iter().filter(heard).filter_map(follower).collect()
    }

    /// The members as `/zookeeper/config` shows them.
    pub(crate) fn config_text(&self) -> String {
        super::config_text(&self.log.status().borrow().members)
    }

    /// The members as they are known here. `me` and `client` are this server's own.
    pub(crate) fn view(&self, me: &Member, client: SocketAddr) -> EnsembleView {
        let observers = self.followers().into_iter().filter(|(member, _)| !member.server.votes);
        let observers = observers.map(|(member, _)| member.server.server_id).collect();
        let status = self.log.status();
        let status = status.borrow();
        let shown = status.members.members.iter().filter(|member| member.shown);
        let known = |member: &MemberView| {
            // What cannot be read was never in a configuration of ours.
            Member::parse(member.server.server_id, &member.server.spec).ok()
        };
        EnsembleView {
            me: me.clone(),
            client_address: client,
            leader: status.leader.map(|leader| leader.server_id),
            members: shown.filter_map(known).collect(),
            observers,
        }
    }
}

#[cfg(test)]
mod tests {
    use raft_log::PeerRef;

    use super::*;

    fn status(role: Role, leader: Option<u64>) -> Status {
        let leader = leader.map(|node| PeerRef { node, server_id: 1 });
        Status { role, leader, ..Status::default() }
    }

    #[test]
    fn elections_and_the_time_without_service_are_counted() {
        let (figures, metrics) = (Figures::new(), Metrics::new());
        figures.note_status(&status(Role::Looking, None), &metrics);
        figures.note_status(&status(Role::Leading, Some(1)), &metrics);
        figures.note_serving(true, &metrics);
        figures.note_status(&status(Role::Looking, None), &metrics);
        figures.note_serving(false, &metrics);
        figures.note_status(&status(Role::Following, Some(2)), &metrics);
        figures.note_serving(true, &metrics);
        let counted = metrics.figures();
        assert_eq!(counted.counter(Counter::Looking), 1, "the first one is counted at the start");
        assert_eq!(counted.summary(Summary::Election).count, 2);
        assert_eq!(counted.summary(Summary::LeaderUnavailable).count, 1);
        assert_eq!(counted.summary(Summary::Unavailable).count, 2);
        assert_eq!(counted.summary(Summary::FollowerSync).count, 1);
    }

    #[test]
    fn followers_are_counted_when_they_come() {
        let (figures, metrics) = (Figures::new(), Metrics::new());
        for learners in [vec![1, 2], vec![2], vec![1, 2, 3]] {
            figures.note_learners(learners.into_iter().collect(), &metrics);
        }
        assert_eq!(metrics.figures().counter(Counter::LogsSent), 4);
    }
}
