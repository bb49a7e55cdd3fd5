//! The four-letter words: a client sends one instead of a connect request, gets a text,
//! and the connection ends.

use std::{collections::BTreeMap, fmt::Write, sync::atomic::Ordering};

use bytes::{Buf, BytesMut};
use tree::SessionId;

use super::{
    date::java_date,
    environment::environment,
    metrics::Counter,
    mntr::{java_double, mntr},
    observed::{ConnectionView, Overview, ServerObserved},
    version::VERSION,
};

/// What a server without a leader, or one that is still loading, answers.
pub const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests";

/// What telnet sends when it is interrupted.
const TELNET_CLOSE: [u8; 4] = [0xff, 0xf4, 0xff, 0xfd];

macro_rules! words {
    ($($(#[$doc:meta])* $word:ident = $text:literal,)*) => {
        /// The words that ZooKeeper knows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Word { $($(#[$doc])* $word,)* }

        impl Word {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$word,)*];

            /// The four letters.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$word => $text,)* }
            }
        }
    };
}

words! {
    /// What was configured.
    Conf = "conf",
    /// Connections with their statistics.
    Cons = "cons",
    /// Reset the statistics of connections.
    Crst = "crst",
    /// Sizes of the directories.
    Dirs = "dirs",
    /// Sessions and their ephemerals.
    Dump = "dump",
    /// Where the server runs.
    Envi = "envi",
    /// The trace mask.
    Gtmk = "gtmk",
    /// Past digests of the state.
    Hash = "hash",
    /// Whether the server is read-only.
    Isro = "isro",
    /// All metrics.
    Mntr = "mntr",
    /// Whether the server runs.
    Ruok = "ruok",
    /// The server in short.
    Srvr = "srvr",
    /// Reset the server's statistics.
    Srst = "srst",
    /// The server in short, and its connections.
    Stat = "stat",
    /// Set the trace mask.
    Stmk = "stmk",
    /// Watches by session.
    Wchc = "wchc",
    /// Watches by path.
    Wchp = "wchp",
    /// Watches in short.
    Wchs = "wchs",
}

impl Word {
    /// The word that a connection begins with, if it does.
    pub fn parse(input: &[u8]) -> Option<Self> {
        let letters = input.get(..4)?;
        Self::ALL.iter().copied().find(|word| word.text().as_bytes() == letters)
    }

    /// Words that are answered by a server that does not serve clients, too.
    const fn is_always_answered(self) -> bool {
        matches!(self, Self::Ruok | Self::Envi | Self::Gtmk | Self::Stmk | Self::Isro)
    }
}

/// Answers the word that `input` begins with and takes it from there; nothing when it
/// begins with something else. Call it with at least four bytes, once a connection, and
/// close the connection when the answer is sent.
///
/// Compat(word-packets): a word counts as a packet received, and its answer as one sent.
pub fn answer(server: &dyn ServerObserved, input: &mut BytesMut) -> Option<Vec<u8>> {
    if input.starts_with(&TELNET_CLOSE) {
        // Compat(telnet-close): taken for a word, and for one that is never allowed.
        input.clear();
        return Some(refusal("telnet close").into_bytes());
    }
    let word = Word::parse(input)?;
    input.advance(4);
    let argument = input.split().freeze();
    server.metrics().packets(1, 1);
    let text = if !server.whitelist().allows(word.text()) {
        refusal(word.text())
    } else if !server.overview().serving && !word.is_always_answered() {
        format!("{NOT_SERVING}\n")
    } else {
        render(word, &argument, server)
    };
    Some(text.into_bytes())
}

fn refusal(word: &str) -> String {
    format!("{word} is not executed because it is not in the whitelist.\n")
}

/// The answer to a word that is allowed.
pub fn render(word: Word, argument: &[u8], server: &dyn ServerObserved) -> String {
    match word {
        Word::Conf => conf(server),
        Word::Cons => cons(server),
        Word::Crst => {
            server.reset_connections();
            "Connection stats reset.\n".to_owned()
        }
        Word::Dirs => {
            let sizes = server.directory_sizes();
            format!("datadir_size: {}\nlogdir_size: {}\n", sizes.data, sizes.log)
        }
        Word::Dump => dump(server),
        Word::Envi => envi(),
        Word::Gtmk => server.metrics().trace_mask.load(Ordering::Relaxed).to_string(),
        Word::Hash => hash(server),
        Word::Isro => if server.overview().serving { "rw" } else { "null" }.to_owned(),
        Word::Mntr => mntr(server),
        Word::Ruok => "imok".to_owned(),
        Word::Srvr => srvr(server, ""),
        Word::Srst => {
            server.metrics().reset();
            "Server stats reset.\n".to_owned()
        }
        Word::Stat => stat(server),
        Word::Stmk => set_trace_mask(argument, server),
        Word::Wchc => wchc(server),
        Word::Wchp => wchp(server),
        Word::Wchs => wchs(&server.overview()),
    }
}

