//! The four letter words say the same on both servers, but for numbers, ids and dates.
//!
//! `COMPAT_SERVER=zookeeper` compares ZooKeeper with itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::time::Duration;

use compat_tests::masked::numbers;
use compat_tests::oracle::process::{ServerProcess, Software, four_letter_word};
use compat_tests::raw::{Handshake, Incoming, RawConnection, Writer};

const WITHIN: Duration = Duration::from_secs(15);

/// What dashboards and checks read from `mntr`, `zk_` left out.
const MNTR_KEYS: &[&str] = &[
    "version",
    "server_state",
    "avg_latency",
    "max_latency",
    "min_latency",
    "packets_received",
    "packets_sent",
    "num_alive_connections",
    "outstanding_requests",
    "uptime",
    "znode_count",
    "watch_count",
    "ephemerals_count",
    "approximate_data_size",
    "global_sessions",
    "local_sessions",
    "open_file_descriptor_count",
    "max_file_descriptor_count",
    "connection_rejected",
    "connection_drop_count",
    "commit_count",
    "snap_count",
    "unrecoverable_error_count",
    "digest_mismatches_count",
    "stale_sessions_expired",
    "cnt_fsynctime",
    "avg_fsynctime",
    "max_fsynctime",
    "cnt_readlatency",
    "p99_readlatency",
    "cnt_updatelatency",
    "p99_updatelatency",
    "request_throttle_wait_count",
    "throttled_ops",
    "watch_bytes",
    "bytes_received_count",
    "response_bytes",
    "auth_failed_count",
];

struct Both {
    expected: ServerProcess,
    actual: ServerProcess,
}

impl Both {
    fn start(settings: &[(&str, &str)]) -> Self {
        let settings: Vec<(String, String)> =
            settings.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        Self {
            expected: ServerProcess::start(Software::ZooKeeper, &settings).unwrap(),
            actual: ServerProcess::start(Software::from_env(), &settings).unwrap(),
        }
    }

    /// Compares what both say, after `normalize`.
    #[track_caller]
    fn say_the_same(&self, word: &str, normalize: fn(&str) -> String) {
        let expected = four_letter_word(self.expected.address(), word).unwrap();
        let actual = four_letter_word(self.actual.address(), word).unwrap();
        let (expected, actual) = (normalize(&expected), normalize(&actual));
        assert!(expected == actual, "{word}:\n{}", difference(&expected, &actual));
    }

    /// A session on each with nodes, an ephemeral and watches.
    fn hold_a_session(&self) -> Vec<RawConnection> {
        [&self.expected, &self.actual].map(hold_a_session).into_iter().collect()
    }
}

