//! The running server as those see it who ask about it: see [`crate::admin`].

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use raft_log::Report;
use session::Identities;
use tree::{CommandFlags, Permissions, SessionId, Zxid};

use crate::{
    admin::{
        Access, ConfView, ConnectionView, Credentials, DirectorySizes, EnsembleConf, EnsembleView,
        ExpiryBucket, GlobalSessions, Metrics, Mode, Overview, ServerObserved, ServerOperated,
        SessionsView, directory_size, snapshot,
    },
    config::{LocalSessionsMode, Whitelist},
    ensemble::{Ensemble, Serving},
    link::Link,
    service::Service,
};

/// What one must be allowed, each, to have a copy of everything.
const EVERY_PERMISSION: [Permissions; 5] = [
    Permissions::READ,
    Permissions::WRITE,
    Permissions::CREATE,
    Permissions::DELETE,
    Permissions::ADMIN,
];

impl ServerObserved for Service {
    fn overview(&self) -> Overview {
        let core = &self.core;
        let (watches, data_watches) = {
            let watches = core.watches();
            (watches.total() as u64, watches.data_summary())
        };
        let monotonic_ms = core.clock.monotonic_ms();
        // Locked before the state, as everywhere.
        let local_sessions = self.local_sessions.lock().len() as u64;
        let state = core.read();
        Overview {
            serving: self.serving() != Serving::Nobody,
            mode: self.ensemble.as_ref().map_or(Mode::Standalone, Ensemble::mode),
            zxid: state.last_zxid(),
            uptime_ms: monotonic_ms,
            wall_ms: core.clock.wall().0,
            monotonic_ms,
            connections: core.links.count() as u64,
            outstanding: core.outstanding() as u64,
            znodes: state.node_count(),
            ephemerals: state.ephemerals_count() as u64,
            data_bytes: state.approximate_data_size(),
            sessions: state.session_count() as u64,
            local_sessions,
            watches,
            data_watches,
            ensemble: self.ensemble.as_ref().map(|ensemble| ensemble.overview(&core.metrics)),
        }
    }

    fn metrics(&self) -> &Metrics {
        &self.core.metrics
    }

    fn whitelist(&self) -> &Whitelist {
        &self.config.four_letter
    }

    fn conf(&self) -> ConfView {
        let config = &self.config;
        ConfView {
            client_port: self.client_address.port(),
            data_dir: config.data_dir.display().to_string(),
            data_log_dir: config.data_log_dir.display().to_string(),
            tick_ms: config.tick_ms,
            max_client_connections: config.max_connections_per_address as u64,
            session_min_ms: config.session_timeouts.min_ms,
            session_max_ms: config.session_timeouts.max_ms,
            listen_backlog: config.listen_backlog_set,
            server_id: self.config.ensemble.as_ref().map_or(0, |ensemble| ensemble.me.id),
            file_text: config.file_text.clone(),
            ensemble: self.ensemble_conf(),
        }
    }

    fn properties(&self) -> Vec<(String, String)> {
        self.config.properties.clone()
    }

    fn access_to_all(&self, peer: IpAddr, scheme: &str, data: &[u8]) -> Access {
        let known = self.auth.authenticate(&Identities::of_peer(peer), scheme, Some(data));
        let Ok(identities) = known else { return Access::Unknown };
        let root = self.core.read().acl_of("/");
        let identities = identities.to_vec();
        let all = EVERY_PERMISSION
            .iter()
            .all(|one| root.as_ref().is_some_and(|acl| acl.permits(*one, &identities)));
        let skipped = self.settings.command_flags.contains(CommandFlags::SKIP_ACL);
        if all || skipped { Access::Granted } else { Access::Denied }
    }

    fn snapshot(&self) -> (Zxid, Vec<u8>) {
        let state = self.core.read();
        (state.last_zxid(), snapshot::of_state(&state))
    }

    fn directory_sizes(&self) -> DirectorySizes {
        DirectorySizes {
            data: directory_size(&self.config.data_dir),
            log: directory_size(&self.config.data_log_dir),
        }
    }

    fn connections(&self) -> Vec<ConnectionView> {
        // In this order, as everywhere.
        let local = self.local_sessions.lock();
        let state = self.core.read();
        let view = |link: &Link| {
            let session = link.session();
            let global_ms = || state.session(session).map_or(0, |record| record.timeout_ms);
            let timeout_ms = local.get(session).map_or_else(global_ms, |known| known.timeout_ms);
            connection(link, session, timeout_ms)
        };
        self.core.links.all().iter().map(|link| view(link)).collect()
    }

