//! Behaviours that reimplementations of ZooKeeper got wrong, each as a bare exchange.
//!
//! The numbers are those of the project's list of pitfalls. Every test runs against either
//! server: `COMPAT_SERVER=zookeeper` or `rookery` (the default); the expectations were
//! written by the former (`UPDATE_EXPECT=1`), into `pitfalls/`: script, `----`, transcript.
//!
//! - Here: 1–5, 9, 11, 12, 14–18, 20–29, 31, 32, 34–37, 38, 40–49, 51, 53, 56, M2–M4, M6, M8,
//!   M9, M12–M17.
//! - With whole clients, in `tests/clients/`: 13, 46, 52, 54, M7. With kills, in
//!   `tests/durability.rs`: 10, 50, 60, M1 in part.
//! - In `tests/four_letter.rs`: 55, M18–M20. In `tests/bad_input`: 19, M21.
//! - Need an ensemble, which comes later: 6–8, 30, 33, 39 (several servers), M5.
//! - Need an import of a data directory: 57 (`server`'s tests of zoo.cfg), 58, 59, M11, M22;
//!   M10 needs the admin server's restore.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use compat_tests::oracle::process::{ServerProcess, Software};
use compat_tests::oracle::{render, run, super_user};
use compat_tests::raw::{Handshake, Incoming, RawConnection, Reader, Welcome, Writer};
use compat_tests::script::Program;

const WITHIN: Duration = Duration::from_secs(15);

struct Server(ServerProcess);

impl Server {
    fn start(settings: &[(&str, &str)]) -> Self {
        let mut settings: Vec<(String, String)> =
            settings.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        settings.push(super_user());
        Self(ServerProcess::start(Software::from_env(), &settings).unwrap())
    }

    /// Runs the rows of `pitfalls/<topic>.txt`, each a script and what it must come to.
    fn shows(&self, topic: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("pitfalls/{topic}.txt"));
        let text = fs::read_to_string(&path).unwrap();
        let rows: Vec<String> = text.split("\n\n").map(|row| self.row(row.trim_end())).collect();
        let actual = rows.join("\n");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&path, actual).unwrap();
            return;
        }
        if let Some((expected, actual)) = text.lines().zip(actual.lines()).find(|(a, b)| a != b) {
            panic!("{}:\nexpected {expected}\n     got {actual}\n\n{actual}", path.display());
        }
        assert_eq!(text.lines().count(), actual.lines().count(), "{}", path.display());
    }

    /// One row, with what the server makes of its script.
    fn row(&self, row: &str) -> String {
        let (script, _) = row.split_once("----").unwrap();
        let program = Program::parse(script).unwrap();
        let observations = run(&program, &[self.0.address()]).unwrap().observations;
        format!("{script}----\n{}", render(&observations))
    }

    fn open(&self) -> RawConnection {
        RawConnection::open(self.0.address()).unwrap()
    }

    fn session(&self, handshake: &Handshake) -> (RawConnection, Welcome) {
        let mut connection = self.open();
        connection.send_frame(&handshake.encode()).unwrap();
        let welcome = Welcome::decode(&frame(&mut connection)).unwrap();
        (connection, welcome)
    }
}

fn frame(connection: &mut RawConnection) -> Vec<u8> {
    match connection.read_frame(WITHIN).unwrap() {
        Incoming::Frame(frame) => frame,
        Incoming::Closed => panic!("closed instead of a frame"),
        Incoming::Nothing => panic!("no frame in time"),
    }
}

fn request(xid: i32, code: i32, body: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut out = Writer::new();
    out.int(xid).int(code);
    body(&mut out);
    out.into_frame()
}

fn exists(xid: i32, path: &str) -> Vec<u8> {
    request(xid, 3, |out| {
        out.text(Some(path)).flag(false);
    })
}