/// ZooKeeper lists connections in the order of a hash table.
fn connections(text: &str) -> String {
    let text = numbers(text);
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn difference(expected: &str, actual: &str) -> String {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (left, right) = (lines(expected), lines(actual));
    let missing = left.difference(&right).map(|line| format!("- {line}\n"));
    let surplus = right.difference(&left).map(|line| format!("+ {line}\n"));
    let lines: String = missing.chain(surplus).collect();
    format!("{lines}whole expected text:\n{expected}\nwhole actual text:\n{actual}")
}

fn hold_a_session(server: &ServerProcess) -> RawConnection {
    let mut connection = RawConnection::open(server.address()).unwrap();
    connection.send_frame(&Handshake::fresh(10_000).encode()).unwrap();
    let mut requests = Writer::new();
    for (xid, path, flags) in [(1, "/n", 0), (2, "/e", 1)] {
        let mut request = Writer::new();
        request.int(xid).int(1).text(Some(path)).buffer(Some(b"data"));
        request.count(1).int(31).text(Some("world")).text(Some("anyone")).int(flags);
        requests.raw(&request.into_frame());
    }
    for (xid, code, path) in [(3, 4, "/n"), (4, 3, "/later"), (5, 8, "/")] {
        let mut request = Writer::new();
        request.int(xid).int(code).text(Some(path)).flag(true);
        requests.raw(&request.into_frame());
    }
    connection.send(&requests.into_bytes()).unwrap();
    for _ in 0..6 {
        assert!(matches!(connection.read_frame(WITHIN).unwrap(), Incoming::Frame(_)));
    }
    connection
}

fn exact(text: &str) -> String {
    text.to_owned()
}

/// As [`numbers`], without the version and its date of build.
fn status(text: &str) -> String {
    let (version, rest) = text.split_once('\n').unwrap_or((text, ""));
    assert!(is_version(version.strip_prefix("Zookeeper version: ").unwrap_or("")), "{version}");
    numbers(rest)
}

/// `3.9.5-<anything>, built on 2026-01-31 12:00 UTC`: what clients and agents parse.
fn is_version(text: &str) -> bool {
    let Some((version, built)) = text.split_once(", built on ") else { return false };
    let mut numbers = version.split(['.', '-']);
    let are_numbers = (0..3).all(|_| {
        numbers.next().is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    });
    are_numbers && built.len() == "2026-01-31 12:00 UTC".len() && built.ends_with(" UTC")
}

/// `key=value` lines: the values that depend on the machine become `_`.
fn configuration(text: &str) -> String {
    let mask = |line: &str| match line.split_once('=') {
        Some((key @ ("clientPort" | "dataDir" | "dataLogDir" | "dataDirSize"), _))
        | Some((key @ "dataLogSize", _)) => format!("{key}=_\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(mask).collect()
}

/// The keys only; those of a JVM may be missing.
fn environment(text: &str) -> String {
    let keys = text.lines().map(|line| line.split('=').next().unwrap_or(line));
    keys.filter(|key| !key.starts_with("java.")).map(|key| format!("{key}\n")).collect()
}

/// Dates and numbers masked. How connections fall into buckets of time is left out.
fn dump(text: &str) -> String {
    let (sessions, connections) = text.split_once("Connections dump:").unwrap_or((text, ""));
    let mask = |line: &str| match line.split_once(" expire at ") {
        Some((count, _)) => format!("{} expire at DATE:\n", numbers(count)),
        None => format!("{}\n", numbers(line)),
    };
    let kept = connections.lines().filter(|line| !line.contains(" expire at "));
    sessions.lines().map(mask).chain(kept.map(|line| format!("{}\n", numbers(line)))).collect()
}

#[test]
fn words_say_the_same() {
    let both = Both::start(&[]);
    let _sessions = both.hold_a_session();
    for word in ["ruok", "isro", "gtmk", "crst", "srst"] {
        both.say_the_same(word, exact);
    }
    both.say_the_same("stmk\0\0\0\0\0\0\u{1}\u{2}", exact);
    both.say_the_same("gtmk", exact);
    both.say_the_same("srvr", status);
    both.say_the_same("srvr\n", status);
    both.say_the_same("stat", status);
    both.say_the_same("cons", connections);
    both.say_the_same("conf", configuration);
    both.say_the_same("envi", environment);
    both.say_the_same("wchs", exact);
    both.say_the_same("wchc", numbers);
    both.say_the_same("wchp", numbers);
    both.say_the_same("dump", dump);
    both.say_the_same("dirs", numbers);
}

/// The lines that monitoring reads, in the form that it reads.
#[test]
fn mntr_has_what_monitoring_reads() {
    for software in BTreeSet::from([0, 1]).into_iter().map(|index| match index {
        0 => Software::ZooKeeper,
        _ => Software::from_env(),
    }) {
        let server = ServerProcess::start(software, &[]).unwrap();
        let _session = hold_a_session(&server);
        let text = four_letter_word(server.address(), "mntr").unwrap();
        let mut lines = text.lines();
        let version = lines.next().and_then(|line| line.strip_prefix("zk_version\t"));
        assert!(version.is_some_and(is_version), "{software:?}: {version:?}");
        assert_eq!(lines.next(), Some("zk_server_state\tstandalone"), "{software:?}");
        let mut keys = BTreeSet::new();
        for line in text.lines() {
            let (key, value) = line.split_once('\t').unwrap();
            let name = key.strip_prefix("zk_").unwrap();
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
            assert!(name.chars().all(is_plain) && !value.is_empty(), "{software:?}: {line}");
            assert!(keys.insert(name.to_owned()), "{software:?}: {name} twice");
        }
        assert!(text.ends_with('\n'));
        let missing: Vec<_> = MNTR_KEYS.iter().filter(|key| !keys.contains(**key)).collect();
        assert!(missing.is_empty(), "{software:?}: not in mntr: {missing:?}");
        let value = |name: &str| {
            let prefix = format!("zk_{name}\t");
            text.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap().to_owned()
        };
        assert_eq!(value("znode_count"), "7", "{software:?}");
        assert_eq!(value("ephemerals_count"), "1", "{software:?}");
        assert_eq!(value("global_sessions"), "1", "{software:?}");
        assert_eq!(value("watch_count"), "3", "{software:?}");
    }
}

/// M19, 21: what is not on the list is refused in words; what is no word is no word.
#[test]
fn the_whitelist() {
    let by_default = Both::start(&[("4lw.commands.whitelist", "")]);
    by_default.say_the_same("srvr", status);
    for word in ["ruok", "stat", "mntr", "isro", "cons", "stmk"] {
        by_default.say_the_same(word, exact);
    }
    let listed = Both::start(&[("4lw.commands.whitelist", "ruok, isro ,wchs")]);
    for word in ["ruok", "isro", "wchs", "stat", "dump", "lead", "xxxx", "RUOK", "\n\n\n\n"] {
        listed.say_the_same(word, exact);
    }
    // A telnet client that is interrupted.
    for server in [&listed.expected, &listed.actual] {
        let mut connection = RawConnection::open(server.address()).unwrap();
        connection.send(&[0xff, 0xf4, 0xff, 0xfd]).unwrap();
        let text = connection.read_to_end(WITHIN).unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert_eq!(text, "telnet close is not executed because it is not in the whitelist.\n");
    }
}
