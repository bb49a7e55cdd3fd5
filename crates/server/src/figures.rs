//! What is counted while the server runs. Counters only: cheap to add to from every task.

use std::sync::atomic::{AtomicU64, Ordering};

/// The figures of one connection, as `cons` and `stat` print them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionStats {
    /// When it was established, in milliseconds since 1970.
    pub(crate) established_ms: i64,
    /// Packets received.
    pub(crate) received: u64,
    /// Packets sent, events included.
    pub(crate) sent: u64,
}

impl ConnectionStats {
    /// A connection that was established now.
    pub(crate) fn new(established_ms: i64) -> Self {
        Self { established_ms, ..Self::default() }
    }
}

/// The figures of the server.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    received: AtomicU64,
    sent: AtomicU64,
    bytes_received: AtomicU64,
    updates: AtomicU64,
    update_us: AtomicU64,
    connections_rejected: AtomicU64,
    connections_requested: AtomicU64,
    sessions_expired: AtomicU64,
    sessionless_expired: AtomicU64,
    auth_failed: AtomicU64,
}

impl Figures {
    /// Packets came and went.
    pub(crate) fn packets(&self, received: u64, sent: u64) {
        self.received.fetch_add(received, Ordering::Relaxed);
        self.sent.fetch_add(sent, Ordering::Relaxed);
    }

    /// Bytes came.
    pub(crate) fn bytes_received(&self, count: usize) {
        self.bytes_received.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// A write was answered, so long after it was read.
    pub(crate) fn update_done(&self, us: u64) {
        self.updates.fetch_add(1, Ordering::Relaxed);
        self.update_us.fetch_add(us, Ordering::Relaxed);
    }

    /// A connection was refused: too many.
    pub(crate) fn connection_rejected(&self) {
        self.connections_rejected.fetch_add(1, Ordering::Relaxed);
    }

    /// A connect request came.
    pub(crate) fn connection_requested(&self) {
        self.connections_requested.fetch_add(1, Ordering::Relaxed);
    }

    /// A session expired.
    pub(crate) fn session_expired(&self) {
        self.sessions_expired.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was closed that never asked for a session.
    pub(crate) fn sessionless_expired(&self) {
        self.sessionless_expired.fetch_add(1, Ordering::Relaxed);
    }

    /// An auth packet was taken or refused.
    pub(crate) fn authenticated(&self, accepted: bool) {
        if !accepted {
            self.auth_failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Packets received and sent since the start.
    pub(crate) fn packet_counts(&self) -> (u64, u64) {
        (self.received.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed))
    }
}
