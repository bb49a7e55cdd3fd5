//! A server among others: whether it may serve, and what it tells the one that leads.
//!
//! How entries are ordered, who leads and who the members are is `raft-log`'s business.
//! Here is what follows from it for clients: a server serves from when it has caught up
//! with a leader until it has been out of touch for the shortest session timeout; then it
//! drops its clients, which go to another server. That a leader was lost and another one
//! found within that time is nothing that clients notice.

mod barriers;
mod comparison;
mod digests;
mod figures;
mod membership;
mod new_members;
mod own_port;
mod read_only;
mod reconfig;
mod serving;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use raft_log::{ChangeError, FromPeer, PeerMessage, RaftLog, Report, Role, Status};
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use crate::{
    admin::{Mode, metrics::Counter},
    config::EnsembleConfig,
    service::Service,
};

use digests::{Hearing, Telling};
use figures::Figures;
use serving::ServingCell;

pub(crate) use barriers::{Barriers, run as pass_barriers};
pub use digests::StateDiffers;
pub(crate) use figures::keep_figures;
pub(crate) use membership::{config_text, raft_config};
pub(crate) use own_port::OwnPort;
pub(crate) use reconfig::{Request, reconfigure};
pub(crate) use serving::Serving;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use {membership::server_spec, new_members::difference};

/// How long one attempt to catch up may take before it is made again.
const CATCH_UP_MAX: Duration = Duration::from_secs(5);
/// How long a server that asked for another leader waits to hear of it.
const HAND_OVER_KNOWN_MAX: Duration = Duration::from_secs(3);
/// How often a server looks whether it is still in touch.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long ago a leader may have been in touch that is in touch: it hears from the others four
/// times a second at least, and one time may be late.
const TOUCH_TOLD_MAX: Duration = Duration::from_millis(750);
/// How long a server that was removed still serves: who asked it for that gets the answer, which
/// takes the leader two more writes.
const REMOVED_FOR: Duration = Duration::from_secs(2);
/// Between two attempts to catch up.
const PAUSE: Duration = Duration::from_millis(20);

/// What this server is to the members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// One of them.
    Inside,
    /// It is to vote and does not count yet: it is new, or its disk is, and it takes the place
    /// of another one. Until then losing one more server may be one too many, so that it does
    /// not say that it serves.
    YetToVote,
    /// None of them: it was not added yet, or it was removed.
    Outside,
}

/// This server's place among the others.
#[derive(Debug)]
pub(crate) struct Ensemble {
    log: Arc<RaftLog>,
    /// Which clients are served.
    serving: ServingCell,
    /// The term in which this server may start things by itself, or 0: it leads, has applied all
    /// that was decided before, and has given every session a full timeout.
    leading: AtomicU64,
    /// Syncs that wait until this server has caught up.
    pub(crate) barriers: Barriers,
    figures: Figures,
    /// That this server's state is not what a majority has, once that was found.
    differs: watch::Sender<Option<StateDiffers>>,
    /// `standaloneEnabled`: two participants must always be left.
    standalone_enabled: bool,
}

impl Ensemble {
    /// A server that does not serve yet.
    pub(crate) fn new(log: Arc<RaftLog>, config: &EnsembleConfig) -> Self {
        Self {
            log,
            serving: ServingCell::default(),
            leading: AtomicU64::new(0),
            barriers: Barriers::default(),
            figures: Figures::new(),
            differs: watch::Sender::new(None),
            standalone_enabled: config.standalone_enabled,
        }
    }

    /// Which clients are served.
    pub(crate) fn serving(&self) -> Serving {
        self.serving.get()
    }

    fn set_serving(&self, serving: bool, service: &Service) {
        self.serving.set(if serving { Serving::All } else { Serving::Nobody });
        self.figures.note_serving(serving, &service.core.metrics);
    }

    /// Becomes `Some` when this server's state was found to be another than a majority's.
    pub(crate) fn differs(&self) -> watch::Receiver<Option<StateDiffers>> {
        self.differs.subscribe()
    }

    /// This server must serve nobody any more.
    fn state_differs(&self, differs: StateDiffers) {
        self.differs.send_if_modified(|known| {
            let first = known.is_none();
            *known = known.or(Some(differs));
            first
        });
    }

    /// Whether this server may expire sessions and reap znodes.
    pub(crate) fn is_leading(&self) -> bool {
        self.leads_in().is_some()
    }

