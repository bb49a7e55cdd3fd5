//! From settings to a [`Config`]: the defaults, the bounds, and what must go together.

use std::{
    net::SocketAddr,
    path::{self, PathBuf},
    time::Duration,
};

use session::{AuthConfig, Settings, handshake::TimeoutRange};

use super::{
    access::{auth, settings},
    addresses::{client_address, host_or_any},
    ensemble::{self, EnsembleConfig},
    error::ConfigError,
    members::{self, Member},
    raw::RawConfig,
};

/// Everything a single server has to know. Fixed while it runs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients connect; port 0 lets the system choose one.
    pub client_address: SocketAddr,
    /// `clientPortListenBacklog`: connections that may wait to be accepted.
    pub listen_backlog: i32,
    /// The same as it was set, -1 when it was not: what `conf` prints.
    pub listen_backlog_set: i32,
    /// `maxCnxns`: connections altogether; 0 for no limit.
    pub max_connections: usize,
    /// `maxClientCnxns`: connections from one address; 0 for no limit.
    pub max_connections_per_address: usize,
    /// `clientTcpKeepAlive`: the system looks after connections that are silent.
    pub keep_alive: bool,
    /// `nio.sessionlessCnxnTimeout`: how long a connection may take to ask for a session.
    pub sessionless_timeout_ms: u64,
    /// `jute.maxbuffer`: the longest frame a client may send.
    pub frame_bytes_max: usize,
    /// `globalOutstandingLimit`: writes on their way, of all clients.
    pub outstanding_max: usize,
    /// `dataDir`, absolute.
    pub data_dir: PathBuf,
    /// `dataLogDir`, absolute; the same as [`Self::data_dir`] when not set.
    pub data_log_dir: PathBuf,
    /// `fsync.warningthresholdms`: a sync of the log that takes longer is worth a warning.
    pub slow_sync: Duration,
    /// When a checkpoint is due.
    pub checkpoints: Checkpoints,
    /// `tickTime`: the unit of expiry.
    pub tick_ms: u32,
    /// `minSessionTimeout` and `maxSessionTimeout`.
    pub session_timeouts: TimeoutRange,
    /// What decides how requests are understood.
    pub settings: Settings,
    /// Who may be who.
    pub auth: AuthConfig,
    /// How emptied containers and outlived TTL znodes are reaped.
    pub containers: Containers,
    /// Which four-letter words are answered.
    pub four_letter: Whitelist,
    /// The admin server, unless it is off.
    pub admin: Option<AdminServer>,
    /// Where metrics are served, if they are.
    pub metrics_address: Option<SocketAddr>,
    /// `audit.enable`: the file of the audit log, if there is one.
    pub audit: Option<PathBuf>,
    /// The `server.N` lines, by id; at most one of them is a participant.
    pub members: Vec<Member>,
    /// What is needed to be one of several; `None` for a server that runs alone.
    pub ensemble: Option<EnsembleConfig>,
    /// The settings that ZooKeeper hands on as JVM properties, without passwords.
    pub properties: Vec<(String, String)>,
    /// The text of the configuration file, for the admin server; empty without one.
    pub file_text: String,
}

/// When a checkpoint is due: after so many writes, or so much log, whichever comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoints {
    /// `snapCount`, at least 2.
    pub commands: u64,
    /// `snapSizeLimitInKb`, in bytes; none when it is 0 or less.
    pub log_bytes: Option<u64>,
    /// `commitLogCount`: entries kept behind a checkpoint by a server of an ensemble.
    pub keep_entries: u64,
}

/// `znode.container.*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Containers {
    /// How often is looked.
    pub check_interval_ms: u64,
    /// How many are reaped in a minute.
    pub max_per_minute: u64,
    /// How long a container without any child ever is kept; 0 for ever.
    pub max_never_used_ms: u64,
}

/// `admin.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// `admin.commandURL`: the path before the commands, without a slash at its end.
    pub command_url: String,
    /// `admin.snapshot.enabled`: the `snapshot` command gives the state away.
    pub snapshot_enabled: bool,
    /// `admin.rateLimiterIntervalInMS`: how long after a snapshot there is no other.
    pub snapshot_interval: Duration,
    /// `admin.idleTimeout`: how long a connection may do nothing; [`Duration::MAX`] for ever.
    pub idle: Duration,
}

/// `4lw.commands.whitelist`: which four-letter words are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whitelist {
    /// All: `*`.
    All,
    /// These, and `srvr`.
    Only(Vec<String>),
}

impl Whitelist {
    fn parse(list: Option<&str>, read_only_mode: bool) -> Self {
        let mut words: Vec<String> = Vec::new();
        for word in list.unwrap_or_default().split(',').map(str::trim) {
            if word == "*" {
                return Self::All;
            }
            words.push(word.to_owned());
        }
        words.retain(|word| !word.is_empty());
        words.push("srvr".into());
        if read_only_mode {
            words.push("isro".into());
        }
        Self::Only(words)
    }

