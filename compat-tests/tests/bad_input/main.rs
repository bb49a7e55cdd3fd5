//! What clients do wrong, on purpose or not, must cost nobody else anything; what the disk
//! does wrong must be said and must lose nothing.
//!
//! Tests of input also run against ZooKeeper
//! (`COMPAT_SERVER=zookeeper`), where it promises the same.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod deaf;

use std::fs::{self, File};
use std::net::Shutdown;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use compat_tests::oracle::process::{ServerProcess, Software};
use compat_tests::raw::{Answer, Handshake, Incoming, RawConnection, Session, Writer, put_create};
use compat_tests::small_disk::SmallDisk;
use tempfile::TempDir;

const WITHIN: Duration = Duration::from_secs(20);
const MIB: u64 = 1 << 20;

fn start(settings: &[(&str, &str)]) -> ServerProcess {
    ServerProcess::start(Software::from_env(), &owned(settings)).unwrap()
}

fn owned(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    settings.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

fn is_rookery() -> bool {
    Software::from_env() == Software::Rookery
}

/// A generator of bytes that mean nothing, the same in every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_be_bytes()[0]).collect()
    }
}

/// Random bodies, under known and unknown operations: each is answered or closes its own
/// connection. No reply carries a code that only clients make up (-4, -7, -9).
#[test]
fn random_frames_hurt_only_their_sender() {
    let server = start(&[]);
    let mut bystander = Session::open(server.address(), 30_000).unwrap();
    let mut noise = Noise(0x5eed);
    let codes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 14, 15, 16, 17, 18, 19, 21, 22];
    let more = [100, 101, 102, 103, 104, 105, 106, 107, 11, 13, 77, -1];
    let all: Vec<i32> = codes.into_iter().chain(more).collect();
    let mut session = Session::open(server.address(), 30_000).unwrap();
    for round in 0..1500 {
        let code = all[round % all.len()];
        let length = (noise.next() % 40) as usize;
        let mut body = noise.bytes(length);
        // Small numbers reach deeper: lengths and counts that fit.
        for byte in body.iter_mut().step_by(2) {
            *byte &= 0x03;
        }
        match session.ask(code, |out| {
            out.raw(&body);
        }) {
            Ok(Answer::Reply(err, _)) => assert!(![-4, -7, -9].contains(&err), "{code}: {err}"),
            Ok(Answer::Closed) => {}
            Ok(Answer::Nothing) => panic!("no answer to operation {code} with {body:02x?}"),
            Err(error) => panic!("operation {code} with {body:02x?}: {error}"),
        }
        if !session.is_served().unwrap() {
            session = Session::open(server.address(), 30_000).unwrap();
        }
        if round % 100 == 0 {
            assert!(bystander.is_served().unwrap());
        }
    }
    assert!(bystander.is_served().unwrap());
}

/// A request cut off anywhere, then the end: nothing happens, and nobody else notices.
#[test]
fn truncated_input_hurts_only_its_sender() {
    let server = start(&[]);
    let mut bystander = Session::open(server.address(), 30_000).unwrap();
    let handshake = {
        let mut framed = Writer::new();
        framed.buffer(Some(&Handshake::fresh(30_000).encode()));
        framed.into_bytes()
    };
    for length in 0..handshake.len() {
        let mut connection = RawConnection::open(server.address()).unwrap();
        connection.send(&handshake[..length]).unwrap();
        connection.shut_down_sending();
        assert_eq!(connection.read_frame(WITHIN).unwrap(), Incoming::Closed, "{length} bytes");
    }
    let frame = bystander.frame(1, |out| put_create(out, "/truncated", b"x"));
    for length in 0..frame.len() {
        let mut session = Session::open(server.address(), 30_000).unwrap();
        session.connection.send(&frame[..length]).unwrap();
        session.connection.shut_down_sending();
        assert_eq!(session.connection.read_frame(WITHIN).unwrap(), Incoming::Closed);
    }
    assert_eq!(bystander.data("/truncated").unwrap(), None);
}

