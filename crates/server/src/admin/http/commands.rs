//! The commands of the admin server: names, aliases, and the fields of each answer.

use std::sync::atomic::Ordering;

use tree::SessionId;

use super::{Arguments, members};
use crate::admin::{
    environment::environment,
    four_letter::{operation, sessions_by_path},
    json::Json,
    metrics::{Counter, Sizes},
    mntr::{Reading, readings},
    observed::{ConnectionView, ServerObserved},
    version::VERSION,
};

/// Members of an answer, in order.
pub(super) type Fields = Vec<(String, Json)>;

/// A command that was understood, but has no answer; the text says why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failed(pub(super) &'static str);

macro_rules! commands {
    ($($command:ident = $($name:literal)|+,)*) => {
        /// The commands that anybody may give.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Command { $($command,)* }

        impl Command {
            pub(super) const ALL: &[Self] = &[$(Self::$command,)*];

            /// Its name and its aliases.
            const fn names(self) -> &'static [&'static str] {
                match self { $(Self::$command => &[$($name),+],)* }
            }
        }
    };
}

commands! {
    Configuration = "configuration" | "conf" | "config",
    ConnectionStatReset = "connection_stat_reset" | "crst",
    Connections = "connections" | "cons",
    Dirs = "dirs",
    Dump = "dump",
    Environment = "environment" | "env" | "envi",
    GetTraceMask = "get_trace_mask" | "gtmk",
    Hash = "hash",
    InitialConfiguration = "initial_configuration" | "icfg",
    IsReadOnly = "is_read_only" | "isro",
    LastSnapshot = "last_snapshot" | "lsnp",
    Leader = "leader" | "lead",
    Monitor = "monitor" | "mntr",
    ObserverConnectionStatReset = "observer_connection_stat_reset" | "orst",
    Observers = "observers" | "obsr",
    Ruok = "ruok",
    ServerStats = "server_stats" | "srvr",
    SetTraceMask = "set_trace_mask" | "stmk",
    StatReset = "stat_reset" | "srst",
    Stats = "stats" | "stat",
    SystemProperties = "system_properties" | "sysp",
    VotingView = "voting_view",
    WatchSummary = "watch_summary" | "wchs",
    Watches = "watches" | "wchc",
    WatchesByPath = "watches_by_path" | "wchp",
    ZabState = "zabstate",
}

impl Command {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|command| command.names().contains(&name))
    }

    /// The name that is not an alias.
    pub(super) const fn name(self) -> &'static str {
        self.names()[0]
    }

    /// Whether a server that does not serve clients has no answer.
    pub(super) const fn needs_serving(self) -> bool {
        !matches!(
            self,
            Self::Environment
                | Self::GetTraceMask
                | Self::SetTraceMask
                | Self::SystemProperties
                | Self::ZabState
        )
    }
}

/// The answer's own fields.
pub(super) fn run(
    command: Command,
    server: &dyn ServerObserved,
    arguments: &Arguments,
) -> Result<Fields, Failed> {
    Ok(match command {
        Command::Configuration => configuration(server),
        Command::ConnectionStatReset => {
            server.reset_connections();
            Vec::new()
        }
        Command::Connections => connections(server, details),
        Command::Dirs => {
            let sizes = server.directory_sizes();
            fields([
                ("datadir_size", Json::number(sizes.data)),
                ("logdir_size", Json::number(sizes.log)),
            ])
        }
        Command::Dump => dump(server),
        Command::Environment => environment()
            .into_iter()
            .map(|(key, value)| (key.to_owned(), Json::Text(value)))
            .collect(),
        Command::GetTraceMask => trace_mask(server),
        Command::Hash => hash(server),
        Command::InitialConfiguration => {
            fields([("initial_configuration", Json::Text(server.conf().file_text))])
        }
        Command::IsReadOnly => fields([("read_only", is_read_only(server))]),
        Command::LastSnapshot => fields([
            // Compat(no-snapshot-files): as before the first snapshot. There are no snapshot files.
            ("zxid", Json::text("ffffffffffffffff")),
            ("timestamp", Json::Integer(0)),
        ]),
        Command::Leader => members::leader(server)?,
        Command::Monitor => monitor(server),
        Command::ObserverConnectionStatReset | Command::Ruok => Vec::new(),
        Command::Observers => members::observers(server),
        Command::ServerStats => server_stats(server),
        Command::SetTraceMask => set_trace_mask(server, arguments)?,
        Command::StatReset => {
            server.metrics().reset();
            Vec::new()
        }
        Command::Stats => {
            let mut all = server_stats(server);
            all.extend(connections(server, summary));
            all
        }
        Command::SystemProperties => system_properties(server),
        Command::VotingView => members::voting_view(server),
        Command::WatchSummary => watch_summary(server),
        Command::Watches => {
            let by_session = server.watched_paths().into_iter();
            let by_session =
                by_session.map(|(session, paths)| (session.0.to_string(), texts(paths)));
            fields([("session_id_to_watched_paths", Json::Object(by_session.collect()))])
        }
        Command::WatchesByPath => {
            let by_path = sessions_by_path(server).into_iter();
            let by_path = by_path.map(|(path, sessions)| (path, ids(&sessions)));
            fields([("path_to_session_ids", Json::Object(by_path.collect()))])
        }
        Command::ZabState => members::zabstate(server),
    })
}