fn create(xid: i32, path: &str, data: &[u8]) -> Vec<u8> {
    request(xid, 1, |out| {
        out.text(Some(path)).buffer(Some(data)).count(1).int(31);
        out.text(Some("world")).text(Some("anyone")).int(0);
    })
}

/// xid and error code of a reply.
fn outcome(frame: &[u8]) -> (i32, i32) {
    let mut reader = Reader::new(frame);
    let xid = reader.int("xid").unwrap();
    reader.long("zxid").unwrap();
    (xid, reader.int("err").unwrap())
}

/// 1, 2, 3, 4, 5, 9, M2, M3, M4.
#[test]
fn handshakes_and_sessions() {
    let server = Server::start(&[]);
    server.shows("handshakes_and_sessions");
    session_ids_and_passwords(&server);
    pipelined_before_the_answer(&server);
}

/// M4: ids are unique, never zero; the high byte is the server's number.
fn session_ids_and_passwords(server: &Server) {
    let (_one, first) = server.session(&Handshake::fresh(10_000));
    let (_two, second) = server.session(&Handshake::fresh(10_000));
    assert_ne!(first.session_id, second.session_id);
    for welcome in [&first, &second] {
        assert_ne!(welcome.session_id, 0);
        assert_ne!(welcome.session_id, i64::MIN);
        assert_eq!(welcome.session_id.to_be_bytes()[0], 1, "a lone server is number 1");
        assert_eq!(welcome.password.as_ref().map(Vec::len), Some(16));
        assert_ne!(welcome.password, Some(vec![0; 16]));
    }
}

/// Requests in the same segment as the handshake are held until the session is there.
fn pipelined_before_the_answer(server: &Server) {
    let mut connection = server.open();
    let mut bytes = Writer::new();
    bytes.buffer(Some(&Handshake::fresh(10_000).encode()));
    bytes.raw(&create(1, "/pipelined", b"x")).raw(&exists(2, "/pipelined"));
    connection.send(&bytes.into_bytes()).unwrap();
    assert!(Welcome::decode(&frame(&mut connection)).unwrap().is_granted());
    assert_eq!(outcome(&frame(&mut connection)), (1, 0));
    assert_eq!(outcome(&frame(&mut connection)), (2, 0));
}

/// M2: whoever knows only the id of a session cannot throw its client out. ZooKeeper lets
/// them; Rookery checks the password first.
#[test]
fn a_wrong_password_does_not_close_the_live_connection() {
    let server = Server::start(&[]);
    let (mut alive, welcome) = server.session(&Handshake::fresh(10_000));
    let wrong = Handshake {
        password: Some(b"not the password".to_vec()),
        ..Handshake::resume(10_000, &welcome)
    };
    let (mut thief, refused) = server.session(&wrong);
    assert!(!refused.is_granted());
    assert_eq!(thief.read_frame(WITHIN).unwrap(), Incoming::Closed);
    alive.send(&exists(1, "/")).unwrap();
    match Software::from_env() {
        Software::Rookery | Software::Faulty => assert_eq!(outcome(&frame(&mut alive)), (1, 0)),
        Software::ZooKeeper => assert_eq!(alive.read_frame(WITHIN).unwrap(), Incoming::Closed),
    }
}

