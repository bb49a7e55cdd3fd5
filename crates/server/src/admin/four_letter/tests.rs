//! Every word against what a real ZooKeeper 3.9.5 printed.

use std::{collections::BTreeSet, fs};

use expect_test::expect;

use super::*;
use crate::{
    admin::{
        observed::{ExpiryBucket, GlobalSessions, Mode, SessionsView},
        testing::{A, APACHE, B, Captured},
    },
    config::Whitelist,
};

fn captured(file: &str) -> String {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/four_letter");
    fs::read_to_string(format!("{directory}/{file}.txt")).unwrap().replace(APACHE, VERSION)
}

fn say(server: &Captured, word: &str) -> String {
    let mut input = BytesMut::from(word.as_bytes());
    String::from_utf8(answer(server, &mut input).unwrap()).unwrap()
}

/// Ports of the connection that asks, dates and the order of Java's hash maps differ from
/// one run to the next; all else must not.
fn normalised(text: &str) -> String {
    let asking = text.lines().map(|line| match line.find(" /127.0.0.1:") {
        Some(_) if line.contains("[0]") => {
            " /asking[0]".to_owned() + &line[line.find(']').unwrap() + 1..]
        }
        Some(_) | None => line.to_owned(),
    });
    asking.map(|line| line + "\n").collect()
}

#[test]
fn words_without_latencies_are_the_same_bytes() {
    for word in ["ruok", "isro", "conf", "wchs", "dirs", "hash", "gtmk", "crst", "srst", "cons"] {
        let said = say(&Captured::default(), word);
        let expected = captured(word);
        if word == "cons" {
            assert_eq!(normalised(&said), normalised(&expected), "{word}");
        } else {
            assert_eq!(said, expected, "{word}");
        }
    }
}

#[test]
fn srvr_and_stat_are_the_same_but_for_the_latency() {
    let without_latency = |text: &str| -> String {
        let lines = normalised(text);
        lines
            .lines()
            .filter(|line| !line.starts_with("Latency"))
            .map(|l| format!("{l}\n"))
            .collect()
    };
    let server = Captured::default();
    server.metrics.packets(u64::MAX, u64::MAX); // The word itself counts: take it back.
    assert_eq!(without_latency(&say(&server, "srvr")), without_latency(&captured("srvr")));
    let said = say(&server, "stat");
    let shape = |text: &str| -> Vec<String> {
        let words = text.lines().map(|line| line.split([':', '[']).next().unwrap().to_owned());
        words.collect()
    };
    let (mut ours, mut theirs) = (shape(&said), shape(&captured("stat")));
    ours.sort();
    theirs.sort();
    assert_eq!(ours, theirs);
    assert!(said.contains(" /127.0.0.1:37240[1](queued=0,recved=157,sent=158)\n"), "{said}");
}

#[test]
fn latencies_are_printed_as_java_prints_them() {
    let server = Captured::default();
    assert!(say(&server, "srvr").contains("Latency min/avg/max: 0/0.0/0\n"));
    server.metrics.update_done(87_250);
    server.metrics.reads_done(3, 700);
    assert!(say(&server, "srvr").contains("Latency min/avg/max: 0/22.3375/87\n"));
}

#[test]
fn connections_after_a_reset() {
    let server = Captured::default();
    say(&server, "crst");
    let only_sessions = |text: &str| -> BTreeSet<String> {
        text.lines().filter(|line| line.contains("sid=")).map(str::to_owned).collect()
    };
    assert_eq!(only_sessions(&say(&server, "cons")), only_sessions(&captured("cons_after_crst")));
}

/// Blocks of a list whose order is that of a hash map.
fn blocks(text: &str) -> BTreeSet<BTreeSet<&str>> {
    let mut blocks: Vec<BTreeSet<&str>> = Vec::new();
    for line in text.lines() {
        if !line.starts_with('\t') {
            blocks.push(BTreeSet::new());
        }
        blocks.last_mut().unwrap().insert(line);
    }
    blocks.into_iter().collect()
}

#[test]
fn watches_are_the_same_in_any_order() {
    let server = Captured::default();
    for word in ["wchc", "wchp"] {
        let said = say(&server, word);
        assert_eq!(blocks(&said), blocks(&captured(word)), "{word}");
        assert!(said.ends_with("\n\n"), "{word}");
    }
}

#[test]
fn dump_is_the_same_but_for_seconds() {
    let said = say(&Captured::default(), "dump");
    let theirs = captured("dump").replace("37346", "37300");
    // ZooKeeper's two clocks were read at different moments.
    let without_seconds = |text: &str| -> Vec<String> {
        let lines = text.lines().map(|line| match line.find(" UTC") {
            Some(at) => format!("{}xx{}", &line[..at - 2], &line[at..]),
            None => line.to_owned(),
        });
        lines.collect()
    };
    assert_eq!(without_seconds(&said), without_seconds(&theirs));
}

