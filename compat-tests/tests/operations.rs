//! What operators do with an ensemble by the tools of Rookery: looking at it, handing the lead
//! over, rebuilding a quorum from a survivor, also one whose own disk lost something.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant, SystemTime};

use compat_tests::ensemble::{Ensemble, patient};
use compat_tests::http;
use compat_tests::oracle::process::{ServerProcess, Software, rookery_binary};
use compat_tests::raw::{Answer, Session};

const SESSION_MS: i32 = 30_000;
const WITHIN: Duration = Duration::from_secs(60);
const SYNC: i32 = 9;
const SET_ACL: i32 = 7;

fn settings() -> Vec<(String, String)> {
    patient(&[])
}

fn rookery(arguments: &[&str]) -> Output {
    Command::new(rookery_binary()).args(arguments).output().unwrap()
}

/// What it printed, when it succeeded.
#[track_caller]
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// What it printed; nothing when it failed.
fn said_if_done(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { text } else { String::new() }
}

/// What it complained about, when it failed.
#[track_caller]
fn complained(output: &Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + WITHIN;
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[track_caller]
fn create(session: &mut Session, path: &str) {
    let answer = session.create(path, path.as_bytes()).unwrap();
    assert!(matches!(answer, Answer::Reply(0, _)), "{path}: {answer:?}");
}

/// Reads what the ensemble had decided before.
fn synced(address: SocketAddr, path: &str) -> Option<Vec<u8>> {
    let mut session = Session::open(address, SESSION_MS).unwrap();
    let answer = session.ask(SYNC, |out| {
        out.text(Some("/"));
    });
    assert!(matches!(answer.unwrap(), Answer::Reply(0, _)));
    session.data(path).unwrap()
}

#[test]
fn a_survivor_goes_on_alone_with_all_that_was_acknowledged() {
    let mut ensemble = Ensemble::start(Software::Rookery, 3, &settings()).unwrap();
    ensemble.wait_for_leader(WITHIN);
    let mut session = Session::open(ensemble.address(0), SESSION_MS).unwrap();
    let paths: Vec<String> = (0..200).map(|number| format!("/kept-{number}")).collect();
    for path in &paths {
        create(&mut session, path);
    }
    let survivor = 1;
    assert!(synced(ensemble.address(survivor), "/kept-199").is_some());
    let config = ensemble.dir_of(survivor).join("zoo.cfg").display().to_string();

    let running = complained(&rookery(&["recover", "--config", &config, "--yes"]));
    assert!(running.contains("another server is using this data directory"), "{running}");
    for lost in [0, 2] {
        ensemble.kill(lost);
        ensemble.wipe(lost);
    }
    ensemble.stop(survivor, Duration::from_secs(10));

    let look = said(&rookery(&["recover", "--config", &config]));
    assert!(look.contains("This is server.2") && look.contains("Nothing was changed"), "{look}");
    assert!(look.contains("Before: server.1, server.2, server.3 vote."), "{look}");
    let done = said(&rookery(&["recover", "--config", &config, "--yes"]));
    assert!(done.contains("After:  server.2 alone votes"), "{done}");

    ensemble.start_again(survivor).unwrap();
    assert_eq!(ensemble.mode(survivor).as_deref(), Some("leader"));
    let mut session = Session::open(ensemble.address(survivor), SESSION_MS).unwrap();
    for path in &paths {
        assert_eq!(session.data(path).unwrap().as_deref(), Some(path.as_bytes()), "{path}");
    }
    create(&mut session, "/alone");

    for wiped in [0, 2] {
        ensemble.start_again(wiped).unwrap();
        assert_eq!(synced(ensemble.address(wiped), "/alone").as_deref(), Some(&b"/alone"[..]));
    }
    ensemble.kill(survivor);
    let next = ensemble.wait_for_leader(WITHIN);
    create(&mut Session::open(ensemble.address(next), SESSION_MS).unwrap(), "/after");
    assert!(synced(ensemble.address(next), "/alone").is_some());
}

#[test]
fn recover_refuses_what_it_cannot_do() {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().display().to_string();
    let empty = complained(&rookery(&["recover", "--data-dir", &path, "--yes"]));
    assert!(empty.contains("no server ever ran on this data directory"), "{empty}");
    let nothing = complained(&rookery(&["recover", "--yes"]));
    assert!(nothing.contains("--config") && nothing.contains("--data-dir"), "{nothing}");

    let mut ensemble = Ensemble::start(Software::Rookery, 3, &settings()).unwrap();
    ensemble.wait_for_leader(WITHIN);
    ensemble.stop(0, Duration::from_secs(10));
    let data = ensemble.dir_of(0).join("data").display().to_string();
    let others = complained(&rookery(&["recover", "--data-dir", &data, "--yes"]));
    assert!(others.contains("server.2 answers at 127.0.0.1:"), "{others}");
    // Nothing was changed: it comes back as what it was.
    ensemble.start_again(0).unwrap();
    assert_eq!(ensemble.mode(0).as_deref(), Some("follower"));
}

/// Cuts the log of a server that does not run, so that it lacks what it had acknowledged.
fn cut_log(ensemble: &Ensemble, index: usize) {
    let folder = ensemble.data_dir(index).join("rookery/log");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let wals = files.filter(|path| path.extension().is_some_and(|kind| kind == "log"));
    // Files to be written into are there already, filled with nothing.
    let newest = wals.max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap()).unwrap();
    File::options().write(true).open(newest).unwrap().set_len(1000).unwrap();
}

