//! Behaviours that reimplementations of ZooKeeper got wrong, each as a bare exchange.
//!
//! The numbers are those of the project's list of pitfalls. Every test runs against either
//! server: `COMPAT_SERVER=zookeeper` or `rookery` (the default); the expectations were
//! written by the former (`UPDATE_EXPECT=1`).
//!
//! - Here: 1–5, 9, 11, 12, 14–18, 20–29, 31, 32, 34–37, 38, 40–49, 51, 53, 56, M2–M4, M6, M8,
//!   M9, M12–M17.
//! - With whole clients, in `tests/clients.rs`: 13, 46, 52, 54, M7. With kills, in
//!   `tests/durability.rs`: 10, 50, 60, M1 in part.
//! - In `tests/four_letter.rs`: 55, M18–M20. In `tests/bad_input.rs`: 19, M21.
//! - Need an ensemble, which comes later: 6–8, 30, 33, 39 (several servers), M5.
//! - Need an import of a data directory: 57 (`server`'s tests of zoo.cfg), 58, 59, M11, M22;
//!   M10 needs the admin server's restore.

use std::time::{Duration, Instant};

use compat_tests::oracle::process::{ServerProcess, Software};
use compat_tests::oracle::{render, run, super_user};
use compat_tests::raw::{Handshake, Incoming, RawConnection, Reader, Welcome, Writer};
use compat_tests::script::Program;
use expect_test::{Expect, expect};

const WITHIN: Duration = Duration::from_secs(15);

struct Server(ServerProcess);

impl Server {
    fn start(settings: &[(&str, &str)]) -> Self {
        let mut settings: Vec<(String, String)> =
            settings.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        settings.push(super_user());
        Self(ServerProcess::start(Software::from_env(), &settings).unwrap())
    }