#[test]
fn mntr_has_all_names_and_telegraf_can_read_it() {
    let said = say(&Captured::default(), "mntr");
    let names = |text: &str| -> BTreeSet<String> {
        text.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    };
    let theirs: BTreeSet<String> = names(&captured("mntr"))
        .into_iter()
        .filter(|name| !name.contains("_per_namespace"))
        .collect();
    let ours = names(&said);
    assert_eq!(theirs.difference(&ours).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(ours.difference(&theirs).collect::<Vec<_>>(), ["zk_fsync_threshold_exceed_count"]);
    let plain = |line: &str| {
        let (name, value) = line.split_once('\t').unwrap();
        name.starts_with("zk_")
            && value.starts_with(|first: char| first.is_alphanumeric() || first == '-')
    };
    assert!(said.lines().all(plain), "{said}");
    assert!(said.starts_with(&format!("zk_version\t{VERSION}\nzk_server_state\tstandalone\n")));
    for line in [
        "zk_znode_count\t159",
        "zk_watch_count\t4",
        "zk_ephemerals_count\t3",
        "zk_approximate_data_size\t2825",
        "zk_global_sessions\t2",
        "zk_num_alive_connections\t3",
        "zk_avg_latency\t0.0",
        "zk_min_client_response_size\t-1",
    ] {
        assert!(said.lines().any(|one| one == line), "{line}");
    }
}

#[test]
fn environment_has_the_same_keys_in_the_same_order() {
    let keys = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split('=').next().unwrap().to_owned()).collect()
    };
    let said = say(&Captured::default(), "envi");
    assert_eq!(keys(&said), keys(&captured("envi")));
    assert!(said.contains(&format!("\nzookeeper.version={VERSION}\n")));
}

#[test]
fn the_trace_mask_is_echoed() {
    let server = Captured::default();
    let mut input = BytesMut::from(&b"stmk"[..]);
    input.extend_from_slice(&1234i64.to_be_bytes());
    assert_eq!(answer(&server, &mut input).unwrap(), captured("stmk").into_bytes());
    assert_eq!(say(&server, "gtmk"), "1234");
    assert_eq!(say(&server, "stmk"), "");
}

#[test]
fn only_what_is_allowed_is_answered() {
    let server = Captured {
        whitelist: Whitelist::Only(vec!["srvr".into(), "isro".into()]),
        ..Captured::default()
    };
    assert!(say(&server, "srvr").starts_with("Zookeeper version: "));
    assert_eq!(say(&server, "isro"), "rw");
    assert_eq!(say(&server, "ruok"), "ruok is not executed because it is not in the whitelist.\n");
}

#[test]
fn a_server_that_does_not_serve_says_so() {
    let server = Captured { serving: false, ..Captured::default() };
    for word in ["srvr", "mntr", "conf", "dump"] {
        assert_eq!(say(&server, word), format!("{NOT_SERVING}\n"), "{word}");
    }
    assert_eq!(say(&server, "ruok"), "imok");
    assert_eq!(say(&server, "isro"), "null");
    assert!(say(&server, "envi").starts_with("Environment:\n"));
}

#[test]
fn a_read_only_server_says_so() {
    let server = Captured { mode: Mode::ReadOnly, ..Captured::default() };
    assert_eq!(say(&server, "isro"), "ro");
    for word in ["srvr", "stat"] {
        let said = say(&server, word);
        let second = said.lines().nth(1);
        assert_eq!(second, Some("READ-ONLY mode; serving only read-only clients"), "{word}");
        assert!(said.contains("Mode: read-only\n"), "{said}");
    }
    assert!(say(&server, "mntr").contains("zk_server_state\tread-only\n"));
}

/// As three members of an ensemble of ZooKeeper 3.9.5 dumped them, sessions apart.
#[test]
fn a_member_of_an_ensemble_dumps_what_it_knows_of_sessions() {
    let local = || Some(vec![ExpiryBucket { deadline_ms: 4_270_000, sessions: vec![B] }]);
    let known = || GlobalSessions::Known(vec![(A, 8000)]);
    let expiring = || GlobalSessions::Expiring(Vec::new());
    let dumped = |local, global| {
        let sessions = SessionsView { local, global };
        let said = say(&Captured { sessions, ..Captured::default() }, "dump");
        said.split("ephemeral nodes dump").next().unwrap().to_owned()
    };
    let all = [dumped(None, known()), dumped(local(), known()), dumped(local(), expiring())];
    expect![[r#"
        SessionTracker dump:
        Global Sessions(1):
        0x10000400e110000	8000ms
        SessionTracker dump:
        Local Session Sets (1)/(1):
        1 expire at Sat Nov 21 07:19:39 UTC 2026:
        	0x10000400e110001
        Global Sessions(1):
        0x10000400e110000	8000ms
        SessionTracker dump:
        Local Session Sets (1)/(1):
        1 expire at Sat Nov 21 07:19:39 UTC 2026:
        	0x10000400e110001
        Global Session Sets (0)/(0):
    "#]]
    .assert_eq(&all.concat());
}

#[test]
fn other_beginnings_are_left_alone() {
    let server = Captured::default();
    for bytes in [&b"lead"[..], b"\0\0\0\x2d", b"GET ", b"RUOK"] {
        let mut input = BytesMut::from(bytes);
        assert_eq!(answer(&server, &mut input), None);
        assert_eq!(&input[..], bytes);
    }
}
