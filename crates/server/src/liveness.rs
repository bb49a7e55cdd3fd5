//! When sessions were last heard, and which have fallen silent.
//!
//! The leader decides who has expired, but only proposes it: a session ends when the log
//! says so. Connections note the time they were heard in their own [`crate::link::Link`];
//! the queue asks them only when a deadline comes up, so a request costs one store.

use parking_lot::Mutex;
use session::ExpiryQueue;
use tree::{SessionId, State};

use crate::links::Links;

/// The expiry queue of the server that leads.
#[derive(Debug)]
pub(crate) struct Liveness {
    queue: Mutex<ExpiryQueue>,
}

impl Liveness {
    /// An empty queue whose buckets are one tick wide.
    pub(crate) fn new(tick_ms: u32) -> Self {
        Self { queue: Mutex::new(ExpiryQueue::new(u64::from(tick_ms))) }
    }

    /// A session was opened or attached: it has a full timeout from `now_ms`.
    pub(crate) fn opened(&self, session: SessionId, timeout_ms: i32, now_ms: u64) {
        self.queue.lock().set_timeout(session, timeout_ms, now_ms);
    }

    /// Other servers heard these sessions.
    pub(crate) fn heard(&self, sessions: &[SessionId], now_ms: u64) {
        let mut queue = self.queue.lock();
        for session in sessions {
            // One that has ended meanwhile is not tracked any more.
            queue.touch(*session, now_ms);
        }
    }

    /// A session ended.
    pub(crate) fn closed(&self, session: SessionId) {
        self.queue.lock().remove(session);
    }

    /// Leadership begins: every session gets a full timeout.
    pub(crate) fn restart(&self, state: &State, now_ms: u64) {
        let sessions = state.sessions().map(|(id, session)| (id, session.timeout_ms));
        self.queue.lock().restart(now_ms, sessions);
    }

    /// Leadership ends: nothing expires here until it begins again.
    pub(crate) fn step_down(&self) {
        self.queue.lock().step_down();
    }

    /// The sessions that were silent for their whole timeout. They stay in the queue's
    /// hands until [`Self::closed`]; one that is attached meanwhile starts anew.
    pub(crate) fn expired(&self, links: &Links, now_ms: u64) -> Vec<SessionId> {
        self.queue.lock().poll_expired(now_ms, &mut |session| {
            links
                .by_session(session)
                .map(|link| link.heard_ms.load(std::sync::atomic::Ordering::Relaxed))
        })
    }

    /// The buckets, for the `dump` command: deadline in monotonic milliseconds, sessions.
    pub(crate) fn buckets(&self) -> Vec<(u64, Vec<SessionId>)> {
        self.queue.lock().buckets()
    }
}