/// 2, 36 (expiry), M3: a client that stays silent loses its session, and a session whose
/// answer was never read is counted and goes as well.
#[test]
fn silence_ends_a_session() {
    let server = Server::start(&[("tickTime", "1000")]);
    server.shows("silence_ends_a_session");
    let dump =
        || compat_tests::oracle::process::four_letter_word(server.0.address(), "dump").unwrap();
    // Longer than a busy machine takes to look for it.
    let (phantom, welcome) = server.session(&Handshake::fresh(4000));
    drop(phantom);
    let id = format!("0x{:x}", welcome.session_id);
    assert!(dump().contains(&id), "{id} is not in {}", dump());
    let deadline = Instant::now() + WITHIN;
    while dump().contains(&id) {
        assert!(Instant::now() < deadline, "the phantom stays");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// 11, 12, 14, 15, 16, 18, 20, 21.
#[test]
fn replies_and_frames() {
    let server = Server::start(&[]);
    server.shows("replies_and_frames");
    replies_come_in_order(&server);
    the_largest_frame(&server);
    bytes_one_by_one(&server);
}

/// 11, 16: a thousand mixed requests; xids echo in order and zxids never go back.
fn replies_come_in_order(server: &Server) {
    let (mut connection, _) = server.session(&Handshake::fresh(10_000));
    let mut bytes = Vec::new();
    bytes.extend(create(1, "/p11", b""));
    for xid in 5..=1004 {
        bytes.extend(match xid % 5 {
            0 => create(xid, &format!("/p11/{xid}"), b"x"),
            1 => exists(xid, &format!("/p11/{}", xid - 1)),
            2 => request(xid, 9, |out| {
                out.text(Some("/p11"));
            }),
            3 => request(xid, 2, |out| {
                out.text(Some(&format!("/p11/{}", xid - 3))).int(-1);
            }),
            _ => exists(xid, "/missing"),
        });
    }
    connection.send(&bytes).unwrap();
    let mut before = 0;
    assert_eq!(outcome(&frame(&mut connection)), (1, 0));
    for xid in 5..=1004 {
        let reply = frame(&mut connection);
        let err = if xid % 5 == 4 { -101 } else { 0 };
        assert_eq!(outcome(&reply), (xid, err));
        let zxid = i64::from_be_bytes(reply[4..12].try_into().unwrap());
        assert!(zxid > 0 && zxid >= before, "xid {xid}: {zxid:#x} after {before:#x}");
        before = zxid;
    }
}

/// 20: 1,048,575 bytes are a frame, one more is the end of the connection.
fn the_largest_frame(server: &Server) {
    let overhead = create(1, "/p20", b"").len() - 4;
    let (mut connection, _) = server.session(&Handshake::fresh(10_000));
    connection.send(&create(1, "/p20", &vec![b'x'; 1_048_575 - overhead])).unwrap();
    assert_eq!(outcome(&frame(&mut connection)), (1, 0));
    connection.send(&create(2, "/q20", &vec![b'x'; 1_048_576 - overhead])).unwrap();
    assert_eq!(connection.read_frame(WITHIN).unwrap(), Incoming::Closed);
    let (mut connection, _) = server.session(&Handshake::fresh(10_000));
    connection.send(&[0xff, 0xff, 0xff, 0xff]).unwrap();
    assert_eq!(connection.read_frame(WITHIN).unwrap(), Incoming::Closed);
}

/// 21: a handshake in single bytes, and a word in two segments.
fn bytes_one_by_one(server: &Server) {
    let mut connection = server.open();
    let mut bytes = Writer::new();
    bytes.buffer(Some(&Handshake::fresh(10_000).encode())).raw(&exists(1, "/"));
    for byte in bytes.into_bytes() {
        connection.send(&[byte]).unwrap();
    }
    assert!(Welcome::decode(&frame(&mut connection)).unwrap().is_granted());
    assert_eq!(outcome(&frame(&mut connection)), (1, 0));
    for (first, second) in [("ru", "ok"), ("r", "uok"), ("ruok", "\n")] {
        let mut connection = server.open();
        connection.send(first.as_bytes()).unwrap();
        // Long enough for the server to see the parts apart; it is right either way.
        std::thread::yield_now();
        connection.send(second.as_bytes()).unwrap();
        assert_eq!(connection.read_to_end(WITHIN).unwrap(), b"imok");
    }
}

/// 17, 22, 25, 26, 27, 28, 29, 31, 32, M8, M9.
#[test]
fn watches() {
    let server = Server::start(&[]);
    server.shows("watches");
}

/// 23, 24: no read shows a change before its event, and no change falls between a read and
/// its watch.
#[test]
fn events_come_before_what_they_announce() {
    const WRITES: i32 = 300;
    let server = Server::start(&[]);
    let (mut writer, _) = server.session(&Handshake::fresh(10_000));
    let (mut reader, _) = server.session(&Handshake::fresh(10_000));
    writer.send(&create(0, "/p23", b"")).unwrap();
    assert_eq!(outcome(&frame(&mut writer)).1, 0);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for version in 0..WRITES {
                let set = request(version, 5, |out| {
                    out.text(Some("/p23")).buffer(Some(b"x")).int(version);
                });
                writer.send(&set).unwrap();
                assert_eq!(outcome(&frame(&mut writer)), (version, 0));
            }
        });
        let mut version = -1;
        let mut is_armed = false;
        while version < WRITES {
            let get = request(1, 4, |out| {
                out.text(Some("/p23")).flag(true);
            });
            reader.send(&get).unwrap();
            let mut reply = frame(&mut reader);
            while outcome(&reply).0 == -1 {
                is_armed = false;
                reply = frame(&mut reader);
            }
            // Behind the header: the data "x" or none, then the Stat.
            let data = usize::from(reply[19]);
            let at = 16 + 4 + data + 32;
            let seen = i32::from_be_bytes(reply[at..at + 4].try_into().unwrap());
            assert!(seen == version || !is_armed, "version {seen} was read before its event");
            version = seen;
            is_armed = true;
            if version < WRITES {
                // The change after this read must be told.
                assert_eq!(outcome(&frame(&mut reader)).0, -1, "no event after {version}");
                is_armed = false;
            }
        }
    });
}

