//! Read-only service: a server that has lost the others answers those for whom what it has
//! will do.
//!
//! It shows what it has applied and writes nothing, not even sessions: those that it opens
//! are its own, and end with the read-only service.

use std::{future::pending, time::Duration};

use tokio::time::{Instant, sleep};

use super::{Ensemble, LOOK_EVERY, Serving};
use crate::service::Service;

/// Compat(read-only): how long a server looks for the others before it serves without them, or a
/// tick if that is longer.
const GRACE: Duration = Duration::from_secs(2);

/// Begins read-only service, if it is enabled, once this server has been cut off for a
/// while. Never returns.
pub(super) async fn serve_when_cut_off(service: &Service, ensemble: &Ensemble) {
    let enabled = service.config.ensemble.as_ref().is_some_and(|config| config.read_only_mode);
    let grace = GRACE.max(Duration::from_millis(u64::from(service.config.tick_ms)));
    let began = Instant::now();
    let cut_off = || ensemble.log.contact_age().unwrap_or_else(|| began.elapsed()) > grace;
    if enabled {
        while !cut_off() {
            sleep(LOOK_EVERY).await;
        }
        begin(service, ensemble);
    }
    pending().await
}

fn begin(service: &Service, ensemble: &Ensemble) {
    // Compat(read-only): what was a local session before is none in read-only service.
    end_local_sessions(service);
    ensemble.serving.set(Serving::Readers);
    let zxid = service.core.read().last_zxid();
    tracing::warn!(%zxid, "no quorum: serving clients that only read");
}

/// Ends read-only service: its clients are dropped, and find their way to a server that
/// takes writes.
pub(super) fn end(service: &Service, ensemble: &Ensemble) {
    if ensemble.serving() != Serving::Readers {
        return;
    }
    // In this order: who still gets in sees the change, or is dropped.
    ensemble.serving.set(Serving::Nobody);
    end_local_sessions(service);
    service.core.links.drop_all();
}

fn end_local_sessions(service: &Service) {
    for session in service.local_sessions.lock().clear() {
        service.core.links.release_session(session);
    }
}