    /// The term in which this server may, if it may: another leader's sessions are not its to
    /// judge, nor those of a term in which not every session has had a full timeout.
    pub(crate) fn leads_in(&self) -> Option<u64> {
        let status = self.log.status();
        let status = status.borrow();
        let leads =
            status.role == Role::Leading && status.term == self.leading.load(Ordering::Acquire);
        leads.then_some(status.term)
    }

    /// Starts nothing by itself any more.
    fn step_down(&self, service: &Service) {
        self.leading.store(0, Ordering::Release);
        service.core.liveness.step_down();
    }

    /// What it is to its clients.
    pub(crate) fn mode(&self) -> Mode {
        if self.serving() == Serving::Readers {
            return Mode::ReadOnly;
        }
        match self.log.status().borrow().role {
            Role::Leading => Mode::Leader,
            Role::Observing => Mode::Observer,
            Role::Following | Role::Looking | Role::Joining => Mode::Follower,
        }
    }

    /// The ensemble as this server sees it. Waits for the answers of others.
    pub(crate) fn report(&self) -> Option<Report> {
        Handle::current().block_on(self.log.report())
    }

    /// Makes the leader give way; gives the number of the new one. Waits until this server
    /// knows it.
    pub(crate) fn hand_over(&self, to: Option<i64>) -> Result<Option<i64>, ChangeError> {
        let mut status = self.log.status();
        let before = status.borrow().leader;
        if to.is_some() && before.map(|leader| leader.server_id) == to {
            return Ok(to);
        }
        Handle::current().block_on(async {
            self.log.hand_over(to).await?;
            let known =
                status.wait_for(|status| status.leader.is_some() && status.leader != before);
            // One that has not heard of it by then does not name another one.
            let known = timeout(HAND_OVER_KNOWN_MAX, known).await;
            let leader = known.ok().and_then(Result::ok).and_then(|status| status.leader);
            Ok(leader.map(|leader| leader.server_id).or(to))
        })
    }

    /// Whether this server may serve, as far as the members go.
    fn place(&self) -> Place {
        let status = self.log.status();
        let status = status.borrow();
        let own = status.members.members.iter().find(|one| one.node == self.log.origin().node);
        match own {
            None => Place::Outside,
            Some(own) if own.server.votes && !own.voting => Place::YetToVote,
            Some(own) if !own.server.votes && !own.shown => Place::Outside,
            Some(_) => Place::Inside,
        }
    }

    /// Whether it was removed, and the change that did it is done.
    fn is_removed(&self) -> bool {
        self.place() == Place::Outside && !self.log.status().borrow().members.changing
    }

    /// Whether a leader was in touch with a quorum within the last tick, or about as lately as
    /// can be told.
    pub(crate) fn hears_others(&self, tick: Duration) -> bool {
        !self.is_out_of_touch(tick.max(TOUCH_TOLD_MAX))
    }

    fn is_out_of_touch(&self, patience: Duration) -> bool {
        self.log.contact_age().is_none_or(|age| age > patience)
    }

    /// Waits until this server has all that was decided before now.
    async fn catch_up(&self) -> bool {
        matches!(timeout(CATCH_UP_MAX, self.log.read_barrier()).await, Ok(Ok(())))
    }