    /// Whether `word` is answered.
    pub fn allows(&self, word: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(words) => words.iter().any(|allowed| allowed == word),
        }
    }
}

const POSITIVE_INT: std::ops::RangeInclusive<i64> = 1..=i32::MAX as i64;
const ANY_INT: std::ops::RangeInclusive<i64> = i32::MIN as i64..=i32::MAX as i64;
const UP_TO_INT: std::ops::RangeInclusive<i64> = 0..=i32::MAX as i64;

/// Makes a configuration of settings that were checked against the table of keys.
///
/// # Errors
/// What is missing, out of bounds or contradictory.
pub(super) fn config(raw: &mut RawConfig) -> Result<Config, ConfigError> {
    let members = members::members(raw)?;
    let data_dir =
        absolute(raw.path("dataDir").ok_or(ConfigError::Missing { key: "dataDir", why: "" })?);
    let me = ensemble::own_member(raw, &members, &data_dir)?;
    if let Some(me) = &me {
        ensemble::warn_of_peer_type(raw, me);
    }
    let data_log_dir = raw.path("dataLogDir").map_or_else(|| data_dir.clone(), absolute);
    let tick_ms: u32 = raw.number("tickTime", 3000, POSITIVE_INT, "milliseconds, more than 0")?;
    let digest_enabled = raw.flag("DigestAuthenticationProvider.enabled", true);
    let backlog: i32 = raw.number("clientPortListenBacklog", -1, ANY_INT, "a number")?;
    Ok(Config {
        client_address: client_address(raw, me.as_ref())?,
        listen_backlog: if backlog < 1 { DEFAULT_BACKLOG } else { backlog },
        listen_backlog_set: backlog,
        max_connections: raw.number("maxCnxns", 0, UP_TO_INT, "a number of connections")?,
        max_connections_per_address: max_per_address(raw)?,
        keep_alive: raw.flag("clientTcpKeepAlive", false),
        sessionless_timeout_ms: raw.number(
            "nio.sessionlessCnxnTimeout",
            10_000,
            POSITIVE_INT,
            "milliseconds, more than 0",
        )?,
        frame_bytes_max: raw.number("jute.maxbuffer", 0xf_ffff, POSITIVE_INT, "bytes")?,
        outstanding_max: raw.number("globalOutstandingLimit", 1000, POSITIVE_INT, "requests")?,
        slow_sync: slow_sync(raw)?,
        checkpoints: checkpoints(raw)?,
        tick_ms,
        session_timeouts: session_timeouts(raw, tick_ms)?,
        settings: settings(raw, digest_enabled),
        auth: auth(raw, digest_enabled)?,
        containers: containers(raw)?,
        four_letter: Whitelist::parse(
            raw.text("4lw.commands.whitelist"),
            raw.flag("readonlymode.enabled", false),
        ),
        admin: admin(raw)?,
        metrics_address: metrics_address(raw)?,
        ensemble: ensemble::config(raw, &members, me)?,
        audit: audit(raw, &data_dir),
        properties: raw.properties(),
        data_dir,
        data_log_dir,
        members,
        file_text: std::mem::take(&mut raw.text),
    })
}

fn absolute(path: PathBuf) -> PathBuf {
    path::absolute(&path).unwrap_or(path)
}

/// What is listened with when no backlog is set. ZooKeeper has Java's 50, with which
/// clients that all come back at once wait a second for their next attempt.
const DEFAULT_BACKLOG: i32 = 4096;

/// Compat(negative-limit): a negative limit is none, as the comparison in ZooKeeper comes out.
fn max_per_address(raw: &mut RawConfig) -> Result<usize, ConfigError> {
    let limit: i64 = raw.number("maxClientCnxns", 60, ANY_INT, "a number of connections")?;
    Ok(usize::try_from(limit).unwrap_or(0))
}

fn checkpoints(raw: &mut RawConfig) -> Result<Checkpoints, ConfigError> {
    let commands: u64 = raw.number("snapCount", 100_000, UP_TO_INT, "a number of writes")?;
    let any = i64::MIN..=i64::MAX;
    let kib: i64 = raw.number("snapSizeLimitInKb", 4_194_304, any, "a number of KiB")?;
    let log_bytes = u64::try_from(kib).ok().filter(|kib| *kib > 0);
    Ok(Checkpoints {
        commands: commands.max(2),
        log_bytes: log_bytes.map(|kib| kib.saturating_mul(1024)),
        keep_entries: raw.number(
            "commitLogCount",
            raft_log::ENSEMBLE_KEEP_ENTRIES,
            UP_TO_INT,
            "a number of entries",
        )?,
    })
}

fn slow_sync(raw: &mut RawConfig) -> Result<Duration, ConfigError> {
    let ms = raw.number("fsync.warningthresholdms", 1000, 0..=i64::MAX, "milliseconds")?;
    Ok(Duration::from_millis(ms))
}