fn srvr(server: &dyn ServerObserved, clients: &str) -> String {
    let overview = server.overview();
    let figures = server.metrics().figures();
    let requests = &figures.requests;
    format!(
        "Zookeeper version: {VERSION}\n{clients}\
         Latency min/avg/max: {}/{}/{}\nReceived: {}\nSent: {}\nConnections: {}\n\
         Outstanding: {}\nZxid: {}\nMode: {}\nNode count: {}\n",
        requests.min_us / 1000,
        java_double(requests.average_ms()),
        requests.max_us / 1000,
        figures.counter(Counter::PacketsReceived),
        figures.counter(Counter::PacketsSent),
        overview.connections,
        overview.outstanding,
        overview.zxid,
        overview.mode.name(),
        overview.znodes,
    )
}

fn stat(server: &dyn ServerObserved) -> String {
    let mut clients = String::from("Clients:\n");
    for connection in server.connections() {
        let _ = writeln!(clients, "{})", in_short(&connection));
    }
    clients.push('\n');
    srvr(server, &clients)
}

/// ` /127.0.0.1:1234[1](queued=0,recved=1,sent=1`, open for more.
fn in_short(connection: &ConnectionView) -> String {
    let ConnectionView { interest, queued, stats, .. } = connection;
    let (remote, received, sent) = (connection.remote_text(), stats.received, stats.sent);
    format!(" /{remote}[{interest:x}](queued={queued},recved={received},sent={sent}")
}

fn cons(server: &dyn ServerObserved) -> String {
    let mut out = String::new();
    for connection in server.connections() {
        out.push_str(&in_short(&connection));
        if connection.session != SessionId::NONE {
            out.push_str(&in_detail(&connection));
        }
        out.push_str(")\n");
    }
    out.push('\n');
    out
}

fn in_detail(connection: &ConnectionView) -> String {
    let stats = &connection.stats;
    let last = stats.last.as_ref();
    let mut out = format!(
        ",sid={},lop={},est={},to={}",
        connection.session,
        last.map_or("NA", |last| operation(last.op)),
        stats.established_ms,
        connection.timeout_ms,
    );
    // Pings and their like have no number of the client's.
    if let Some(last) = last.filter(|last| last.xid >= 0) {
        let _ = write!(out, ",lcxid={:#x}", last.xid);
    }
    let latency = &stats.latency;
    let _ = write!(
        out,
        ",lzxid={},lresp={},llat={},minlat={},avglat={},maxlat={}",
        last.map_or(tree::Zxid(u64::MAX.cast_signed()), |last| last.zxid),
        last.map_or(0, |last| last.answered_ms),
        last.map_or(0, |last| last.latency_ms),
        latency.min,
        latency.sum.checked_div(latency.count).unwrap_or(0),
        latency.max,
    );
    out
}

/// ZooKeeper's short name of an operation.
pub fn operation(op: i32) -> &'static str {
    match op {
        0 => "NOTI",
        1 | 15 | 19 | 21 => "CREA",
        2 | 20 => "DELE",
        3 => "EXIS",
        4 => "GETD",
        5 => "SETD",
        6 => "GETA",
        7 => "SETA",
        8 => "GETC",
        9 => "SYNC",
        11 => "PING",
        12 => "GETC",
        13 => "CHEC",
        14 => "MULT",
        16 => "RECO",
        17 => "CHKW",
        18 => "REMW",
        22 => "MLTR",
        101 => "SETW",
        102 => "SASL",
        103 => "GETE",
        104 => "GETACN",
        105 => "STW2",
        106 => "ADDW",
        107 => "HOMI",
        -10 => "SESS",
        -11 => "CLOS",
        -1 => "ERRO",
        _ => "UNKN",
    }
}

fn conf(server: &dyn ServerObserved) -> String {
    let conf = server.conf();
    let sizes = server.directory_sizes();
    format!(
        "clientPort={}\nsecureClientPort=-1\ndataDir={}\ndataDirSize={}\ndataLogDir={}\n\
         dataLogSize={}\ntickTime={}\nmaxClientCnxns={}\nminSessionTimeout={}\n\
         maxSessionTimeout={}\nclientPortListenBacklog={}\nserverId={}\n",
        conf.client_port,
        conf.data_dir,
        sizes.data,
        conf.data_log_dir,
        sizes.log,
        conf.tick_ms,
        conf.max_client_connections,
        conf.session_min_ms,
        conf.session_max_ms,
        conf.listen_backlog,
        conf.server_id,
    )
}