/// Waits until a server has noted, after that moment, how far its log must reach. It does when
/// the log rests, if there was a write since it did last: make one after the moment.
fn until_marked(data: &Path, after: SystemTime) {
    let mark = data.join("rookery/mark");
    until("the mark is written", || fs::metadata(&mark).unwrap().modified().unwrap() >= after);
}

/// Three servers with writes, all on every disk, and all stopped as by a power failure.
fn killed_with_data() -> Ensemble {
    let mut ensemble = Ensemble::start(Software::Rookery, 3, &settings()).unwrap();
    ensemble.wait_for_leader(WITHIN);
    let mut session = Session::open(ensemble.address(0), SESSION_MS).unwrap();
    for number in 0..200 {
        create(&mut session, &format!("/kept-{number}"));
    }
    let written = SystemTime::now();
    create(&mut session, "/last");
    for index in 0..3 {
        assert!(synced(ensemble.address(index), "/last").is_some());
    }
    for index in 0..3 {
        until_marked(&ensemble.data_dir(index), written);
    }
    for index in 0..3 {
        ensemble.kill(index);
    }
    ensemble
}

/// Servers whose data is damaged wait with it in place when that befell a majority; what is left
/// of one of them is still good for `recover`, which says what it lacks.
#[test]
fn what_is_left_of_a_damaged_server_can_be_recovered() {
    let mut ensemble = killed_with_data();
    for index in 0..3 {
        cut_log(&ensemble, index);
        ensemble.spawn(index).unwrap();
    }
    until("all wait for a majority", || {
        let waits = "nothing is changed until a majority of the others serves";
        (0..3).all(|index| ensemble.output(index).contains(waits))
    });
    for index in 0..3 {
        ensemble.stop(index, WITHIN);
    }
    let directory = ensemble.data_dir(0).display().to_string();
    for _ in 0..2 {
        let look = said(&rookery(&["recover", "--data-dir", &directory]));
        assert!(look.contains("Lost here already: "), "{look}");
    }
    said(&rookery(&["recover", "--data-dir", &directory, "--yes"]));
    ensemble.start_again(0).unwrap();
    assert_eq!(ensemble.mode(0).as_deref(), Some("leader"));
}

/// Alone there is nobody to get it from: it is refused, at every start.
#[test]
fn a_lone_server_whose_log_was_cut_does_not_start() {
    let dir = tempfile::TempDir::new().unwrap();
    let mut server = ServerProcess::start_in(Software::Rookery, dir.path(), &settings()).unwrap();
    let mut session = Session::open(server.address(), SESSION_MS).unwrap();
    for number in 0..50 {
        create(&mut session, &format!("/kept-{number}"));
    }
    let written = SystemTime::now();
    create(&mut session, "/last");
    until_marked(&dir.path().join("data"), written);
    server.kill();
    let files = fs::read_dir(dir.path().join("data/rookery/log")).unwrap();
    for file in files.map(|file| file.unwrap().path()) {
        if file.extension().is_some_and(|kind| kind == "log") {
            File::options().write(true).open(file).unwrap().set_len(1000).unwrap();
        }
    }
    for _ in 0..2 {
        server = ServerProcess::spawn_in(Software::Rookery, dir.path(), &settings()).unwrap();
        let status = server.wait_exit(WITHIN).expect("it ends");
        assert_eq!(status.code(), Some(3));
        let said = server.output();
        assert!(said.contains("entries that clients were told of are gone"), "{said}");
    }
}

/// As in a cluster whose names are known only some seconds after a server has started.
#[test]
fn a_name_of_its_own_that_is_not_known_is_tried_three_times() {
    let dir = tempfile::TempDir::new().unwrap();
    fs::create_dir(dir.path().join("data")).unwrap();
    fs::write(dir.path().join("data/myid"), "1\n").unwrap();
    let mut settings = settings();
    for (id, host) in [(1, "nosuch.invalid"), (2, "127.0.0.1")] {
        settings.push((format!("server.{id}"), format!("{host}:2888:3888")));
    }
    let mut server = ServerProcess::spawn_in(Software::Rookery, dir.path(), &settings).unwrap();
    let status = server.wait_exit(WITHIN).expect("it ends");
    assert_eq!(status.code(), Some(14), "as ZooKeeper");
    let said = server.output();
    assert_eq!(said.matches("it is tried again").count(), 2, "{said}");
}

