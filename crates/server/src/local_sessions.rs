//! The end of local sessions: each server decides by its own clock, and tells nobody.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use crate::service::Service;

/// Ends local sessions that fell silent, once a tick, until told to stop.
pub(crate) async fn expire(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let mut tick = interval(Duration::from_millis(u64::from(service.config.tick_ms)));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        expire_now(&service);
    }
}

fn expire_now(service: &Service) {
    let core = &service.core;
    let mut heard =
        |session| core.links.by_session(session).map(|link| link.heard_ms.load(Ordering::Relaxed));
    let now_ms = core.clock.monotonic_ms();
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
