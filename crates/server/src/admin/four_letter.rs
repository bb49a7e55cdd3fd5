//! The four-letter words: a client sends one instead of a connect request, gets a text,
//! and the connection ends.

mod connections;
mod dump;
mod words;

use std::{collections::BTreeMap, fmt::Write, sync::atomic::Ordering};

use bytes::{Buf, BytesMut};
use tree::SessionId;

use super::{
    environment::environment,
    metrics::{Counter, Sizes},
    mntr::{java_double, mntr},
    observed::{EnsembleConf, Overview, ServerObserved},
    version::VERSION,
};
use crate::config::{PeerAddress, Role};
pub use connections::operation;
use connections::{cons, in_short};
use dump::dump;
pub use words::Word;

/// What a server without a leader, or one that is still loading, answers.
pub const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests";

/// What telnet sends when it is interrupted.
const TELNET_CLOSE: [u8; 4] = [0xff, 0xf4, 0xff, 0xfd];

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
        // Compat(no-newline): `hash` ends without one.
        format!("{NOT_SERVING}{}", if word == Word::Hash { "" } else { "\n" })
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
        Word::Isro => isro(&server.overview()).to_owned(),
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

const fn isro(overview: &Overview) -> &'static str {
    match (overview.serving, overview.mode.is_read_only()) {
        (false, _) => "null",
        (true, true) => "ro",
        (true, false) => "rw",
    }
}

fn srvr(server: &dyn ServerObserved, clients: &str) -> String {
    let overview = server.overview();
    let figures = server.metrics().figures();
    let requests = &figures.requests;
    let read_only = match overview.mode.is_read_only() {
        true => "READ-ONLY mode; serving only read-only clients\n",
        false => "",
    };
    let mut out = format!(
        "Zookeeper version: {VERSION}\n{read_only}{clients}\
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
    );
    if let Some(leading) = overview.ensemble.as_ref().and_then(|one| one.leading.as_ref()) {
        out += &match leading.proposal_sizes {
            Some(Sizes { last, min, max }) => {
                format!("Proposal sizes last/min/max: {last}/{min}/{max}\n")
            }
            None => "Proposal sizes last/min/max: -1/-1/-1\n".to_owned(),
        };
    }
    out
}

fn stat(server: &dyn ServerObserved) -> String {
    let mut clients = String::from("Clients:\n");
    for connection in server.connections() {
        let _ = writeln!(clients, "{})", in_short(&connection));
    }
    clients.push('\n');
    srvr(server, &clients)
}

fn conf(server: &dyn ServerObserved) -> String {
    let conf = server.conf();
    let sizes = server.directory_sizes();
    let alone = format!(
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
    );
    alone + &conf.ensemble.as_ref().map_or_else(String::new, ensemble_conf)
}

/// Compat(conf-members): the last line has no end, and `membership` has a space behind it.
fn ensemble_conf(conf: &EnsembleConf) -> String {
    let ports = |of: fn(&PeerAddress) -> u16| -> String {
        let ports: Vec<String> = conf.me.addresses.iter().map(|one| of(one).to_string()).collect();
        ports.join("|")
    };
    format!(
        "initLimit={}\nsyncLimit={}\nelectionAlg=3\nelectionPort={}\nquorumPort={}\n\
         peerType={}\nmembership: \n{}",
        conf.limits.0,
        conf.limits.1,
        ports(|address| address.election_port),
        ports(|address| address.peer_port),
        u8::from(conf.me.role == Role::Observer),
        conf.membership,
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

#[cfg(test)]
mod tests;