/// Three servers and an observer with their admin servers' ports.
fn operated(settings: &[(String, String)]) -> (Ensemble, Vec<u16>) {
    let mut ensemble = Ensemble::prepare_with_observers(Software::Rookery, 3, 1, settings).unwrap();
    let ports = ensemble.with_admin_servers().unwrap();
    ensemble.start_all().unwrap();
    ensemble.wait_for_leader(WITHIN);
    (ensemble, ports)
}

fn admin(port: u16) -> String {
    format!("--admin=127.0.0.1:{port}")
}

#[test]
fn the_cluster_is_seen_from_any_server_and_the_lead_is_handed_over() {
    let (mut ensemble, ports) = operated(&settings());
    let leader = ensemble.wait_for_leader(WITHIN);
    let next = (leader + 1) % 3;
    for port in &ports {
        until("all are there", || {
            let text = said_if_done(&rookery(&["cluster", &admin(*port)]));
            text.contains(&format!("server.{} leads in term ", leader + 1))
                && text.contains("3 of 3 voters answer it, 2 are needed")
                && text.matches("following").count() == 2
                && text.matches("observing").count() == 1
        });
    }
    let config = ensemble.dir_of(next).join("zoo.cfg").display().to_string();
    let json = said(&rookery(&["cluster", "--config", &config, "--json"]));
    assert!(json.contains(&format!("\"asked\": {}", next + 1)), "{json}");

    let to = (next + 1).to_string();
    let done = said(&rookery(&["cluster", "hand-over", "--to", &to, &admin(ports[3])]));
    assert_eq!(done.trim_end(), format!("server.{to} leads now."));
    until("it does", || ensemble.leader() == Some(next));
    let nobody = complained(&rookery(&["cluster", "hand-over", "--to", "9", &admin(ports[0])]));
    assert!(nobody.contains("there is no such server that votes"), "{nobody}");
    let observer = complained(&rookery(&["cluster", "hand-over", "--to", "4", &admin(ports[0])]));
    assert!(observer.contains("there is no such server that votes"), "{observer}");

    // Without a quorum the observer still tells what it sees, and that there is no leader.
    ensemble.kill(0);
    until("the dead one is seen", || {
        let text = said_if_done(&rookery(&["cluster", &admin(ports[3])]));
        text.contains("2 of 3 voters answer it") && text.contains("unreached")
    });
    ensemble.kill(1);
    let deadline = Instant::now() + WITHIN;
    loop {
        let output = rookery(&["cluster", &admin(ports[3])]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() && text.contains("No leader is known. Asked server.4") {
            break;
        }
        assert!(Instant::now() < deadline, "a leader is known: {text}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let gone = complained(&rookery(&["cluster", &admin(ports[0])]));
    assert!(gone.contains(&format!("127.0.0.1:{}: ", ports[0])), "{gone}");
}

/// Of the password `test`.
const SUPER_DIGEST: &str = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=";

#[test]
fn the_lead_is_handed_over_only_for_those_who_may() {
    let key = "DigestAuthenticationProvider.superDigest".to_owned();
    let settings = [settings(), vec![(key, SUPER_DIGEST.to_owned())]].concat();
    let (ensemble, ports) = operated(&settings);
    let ask = |method: &str, headers: &str| {
        http::ask(method, ports[0], "/commands/hand_over", headers).unwrap()
    };
    assert_eq!(ask("GET", "").0, 405);
    let (status, body) = ask("POST", "");
    assert_eq!(status, 401, "{body}");
    let (status, body) = ask("POST", "Authorization: x509 me\r\n");
    assert_eq!(status, 401, "{body}");
    // The root for the super user alone: being on the same machine is not enough any more.
    let mut session = Session::open(ensemble.address(0), SESSION_MS).unwrap();
    let closed = session.ask(SET_ACL, |out| {
        out.text(Some("/")).count(1).int(1).text(Some("world")).text(Some("anyone")).int(-1);
    });
    assert!(matches!(closed.unwrap(), Answer::Reply(0, _)));
    let refused = complained(&rookery(&["cluster", "hand-over", &admin(ports[0])]));
    assert!(refused.contains("Not authorized"), "{refused}");
    let auth = ["--auth", "digest super:test"];
    let done = said(&rookery(&["cluster", "hand-over", auth[0], auth[1], &admin(ports[0])]));
    assert!(done.contains(" leads now."), "{done}");
}
