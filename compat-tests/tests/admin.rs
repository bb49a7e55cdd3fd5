//! What operators do with a server, seen from outside: figures that move, a copy of the state
//! that a real ZooKeeper starts from, addresses of both kinds, the audit log.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use compat_tests::oracle::process::{ServerProcess, Software, four_letter_word, free_address};
use compat_tests::raw::{Answer, Handshake, Session, Writer, put_create};
use tempfile::TempDir;

const WITHIN: Duration = Duration::from_secs(15);
const TIMEOUT_MS: i32 = 30_000;

fn start_in(software: Software, dir: &Path, settings: &[(&str, &str)]) -> ServerProcess {
    let settings: Vec<(String, String)> =
        settings.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    ServerProcess::start_in(software, dir, &settings).unwrap()
}

#[track_caller]
fn done(answer: std::io::Result<Answer>) -> Vec<u8> {
    let answer = answer.unwrap();
    let Answer::Reply(0, body) = answer else { panic!("{answer:?}") };
    body
}

fn get(session: &mut Session, path: &str, watch: bool) -> Vec<u8> {
    done(session.ask(4, |out| {
        out.text(Some(path)).flag(watch);
    }))
}

/// Figures that any server has moved after some writes, reads and watches.
const MOVING: &[&str] = &[
    "packets_received",
    "packets_sent",
    "bytes_received_count",
    "response_bytes",
    "watch_bytes",
    "connection_request_count",
    "connection_revalidate_count",
    "connection_drop_count",
    "prep_processor_request_queued",
    "sync_processor_request_queued",
    "cnt_fsynctime",
    "cnt_snapshottime",
    "cnt_sync_processor_batch_size",
    "cnt_dbinittime",
    "cnt_startup_snap_load_time",
    "cnt_node_created_watch_count",
    "cnt_node_changed_watch_count",
    "cnt_node_deleted_watch_count",
    "cnt_node_children_watch_count",
    "cnt_readlatency",
    "cnt_updatelatency",
    "cnt_propagation_latency",
];

fn some_work(server: &ServerProcess) {
    let mut session = Session::open(server.address(), TIMEOUT_MS).unwrap();
    let missing = session.ask(3, |out| {
        out.text(Some("/w")).flag(true);
    });
    assert!(matches!(missing, Ok(Answer::Reply(-101, _))));
    done(session.ask(8, |out| {
        out.text(Some("/")).flag(true);
    }));
    done(session.create("/w", b"x"));
    get(&mut session, "/w", true);
    let set = |out: &mut Writer| {
        out.text(Some("/w")).buffer(Some(b"y")).int(-1);
    };
    done(session.ask(5, set));
    get(&mut session, "/w", true);
    done(session.ask(2, |out| {
        out.text(Some("/w")).int(-1);
    }));
    for index in 0..20 {
        done(session.create(&format!("/n{index}"), b"x"));
    }
    let resume = Handshake::resume(TIMEOUT_MS, &session.welcome);
    drop(session);
    Session::open_with(server.address(), &resume).unwrap();
}

/// A checkpoint, and the news that a client has gone, come in their own time.
#[test]
fn figures_move_where_zookeepers_move() {
    for software in [Software::ZooKeeper, Software::from_env()] {
        let dir = TempDir::new().unwrap();
        let server = start_in(software, dir.path(), &[("snapCount", "4")]);
        some_work(&server);
        let deadline = Instant::now() + WITHIN;
        loop {
            let text = four_letter_word(server.address(), "mntr").unwrap();
            let value = |name: &str| {
                let prefix = format!("zk_{name}\t");
                text.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap_or("missing")
            };
            let still: Vec<_> =
                MOVING.iter().filter(|name| ["0", "missing"].contains(&value(name))).collect();
            if still.is_empty() {
                break;
            }
            assert!(Instant::now() < deadline, "{software:?}: {still:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn reply_sizes(server: &ServerProcess) -> Vec<String> {
    let text = four_letter_word(server.address(), "mntr").unwrap();
    let sizes = text.lines().filter(|line| line.contains("_client_response_size"));
    let mut sizes: Vec<String> = sizes.map(str::to_owned).collect();
    sizes.sort();
    sizes
}

/// The shortest reply is a header, the longest the event for a znode with a long name.
#[test]
fn replies_and_events_are_as_long_as_zookeepers() {
    let path = format!("/{}", "long".repeat(100));
    let [expected, actual] = [Software::ZooKeeper, Software::from_env()].map(|software| {
        let dir = TempDir::new().unwrap();
        let server = start_in(software, dir.path(), &[]);
        let mut all = vec![reply_sizes(&server)];
        let mut session = Session::open(server.address(), TIMEOUT_MS).unwrap();
        all.push(reply_sizes(&server));
        let missing = session.ask(3, |out| {
            out.text(Some(&path)).flag(true);
        });
        assert!(matches!(missing, Ok(Answer::Reply(-101, _))));
        all.push(reply_sizes(&server));
        // The event comes first.
        done(session.create(&path, b"x"));
        all.push(reply_sizes(&server));
        get(&mut session, &path, false);
        all.push(reply_sizes(&server));
        four_letter_word(server.address(), "srst").unwrap();
        all.push(reply_sizes(&server));
        all
    });
    assert_eq!(expected[0].len(), 3, "{expected:?}");
    assert_eq!(actual, expected);
}

/// The head and the body of the answer to a request with an `Authorization`.
fn snapshot_from(admin_port: u16) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, admin_port)).unwrap();
    let request = "GET /commands/snapshot HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\
                   Authorization: digest anyone:at-all\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    (String::from_utf8(answer[..end].to_vec()).unwrap(), answer[end + 4..].to_vec())
}

