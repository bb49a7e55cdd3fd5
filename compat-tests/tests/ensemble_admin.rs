//! What monitoring sees of an ensemble is what it sees of ZooKeeper's: on the leader, on a
//! follower, on an observer, and on servers without a quorum.
//!
//! `COMPAT_SERVER=zookeeper` compares ZooKeeper with itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use compat_tests::ensemble::{Ensemble, patient};
use compat_tests::http;
use compat_tests::masked::numbers;
use compat_tests::oracle::process::{Software, four_letter_word};
use compat_tests::raw::{Answer, Session};
use compat_tests::writer::create_ephemeral;

/// Longer than it takes to look at everything.
const SESSION_MS: i32 = 300_000;
const WITHIN: Duration = Duration::from_secs(60);
/// Three that vote, and behind them one that observes.
const VOTERS: usize = 3;
const OBSERVER: usize = 3;
const SET_DATA: i32 = 5;
const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests";

/// An ensemble, where its servers' admin servers are, and a session on each server.
struct Watched {
    ensemble: Ensemble,
    admin: Vec<u16>,
    sessions: Vec<Session>,
    leader: usize,
}

impl Watched {
    fn start(software: Software) -> Self {
        let settings = [("tickTime", "1000"), ("maxSessionTimeout", "300000")];
        let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let mut ensemble =
            Ensemble::prepare_with_observers(software, VOTERS, 1, &settings).unwrap();
        let admin = ensemble.with_admin_servers().unwrap();
        ensemble.start_all().unwrap();
        let leader = ensemble.wait_for_leader(WITHIN);
        let mut watched = Self { ensemble, admin, sessions: Vec::new(), leader };
        watched.wait_for("zk_learners\t3\n");
        watched.wait_for("zk_synced_observers\t1\n");
        watched
    }

    /// Opens the sessions: nobody pings for them while other servers start. Those may cost the
    /// leader its lead.
    fn open_sessions(&mut self) {
        self.leader = self.ensemble.wait_for_leader(WITHIN);
        let ensemble = &self.ensemble;
        self.sessions = (0..ensemble.len()).map(|index| work(ensemble, index)).collect();
    }

    /// Figures that move on a server of another role are 0 on one of this. If there was more than
    /// one election, it may have had the other role before: then no write moves them any more.
    fn check_still(&mut self, role: &str) {
        let index = self.index(role);
        let names = still(role);
        let figures =
            |this: &Self| -> Vec<_> { names.iter().map(|name| this.mntr(index, name)).collect() };
        let deadline = Instant::now() + WITHIN;
        loop {
            let before = figures(self);
            let elections = self.mntr(index, "looking_count");
            if index == OBSERVER || elections.as_deref() == Some("1") {
                let are_zero = before.iter().all(|figure| figure.as_deref() == Some("0"));
                assert!(are_zero, "{names:?} of the {role}: {before:?}");
                return;
            }
            for _ in 0..20 {
                let answer = self.sessions[index].ask(SET_DATA, |out| {
                    out.text(Some("/n0-0")).buffer(Some(b"data")).int(-1);
                });
                assert!(matches!(answer.unwrap(), Answer::Reply(0, _)));
            }
            let after = figures(self);
            assert!(before.iter().all(Option::is_some), "{names:?} of the {role}: {before:?}");
            if before == after {
                return;
            }
            let again = self.mntr(index, "looking_count");
            assert_ne!(again, elections, "{names:?} of the {role}: {before:?}, then {after:?}");
            assert!(Instant::now() < deadline, "elections do not end");
        }
    }

    fn index(&self, role: &str) -> usize {
        match role {
            "leader" => self.leader,
            "follower" => (self.leader + 1) % VOTERS,
            _ => OBSERVER,
        }
    }

    fn word(&self, index: usize, word: &str) -> String {
        four_letter_word(self.ensemble.address(index), word).unwrap()
    }

    fn command(&self, index: usize, name: &str) -> (u16, String) {
        http::get(self.admin[index], &format!("/commands/{name}")).unwrap()
    }

    /// Waits until the leader's `mntr` has this line.
    fn wait_for(&mut self, line: &str) {
        let deadline = Instant::now() + WITHIN;
        while !self.word(self.leader, "mntr").contains(line) {
            assert!(Instant::now() < deadline, "never {line}: {}", self.word(self.leader, "mntr"));
            thread::sleep(Duration::from_millis(50));
            self.leader = self.ensemble.wait_for_leader(WITHIN);
        }
    }