/// Lengths that no frame has, before and after the handshake; and a length without a frame.
#[test]
fn impossible_lengths_close_at_once() {
    let server = start(&[]);
    for length in [-1, i32::MIN, i32::MAX, 1 << 20, 0x7fff_0000] {
        let mut connection = RawConnection::open(server.address()).unwrap();
        connection.send(&length.to_be_bytes()).unwrap();
        assert_eq!(connection.read_frame(WITHIN).unwrap(), Incoming::Closed, "{length}");
        let mut session = Session::open(server.address(), 30_000).unwrap();
        session.connection.send(&length.to_be_bytes()).unwrap();
        assert_eq!(session.connection.read_frame(WITHIN).unwrap(), Incoming::Closed, "{length}");
    }
    // A vector that claims more elements than the frame has bytes takes no memory.
    let before = server.memory_bytes();
    let mut session = Session::open(server.address(), 30_000).unwrap();
    for _ in 0..50 {
        let answer = session.ask(101, |out| {
            out.long(0).int(0x7fff_fff0);
        });
        assert!(matches!(answer.unwrap(), Answer::Reply(-5, _)));
    }
    let grown = server.memory_bytes().saturating_sub(before);
    assert!(grown < 64 * MIB || !is_rookery(), "grew by {grown} bytes");
}

/// Connections that say nothing, or half of something, are closed after a while and keep
/// nobody waiting.
#[test]
fn half_open_connections_do_not_last() {
    let server = start(&[("nio.sessionlessCnxnTimeout", "1000")]);
    let handshake = Handshake::fresh(30_000).encode();
    let beginnings: [&[u8]; 4] =
        [b"", b"\0\0", b"\0\0\0\x2d", &[&[0, 0, 0, 45], &handshake[..20]].concat()];
    let mut silent: Vec<RawConnection> = (0..100)
        .map(|index| {
            let mut connection = RawConnection::open(server.address()).unwrap();
            connection.send(beginnings[index % beginnings.len()]).unwrap();
            connection
        })
        .collect();
    let mut session = Session::open(server.address(), 30_000).unwrap();
    assert_eq!(
        session.create("/beside", b"x").unwrap(),
        Answer::Reply(0, b"\0\0\0\x07/beside".to_vec())
    );
    for connection in &mut silent {
        assert_eq!(connection.read_frame(WITHIN).unwrap(), Incoming::Closed);
    }
    assert!(session.is_served().unwrap(), "a connection with a session stays");
}

/// Half a frame after the handshake does not keep the session alive for ever.
#[test]
fn half_a_frame_is_no_sign_of_life() {
    let server = start(&[("tickTime", "200")]);
    let mut session = Session::open(server.address(), 400).unwrap();
    session.connection.send(&[0, 0, 0, 50, 1, 2, 3]).unwrap();
    assert_eq!(session.connection.read_frame(WITHIN).unwrap(), Incoming::Closed);
    let again = Session::open_with(server.address(), &Handshake::resume(400, &session.welcome));
    assert!(again.is_err(), "the session lives on");
}

/// Ten thousand sessions that do nothing but exist.
#[test]
fn ten_thousand_idle_connections_are_no_burden() {
    const CONNECTIONS: usize = 10_000;
    if !is_rookery() {
        return;
    }
    let limits = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limits.maximum, maximum: limits.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
    assert!(
        limits.maximum.is_none_or(|most| most > 11_000),
        "this test needs 11,000 open files, {:?} are permitted",
        limits.maximum
    );
    let server = start(&[]);
    let mut active = Session::open(server.address(), 30_000).unwrap();
    let before = server.memory_bytes();
    let handshake = Handshake::fresh(40_000).encode();
    let mut idle = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS / 500 {
        let first = idle.len();
        for _ in 0..500 {
            let mut connection = RawConnection::open(server.address()).unwrap();
            connection.send_frame(&handshake).unwrap();
            idle.push(connection);
        }
        for connection in &mut idle[first..] {
            assert!(matches!(connection.read_frame(WITHIN).unwrap(), Incoming::Frame(_)));
        }
        assert!(active.is_served().unwrap());
    }
    let each = server.memory_bytes().saturating_sub(before) / CONNECTIONS as u64;
    assert!(each < 16 * 1024, "{each} bytes for each idle connection");
    let mut slowest = Duration::ZERO;
    for _ in 0..200 {
        let asked = Instant::now();
        assert!(active.is_served().unwrap());
        slowest = slowest.max(asked.elapsed());
    }
    assert!(slowest < Duration::from_secs(1), "a read took {slowest:?} beside idle connections");
}

