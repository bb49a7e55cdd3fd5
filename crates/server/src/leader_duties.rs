//! What only the leader starts by itself: expiring sessions, reaping znodes.
//!
//! It only ever proposes; whether something really ends is decided when the command is
//! applied, from the state at that place in the log.

use std::{sync::Arc, time::Duration};

use session::{Sight, Vigil};
use tokio::{sync::watch, time::MissedTickBehavior};
use tree::{Command, CommandFlags, Millis, Op, Owner, SessionId};

use crate::service::{Mandate, Service};

/// Proposes the end of silent sessions, once a tick, until told to stop.
pub(crate) async fn expire_sessions(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(Duration::from_millis(u64::from(service.config.tick_ms)));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let core = &service.core;
    let mut vigil = Vigil::new(u64::from(service.config.tick_ms), core.clock.monotonic_ms());
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        // Before anybody is judged: what is judged in one term must not hold in the next.
        let mandate = service.mandate();
        let now_ms = core.clock.monotonic_ms();
        let sight = vigil.look(now_ms, mandate.is_none() || service.hears_others());
        match (mandate, sight) {
            (Some(mandate), Sight::Until { now_ms }) => {
                expire(&service, mandate, now_ms, &mut stop).await;
            }
            (Some(_), Sight::Again) => {
                core.liveness.restart(&core.read(), now_ms);
                tracing::info!("stood still, or was cut off: every session has a full timeout");
            }
            (Some(_), Sight::Blind) | (None, _) => {}
        }
    }
}

/// Proposes the end of those who were silent for their whole timeout by `now_ms`.
async fn expire(
    service: &Service,
    mandate: Mandate,
    now_ms: u64,
    stop: &mut watch::Receiver<bool>,
) {
    let core = &service.core;
    // What other servers heard comes up to a quarter of a tick later.
    let late_ms = mandate.term().map_or(0, |_| u64::from(service.config.tick_ms / 2));
    for session in core.liveness.expired(&core.links, now_ms.saturating_sub(late_ms)) {
        let owner = core.read().session(session).map(|record| record.owner);
        let Some(owner) = owner else {
            continue;
        };
        tracing::info!(%session, "session expired: silent for its whole timeout");
        core.metrics.session_expired();
        propose(service, Op::ExpireSession { session, owner, term: mandate.term() }, stop).await;
    }
}

/// Proposes the removal of emptied containers and outlived TTL znodes, until told to stop.
pub(crate) async fn reap_znodes(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let limits = &service.config.containers;
    let mut check = tokio::time::interval(Duration::from_millis(limits.check_interval_ms.max(1)));
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // ZooKeeper spreads its deletions over the minute in the same way.
    let pause = Duration::from_millis(60_000 / limits.max_per_minute.max(1));
    loop {
        tokio::select! {
            _ = check.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        if !service.is_leading() {
            continue;
        }
        let now = service.core.clock.wall();
        let candidates = candidates(&service, now);
        for path in candidates {
            tracing::info!(path, "reaping an emptied container or outlived TTL znode");
            propose(&service, Op::Reap { path: &path }, &mut stop).await;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }
}

fn candidates(service: &Service, now: Millis) -> Vec<String> {
    let state = service.core.read();
    let mut paths = state.containers_and_ttls(now);
    let never_used_ms = service.config.containers.max_never_used_ms;
    if let Ok(age) = i64::try_from(never_used_ms)
        && age > 0
    {
        paths.extend(state.containers_never_used(Millis(now.0 - age)));
    }
    paths
}

/// Proposes one of the leader's own commands, waiting for room if there is none. Without a quorum
/// there may never be any: gives up when told to stop.
async fn propose(service: &Service, op: Op<'_>, stop: &mut watch::Receiver<bool>) {
    let command = Command {
        session: SessionId::NONE,
        owner: Owner(0),
        xid: 0,
        flags: CommandFlags::default(),
        identities: Vec::new(),
        op,
    };
    while service.propose(&command, None).is_err() {
        tokio::select! {
            () = service.proposer.ready() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}