    fn mntr(&self, index: usize, name: &str) -> Option<String> {
        let prefix = format!("zk_{name}\t");
        let text = self.word(index, "mntr");
        text.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned)
    }
}

fn work(ensemble: &Ensemble, index: usize) -> Session {
    let mut session = Session::open(ensemble.address(index), SESSION_MS).unwrap();
    for number in 0..10 {
        let answer = session.create(&format!("/n{index}-{number}"), b"data").unwrap();
        assert!(matches!(answer, Answer::Reply(0, _)), "{answer:?}");
    }
    create_ephemeral(&mut session, &format!("/e{index}")).unwrap();
    session
}

/// One that is expected of, and one that is tested.
struct Both {
    expected: Watched,
    actual: Watched,
}

impl Both {
    fn start() -> Self {
        // In a scope: one that fails must not leave the other's servers behind.
        thread::scope(|scope| {
            let expected = scope.spawn(|| Watched::start(Software::ZooKeeper));
            let actual = Watched::start(Software::from_env());
            let mut both = Self { expected: expected.join().unwrap(), actual };
            both.expected.open_sessions();
            both.actual.open_sessions();
            both
        })
    }

    #[track_caller]
    fn same(&self, what: &str, say: impl Fn(&Watched) -> String) {
        let (expected, actual) = (say(&self.expected), say(&self.actual));
        assert!(
            expected == actual,
            "{what}:\n--- ZooKeeper\n{expected}\n--- tested\n{actual}\n{}",
            self.actual.ensemble.outputs()
        );
    }
}

const ROLES: [&str; 3] = ["leader", "follower", "observer"];

/// Names of `mntr` that follow from who was asked what, and from whom.
fn is_by_key(name: &str) -> bool {
    name.ends_with("_per_namespace") || name.contains("_learner_handler_qp_")
}

fn mntr_names(text: &str) -> BTreeSet<&str> {
    let names = text.lines().filter_map(|line| line.split('\t').next());
    names.filter(|name| !is_by_key(name)).collect()
}

/// The text without its first line, numbers masked.
fn status(text: &str) -> String {
    numbers(text.split_once('\n').unwrap().1)
}

fn configuration(text: &str) -> String {
    let mask = |line: &str| match line.split_once('=') {
        Some((key @ ("dataDir" | "dataLogDir"), _)) => format!("{key}=_\n"),
        _ => format!("{}\n", numbers(line)),
    };
    text.lines().map(mask).collect()
}

/// How sessions and connections fall into buckets of time is left out, and their order.
fn dump(text: &str) -> String {
    let (sessions, _) = text.split_once("Connections dump:").unwrap();
    let lines = sessions.lines().filter(|line| !line.contains(" expire at "));
    let mut lines: Vec<String> = lines.map(numbers).collect();
    let head = lines.iter().take(2).cloned().collect::<Vec<_>>();
    lines.sort();
    format!("{}\n{}", head.join("\n"), lines.join("\n"))
}

/// The names in an answer of the admin server.
fn json_names(text: &str) -> BTreeSet<String> {
    let names = text.lines().filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" : "));
    names.map(|(name, _)| name.to_owned()).filter(|name| !is_by_key(name)).collect()
}

/// Only the asked server's own client address is known, and which that is differs.
fn without_own(text: &str) -> String {
    let (shown, hidden) = ("\"client_address\" : \"N.N.N:N\"", "\"client_address\" : \"\"");
    let masked = numbers(text).replace("N.N:N", "N.N.N:N").replace("N.N.N.N", "N.N.N");
    let own = masked.matches(shown).count();
    format!("{own} known\n{}", masked.replace(shown, hidden))
}