    /// Runs a script and compares all that came back.
    #[track_caller]
    fn shows(&self, script: &str, expected: Expect) {
        let program = Program::parse(script).unwrap();
        let observations = run(&program, self.0.address()).unwrap();
        // The ping at the end only fetches the last events.
        let text = render(&observations);
        expected.assert_eq(&text);
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
        other => panic!("a frame was expected, not {other:?}"),
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
    // 1, 4: lengths and negotiated timeouts.
    server.shows(
        "a connect timeout=1\nb connect timeout=-5 readonly=absent\nc connect timeout=5001\n\
         d connect timeout=99999999\ne connect timeout=10000\ne connect session=e timeout=20000",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=4000 session=s1 password=16bytes readonly=0
            b welcome bytes=36 protocol=0 timeout=4000 session=s2 password=16bytes
            c welcome bytes=37 protocol=0 timeout=5001 session=s3 password=16bytes readonly=0
            d welcome bytes=37 protocol=0 timeout=40000 session=s4 password=16bytes readonly=0
            e welcome bytes=37 protocol=0 timeout=10000 session=s5 password=16bytes readonly=0
            e welcome bytes=37 protocol=0 timeout=20000 session=s5 password=16bytes readonly=0
            a ping -> ok
            b ping -> ok
            c ping -> ok
            d ping -> ok
            e ping -> ok
        "#]],
    );
    // 2, 9: a session that is gone is refused with a whole frame of zeros, then the end.
    server.shows(
        "a connect\na create /p9 x flags=1\nw connect\nw exists /p9 watch\na close\nw exists /p9\n\
         b connect session=a\nb eof\nc connect session=a readonly=absent\nc eof",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a create /p9 x flags=1 -> ok zxid=z1 path="/p9"
            w welcome bytes=37 protocol=0 timeout=30000 session=s2 password=16bytes readonly=0
            w exists /p9 watch -> ok czxid=z1 mzxid=z1 pzxid=z1 version=0 cversion=0 aversion=0 owner=s1 length=1 children=0
            a close -> ok zxid=z2
            a closed
            w event zxid=z2 type=NodeDeleted path="/p9"
            w exists /p9 -> -101 NoNode
            b welcome bytes=37 protocol=0 timeout=0 session=0 password=16zeros readonly=0
            b closed
            c welcome bytes=36 protocol=0 timeout=0 session=0 password=16zeros
            c closed
            w ping -> ok
        "#]],
    );
    // 3: the same session on another socket keeps its ephemerals and none of its watches.
    server.shows(
        "a connect\na create /p3 x flags=1\na getData /p3 watch\na drop\nb connect session=a\n\
         b getData /p3\nb setData /p3 y\nb checkWatches /p3\nb ping",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a create /p3 x flags=1 -> ok zxid=z1 path="/p3"
            a getData /p3 watch -> ok data="x" czxid=z1 mzxid=z1 pzxid=z1 version=0 cversion=0 aversion=0 owner=s1 length=1 children=0
            b welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            b getData /p3 -> ok data="x" czxid=z1 mzxid=z1 pzxid=z1 version=0 cversion=0 aversion=0 owner=s1 length=1 children=0
            b setData /p3 y -> ok zxid=z2 czxid=z1 mzxid=z2 pzxid=z1 version=1 cversion=0 aversion=0 owner=s1 length=1 children=0
            b checkWatches /p3 -> -121 NoWatcher
            b ping -> ok
            b ping -> ok
        "#]],
    );
    // 5: a client that is ahead of the server must look elsewhere.
    server.shows(
        "a connect zxid=ahead",
        expect![[r#"
        a closed
    "#]],
    );
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
        Software::Rookery => assert_eq!(outcome(&frame(&mut alive)), (1, 0)),
        Software::ZooKeeper => assert_eq!(alive.read_frame(WITHIN).unwrap(), Incoming::Closed),
    }
}

/// 2, 36 (expiry), M3: a client that stays silent loses its session, and a session whose
/// answer was never read is counted and goes as well.
#[test]
fn silence_ends_a_session() {
    let server = Server::start(&[("tickTime", "200")]);
    let dump =
        || compat_tests::oracle::process::four_letter_word(server.0.address(), "dump").unwrap();
    let (phantom, welcome) = server.session(&Handshake::fresh(1));
    drop(phantom);
    let id = format!("0x{:x}", welcome.session_id);
    assert!(dump().contains(&id), "{id} is not in {}", dump());
    server.shows(
        "w connect\na connect timeout=400\na create /x2 e flags=1\nw getData /x2 watch\n\
         w getChildren / watch\na eof\nw event\nw event\nb connect session=a\nb eof\nw exists /x2",
        expect![[r#"
            w welcome bytes=37 protocol=0 timeout=4000 session=s1 password=16bytes readonly=0
            a welcome bytes=37 protocol=0 timeout=400 session=s2 password=16bytes readonly=0
            a create /x2 e flags=1 -> ok zxid=z1 path="/x2"
            w getData /x2 watch -> ok data="e" czxid=z1 mzxid=z1 pzxid=z1 version=0 cversion=0 aversion=0 owner=s2 length=1 children=0
            w getChildren / watch -> ok names=["x2", "zookeeper"]
            a closed
            w event zxid=z2 type=NodeDeleted path="/x2"
            w event zxid=z2 type=NodeChildrenChanged path="/"
            b welcome bytes=37 protocol=0 timeout=0 session=0 password=16zeros readonly=0
            b closed
            w exists /x2 -> -101 NoNode
            w ping -> ok
        "#]],
    );
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
    // 12: the xid is only an echo, except that of a ping.
    server.shows(
        "a connect\na auth digest u:p @xid=55\na setWatches @xid=56\na exists / @xid=0\n\
         a exists / @xid=-2\na exists / @xid=-1000\na exists / @xid=2147483647\na ping @xid=9",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a auth digest u:p @xid=55 -> ok zxid=0
            a setWatches @xid=56 -> ok
            a exists / @xid=0 -> ok czxid=0 mzxid=0 pzxid=0 version=0 cversion=-1 aversion=0 owner=0 length=0 children=1
            a exists / @xid=-2 -> ok czxid=0 mzxid=0 pzxid=0 version=0 cversion=-1 aversion=0 owner=0 length=0 children=1
            a exists / @xid=-1000 -> ok czxid=0 mzxid=0 pzxid=0 version=0 cversion=-1 aversion=0 owner=0 length=0 children=1
            a exists / @xid=2147483647 -> ok czxid=0 mzxid=0 pzxid=0 version=0 cversion=-1 aversion=0 owner=0 length=0 children=1
            a ping @xid=9 -> ok
            a ping -> ok
        "#]],
    );
    // 15: exact bodies; a byte too many or too few is NONSENSE here.
    server.shows(
        "a connect\na create /p15\na addWatch /p15 mode=1\na checkWatches /p15 type=5\n\
         a removeWatches /p15 type=5\na setWatches\na setWatches2\na delete /p15\na sync /p15\n\
         a sasl token\na close",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a create /p15 -> ok zxid=z1 path="/p15"
            a addWatch /p15 mode=1 -> ok number=0
            a checkWatches /p15 type=5 -> ok
            a removeWatches /p15 type=5 -> ok
            a setWatches -> ok
            a setWatches2 -> ok
            a delete /p15 -> ok zxid=z2
            a sync /p15 -> ok path="/p15"
            a sasl token -> ok zxid=0 token=null
            a close -> ok zxid=z3
            a closed
        "#]],
    );
    // 18: unknown operations are answered, then the end; a disabled one leaves the stream whole.
    server.shows(
        "a connect\na op:999 body=00\na eof\nb connect\nb createTTL /p18\nb ping",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a op:999 body=00 -> -6 Unimplemented zxid=-1
            a closed
            b welcome bytes=37 protocol=0 timeout=30000 session=s2 password=16bytes readonly=0
            b createTTL /p18 -> -6 Unimplemented
            b ping -> ok
            b ping -> ok
        "#]],
    );
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
        let err = [0, 0, 0, 0, -101][xid as usize % 5];
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
    // 25: exists registers on a missing node; getData and getChildren do not.
    server.shows(
        "a connect\nb connect\na exists /p25 watch\na getData /q25 watch\n\
         a getChildren /q25 watch\nb create /p25\nb create /q25\nb delete /q25\na ping",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            b welcome bytes=37 protocol=0 timeout=30000 session=s2 password=16bytes readonly=0
            a exists /p25 watch -> -101 NoNode
            a getData /q25 watch -> -101 NoNode
            a getChildren /q25 watch -> -101 NoNode
            b create /p25 -> ok zxid=z1 path="/p25"
            b create /q25 -> ok zxid=z2 path="/q25"
            b delete /q25 -> ok zxid=z3
            a event zxid=z1 type=NodeCreated path="/p25"
            a ping -> ok
            a ping -> ok
            b ping -> ok
        "#]],
    );
    // 26: one registration, one event.
    server.shows(
        "a connect\na create /p26\na exists /p26 watch\na getData /p26 watch\n\
         a getData /p26 watch\na setData /p26 x\na setData /p26 y\na ping",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a create /p26 -> ok zxid=z1 path="/p26"
            a exists /p26 watch -> ok czxid=z1 mzxid=z1 pzxid=z1 version=0 cversion=0 aversion=0 owner=0 length=0 children=0
            a getData /p26 watch -> ok data="" czxid=z1 mzxid=z1 pzxid=z1 version=0 cversion=0 aversion=0 owner=0 length=0 children=0
            a getData /p26 watch -> ok data="" czxid=z1 mzxid=z1 pzxid=z1 version=0 cversion=0 aversion=0 owner=0 length=0 children=0
            a event zxid=z2 type=NodeDataChanged path="/p26"
            a setData /p26 x -> ok zxid=z2 czxid=z1 mzxid=z2 pzxid=z1 version=1 cversion=0 aversion=0 owner=0 length=1 children=0
            a setData /p26 y -> ok zxid=z3 czxid=z1 mzxid=z3 pzxid=z1 version=2 cversion=0 aversion=0 owner=0 length=1 children=0
            a ping -> ok
            a ping -> ok
        "#]],
    );
    // 27: one NodeDeleted for data and children; the parent hears of its children.
    server.shows(
        "a connect\na create /p27\na create /p27/n\na getData /p27/n watch\n\
         a getChildren /p27/n watch\na getChildren /p27 watch\na delete /p27/n\n\
         a getChildren /p27 watch\na delete /p27\na ping",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a create /p27 -> ok zxid=z1 path="/p27"
            a create /p27/n -> ok zxid=z2 path="/p27/n"
            a getData /p27/n watch -> ok data="" czxid=z2 mzxid=z2 pzxid=z2 version=0 cversion=0 aversion=0 owner=0 length=0 children=0
            a getChildren /p27/n watch -> ok names=[]
            a getChildren /p27 watch -> ok names=["n"]
            a event zxid=z3 type=NodeDeleted path="/p27/n"
            a event zxid=z3 type=NodeChildrenChanged path="/p27"
            a delete /p27/n -> ok zxid=z3
            a getChildren /p27 watch -> ok names=[]
            a event zxid=z4 type=NodeDeleted path="/p27"
            a delete /p27 -> ok zxid=z4
            a ping -> ok
            a ping -> ok
        "#]],
    );
    // 28: what fires and what does not.
    server.shows(
        "a connect\na create /p28 x\na addWatch /p28 mode=0\na setACL /p28\na setData /p28 x\n\
         a multi [setData /p28 y] [delete /missing]\n\
         a multi [setData /p28 y] [create /p28/k] [setData /p28 z]\na ping",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a create /p28 x -> ok zxid=z1 path="/p28"
            a addWatch /p28 -> ok number=0
            a setACL /p28 -> ok zxid=z2 czxid=z1 mzxid=z1 pzxid=z1 version=0 cversion=0 aversion=1 owner=0 length=1 children=0
            a event zxid=z3 type=NodeDataChanged path="/p28"
            a setData /p28 x -> ok zxid=z3 czxid=z1 mzxid=z3 pzxid=z1 version=1 cversion=0 aversion=1 owner=0 length=1 children=0
            a multi [setData /p28 y] [delete /missing] -> ok zxid=z4 0.type=-1 0.err=0 0.number=0 1.type=-1 1.err=-101 1.number=-101
            a event zxid=z5 type=NodeDataChanged path="/p28"
            a event zxid=z5 type=NodeChildrenChanged path="/p28"
            a event zxid=z5 type=NodeDataChanged path="/p28"
            a multi [setData /p28 y] [create /p28/k] [setData /p28 z] -> ok zxid=z5 0.type=5 0.err=0 0.czxid=z1 0.mzxid=z5 0.pzxid=z1 0.version=2 0.cversion=0 0.aversion=1 0.owner=0 0.length=1 0.children=0 1.type=1 1.err=0 1.path="/p28/k" 2.type=5 2.err=0 2.czxid=z1 2.mzxid=z5 2.pzxid=z5 2.version=3 2.cversion=1 2.aversion=1 2.owner=0 2.length=1 2.children=1
            a ping -> ok
            a ping -> ok
        "#]],
    );
    // 29: what happened while away, in the order of the lists.
    server.shows(
        "a connect\nb connect\na create /p29\na create /p29/d\na create /p29/c\na create /p29/c/x\n\
         a create /p29/c2\na create /p29/g\na ping\na drop\nb setData /p29/d x\n\
         b create /p29/c2/new\nb delete /p29/c/x\nb delete /p29/g\nb create /p29/born\n\
         a connect session=a\n\
         a setWatches zxid=seen data=/p29/d,/p29/g exist=/p29/born child=/p29/c,/p29/c2\na ping",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            b welcome bytes=37 protocol=0 timeout=30000 session=s2 password=16bytes readonly=0
            a create /p29 -> ok zxid=z1 path="/p29"
            a create /p29/d -> ok zxid=z2 path="/p29/d"
            a create /p29/c -> ok zxid=z3 path="/p29/c"
            a create /p29/c/x -> ok zxid=z4 path="/p29/c/x"
            a create /p29/c2 -> ok zxid=z5 path="/p29/c2"
            a create /p29/g -> ok zxid=z6 path="/p29/g"
            a ping -> ok
            b setData /p29/d x -> ok zxid=z7 czxid=z2 mzxid=z7 pzxid=z2 version=1 cversion=0 aversion=0 owner=0 length=1 children=0
            b create /p29/c2/new -> ok zxid=z8 path="/p29/c2/new"
            b delete /p29/c/x -> ok zxid=z9
            b delete /p29/g -> ok zxid=z10
            b create /p29/born -> ok zxid=z11 path="/p29/born"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a event zxid=-1 type=NodeDataChanged path="/p29/d"
            a event zxid=-1 type=NodeDeleted path="/p29/g"
            a event zxid=-1 type=NodeCreated path="/p29/born"
            a event zxid=-1 type=NodeChildrenChanged path="/p29/c"
            a event zxid=-1 type=NodeChildrenChanged path="/p29/c2"
            a setWatches zxid=seen data=/p29/d,/p29/g exist=/p29/born child=/p29/c,/p29/c2 -> ok
            a ping -> ok
            a ping -> ok
            b ping -> ok
        "#]],
    );
    // 31, M8: recursive, persistent and standard side by side.
    server.shows(
        "a connect\na create /p31\na addWatch /p31 mode=1\na create /p31/k\na setData /p31/k x\n\
         a addWatch /p31 mode=0\na create /p31/l\na getChildren /p31/k watch\n\
         a create /p31/k/m\na delete /p31/k/m\na removeWatches /p31 type=4\n\
         a delete /p31/l\na removeWatches /p31 type=5\na removeWatches /p31 type=3\n\
         a delete /p31/k\na ping",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a create /p31 -> ok zxid=z1 path="/p31"
            a addWatch /p31 mode=1 -> ok number=0
            a event zxid=z2 type=NodeCreated path="/p31/k"
            a create /p31/k -> ok zxid=z2 path="/p31/k"
            a event zxid=z3 type=NodeDataChanged path="/p31/k"
            a setData /p31/k x -> ok zxid=z3 czxid=z2 mzxid=z3 pzxid=z2 version=1 cversion=0 aversion=0 owner=0 length=1 children=0
            a addWatch /p31 -> ok number=0
            a event zxid=z4 type=NodeCreated path="/p31/l"
            a event zxid=z4 type=NodeChildrenChanged path="/p31"
            a create /p31/l -> ok zxid=z4 path="/p31/l"
            a getChildren /p31/k watch -> ok names=[]
            a event zxid=z5 type=NodeCreated path="/p31/k/m"
            a event zxid=z5 type=NodeChildrenChanged path="/p31/k"
            a create /p31/k/m -> ok zxid=z5 path="/p31/k/m"
            a event zxid=z6 type=NodeDeleted path="/p31/k/m"
            a delete /p31/k/m -> ok zxid=z6
            a removeWatches /p31 type=4 -> ok
            a event zxid=z7 type=NodeDeleted path="/p31/l"
            a delete /p31/l -> ok zxid=z7
            a removeWatches /p31 type=5 -> ok
            a removeWatches /p31 -> -121 NoWatcher
            a delete /p31/k -> ok zxid=z8
            a ping -> ok
            a ping -> ok
        "#]],
    );
    // 17: a child of the root is a change of "/".
    server.shows(
        "a connect\na getChildren / watch\na create /p17\na getChildren \"\" watch\n\
         a delete /p17\na ping",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a getChildren / watch -> ok names=["p25", "p26", "p28", "p29", "p31", "zookeeper"]
            a event zxid=z1 type=NodeChildrenChanged path="/"
            a create /p17 -> ok zxid=z1 path="/p17"
            a getChildren "" watch -> ok names=["p17", "p25", "p26", "p28", "p29", "p31", "zookeeper"]
            a delete /p17 -> ok zxid=z2
            a ping -> ok
            a ping -> ok
        "#]],
    );
    // 32: who may not read does not hear, and the watch is used up all the same.
    server.shows(
        "a connect\nb connect\na auth digest u:p\na create /p32\nb getData /p32 watch\n\
         a setACL /p32 acl=auth::31\na setData /p32 x\nb checkWatches /p32\n\
         b exists /p32 watch\nb checkWatches /p32\na setACL /p32 acl=open\nb ping",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            b welcome bytes=37 protocol=0 timeout=30000 session=s2 password=16bytes readonly=0
            a auth digest u:p -> ok zxid=0
            a create /p32 -> ok zxid=z1 path="/p32"
            b getData /p32 watch -> ok data="" czxid=z1 mzxid=z1 pzxid=z1 version=0 cversion=0 aversion=0 owner=0 length=0 children=0
            a setACL /p32 acl=auth::31 -> ok zxid=z2 czxid=z1 mzxid=z1 pzxid=z1 version=0 cversion=0 aversion=1 owner=0 length=0 children=0
            a setData /p32 x -> ok zxid=z3 czxid=z1 mzxid=z3 pzxid=z1 version=1 cversion=0 aversion=1 owner=0 length=1 children=0
            b checkWatches /p32 -> -121 NoWatcher
            b exists /p32 watch -> -102 NoAuth
            b checkWatches /p32 -> -121 NoWatcher
            a setACL /p32 -> ok zxid=z4 czxid=z1 mzxid=z3 pzxid=z1 version=1 cversion=0 aversion=2 owner=0 length=1 children=0
            b ping -> ok
            a ping -> ok
            b ping -> ok
        "#]],
    );
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
    // 41: what a fresh server holds.
    server.shows(
        "a connect\na getChildren2 /\na getChildren /zookeeper\na getAllChildrenNumber /\n\
         a exists /keeper/api_version\na delete /zookeeper\na getACL /zookeeper/config\n\
         a getData /zookeeper/config",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a getChildren2 / -> ok names=["zookeeper"] czxid=0 mzxid=0 pzxid=0 version=0 cversion=-1 aversion=0 owner=0 length=0 children=1
            a getChildren /zookeeper -> ok names=["config", "quota"]
            a getAllChildrenNumber / -> ok number=3
            a exists /keeper/api_version -> -101 NoNode
            a delete /zookeeper -> -8 BadArguments zxid=z1
            a getACL /zookeeper/config -> ok acl=["world:anyone:1"] czxid=0 mzxid=0 pzxid=0 version=0 cversion=0 aversion=-1 owner=0 length=0 children=0
            a getData /zookeeper/config -> ok data="" czxid=0 mzxid=0 pzxid=0 version=0 cversion=0 aversion=-1 owner=0 length=0 children=0
            a ping -> ok
        "#]],
    );
    // 22: null and empty are kept apart.
    server.shows(
        "a connect\na create /p22 null\na getData /p22\na setData /p22 \"\"\na getData /p22",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a create /p22 null -> ok zxid=z1 path="/p22"
            a getData /p22 -> ok data=null czxid=z1 mzxid=z1 pzxid=z1 version=0 cversion=0 aversion=0 owner=0 length=0 children=0
            a setData /p22 -> ok zxid=z2 czxid=z1 mzxid=z2 pzxid=z1 version=1 cversion=0 aversion=0 owner=0 length=0 children=0
            a getData /p22 -> ok data="" czxid=z1 mzxid=z2 pzxid=z1 version=1 cversion=0 aversion=0 owner=0 length=0 children=0
            a ping -> ok
        "#]],
    );
    // 34, 36: cversion and pzxid.
    server.shows(
        "a connect\na create /p34\na create /p34/a\na create /p34/b\na create /p34/c\n\
         a delete /p34/b\na exists /p34\na setData /p34/a x\na create /p34/a/deep\na exists /p34",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a create /p34 -> ok zxid=z1 path="/p34"
            a create /p34/a -> ok zxid=z2 path="/p34/a"
            a create /p34/b -> ok zxid=z3 path="/p34/b"
            a create /p34/c -> ok zxid=z4 path="/p34/c"
            a delete /p34/b -> ok zxid=z5
            a exists /p34 -> ok czxid=z1 mzxid=z1 pzxid=z5 version=0 cversion=4 aversion=0 owner=0 length=0 children=2
            a setData /p34/a x -> ok zxid=z6 czxid=z2 mzxid=z6 pzxid=z2 version=1 cversion=0 aversion=0 owner=0 length=1 children=0
            a create /p34/a/deep -> ok zxid=z7 path="/p34/a/deep"
            a exists /p34 -> ok czxid=z1 mzxid=z1 pzxid=z5 version=0 cversion=4 aversion=0 owner=0 length=0 children=2
            a ping -> ok
        "#]],
    );
    // 35: the counter counts all children and never goes back.
    server.shows(
        "a connect\na create /p35\na create /p35/plain\na create /p35/s- x flags=2\n\
         a delete /p35/s-0000000001\na delete /p35/plain\na create /p35/s- x flags=3\n\
         a create /p35/ x flags=2\na create /p35/s- acl=none flags=2\na create /p35/t- x flags=2",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a create /p35 -> ok zxid=z1 path="/p35"
            a create /p35/plain -> ok zxid=z2 path="/p35/plain"
            a create /p35/s- x flags=2 -> ok zxid=z3 path="/p35/s-0000000001"
            a delete /p35/s-0000000001 -> ok zxid=z4
            a delete /p35/plain -> ok zxid=z5
            a create /p35/s- x flags=3 -> ok zxid=z6 path="/p35/s-0000000002"
            a create /p35/ x flags=2 -> ok zxid=z7 path="/p35/0000000003"
            a create /p35/s- acl=none flags=2 -> -114 InvalidACL zxid=z8
            a create /p35/t- x flags=2 -> ok zxid=z9 path="/p35/t-0000000004"
            a ping -> ok
        "#]],
    );
    // 37, 38: owners; the Stat inside a multi.
    server.shows(
        "a connect\na create /p37\na create2 /p37/e x flags=1\na createContainer /p37/c\n\
         a create2 /p37/p\na multi [create /p37/m null flags=1] [setData /p37/m x version=0]",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a create /p37 -> ok zxid=z1 path="/p37"
            a create2 /p37/e x flags=1 -> ok zxid=z2 path="/p37/e" czxid=z2 mzxid=z2 pzxid=z2 version=0 cversion=0 aversion=0 owner=s1 length=1 children=0
            a createContainer /p37/c -> ok zxid=z3 path="/p37/c" czxid=z3 mzxid=z3 pzxid=z3 version=0 cversion=0 aversion=0 owner=0 length=0 children=0
            a create2 /p37/p -> ok zxid=z4 path="/p37/p" czxid=z4 mzxid=z4 pzxid=z4 version=0 cversion=0 aversion=0 owner=0 length=0 children=0
            a multi [create /p37/m null flags=1] [setData /p37/m x version=0] -> ok zxid=z5 0.type=1 0.err=0 0.path="/p37/m" 1.type=5 1.err=0 1.czxid=z5 1.mzxid=z5 1.pzxid=z5 1.version=1 1.cversion=0 1.aversion=0 1.owner=s1 1.length=1 1.children=0
            a ping -> ok
        "#]],
    );
    // M14: a plain prefix of the path, own ephemerals only.
    server.shows(
        "a connect\nb connect\na create /m14 x flags=1\na create /m14b x flags=1\n\
         b create /m14c x flags=1\na getEphemerals /m14\na getEphemerals /m14b\n\
         a getEphemerals null\nb getEphemerals /",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            b welcome bytes=37 protocol=0 timeout=30000 session=s2 password=16bytes readonly=0
            a create /m14 x flags=1 -> ok zxid=z1 path="/m14"
            a create /m14b x flags=1 -> ok zxid=z2 path="/m14b"
            b create /m14c x flags=1 -> ok zxid=z3 path="/m14c"
            a getEphemerals /m14 -> ok names=["/m14", "/m14b"]
            a getEphemerals /m14b -> ok names=["/m14b"]
            a getEphemerals null -> ok names=["/m14", "/m14b"]
            b getEphemerals / -> ok names=["/m14c"]
            a ping -> ok
            b ping -> ok
        "#]],
    );
    // M15: a quota arises from the names of nodes; its numbers change without a trace.
    server.shows(
        "a connect\na create /m15\na create /m15/k 12345\na create /zookeeper/quota/m15\n\
         a create /zookeeper/quota/m15/zookeeper_limits \"count=1,bytes=1\"\n\
         a create /zookeeper/quota/m15/zookeeper_stats \"\"\n\
         a getData /zookeeper/quota/m15/zookeeper_stats watch\na create /m15/l 123\n\
         a setData /m15/k 1\na getData /zookeeper/quota/m15/zookeeper_stats",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a create /m15 -> ok zxid=z1 path="/m15"
            a create /m15/k 12345 -> ok zxid=z2 path="/m15/k"
            a create /zookeeper/quota/m15 -> ok zxid=z3 path="/zookeeper/quota/m15"
            a create /zookeeper/quota/m15/zookeeper_limits "count=1,bytes=1" -> ok zxid=z4 path="/zookeeper/quota/m15/zookeeper_limits"
            a create /zookeeper/quota/m15/zookeeper_stats -> ok zxid=z5 path="/zookeeper/quota/m15/zookeeper_stats"
            a getData /zookeeper/quota/m15/zookeeper_stats watch -> ok data="count=2,bytes=5" czxid=z5 mzxid=z5 pzxid=z5 version=0 cversion=0 aversion=0 owner=0 length=15 children=0
            a create /m15/l 123 -> ok zxid=z6 path="/m15/l"
            a setData /m15/k 1 -> ok zxid=z7 czxid=z2 mzxid=z7 pzxid=z2 version=1 cversion=0 aversion=0 owner=0 length=1 children=0
            a getData /zookeeper/quota/m15/zookeeper_stats -> ok data="count=3,bytes=4" czxid=z5 mzxid=z5 pzxid=z5 version=0 cversion=0 aversion=0 owner=0 length=15 children=0
            a ping -> ok
        "#]],
    );
}

/// 40: a container goes after its last child, not before it had one.
/// M12: a TTL node goes when it is childless and old.
#[test]
fn containers_and_ttl_nodes_are_reaped() {
    let server = Server::start(&[
        ("znode.container.checkIntervalMs", "200"),
        ("extendedTypesEnabled", "true"),
    ]);
    server.shows(
        "a connect\na createContainer /c40\na create /c40/k\na createContainer /never\n\
         a addWatch /t12\na createTTL /t12 x ttl=1\na event\na exists /c40 watch\n\
         a delete /c40/k\na event\na exists /never\na exists /t12",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a createContainer /c40 -> ok zxid=z1 path="/c40" czxid=z1 mzxid=z1 pzxid=z1 version=0 cversion=0 aversion=0 owner=0 length=0 children=0
            a create /c40/k -> ok zxid=z2 path="/c40/k"
            a createContainer /never -> ok zxid=z3 path="/never" czxid=z3 mzxid=z3 pzxid=z3 version=0 cversion=0 aversion=0 owner=0 length=0 children=0
            a addWatch /t12 -> ok number=0
            a event zxid=z4 type=NodeCreated path="/t12"
            a createTTL /t12 x ttl=1 -> ok zxid=z4 path="/t12" czxid=z4 mzxid=z4 pzxid=z4 version=0 cversion=0 aversion=0 owner=0 length=1 children=0
            a event zxid=z5 type=NodeDeleted path="/t12"
            a exists /c40 watch -> ok czxid=z1 mzxid=z1 pzxid=z2 version=0 cversion=1 aversion=0 owner=0 length=0 children=1
            a delete /c40/k -> ok zxid=z6
            a event zxid=z7 type=NodeDeleted path="/c40"
            a exists /never -> ok czxid=z3 mzxid=z3 pzxid=z3 version=0 cversion=0 aversion=0 owner=0 length=0 children=0
            a exists /t12 -> -101 NoNode
            a ping -> ok
        "#]],
    );
}

/// 42, 43, 44, 45, M16.
#[test]
fn errors_and_access() {
    let server = Server::start(&[]);
    // 42: which of two errors is told.
    server.shows(
        "a connect\na create /p42\na create /p42/k\na delete /p42 version=9\n\
         a create /p42 acl=none\na create /no/x acl=none\na setData /no x version=9\n\
         a setACL /no acl=none\na auth digest u:p\na setACL /p42 acl=auth::1\n\
         a create /p42/k\na delete /p42/none\na setData /p42 x version=9\n\
         a setACL /p42 version=9\na getData /p42/none",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a create /p42 -> ok zxid=z1 path="/p42"
            a create /p42/k -> ok zxid=z2 path="/p42/k"
            a delete /p42 version=9 -> -103 BadVersion zxid=z3
            a create /p42 acl=none -> -114 InvalidACL zxid=z4
            a create /no/x acl=none -> -114 InvalidACL zxid=z5
            a setData /no x version=9 -> -101 NoNode zxid=z6
            a setACL /no acl=none -> -114 InvalidACL zxid=z7
            a auth digest u:p -> ok zxid=0
            a setACL /p42 acl=auth::1 -> ok zxid=z8 czxid=z1 mzxid=z1 pzxid=z2 version=0 cversion=1 aversion=1 owner=0 length=0 children=1
            a create /p42/k -> -102 NoAuth zxid=z9
            a delete /p42/none -> -102 NoAuth zxid=z10
            a setData /p42 x version=9 -> -102 NoAuth zxid=z11
            a setACL /p42 version=9 -> -102 NoAuth zxid=z12
            a getData /p42/none -> -101 NoNode
            a ping -> ok
        "#]],
    );
    // 43: where paths are looked at.
    server.shows(
        "a connect\na create /a43\na create /a43//b\na create /a43/./b\na create /a43/.\n\
         a create /a43/\na create \"/a43/\\u{1}\"\na getData /a43/\na delete /a43/\n\
         a setData /a43/\na exists relative",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a create /a43 -> ok zxid=z1 path="/a43"
            a create /a43//b -> -101 NoNode zxid=z2
            a create /a43/./b -> -101 NoNode zxid=z3
            a create /a43/. -> -8 BadArguments zxid=z4
            a create /a43/ -> -8 BadArguments zxid=z5
            a create "/a43/\u{1}" -> -8 BadArguments zxid=z6
            a getData /a43/ -> -101 NoNode
            a delete /a43/ -> -101 NoNode zxid=z7
            a setData /a43/ -> -8 BadArguments zxid=z8
            a exists relative -> -101 NoNode
            a ping -> ok
        "#]],
    );
    // 44: the fenced resource manager.
    server.shows(
        "a connect\nb connect\na auth digest rm1:x\nb auth digest rm2:x\n\
         a create /rm acl=open\n\
         a setACL /rm acl=world:anyone:19,digest:rm1:Ft1oYXmjDa6BO8LTaPpRvPO2aqs=:12\n\
         b multi [create /rm/lock] [create /rm/state]\n\
         b multi [check /rm version=0] [create /rm/lock]",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            b welcome bytes=37 protocol=0 timeout=30000 session=s2 password=16bytes readonly=0
            a auth digest rm1:x -> ok zxid=0
            b auth digest rm2:x -> ok zxid=0
            a create /rm -> ok zxid=z1 path="/rm"
            a setACL /rm acl=world:anyone:19,digest:rm1:Ft1oYXmjDa6BO8LTaPpRvPO2aqs=:12 -> ok zxid=z2 czxid=z1 mzxid=z1 pzxid=z1 version=0 cversion=0 aversion=1 owner=0 length=0 children=0
            b multi [create /rm/lock] [create /rm/state] -> ok zxid=z3 0.type=-1 0.err=-102 0.number=-102 1.type=-1 1.err=-2 1.number=-2
            b multi [check /rm version=0] [create /rm/lock] -> ok zxid=z4 0.type=-1 0.err=0 0.number=0 1.type=-1 1.err=-102 1.number=-102
            a ping -> ok
            b ping -> ok
        "#]],
    );
    // 45: identities add up; a wrong password is another identity.
    server.shows(
        "a connect\na create /p45 acl=auth::31\na + auth digest u:p\na + create /p45 acl=auth::31\n\
         a flush\nb connect\nb auth digest u:wrong\nb getData /p45\nb auth digest u:p\n\
         b getData /p45\nb whoAmI\nc connect\nc auth nobody x\nc eof",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a create /p45 acl=auth::31 -> -114 InvalidACL zxid=z1
            a auth digest u:p -> ok zxid=0
            a create /p45 acl=auth::31 -> ok zxid=z2 path="/p45"
            b welcome bytes=37 protocol=0 timeout=30000 session=s2 password=16bytes readonly=0
            b auth digest u:wrong -> ok zxid=0
            b getData /p45 -> -102 NoAuth
            b auth digest u:p -> ok zxid=0
            b getData /p45 -> ok data="" czxid=z2 mzxid=z2 pzxid=z2 version=0 cversion=0 aversion=0 owner=0 length=0 children=0
            b whoAmI -> ok identities=["digest:u", "digest:u", "ip:127.0.0.1"]
            c welcome bytes=37 protocol=0 timeout=30000 session=s3 password=16bytes readonly=0
            c auth nobody x -> -115 AuthFailed zxid=0
            c closed
            a ping -> ok
            b ping -> ok
        "#]],
    );
    // M16: hashes are masked for those without ADMIN.
    server.shows(
        "a connect\nb connect\na auth digest u:p\na create /m16 acl=auth::31,world:anyone:1\n\
         a getACL /m16\nb getACL /m16",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            b welcome bytes=37 protocol=0 timeout=30000 session=s2 password=16bytes readonly=0
            a auth digest u:p -> ok zxid=0
            a create /m16 acl=auth::31,world:anyone:1 -> ok zxid=z1 path="/m16"
            a getACL /m16 -> ok acl=["digest:u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=:31", "world:anyone:1"] czxid=z1 mzxid=z1 pzxid=z1 version=0 cversion=0 aversion=0 owner=0 length=0 children=0
            b getACL /m16 -> ok acl=["digest:u:x:31", "world:anyone:1"] czxid=z1 mzxid=z1 pzxid=z1 version=0 cversion=0 aversion=0 owner=0 length=0 children=0
            a ping -> ok
            b ping -> ok
        "#]],
    );
}

/// 47, 48, 49, 51, 53.
#[test]
fn multi_and_pipelines() {
    let server = Server::start(&[]);
    // 47: the outer error is 0; before, the cause, after.
    server.shows(
        "a connect\na multi [create /p47] [delete /p47] [check /no] [create /p47] [create /q47]",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a multi [create /p47] [delete /p47] [check /no] [create /p47] [create /q47] -> ok zxid=z1 0.type=-1 0.err=0 0.number=0 1.type=-1 1.err=0 1.number=0 2.type=-1 2.err=-101 2.number=-101 3.type=-1 3.err=-2 3.number=-2 4.type=-1 4.err=-2 4.number=-2
            a ping -> ok
        "#]],
    );
    // 48: the types of the results.
    server.shows(
        "a connect\na multi [create /p48] [create2 /p48/a] [createContainer /p48/b] \
         [setData /p48 x] [check /p48] [delete /p48/a]",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a multi [create /p48] [create2 /p48/a] [createContainer /p48/b] [setData /p48 x] [check /p48] [delete /p48/a] -> ok zxid=z1 0.type=1 0.err=0 0.path="/p48" 1.type=15 1.err=0 1.path="/p48/a" 1.czxid=z1 1.mzxid=z1 1.pzxid=z1 1.version=0 1.cversion=0 1.aversion=0 1.owner=0 1.length=0 1.children=0 2.type=15 2.err=0 2.path="/p48/b" 2.czxid=z1 2.mzxid=z1 2.pzxid=z1 2.version=0 2.cversion=0 2.aversion=0 2.owner=0 2.length=0 2.children=0 3.type=5 3.err=0 3.czxid=z1 3.mzxid=z1 3.pzxid=z1 3.version=1 3.cversion=2 3.aversion=0 3.owner=0 3.length=1 3.children=2 4.type=13 4.err=0 5.type=2 5.err=0
            a ping -> ok
        "#]],
    );
    // 49: each element sees those before it; what is not allowed fails the whole request.
    server.shows(
        "a connect\na multi [create /p49] [create /p49/s- flags=2] [setData /p49 x version=0] \
         [check /p49 version=1] [delete /p49/s-0000000000]\na multi [exists /p49]\n\
         a multi [setACL /p49]\na multi [op:77 body=00]\na multi [multi]\na ping",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a multi [create /p49] [create /p49/s- flags=2] [setData /p49 x version=0] [check /p49 version=1] [delete /p49/s-0000000000] -> ok zxid=z1 0.type=1 0.err=0 0.path="/p49" 1.type=1 1.err=0 1.path="/p49/s-0000000000" 2.type=5 2.err=0 2.czxid=z1 2.mzxid=z1 2.pzxid=z1 2.version=1 2.cversion=1 2.aversion=0 2.owner=0 2.length=1 2.children=1 3.type=13 3.err=0 4.type=2 4.err=0
            a multi [exists /p49] -> -5 MarshallingError
            a multi [setACL /p49] -> -5 MarshallingError
            a multi [op:77 body=00] -> -5 MarshallingError
            a multi [multi] -> -5 MarshallingError
            a ping -> ok
            a ping -> ok
        "#]],
    );
    // 51: creates that do not wait for each other.
    server.shows(
        "a connect\na + create /p51\na + create /p51/a\na + create /p51/a/b\n\
         a + setData /p51/a/b x version=0\na + delete /p51/a\na + delete /p51/a/b\na flush",
        expect![[r#"
            a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
            a create /p51 -> ok zxid=z1 path="/p51"
            a create /p51/a -> ok zxid=z2 path="/p51/a"
            a create /p51/a/b -> ok zxid=z3 path="/p51/a/b"
            a setData /p51/a/b x version=0 -> ok zxid=z4 czxid=z3 mzxid=z4 pzxid=z3 version=1 cversion=0 aversion=0 owner=0 length=1 children=0
            a delete /p51/a -> -111 NotEmpty zxid=z5
            a delete /p51/a/b -> ok zxid=z6
            a ping -> ok
        "#]],
    );
    // 53: sync echoes any path.
    server.shows(
        "a connect\na sync /any/where\na sync \"\"\na sync null",
        expect![[r#"
        a welcome bytes=37 protocol=0 timeout=30000 session=s1 password=16bytes readonly=0
        a sync /any/where -> ok path="/any/where"
        a sync "" -> ok path=""
        a sync null -> ok path=None
        a ping -> ok
    "#]],
    );
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
    server.shows(
        "a connect\na create /m17\na deleteContainer /m17\na eof\nb connect session=a\n\
         b exists /m17\nb createSession\nb eof\nc connect session=a\nc check /m17\nc eof",
        expect![[""]],
    );
}
