//! The end of local sessions: each server decides by its own clock, and tells nobody.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use session::{Sight, Vigil};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use crate::service::Service;

/// Ends local sessions that fell silent, once a tick, until told to stop.
pub(crate) async fn expire(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let mut tick = interval(Duration::from_millis(u64::from(service.config.tick_ms)));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let clock = service.core.clock;
    let mut vigil = Vigil::new(u64::from(service.config.tick_ms), clock.monotonic_ms());
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let now_ms = clock.monotonic_ms();
        // They are heard by this server itself.
        match vigil.look(now_ms, true) {
            Sight::Until { now_ms } => expire_now(&service, now_ms),
            Sight::Again | Sight::Blind => service.local_sessions.lock().begin_anew(now_ms),
        }
    }
}

fn expire_now(service: &Service, now_ms: u64) {
    let core = &service.core;
    let mut heard =
        |session| core.links.by_session(session).map(|link| link.heard_ms.load(Ordering::Relaxed));
    // Held to the end: a session that is over must not be attached before it is let go of.
    let mut sessions = service.local_sessions.lock();
    for session in sessions.poll_expired(now_ms, &mut heard) {
        tracing::info!(%session, "local session expired: silent for its whole timeout");
        core.metrics.session_expired();
        if let Some(link) = core.links.release_session(session) {
            link.drop_silently();
        }
    }
}
