//! What a server does beside answering: it follows who leads, and tells it whom it heard; as
//! the leader it expires who fell silent.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use raft_log::{FromPeer, PeerMessage, Role, Status};
use session::{Sight, Vigil};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tree::{Command, CommandFlags, Op, Owner, SessionId};

use super::{TICK_MS, TIMEOUT_MIN_MS, Up};

/// How long one attempt to catch up may take.
const CATCH_UP_MAX: Duration = Duration::from_secs(5);
/// How often a server looks whether it is still in touch.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Between two attempts to catch up.
const PAUSE: Duration = Duration::from_millis(20);

impl Up {
    fn is_out_of_touch(&self) -> bool {
        let patience = Duration::from_millis(u64::from(TIMEOUT_MIN_MS.unsigned_abs()));
        self.log.contact_age().is_none_or(|age| age > patience)
    }

    /// Whether what others hear comes to this server, which leads them.
    fn hears_others(&self) -> bool {
        self.log.contact_age().is_some_and(|age| age < Duration::from_millis(TICK_MS))
    }

    /// Gives every session a full timeout.
    fn begin_anew(&self) {
        let state = self.core.state();
        let sessions = state.sessions().map(|(id, session)| (id, session.timeout_ms));
        self.core.expiry.lock().restart(self.core.clock.monotonic_ms(), sessions);
    }

    /// Proposes the end of those who were silent for their whole timeout by `now_ms`.
    fn expire(&self, term: u64, now_ms: u64) {
        let core = &self.core;
        // What other servers heard comes up to a quarter of a tick later.
        let now_ms = now_ms.saturating_sub(TICK_MS / 2);
        let expired =
            core.expiry.lock().poll_expired(now_ms, &mut |session| core.heard_ms(session));
        for session in expired {
            let owner = core.look(|state| state.session(session).map(|record| record.owner));
            let Some(owner) = owner else { continue };
            let command = Command {
                session: SessionId::NONE,
                owner: Owner(0),
                xid: 0,
                flags: CommandFlags::default(),
                identities: Vec::new(),
                op: Op::ExpireSession { session, owner, term: Some(term) },
            };
            // If there is no room it comes up again.
            let _ = self.propose(&command, None);
        }
    }

    /// Waits until this server has all that was decided before now.
    pub(super) async fn catch_up(&self) -> bool {
        matches!(timeout(CATCH_UP_MAX, self.log.read_barrier()).await, Ok(Ok(())))
    }

    /// Whether it is a member; one that is to vote serves when it does.
    fn is_inside(&self) -> bool {
        let status = self.log.status();
        let status = status.borrow();
        let own = status.members.members.iter().find(|one| one.node == self.log.origin().node);
        own.is_some_and(|own| own.voting || !own.server.votes)
    }

    /// The term in which it may start things by itself, if it may.
    fn leads_in(&self) -> Option<u64> {
        let status = self.log.status();
        let status = status.borrow();
        let leads =
            status.role == Role::Leading && status.term == self.leading.load(Ordering::Relaxed);
        leads.then_some(status.term)
    }

    fn step_down(&self) {
        self.leading.store(0, Ordering::Relaxed);
        self.core.expiry.lock().step_down();
    }

    async fn get_in_touch(&self) {
        let mut status = self.log.status();
        loop {
            // The log ends last, so that its channel is there.
            let _ = status.wait_for(|status| status.leader.is_some()).await;
            if !self.is_out_of_touch() && self.is_inside() && self.catch_up().await {
                return;
            }
            sleep(PAUSE).await;
        }
    }
}

/// Starts and ends serving as the server gains and loses touch with the others.
pub(super) async fn follow(up: Arc<Up>) {
    let mut status = up.log.status();
    loop {
        up.get_in_touch().await;
        up.is_serving.store(true, Ordering::Relaxed);
        while !up.is_out_of_touch() {
            let Status { role, term, .. } = *status.borrow_and_update();
            if role != Role::Leading {
                up.step_down();
            } else if up.leading.load(Ordering::Relaxed) != term && up.catch_up().await {
                up.begin_anew();
                up.leading.store(term, Ordering::Relaxed);
            }
            // Whichever comes first.
            let _ = timeout(LOOK_EVERY, status.changed()).await;
        }
        up.step_down();
        up.is_serving.store(false, Ordering::Relaxed);
        up.core.drop_all();
    }
}

/// Proposes the end of silent sessions, once a tick.
pub(super) async fn expire_sessions(up: Arc<Up>) {
    let mut tick = interval(Duration::from_millis(TICK_MS));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let core = &up.core;
    let mut vigil = Vigil::new(TICK_MS, core.clock.monotonic_ms());
    loop {
        tick.tick().await;
        let term = up.leads_in();
        let now_ms = core.clock.monotonic_ms();
        match (term, vigil.look(now_ms, term.is_none() || up.hears_others())) {
            (Some(term), Sight::Until { now_ms }) => up.expire(term, now_ms),
            (Some(_), Sight::Again) => up.begin_anew(),
            (Some(_), Sight::Blind) | (None, _) => {}
        }
    }
}

/// Tells the leader, four times a tick, which sessions were heard from here.
pub(super) async fn report_heard(up: Arc<Up>) {
    let mut tick = interval(Duration::from_millis(TICK_MS / 4));
    let mut reported_ms = 0;
    loop {
        tick.tick().await;
        let now_ms = up.core.clock.monotonic_ms();
        let heard = up.core.heard_since(reported_ms);
        let needless = heard.is_empty() || up.leads_in().is_some();
        if needless || up.log.tell_leader(&PeerMessage::SessionsHeard(heard)) {
            reported_ms = now_ms;
        }
    }
}

/// Takes what the others tell this server while it leads.
pub(super) async fn hear_others(up: Arc<Up>) {
    let Some(mut messages) = up.log.take_messages() else { return };
    while let Some(FromPeer { message, .. }) = messages.recv().await {
        // States are compared after every apply here, without words.
        let PeerMessage::SessionsHeard(sessions) = message else { continue };
        let (mut expiry, now_ms) = (up.core.expiry.lock(), up.core.clock.monotonic_ms());
        for session in sessions {
            expiry.touch(session, now_ms);
        }
    }
}