const PATHS: [&str; 6] = ["/", "/a", "/a/b", "/a/b/n0", "/a/list", "/a/b/e"];

/// Everything that is known of some znodes: data, Stat, ACL.
fn described(session: &mut Session) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for path in PATHS {
        all.push(get(session, path, false));
        all.push(done(session.ask(6, |out| {
            out.text(Some(path));
        })));
    }
    all
}

/// The way back: the same znodes to the last Stat, a digest that holds, sessions that go on.
#[test]
fn a_zookeeper_starts_from_a_snapshot() {
    let (dir, port) = (TempDir::new().unwrap(), free_address().unwrap().port());
    let admin = [("admin.enableServer", "true"), ("admin.serverPort", &port.to_string())];
    let server = start_in(Software::Rookery, dir.path(), &admin);
    let mut session = Session::open(server.address(), TIMEOUT_MS).unwrap();
    for path in ["/a", "/a/b", "/a/b/n0", "/a/b/n1"] {
        done(session.create(path, path.as_bytes()));
    }
    done(session.ask(5, |out| {
        out.text(Some("/a/b/n0")).buffer(Some(b"changed")).int(-1);
    }));
    done(session.ask(2, |out| {
        out.text(Some("/a/b/n1")).int(-1);
    }));
    done(session.ask(1, |out| {
        out.text(Some("/a/list")).buffer(None).count(2);
        out.int(31).text(Some("ip")).text(Some("127.0.0.1"));
        out.int(1).text(Some("world")).text(Some("anyone")).int(0);
    }));
    done(session.ask(1, |out| {
        let mut body = Writer::new();
        put_create(&mut body, "/a/b/e", b"ephemeral");
        let body = body.into_bytes();
        // All but the flags, and those of an ephemeral.
        out.raw(&body[..body.len() - 4]).int(1);
    }));
    let expected = described(&mut session);
    let (head, file) = snapshot_from(port);
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let zxid = head.lines().find_map(|line| line.strip_prefix("last_zxid: 0x")).unwrap();

    let theirs = TempDir::new().unwrap();
    let folder = theirs.path().join("data/version-2");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("snapshot.{zxid}")), file).unwrap();
    let zookeeper = start_in(Software::ZooKeeper, theirs.path(), &[]);
    let resume = Handshake::resume(TIMEOUT_MS, &session.welcome);
    let mut session = Session::open_with(zookeeper.address(), &resume).unwrap();
    assert_eq!(described(&mut session), expected);
    let mntr = four_letter_word(zookeeper.address(), "mntr").unwrap();
    assert!(mntr.contains("zk_digest_mismatches_count\t0\n"), "{mntr}");
}

/// A server on all addresses takes clients of both kinds, and knows each by its own address.
#[test]
fn all_addresses_are_those_of_both_kinds() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return; // A machine without IPv6 has nothing to show.
    }
    for software in [Software::ZooKeeper, Software::from_env()] {
        let dir = TempDir::new().unwrap();
        let server = start_in(software, dir.path(), &[("clientPortAddress", "0.0.0.0")]);
        let port = server.address().port();
        for (address, shown) in [
            (SocketAddr::from((Ipv4Addr::LOCALHOST, port)), " /127.0.0.1:"),
            (SocketAddr::from((Ipv6Addr::LOCALHOST, port)), " /[0:0:0:0:0:0:0:1]:"),
        ] {
            let mut session = Session::open(address, TIMEOUT_MS).unwrap();
            let cons = four_letter_word(server.address(), "cons").unwrap();
            let id = format!("sid=0x{:x}", session.welcome.session_id);
            let line = cons.lines().find(|line| line.contains(&id)).unwrap();
            assert!(line.starts_with(shown), "{software:?}: {line}");
            let who = done(session.ask(107, |_| {}));
            let text = shown.trim_start_matches(" /").trim_matches(['[', ']', ':']);
            let known = who.windows(text.len()).any(|window| window == text.as_bytes());
            assert!(known, "{software:?}: {text} is not in {who:?}");
        }
    }
}

/// The start, a change, one that was refused, and the end.
#[test]
fn the_audit_log_tells_who_did_what() {
    let dir = TempDir::new().unwrap();
    let mut server = start_in(Software::Rookery, dir.path(), &[("audit.enable", "true")]);
    let mut session = Session::open(server.address(), TIMEOUT_MS).unwrap();
    done(session.create("/a", b""));
    assert!(matches!(session.create("/a", b""), Ok(Answer::Reply(-110, _))));
    let pid = i32::try_from(server.pid()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    server.wait_exit(WITHIN).expect("it stops");
    let text = fs::read_to_string(dir.path().join("data/zookeeper_audit.log")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let [started, created, refused, stopped] = lines[..] else { panic!("{text}") };
    let session = format!("session=0x{:x}", session.welcome.session_id);
    assert!(started.ends_with("\toperation=serverStart\tresult=success"), "{started}");
    let who = format!(" INFO audit.Slf4jAuditLogger: {session}\tuser=127.0.0.1\tip=127.0.0.1\t");
    assert!(created.contains(&who), "{created}");
    let what = "operation=create\tznode=/a\tznode_type=persistent\tresult=";
    assert!(created.ends_with(&format!("{what}success")), "{created}");
    assert!(refused.contains(" ERROR ") && refused.ends_with(&format!("{what}failure")));
    assert!(stopped.ends_with("\toperation=serverStop\tresult=invoked"), "{stopped}");
}