pub(super) fn fields<const N: usize>(members: [(&str, Json); N]) -> Fields {
    members.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Compat(system-properties): the properties of a JVM that a program without one has too, and the
/// settings that ZooKeeper hands on as properties. It shows passwords as well; this does not.
fn system_properties(server: &dyn ServerObserved) -> Fields {
    let own = [("file.encoding", "UTF-8"), ("file.separator", "/"), ("line.separator", "\n")];
    let own = own.into_iter().chain([("path.separator", ":")]);
    let mut all: Fields = own.map(|(name, value)| (name.to_owned(), Json::text(value))).collect();
    let shared = ["java.io.tmpdir", "os.", "user."];
    for (key, value) in environment() {
        let memory = key.starts_with("os.memory.");
        if !memory && shared.iter().any(|prefix| key.starts_with(prefix)) {
            all.push((key.to_owned(), Json::Text(value)));
        }
    }
    for (key, value) in server.properties() {
        all.push((format!("zookeeper.{key}"), Json::Text(value)));
    }
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all
}

fn texts(all: Vec<String>) -> Json {
    Json::List(all.into_iter().map(Json::Text).collect())
}

fn ids(sessions: &[SessionId]) -> Json {
    Json::List(sessions.iter().map(|session| Json::Integer(session.0)).collect())
}

fn configuration(server: &dyn ServerObserved) -> Fields {
    let conf = server.conf();
    fields([
        ("client_port", Json::Integer(conf.client_port.into())),
        ("data_dir", Json::Text(conf.data_dir)),
        ("data_log_dir", Json::Text(conf.data_log_dir)),
        ("tick_time", Json::Integer(conf.tick_ms.into())),
        ("max_client_cnxns", Json::number(conf.max_client_connections)),
        ("min_session_timeout", Json::Integer(conf.session_min_ms.into())),
        ("max_session_timeout", Json::Integer(conf.session_max_ms.into())),
        ("server_id", Json::Integer(conf.server_id)),
        ("client_port_listen_backlog", Json::Integer(conf.listen_backlog.into())),
    ])
}

fn connections(server: &dyn ServerObserved, shown: fn(&ConnectionView) -> Fields) -> Fields {
    let all = server.connections();
    let all = all.iter().map(|connection| Json::Object(shown(connection))).collect();
    fields([("connections", Json::List(all)), ("secure_connections", Json::List(Vec::new()))])
}

fn summary(connection: &ConnectionView) -> Fields {
    fields([
        ("remote_socket_address", Json::text(connection.remote_text())),
        ("interest_ops", Json::Integer(connection.interest.into())),
        ("outstanding_requests", Json::number(connection.queued)),
        ("packets_received", Json::number(connection.stats.received)),
        ("packets_sent", Json::number(connection.stats.sent)),
    ])
}

fn details(connection: &ConnectionView) -> Fields {
    let mut all = summary(connection);
    if connection.session == SessionId::NONE {
        return all;
    }
    let stats = &connection.stats;
    let last = stats.last.as_ref();
    let latency = &stats.latency;
    let average = latency.sum.checked_div(latency.count).unwrap_or(0);
    all.extend(fields([
        ("session_id", Json::Integer(connection.session.0)),
        ("last_operation", Json::text(last.map_or("NA", |last| operation(last.op)))),
        ("established", Json::Integer(stats.established_ms)),
        ("session_timeout", Json::Integer(connection.timeout_ms.into())),
        ("last_cxid", Json::Integer(last.map_or(-1, |last| last.xid.into()))),
        ("last_zxid", Json::Integer(last.map_or(-1, |last| last.zxid.0))),
        ("last_response_time", Json::number(last.map_or(0, |last| last.answered_ms))),
        ("last_latency", Json::number(last.map_or(0, |last| last.latency_ms))),
        ("min_latency", Json::number(latency.min)),
        ("avg_latency", Json::number(average)),
        ("max_latency", Json::number(latency.max)),
    ]));
    all
}

fn dump(server: &dyn ServerObserved) -> Fields {
    // Only the leader knows when sessions end.
    let leads = server.overview().ensemble.is_none_or(|ensemble| ensemble.leading.is_some());
    let buckets = if leads { server.expiry_buckets() } else { Vec::new() }.into_iter();
    let buckets = buckets.map(|bucket| (bucket.deadline_ms.to_string(), ids(&bucket.sessions)));
    let ephemerals = server.ephemerals().into_iter();
    let ephemerals = ephemerals.map(|(session, paths)| (session.0.to_string(), texts(paths)));
    fields([
        ("expiry_time_to_session_ids", Json::Object(buckets.collect())),
        ("session_id_to_ephemeral_paths", Json::Object(ephemerals.collect())),
    ])
}

fn hash(server: &dyn ServerObserved) -> Fields {
    let digests = server.digests().into_iter().map(|(zxid, digest)| {
        Json::object([
            ("zxid", Json::Integer(zxid.0)),
            ("digest", Json::Integer(digest.cast_signed())),
            ("digest_version", Json::Integer(2)),
        ])
    });
    fields([("digests", Json::List(digests.collect()))])
}

fn monitor(server: &dyn ServerObserved) -> Fields {
    let value = |reading| match reading {
        Reading::Text(text) => Json::text(text),
        Reading::Integer(value) => Json::Integer(value),
        Reading::Double(value) => Json::Double(value),
    };
    readings(server).into_iter().map(|(name, reading)| (name, value(reading))).collect()
}

fn server_stats(server: &dyn ServerObserved) -> Fields {
    let overview = server.overview();
    let figures = server.metrics().figures();
    let sizes = server.directory_sizes();
    let count = |counter| Json::number(figures.counter(counter));
    let response_sizes = || buffer_sizes(figures.reply_sizes);
    let requests = &figures.requests;
    let stats = Json::object([
        ("packets_sent", count(Counter::PacketsSent)),
        ("packets_received", count(Counter::PacketsReceived)),
        ("fsync_threshold_exceed_count", count(Counter::SlowSyncs)),
        ("client_response_stats", response_sizes()),
        ("provider_null", Json::Bool(false)),
        ("data_dir_size", Json::number(sizes.data)),
        ("log_dir_size", Json::number(sizes.log)),
        ("last_processed_zxid", Json::Integer(overview.zxid.0)),
        ("outstanding_requests", Json::number(overview.outstanding)),
        ("server_state", Json::text(overview.mode.name())),
        ("avg_latency", Json::Double(requests.average_ms())),
        ("max_latency", Json::number(requests.max_us / 1000)),
        ("min_latency", Json::number(requests.min_us / 1000)),
        ("num_alive_client_connections", Json::number(overview.connections)),
        ("uptime", Json::number(overview.uptime_ms)),
        ("auth_failed_count", count(Counter::AuthFailed)),
        ("non_mtlsremote_conn_count", Json::Integer(0)),
        ("non_mtlslocal_conn_count", Json::Integer(0)),
    ]);
    let mut all = fields([
        ("version", Json::text(VERSION)),
        ("read_only", is_read_only(server)),
        ("server_stats", stats),
        ("client_response", response_sizes()),
    ]);
    if let Some(leading) = overview.ensemble.as_ref().and_then(|one| one.leading.as_ref()) {
        all.extend(fields([("proposal_stats", buffer_sizes(leading.proposal_sizes))]));
    }
    all.extend(fields([("node_count", Json::number(overview.znodes))]));
    all
}

fn buffer_sizes(sizes: Option<Sizes>) -> Json {
    let of =
        |one: fn(Sizes) -> u64| sizes.map_or(Json::Integer(-1), |sizes| Json::number(one(sizes)));
    Json::object([
        ("last_buffer_size", of(|sizes| sizes.last)),
        ("min_buffer_size", of(|sizes| sizes.min)),
        ("max_buffer_size", of(|sizes| sizes.max)),
    ])
}

fn is_read_only(server: &dyn ServerObserved) -> Json {
    Json::Bool(server.overview().mode.is_read_only())
}

fn watch_summary(server: &dyn ServerObserved) -> Fields {
    let watches = server.overview().data_watches;
    fields([
        ("num_connections", Json::number(watches.connections as u64)),
        ("num_paths", Json::number(watches.paths as u64)),
        ("num_total_watches", Json::number(watches.watches as u64)),
    ])
}

fn trace_mask(server: &dyn ServerObserved) -> Fields {
    let mask = server.metrics().trace_mask.load(Ordering::Relaxed);
    fields([("tracemask", Json::Integer(mask))])
}

fn set_trace_mask(server: &dyn ServerObserved, arguments: &Arguments) -> Result<Fields, Failed> {
    let Some(text) = arguments.get("traceMask") else {
        return Err(Failed("setTraceMask requires long traceMask argument"));
    };
    let mask = text
        .parse()
        .map_err(|_| Failed("setTraceMask requires long traceMask argument, got something else"))?;
    server.metrics().trace_mask.store(mask, Ordering::Relaxed);
    Ok(trace_mask(server))
}
