//! The server whose answers `testdata/` holds: what a real ZooKeeper 3.9.5 was when it
//! was asked, as constants.

use std::net::IpAddr;

use raft_log::Report;
use session::WatchSummary;
use tree::{SessionId, Zxid};

use super::{
    metrics::Metrics,
    observed::{
        Access, ConfView, ConnectionStats, ConnectionView, Credentials, DirectorySizes,
        EnsembleView, ExpiryBucket, GlobalSessions, LastRequest, Mode, Overview, ServerObserved,
        ServerOperated, SessionsView,
    },
};
use crate::config::Whitelist;

pub(crate) const A: SessionId = SessionId(0x10000400e110000);
pub(crate) const B: SessionId = SessionId(0x10000400e110001);

/// The version of the server that was asked.
#[cfg(test)]
pub(crate) const APACHE: &str =
    "3.9.5-293c895a8d966a3ecb92872be4a1daf87d725da2, built on 2026-02-11 20:18 UTC";

pub(crate) struct Captured {
    pub(crate) metrics: Metrics,
    pub(crate) whitelist: Whitelist,
    pub(crate) serving: bool,
    pub(crate) mode: Mode,
    pub(crate) sessions: SessionsView,
    pub(crate) connections: parking_lot::Mutex<Vec<ConnectionView>>,
    pub(crate) snapshot: Vec<u8>,
}

impl Default for Captured {
    fn default() -> Self {
        let metrics = Metrics::new();
        metrics.packets(169, 169);
        Self {
            metrics,
            whitelist: Whitelist::All,
            serving: true,
            mode: Mode::Standalone,
            sessions: SessionsView { local: None, global: GlobalSessions::Expiring(buckets()) },
            connections: parking_lot::Mutex::new(vec![
                connection(37240, A, 30_000, 1_795_245_567_391),
                connection(37300, SessionId::NONE, 0, 0),
                connection(37246, B, 10_000, 1_795_245_567_494),
            ]),
            snapshot: b"ZKSN".to_vec(),
        }
    }
}

fn connection(
    port: u16,
    session: SessionId,
    timeout_ms: i32,
    established_ms: i64,
) -> ConnectionView {
    let mut stats = ConnectionStats::new(established_ms);
    let last = |op, xid, latency_ms| {
        Some(LastRequest { op, xid, zxid: Zxid(0x9c), answered_ms: 4_258_858, latency_ms })
    };
    match session {
        A => {
            stats.add(157, 158, last(1, 0x9b, 1));
            stats.latency = super::metrics::Observed { count: 157, sum: 361, min: 0, max: 87 };
        }
        B => {
            stats.add(6, 6, last(4, 5, 0));
            stats.latency = super::metrics::Observed { count: 6, sum: 11, min: 0, max: 4 };
        }
        _ => stats.add(1, 0, None),
    }
    ConnectionView {
        remote: ([127, 0, 0, 1], port).into(),
        interest: u8::from(session != SessionId::NONE),
        queued: 0,
        session,
        timeout_ms,
        heard_ms: 4_258_858,
        stats,
    }
}

impl ServerObserved for Captured {
    fn overview(&self) -> Overview {
        Overview {
            serving: self.serving,
            mode: self.mode,
            zxid: Zxid(0x9c),
            uptime_ms: 61_926,
            // 07:19:28 UTC, and what ZooKeeper's clock was then.
            wall_ms: 1_795_245_568_000,
            monotonic_ms: 4_259_000,
            connections: 3,
            outstanding: 0,
            znodes: 159,
            ephemerals: 3,
            data_bytes: 2825,
            sessions: 2,
            local_sessions: 0,
            watches: 4,
            data_watches: WatchSummary { connections: 2, paths: 3, watches: 4 },
            ensemble: None,
        }
    }

    fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    fn whitelist(&self) -> &Whitelist {
        &self.whitelist
    }

    fn conf(&self) -> ConfView {
        ConfView {
            client_port: 22181,
            data_dir: "/var/lib/zookeeper/version-2".into(),
            data_log_dir: "/var/lib/zookeeper/version-2".into(),
            tick_ms: 2000,
            max_client_connections: 60,
            session_min_ms: 4000,
            session_max_ms: 40_000,
            listen_backlog: -1,
            server_id: 0,
            file_text: "tickTime=2000\n".into(),
            ensemble: None,
        }
    }

    fn properties(&self) -> Vec<(String, String)> {
        vec![("snapCount".into(), "100".into())]
    }

    fn access_to_all(&self, _peer: IpAddr, scheme: &str, data: &[u8]) -> Access {
        match (scheme, data) {
            ("digest", b"super:test") => Access::Granted,
            ("digest", _) => Access::Denied,
            _ => Access::Unknown,
        }
    }

    fn snapshot(&self) -> (Zxid, Vec<u8>) {
        (Zxid(0x9c), self.snapshot.clone())
    }

    fn directory_sizes(&self) -> DirectorySizes {
        DirectorySizes { data: 67_109_358, log: 67_109_358 }
    }

    fn connections(&self) -> Vec<ConnectionView> {
        self.connections.lock().clone()
    }

    fn reset_connections(&self) {
        self.connections.lock().iter_mut().for_each(|connection| connection.stats.reset());
    }

    fn ensemble(&self) -> Option<EnsembleView> {
        None
    }

    fn expiry_buckets(&self) -> Vec<ExpiryBucket> {
        buckets()
    }

    fn sessions(&self) -> SessionsView {
        self.sessions.clone()
    }

    fn ephemerals(&self) -> Vec<(SessionId, Vec<String>)> {
        vec![(B, vec!["/be".into()]), (A, vec!["/app/e1".into(), "/app/lock-0000000000".into()])]
    }

    fn watched_paths(&self) -> Vec<(SessionId, Vec<String>)> {
        vec![(A, vec!["/app".into()]), (B, vec!["/app/e1".into(), "/app".into(), "/nope".into()])]
    }

    fn digests(&self) -> Vec<(Zxid, u64)> {
        vec![(Zxid(128), 274_192_424_977)]
    }
}

fn buckets() -> Vec<ExpiryBucket> {
    vec![
        ExpiryBucket { deadline_ms: 4_270_000, sessions: vec![B] },
        ExpiryBucket { deadline_ms: 4_290_000, sessions: vec![A] },
    ]
}

impl ServerOperated for Captured {
    fn report(&self) -> Option<Report> {
        None
    }

    fn may_operate(&self, who: &Credentials<'_>) -> Access {
        self.access_to_all(who.peer, who.scheme, who.data)
    }

    fn hand_over(&self, _to: Option<i64>) -> Result<Option<i64>, String> {
        Err("this server stands alone".into())
    }
}