fn envi() -> String {
    let mut out = String::from("Environment:\n");
    for (key, value) in environment() {
        let _ = writeln!(out, "{key}={value}");
    }
    out
}

fn hash(server: &dyn ServerObserved) -> String {
    let mut out = String::new();
    for (zxid, digest) in server.digests() {
        // Java has no unsigned numbers.
        let _ = writeln!(out, "{:x}: {}", zxid.0, digest.cast_signed());
    }
    out
}

/// Compat(trace-mask): the mask follows the word as eight bytes. ZooKeeper fails without an answer
/// when they are missing.
fn set_trace_mask(argument: &[u8], server: &dyn ServerObserved) -> String {
    let Some(Ok(bytes)) = argument.get(..8).map(<[u8; 8]>::try_from) else {
        return String::new();
    };
    let mask = i64::from_be_bytes(bytes);
    server.metrics().trace_mask.store(mask, Ordering::Relaxed);
    mask.to_string()
}

fn wchs(overview: &Overview) -> String {
    let watches = &overview.data_watches;
    format!(
        "{} connections watching {} paths\nTotal watches:{}\n",
        watches.connections, watches.paths, watches.watches
    )
}

fn wchc(server: &dyn ServerObserved) -> String {
    let mut out = String::new();
    for (session, paths) in server.watched_paths() {
        let _ = writeln!(out, "{session}");
        for path in paths {
            let _ = writeln!(out, "\t{path}");
        }
    }
    out.push('\n');
    out
}

fn wchp(server: &dyn ServerObserved) -> String {
    let mut out = String::new();
    for (path, sessions) in sessions_by_path(server) {
        let _ = writeln!(out, "{path}");
        for session in sessions {
            let _ = writeln!(out, "\t{session}");
        }
    }
    out.push('\n');
    out
}

/// Who watches the data of which path.
pub(super) fn sessions_by_path(server: &dyn ServerObserved) -> BTreeMap<String, Vec<SessionId>> {
    let mut by_path: BTreeMap<String, Vec<SessionId>> = BTreeMap::new();
    for (session, paths) in server.watched_paths() {
        for path in paths {
            by_path.entry(path).or_default().push(session);
        }
    }
    by_path
}

fn dump(server: &dyn ServerObserved) -> String {
    let overview = server.overview();
    let date = |deadline_ms: u64| {
        let ahead = deadline_ms.cast_signed() - overview.monotonic_ms.cast_signed();
        java_date(overview.wall_ms + ahead)
    };
    let buckets = server.expiry_buckets();
    let sessions: usize = buckets.iter().map(|bucket| bucket.sessions.len()).sum();
    let mut out = String::from("SessionTracker dump:\n");
    let _ = writeln!(out, "Session Sets ({})/({sessions}):", buckets.len());
    for bucket in &buckets {
        let _ = writeln!(out, "{} expire at {}:", bucket.sessions.len(), date(bucket.deadline_ms));
        for session in &bucket.sessions {
            let _ = writeln!(out, "\t{session}");
        }
    }
    let ephemerals = server.ephemerals();
    let _ =
        writeln!(out, "ephemeral nodes dump:\nSessions with Ephemerals ({}):", ephemerals.len());
    for (session, paths) in &ephemerals {
        let _ = writeln!(out, "{session}:");
        for path in paths {
            let _ = writeln!(out, "\t{path}");
        }
    }
    let connections = server.connections();
    let sets = idle_sets(&connections);
    let _ = writeln!(
        out,
        "Connections dump:\nConnections Sets ({})/({}):",
        sets.len(),
        connections.len()
    );
    for (deadline_ms, set) in &sets {
        let _ = writeln!(out, "{} expire at {}:", set.len(), date(*deadline_ms));
        for connection in set {
            let (remote, session) = (connection.remote_text(), connection.session);
            let _ = writeln!(out, "\tip: /{remote} sessionId: {session}");
        }
    }
    out
}

/// The step in which ZooKeeper looks for idle connections, and how long one may be without
/// a session.
const IDLE_STEP_MS: u64 = 10_000;

/// Connections by when they would be closed for being idle.
fn idle_sets(connections: &[ConnectionView]) -> BTreeMap<u64, Vec<&ConnectionView>> {
    let mut sets: BTreeMap<u64, Vec<&ConnectionView>> = BTreeMap::new();
    for connection in connections {
        let allowed = match u64::try_from(connection.timeout_ms) {
            Ok(timeout) if connection.session != SessionId::NONE => timeout,
            Ok(_) | Err(_) => IDLE_STEP_MS,
        };
        let end = connection.heard_ms + allowed;
        sets.entry((end / IDLE_STEP_MS + 1) * IDLE_STEP_MS).or_default().push(connection);
    }
    sets
}

#[cfg(test)]
mod tests;