fn check_words(both: &Both, role: &str) {
    let say = |word: &'static str, mask: fn(&str) -> String| {
        both.same(&format!("{word} of the {role}"), |one| mask(&one.word(one.index(role), word)));
    };
    let exact: fn(&str) -> String = str::to_owned;
    for word in ["ruok", "isro", "wchs", "crst"] {
        say(word, exact);
    }
    say("srvr", status);
    say("conf", configuration);
    say("dump", dump);
    say("dirs", numbers);
    let expected = both.expected.word(both.expected.index(role), "mntr");
    let actual = both.actual.word(both.actual.index(role), "mntr");
    let (expected, actual) = (mntr_names(&expected), mntr_names(&actual));
    let missing: Vec<_> = expected.difference(&actual).collect();
    assert!(missing.is_empty(), "not in mntr of the {role}: {missing:?}");
    for name in [
        "server_state",
        "peer_state",
        "quorum_size",
        "global_sessions",
        "ephemerals_count",
        "znode_count",
        "learners",
        "synced_followers",
        "synced_observers",
        "synced_non_voting_followers",
        "pending_syncs",
        // Not the size of all data: the version in `/zookeeper/config` is longer here, see
        // docs/compatibility.md.
    ] {
        both.same(&format!("{name} of the {role}"), |one| {
            format!("{:?}", one.mntr(one.index(role), name))
        });
    }
}

/// Figures that have moved on a server of that role.
fn moved(role: &str) -> &'static [&'static str] {
    match role {
        "leader" => &[
            "proposal_count",
            "commit_count",
            "request_commit_queued",
            "looking_count",
            "diff_count",
            "cnt_election_time",
            "cnt_leader_unavailable_time",
            "cnt_unavailable_time",
            "cnt_quorum_ack_latency",
            "cnt_propagation_latency",
            "cnt_proposal_ack_creation_latency",
            "leader_uptime",
            "last_proposal_size",
            "max_proposal_size",
        ],
        "follower" => &[
            "learner_proposal_received_count",
            "learner_commit_received_count",
            "request_commit_queued",
            "looking_count",
            "cnt_election_time",
            "cnt_follower_sync_time",
            "cnt_unavailable_time",
            "cnt_proposal_latency",
            "cnt_proposal_ack_creation_latency",
            "cnt_commit_propagation_latency",
            "cnt_propagation_latency",
        ],
        _ => &[
            "learner_commit_received_count",
            "request_commit_queued",
            "looking_count",
            "cnt_observer_sync_time",
            "cnt_unavailable_time",
            "cnt_commit_propagation_latency",
            "cnt_propagation_latency",
            "observer_master_id",
        ],
    }
}

/// Figures that do not move on a server of that role, but do on others.
fn still(role: &str) -> &'static [&'static str] {
    match role {
        "leader" => &["learner_commit_received_count", "cnt_follower_sync_time"],
        "follower" => &["proposal_count", "commit_count", "cnt_leader_unavailable_time"],
        _ => &["proposal_count", "learner_proposal_received_count", "cnt_election_time"],
    }
}

fn check_commands(both: &Both, role: &str) {
    let say = |name: &'static str, mask: fn(&str) -> String| {
        both.same(&format!("/commands/{name} of the {role}"), |one| {
            let (status, body) = one.command(one.index(role), name);
            format!("{status}\n{}", mask(&body))
        });
    };
    let names: fn(&str) -> String = |text| format!("{:?}", json_names(text));
    say("leader", numbers);
    say("zabstate", numbers);
    say("is_read_only", numbers);
    say("ruok", numbers);
    say("observer_connection_stat_reset", numbers);
    say("voting_view", without_own);
    say("observers", |text| names_and(text, "synced_observers"));
    for name in ["server_stats", "last_snapshot", "initial_configuration"] {
        say(name, names);
    }
    let (_, expected) = both.expected.command(both.expected.index(role), "monitor");
    let (_, actual) = both.actual.command(both.actual.index(role), "monitor");
    let (expected, actual) = (json_names(&expected), json_names(&actual));
    let missing: Vec<_> = expected.difference(&actual).collect();
    assert!(missing.is_empty(), "not in monitor of the {role}: {missing:?}");
    let leads = |one: &Watched, index: usize| {
        let (_, text) = one.command(index, "leader");
        text.contains(&format!("\"leader_id\" : {}", one.leader + 1))
    };
    let index = both.actual.index(role);
    assert!(leads(&both.actual, index), "the {role} knows who leads");
}

/// The names, and the line of one of them.
fn names_and(text: &str, name: &str) -> String {
    let line = text.lines().find(|line| line.contains(name));
    format!("{:?} {line:?}", json_names(text))
}