/// 22, 34, 35, 36, 37, 38, 41, M13, M14, M15.
#[test]
fn nodes_and_their_stat() {
    let server = Server::start(&[]);
    server.shows("nodes_and_their_stat");
}

/// 40: a container goes after its last child, not before it had one.
/// M12: a TTL node goes when it is childless and old.
#[test]
fn containers_and_ttl_nodes_are_reaped() {
    let server = Server::start(&[
        ("znode.container.checkIntervalMs", "200"),
        ("extendedTypesEnabled", "true"),
    ]);
    server.shows("containers_and_ttl_nodes_are_reaped");
}

/// 42, 43, 44, 45, M16.
#[test]
fn errors_and_access() {
    let server = Server::start(&[]);
    server.shows("errors_and_access");
}

/// 47, 48, 49, 51, 53.
#[test]
fn multi_and_pipelines() {
    let server = Server::start(&[]);
    server.shows("multi_and_pipelines");
}

/// 56: the connection after the last permitted one is accepted and closed.
#[test]
fn connections_of_one_address_are_counted() {
    let server = Server::start(&[("maxClientCnxns", "4")]);
    let deadline = Instant::now() + WITHIN;
    // The connection that saw the server come up may still be counted.
    let mut held: Vec<RawConnection> = Vec::new();
    while held.len() < 4 {
        assert!(Instant::now() < deadline);
        let mut connection = server.open();
        connection.send_frame(&Handshake::fresh(30_000).encode()).unwrap();
        if let Incoming::Frame(_) = connection.read_frame(WITHIN).unwrap() {
            held.push(connection);
        }
    }
    let mut one_too_many = server.open();
    assert_eq!(one_too_many.read_frame(WITHIN).unwrap(), Incoming::Closed);
    held.pop();
    loop {
        assert!(Instant::now() < deadline, "no connection after one had gone");
        let mut connection = server.open();
        connection.send_frame(&Handshake::fresh(30_000).encode()).unwrap();
        if let Incoming::Frame(_) = connection.read_frame(WITHIN).unwrap() {
            break;
        }
    }
}

/// M17: operations that are not for clients. ZooKeeper executes some of them.
#[test]
fn internal_operations_are_refused() {
    if Software::from_env() == Software::ZooKeeper {
        return;
    }
    let server = Server::start(&[]);
    server.shows("internal_operations_are_refused");
}