/// Beyond the limit of all connections, new ones are accepted and closed.
#[test]
fn connections_of_all_addresses_are_counted() {
    let server = start(&[("maxCnxns", "5")]);
    let deadline = Instant::now() + WITHIN;
    let mut held = Vec::new();
    while held.len() < 5 {
        assert!(Instant::now() < deadline);
        held.extend(Session::open(server.address(), 30_000));
    }
    let mut one_too_many = RawConnection::open(server.address()).unwrap();
    assert_eq!(one_too_many.read_frame(WITHIN).unwrap(), Incoming::Closed);
    assert!(held[0].is_served().unwrap());
}

/// A second server on the same data directory says so and leaves the first alone.
#[test]
fn a_second_server_on_the_same_data_is_refused() {
    if !is_rookery() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let server = ServerProcess::start_in(Software::Rookery, dir.path(), &[]).unwrap();
    let mut session = Session::open(server.address(), 30_000).unwrap();
    let other = TempDir::new().unwrap();
    let data = dir.path().join("data").display().to_string();
    let settings = owned(&[("dataDir", &data)]);
    assert_refuses(other.path(), &settings, &["another server", &data]);
    assert!(session.is_served().unwrap());
}

/// Data of a newer version is not touched.
#[test]
fn newer_data_is_refused() {
    if !is_rookery() {
        return;
    }
    let dir = TempDir::new().unwrap();
    ServerProcess::start_in(Software::Rookery, dir.path(), &[]).unwrap().kill();
    let format = dir.path().join("data/rookery/FORMAT");
    let version: u32 = fs::read_to_string(&format).unwrap().trim().parse().unwrap();
    fs::write(&format, format!("{}\n", version + 1)).unwrap();
    assert_refuses(dir.path(), &[], &["FORMAT", "newer"]);
}

/// The server ends by itself, not with success, and its output has these words.
fn assert_refuses(dir: &Path, settings: &[(String, String)], words: &[&str]) {
    let mut server = ServerProcess::spawn_in(Software::Rookery, dir, settings).unwrap();
    let status = server.wait_exit(WITHIN).expect("it should refuse to run");
    let output = server.output();
    assert!(!status.success(), "it should not end with success: {output}");
    for word in words {
        assert!(output.contains(word), "{word:?} is not in: {output}");
    }
}

/// Acknowledged znodes: their paths and data.
fn fill(server: &ServerProcess, count: usize) -> Vec<(String, Vec<u8>)> {
    let mut session = Session::open(server.address(), 30_000).unwrap();
    let mut noise = Noise(7);
    let mut written = Vec::new();
    for index in 0..count {
        let path = format!("/n{index}");
        let data = noise.bytes(500);
        assert!(matches!(session.create(&path, &data).unwrap(), Answer::Reply(0, _)));
        written.push((path, data));
    }
    written
}

#[track_caller]
fn assert_all_there(server: &ServerProcess, written: &[(String, Vec<u8>)], why: &str) {
    let mut session = Session::open(server.address(), 30_000).unwrap();
    for (path, data) in written {
        assert!(session.data(path).unwrap().as_ref() == Some(data), "{why}: {path} is lost");
    }
}

/// What was acknowledged in the last 100 ms may not be in the mark yet: writes until a mark
/// is written, which has all that came before.
fn write_until_marked(server: &ServerProcess, data: &Path) {
    let mut session = Session::open(server.address(), 30_000).unwrap();
    session.create("/marked", b"").unwrap();
    let mark = data.join("rookery/mark");
    let modified = || fs::metadata(&mark).unwrap().modified().unwrap();
    let before = modified();
    let deadline = Instant::now() + WITHIN;
    for index in 0.. {
        session.create(&format!("/marked/{index}"), b"").unwrap();
        if modified() != before {
            return;
        }
        assert!(Instant::now() < deadline, "no mark is written");
    }
}