#[test]
fn an_ensemble_is_seen_as_zookeepers() {
    let mut both = Both::start();
    for role in ROLES {
        check_words(&both, role);
        for one in [&mut both.expected, &mut both.actual] {
            let index = one.index(role);
            for name in moved(role) {
                let value = one.mntr(index, name);
                let moved = value.as_deref().is_some_and(|value| !["0", "-1"].contains(&value));
                assert!(moved, "{name} of the {role}: {value:?}");
            }
            one.check_still(role);
        }
        check_commands(&both, role);
    }
    for one in [&mut both.expected, &mut both.actual] {
        one.sessions.clear();
        let survivor = one.index("follower");
        for lost in (0..VOTERS).filter(|index| *index != survivor) {
            one.ensemble.kill(lost);
        }
    }
    for role in ["follower", "observer"] {
        check_without_quorum(&both, role);
    }
}

/// It takes writes and answers reads as any other, its vote is nobody's: two of three voters are
/// enough without it, and it is not enough for one.
#[test]
fn an_observer_serves_and_does_not_count() {
    let software = Software::from_env();
    let settings = patient(&[]);
    let mut ensemble = Ensemble::prepare_with_observers(software, VOTERS, 1, &settings).unwrap();
    ensemble.start_all().unwrap();
    let leader = ensemble.wait_for_leader(WITHIN);
    ensemble.wait_for_mode(OBSERVER, Some("observer"), WITHIN);
    let mut observer = Session::open(ensemble.address(OBSERVER), SESSION_MS).unwrap();
    let mut voter = Session::open(ensemble.address(leader), SESSION_MS).unwrap();
    created(&mut observer, "/by-the-observer");
    let synced = voter.ask(9, |out| {
        out.text(Some("/"));
    });
    assert!(matches!(synced.unwrap(), Answer::Reply(0, _)));
    assert!(voter.data("/by-the-observer").unwrap().is_some());
    created(&mut voter, "/by-the-leader");
    let synced = observer.ask(9, |out| {
        out.text(Some("/"));
    });
    assert!(matches!(synced.unwrap(), Answer::Reply(0, _)));
    assert!(observer.data("/by-the-leader").unwrap().is_some());

    let followers: Vec<usize> = (0..VOTERS).filter(|index| *index != leader).collect();
    ensemble.kill(OBSERVER);
    ensemble.kill(followers[0]);
    created(&mut voter, "/with-two-of-three");
    ensemble.start_again(OBSERVER).unwrap();
    let mut observer = Session::open(ensemble.address(OBSERVER), SESSION_MS).unwrap();
    assert!(observer.data("/with-two-of-three").unwrap().is_some());
    ensemble.kill(followers[1]);
    let deadline = Instant::now() + WITHIN;
    while ensemble.mode(leader).is_some() || ensemble.mode(OBSERVER).is_some() {
        assert!(Instant::now() < deadline, "one voter and an observer go on serving");
        thread::sleep(Duration::from_millis(50));
    }
}

#[track_caller]
fn created(session: &mut Session, path: &str) {
    let answer = session.create(path, b"data").unwrap();
    assert!(matches!(answer, Answer::Reply(0, _)), "{path}: {answer:?}");
}

fn check_without_quorum(both: &Both, role: &str) {
    for one in [&both.expected, &both.actual] {
        let deadline = Instant::now() + WITHIN;
        while !one.word(one.index(role), "srvr").starts_with(NOT_SERVING) {
            assert!(Instant::now() < deadline, "the {role} goes on serving without a quorum");
            thread::sleep(Duration::from_millis(50));
        }
    }
    for word in [
        "conf", "cons", "crst", "dirs", "dump", "gtmk", "hash", "isro", "mntr", "ruok", "srst",
        "srvr", "stat", "wchc", "wchp", "wchs",
    ] {
        both.same(&format!("{word} of a {role} without a quorum"), |one| {
            one.word(one.index(role), word)
        });
    }
    for name in [
        "configuration",
        "connections",
        "connection_stat_reset",
        "dirs",
        "dump",
        "get_trace_mask",
        "hash",
        "initial_configuration",
        "is_read_only",
        "last_snapshot",
        "leader",
        "observer_connection_stat_reset",
        "observers",
        "ruok",
        "server_stats",
        "stat_reset",
        "stats",
        "voting_view",
        "watch_summary",
        "watches",
        "watches_by_path",
        "zabstate",
    ] {
        both.same(&format!("/commands/{name} of a {role} without a quorum"), |one| {
            format!("{:?}", one.command(one.index(role), name))
        });
    }
    // Its body is the stack of an error in ZooKeeper.
    both.same("the status of monitor", |one| one.command(one.index(role), "monitor").0.to_string());
}