    /// The same for a server that serves, which it must not do longer than it is in touch.
    async fn catch_up_in_touch(&self, patience: Duration) -> bool {
        let out_of_touch = async {
            while !self.is_out_of_touch(patience) {
                sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            caught_up = self.catch_up() => caught_up,
            () = out_of_touch => false,
        }
    }
}

/// Starts and ends serving as this server gains and loses touch with the others, until told
/// to stop.
pub(crate) async fn follow(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let Some(ensemble) = &service.ensemble else { return };
    tokio::select! {
        () = serve_while_in_touch(&service, ensemble) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    ensemble.step_down(&service);
}

async fn serve_while_in_touch(service: &Service, ensemble: &Ensemble) {
    let shortest = u64::try_from(service.config.session_timeouts.min_ms).unwrap_or(1);
    let patience = Duration::from_millis(shortest.max(1));
    let mut status = ensemble.log.status();
    loop {
        tokio::select! {
            () = get_in_touch(ensemble, patience) => {}
            () = read_only::serve_when_cut_off(service, ensemble) => {}
        }
        read_only::end(service, ensemble);
        ensemble.set_serving(true, service);
        let zxid = service.core.read().last_zxid();
        tracing::info!(mode = ensemble.mode().name(), %zxid, "serving clients");
        let mut removed = None;
        while !ensemble.is_out_of_touch(patience)
            && removed.is_none_or(|since: Instant| since.elapsed() < REMOVED_FOR)
        {
            follow_leadership(service, ensemble, &mut status, patience).await;
            let is_removed = ensemble.is_removed();
            removed = is_removed.then(|| removed.unwrap_or_else(Instant::now));
        }
        ensemble.step_down(service);
        if removed.is_some() {
            tracing::warn!(
                "this server was removed from the configuration: clients are sent away to other \
                 servers. It can be stopped, or added again with reconfig"
            );
        } else {
            tracing::warn!(
                after_ms = shortest,
                "out of touch with a quorum: clients are sent away to other servers"
            );
        }
        ensemble.set_serving(false, service);
        service.core.links.drop_all();
    }
}

/// Returns when this server may serve everybody.
async fn get_in_touch(ensemble: &Ensemble, patience: Duration) {
    let mut status = ensemble.log.status();
    loop {
        // The log ends last, so that its channel is there.
        let _ = status.wait_for(|status| status.leader.is_some()).await;
        let not_yet = ensemble.is_out_of_touch(patience) || ensemble.place() != Place::Inside;
        if !not_yet && ensemble.catch_up().await {
            return;
        }
        sleep(PAUSE).await;
    }
}

/// Looks once, soon or when something has changed, who leads.
async fn follow_leadership(
    service: &Service,
    ensemble: &Ensemble,
    status: &mut watch::Receiver<Status>,
    patience: Duration,
) {
    let Status { role, term, .. } = *status.borrow_and_update();
    if role != Role::Leading {
        ensemble.step_down(service);
    } else if ensemble.leading.load(Ordering::Acquire) != term
        && ensemble.catch_up_in_touch(patience).await
    {
        let core = &service.core;
        core.liveness.restart(&core.read(), core.clock.monotonic_ms());
        ensemble.leading.store(term, Ordering::Release);
        tracing::info!("leading: every session has a full timeout");
    }
    // Whichever comes first; there is nothing to do about an error.
    let _ = timeout(LOOK_EVERY, status.changed()).await;
}

/// Tells the leader, four times a tick, which sessions were heard from here and what the state
/// is, until told to stop.
pub(crate) async fn report(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let Some(ensemble) = &service.ensemble else { return };
    let mut tick = interval(Duration::from_millis(u64::from(service.config.tick_ms / 4).max(1)));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reported_ms = 0;
    let mut telling = Telling::default();
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let now_ms = service.core.clock.monotonic_ms();
        let heard = service.core.links.heard_since(reported_ms);
        // The leader itself looks at its connections when a session comes up.
        let needless = heard.is_empty() || ensemble.is_leading();
        if needless || ensemble.log.tell_leader(&PeerMessage::SessionsHeard(heard)) {
            reported_ms = now_ms;
        }
        telling.tell(&service, ensemble);
    }
}

/// Takes what the others tell this server, until told to stop.
pub(crate) async fn hear_others(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let Some(ensemble) = &service.ensemble else { return };
    let Some(mut messages) = ensemble.log.take_messages() else { return };
    let mut hearing = Hearing::default();
    while let Some(FromPeer { node, message, .. }) = next(&mut messages, &mut stop).await {
        let core = &service.core;
        match message {
            PeerMessage::SessionsHeard(sessions) => {
                core.liveness.heard(&sessions, core.clock.monotonic_ms());
            }
            PeerMessage::Digests(points) if ensemble.is_leading() => {
                hearing.hear(node, &points, ensemble, &core.metrics);
            }
            PeerMessage::Digests(_) => {}
            PeerMessage::StateDiffers { zxid, yours, theirs } => {
                core.metrics.count(Counter::DigestMismatches, 1);
                ensemble.state_differs(StateDiffers { zxid, own: yours, right: theirs });
            }
        }
    }
}

async fn next(
    messages: &mut mpsc::Receiver<FromPeer>,
    stop: &mut watch::Receiver<bool>,
) -> Option<FromPeer> {
    tokio::select! {
        message = messages.recv() => message,
        _ = stop.wait_for(|stop| *stop) => None,
    }
}