    fn reset_connections(&self) {
        for link in self.core.links.all() {
            link.stats.lock().reset();
        }
    }

    fn ensemble(&self) -> Option<EnsembleView> {
        let me = &self.config.ensemble.as_ref()?.me;
        let client = self.config.client_address;
        Some(
            self.ensemble
                .as_ref()?
                .view(me, SocketAddr::new(client.ip(), self.client_address.port())),
        )
    }

    fn expiry_buckets(&self) -> Vec<ExpiryBucket> {
        buckets(self.core.liveness.buckets())
    }

    fn sessions(&self) -> SessionsView {
        let is_local = self.local_sessions_mode() != LocalSessionsMode::Off;
        let local = is_local.then(|| buckets(self.local_sessions.lock().buckets()));
        let global = if self.is_leading() {
            GlobalSessions::Expiring(self.expiry_buckets())
        } else {
            let state = self.core.read();
            let known = state.sessions().map(|(id, session)| (id, session.timeout_ms));
            let mut known: Vec<_> = known.collect();
            known.sort_unstable();
            GlobalSessions::Known(known)
        };
        SessionsView { local, global }
    }

    fn ephemerals(&self) -> Vec<(SessionId, Vec<String>)> {
        self.core.read().ephemerals_by_session()
    }

    fn watched_paths(&self) -> Vec<(SessionId, Vec<String>)> {
        let watches = self.core.watches();
        let watched = watches.data_paths_by_watcher().filter_map(|(watcher, paths)| {
            let session = self.core.links.by_watcher(watcher)?.session();
            Some((session, paths.into_iter().map(str::to_owned).collect()))
        });
        watched.collect()
    }

    fn digests(&self) -> Vec<(Zxid, u64)> {
        self.core.read().digest_points().collect()
    }
}

fn buckets(buckets: Vec<(u64, Vec<SessionId>)>) -> Vec<ExpiryBucket> {
    let bucket = |(deadline_ms, sessions)| ExpiryBucket { deadline_ms, sessions };
    buckets.into_iter().map(bucket).collect()
}

impl ServerOperated for Service {
    fn report(&self) -> Option<Report> {
        self.ensemble.as_ref()?.report()
    }

    fn may_operate(&self, who: &Credentials<'_>) -> Access {
        let known =
            self.auth.authenticate(&Identities::of_peer(who.peer), who.scheme, Some(who.data));
        let Ok(identities) = known else { return Access::Unknown };
        if identities.iter().any(|identity| identity.scheme == "super") {
            return Access::Granted;
        }
        // Nobody comes from there: what they may do, anyone may.
        let anyone = self.access_to_all(Ipv4Addr::UNSPECIFIED.into(), "ip", b"");
        if anyone == Access::Granted && !who.peer.to_canonical().is_loopback() {
            return Access::Denied;
        }
        self.access_to_all(who.peer, who.scheme, who.data)
    }

    fn hand_over(&self, to: Option<i64>) -> Result<Option<i64>, String> {
        let ensemble = self.ensemble.as_ref().ok_or("this server stands alone")?;
        ensemble.hand_over(to).map_err(|error| error.to_string())
    }
}

impl Service {
    /// The contents of `/zookeeper/config`; before there is a cluster, what was configured.
    fn configuration(&self) -> Option<String> {
        let known = String::from_utf8_lossy(self.core.read().config_data()).into_owned();
        if known.is_empty() { Some(self.ensemble.as_ref()?.config_text()) } else { Some(known) }
    }

    fn ensemble_conf(&self) -> Option<EnsembleConf> {
        let config = self.config.ensemble.as_ref()?;
        Some(EnsembleConf {
            limits: config.limits,
            me: config.me.clone(),
            membership: self.configuration()?,
        })
    }
}

fn connection(link: &Link, session: SessionId, timeout_ms: i32) -> ConnectionView {
    ConnectionView {
        remote: link.remote,
        // Java NIO: 1 to read; a connection without a session is being answered right now.
        interest: u8::from(session != SessionId::NONE),
        queued: link.lane.lock().owed() as u64,
        session,
        timeout_ms,
        heard_ms: link.heard_ms.load(std::sync::atomic::Ordering::Relaxed),
        stats: link.stats.lock().clone(),
    }
}