fn session_timeouts(raw: &mut RawConfig, tick_ms: u32) -> Result<TimeoutRange, ConfigError> {
    let bounds = -1..=i64::from(i32::MAX);
    let ticks = |count: u32| i32::try_from(tick_ms.saturating_mul(count)).unwrap_or(i32::MAX);
    let min: i32 = raw.number("minSessionTimeout", -1, bounds.clone(), "milliseconds")?;
    let max: i32 = raw.number("maxSessionTimeout", -1, bounds, "milliseconds")?;
    let min_ms = if min == -1 { ticks(2) } else { min };
    let max_ms = if max == -1 { ticks(20) } else { max };
    if min_ms > max_ms {
        return Err(ConfigError::Conflict(format!(
            "minSessionTimeout ({min_ms} ms) must not be larger than maxSessionTimeout \
             ({max_ms} ms)"
        )));
    }
    Ok(TimeoutRange { min_ms, max_ms })
}

fn containers(raw: &mut RawConfig) -> Result<Containers, ConfigError> {
    let ms = 0..=i64::MAX;
    Ok(Containers {
        check_interval_ms: raw.number(
            "znode.container.checkIntervalMs",
            60_000,
            POSITIVE_INT,
            "milliseconds, more than 0",
        )?,
        max_per_minute: raw.number(
            "znode.container.maxPerMinute",
            10_000,
            POSITIVE_INT,
            "a number of znodes, more than 0",
        )?,
        max_never_used_ms: raw.number(
            "znode.container.maxNeverUsedIntervalMs",
            0,
            ms,
            "milliseconds",
        )?,
    })
}

fn admin(raw: &mut RawConfig) -> Result<Option<AdminServer>, ConfigError> {
    if !raw.flag("admin.enableServer", true) {
        return Ok(None);
    }
    let port = raw.number("admin.serverPort", 8080, PORT, "a port")?;
    let address = host_or_any(raw, "admin.serverAddress", port)?;
    let url = raw.text("admin.commandURL").unwrap_or("/commands");
    let command_url = format!("/{}", url.trim_matches('/'));
    let snapshot_enabled = raw.flag("admin.snapshot.enabled", true);
    let snapshot_interval = snapshot_interval(raw)?;
    let idle = admin_idle(raw)?;
    Ok(Some(AdminServer { address, command_url, snapshot_enabled, snapshot_interval, idle }))
}

/// Jetty, which ZooKeeper gives it to, takes 0 and less for no limit.
fn admin_idle(raw: &mut RawConfig) -> Result<Duration, ConfigError> {
    let int = i64::from(i32::MIN)..=i64::from(i32::MAX);
    let ms = raw.number("admin.idleTimeout", 30_000_i64, int, "milliseconds")?;
    let limited = u64::try_from(ms).ok().filter(|ms| *ms > 0);
    Ok(limited.map_or(Duration::MAX, Duration::from_millis))
}

/// Compat(rate-limit): the name says milliseconds, ZooKeeper 3.9 takes them for microseconds.
fn snapshot_interval(raw: &mut RawConfig) -> Result<Duration, ConfigError> {
    let interval = 0..=i64::MAX;
    let us = raw.number("admin.rateLimiterIntervalInMS", 300_000, interval, "a number")?;
    Ok(Duration::from_micros(us))
}

/// Compat(audit-layout): the file's name is that of ZooKeeper's own configuration of its logger,
/// which puts it into the working directory. A service cannot write there.
fn audit(raw: &RawConfig, data_dir: &path::Path) -> Option<PathBuf> {
    let directory = raw.path("auditlog.dir").map_or_else(|| data_dir.to_owned(), absolute);
    let file = raw.text("auditlog.file").unwrap_or("zookeeper_audit.log");
    raw.flag("audit.enable", false).then(|| directory.join(file))
}

const PORT: std::ops::RangeInclusive<i64> = 0..=u16::MAX as i64;

const PROVIDERS: &str = "org.apache.zookeeper.metrics.";

fn metrics_address(raw: &mut RawConfig) -> Result<Option<SocketAddr>, ConfigError> {
    const CLASS: &str = "metricsProvider.className";
    let on = match raw.get(CLASS) {
        None => raw.get("metricsProvider.httpPort").is_some(),
        Some(class) => match class.value.strip_prefix(PROVIDERS) {
            Some("prometheus.PrometheusMetricsProvider") => true,
            Some("impl.DefaultMetricsProvider" | "impl.NullMetricsProvider") => false,
            Some(_) | None => {
                return Err(class.wrong(CLASS, "a metrics provider of ZooKeeper"));
            }
        },
    };
    let port = raw.number("metricsProvider.httpPort", 7000, PORT, "a port")?;
    let address = host_or_any(raw, "metricsProvider.httpHost", port)?;
    Ok(on.then_some(address))
}