/// One flipped bit in any file: the server refuses with the name of what is damaged, or
/// everything that was acknowledged is there.
#[test]
fn damaged_files_lose_nothing_silently() {
    if !is_rookery() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let server = ServerProcess::start_in(Software::Rookery, dir.path(), &[]).unwrap();
    let written = fill(&server, 300);
    write_until_marked(&server, &dir.path().join("data"));
    server.kill();
    let pristine = TempDir::new().unwrap();
    copy(&dir.path().join("data"), &pristine.path().join("data"));
    let mut refusals = 0;
    let mut noise = Noise(99);
    let files = files(&pristine.path().join("data"));
    for round in 0..files.len().max(24) {
        let name = files[round % files.len()].strip_prefix(pristine.path()).unwrap();
        let size = fs::metadata(pristine.path().join(name)).unwrap().len();
        if size == 0 {
            continue;
        }
        fs::remove_dir_all(dir.path().join("data")).unwrap();
        copy(&pristine.path().join("data"), &dir.path().join("data"));
        let offset = noise.next() % size;
        flip(&dir.path().join(name), offset);
        let why = format!("byte {offset} of {}", name.display());
        match ServerProcess::start_in(Software::Rookery, dir.path(), &[]) {
            Ok(server) => assert_all_there(&server, &written, &why),
            Err(error) => {
                refusals += 1;
                let text = error.to_string();
                assert!(!text.contains("panicked"), "{why}: {text}");
                assert!(text.contains("data"), "{why}: no file is named: {text}");
            }
        }
    }
    assert!(refusals > 0, "no damage was noticed");
}

/// All files below a directory, but for what is removed meanwhile.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn flip(path: &Path, offset: u64) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], offset).unwrap();
}

/// Waits until a server has written nothing for much longer than its log takes to rest: then it
/// has left little that needs room to be recovered.
fn until_quiet(data: &Path) {
    let deadline = Instant::now() + WITHIN;
    let modified = |path: PathBuf| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let written = || files(data).into_iter().filter_map(modified).max().unwrap();
    while written().elapsed().is_ok_and(|ago| ago < Duration::from_secs(1)) {
        assert!(Instant::now() < deadline, "the server writes on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The disk fills up: writes are refused or the server stops and says why; what was
/// acknowledged is there when there is room again.
#[test]
fn a_full_disk_loses_nothing() {
    if !is_rookery() {
        return;
    }
    let disk = SmallDisk::mount(160).unwrap();
    let mut server = ServerProcess::start_in(Software::Rookery, disk.path(), &[]).unwrap();
    let mut session = Session::open(server.address(), 30_000).unwrap();
    let mut written = Vec::new();
    let mut noise = Noise(3);
    let data = noise.bytes(400_000);
    let refused = loop {
        let path = format!("/n{}", written.len());
        let mut data = data.clone();
        data[..8].copy_from_slice(&written.len().to_be_bytes());
        match session.create(&path, &data).unwrap() {
            Answer::Reply(0, _) => written.push((path, data)),
            refused @ (Answer::Reply(..) | Answer::Closed | Answer::Nothing) => break refused,
        }
        assert!(written.len() < 2000, "800 MB fit on a disk of 160 MiB");
    };
    assert_ne!(refused, Answer::Nothing, "the write was neither done nor refused");
    assert!(written.len() > 20, "only {} writes were taken", written.len());
    let said = server.output().to_lowercase();
    assert!(said.contains("space") || said.contains("disk"), "it said only: {said}");
    if refused == Answer::Closed {
        assert!(server.wait_exit(WITHIN).is_some(), "it neither serves nor ends: {said}");
    } else {
        // Reads go on, of everything.
        assert_all_there(&server, &written[..written.len().min(20)], "while full");
        until_quiet(&disk.path().join("data"));
    }
    // An operator who wants to make room has to be able to start it.
    server.kill();
    disk.leave_free(4).unwrap();
    let server = ServerProcess::start_in(Software::Rookery, disk.path(), &[]).unwrap();
    assert_all_there(&server, &written, "started on the full disk");
    server.kill();
    disk.grow(400).unwrap();
    let server = ServerProcess::start_in(Software::Rookery, disk.path(), &[]).unwrap();
    assert_all_there(&server, &written, "with room again");
    let mut session = Session::open(server.address(), 30_000).unwrap();
    assert!(matches!(session.create("/again", b"x").unwrap(), Answer::Reply(0, _)));
    // The first bytes of a file system that is about to go.
    let _ = session.connection.stream().shutdown(Shutdown::Both);
}
