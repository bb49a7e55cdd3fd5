//! Clients that ask and do not read, or read slowly.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use compat_tests::{
    oracle::process::{ServerProcess, four_letter_word},
    raw::{Answer, Session, Writer},
};
use rustix::net::sockopt::set_socket_recv_buffer_size;

use super::{MIB, WITHIN, is_rookery, start};

/// How long a server may take to read a request.
const HEARD_WITHIN: Duration = Duration::from_secs(3);

/// A client that asks for far more than it reads is not read any more: the server's memory
/// stays flat and others are served.
#[test]
fn a_client_that_never_reads_its_replies_costs_little() {
    if !is_rookery() {
        return;
    }
    let server = start(&[]);
    let mut session = Session::open(server.address(), 30_000).unwrap();
    session.create("/large", &vec![b'x'; 900_000]).unwrap();
    let before = server.memory_bytes();
    let greedy: Vec<TcpStream> = (0..4).map(|_| greedy(&server)).collect();
    // 4 × 2,000 replies of 900 kB would be 7 GB.
    let deadline = Instant::now() + Duration::from_secs(3);
    let mut peak = 0;
    while Instant::now() < deadline {
        assert!(session.is_served().unwrap());
        assert!(matches!(session.create("/other", b"x").unwrap(), Answer::Reply(0 | -110, _)));
        peak = peak.max(server.memory_bytes());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(peak < before + 64 * MIB, "grew from {before} to {peak} bytes");
    drop(greedy);
}

/// Its last reply cannot be sent, and what it sends behind that was read all the same, and kept:
/// hundreds of megabytes, for as long as it liked. Neither is read any more, nor waited for.
#[test]
fn who_was_said_the_last_thing_and_never_reads_it_costs_little() {
    if !is_rookery() {
        return;
    }
    let server = start(&[]);
    let mut session = Session::open(server.address(), 30_000).unwrap();
    session.create("/large", &vec![b'x'; LARGE]).unwrap();
    let enough = reads_until_not_read(&server);
    // A little less is stuck in the server, and not so much that it stops reading by itself.
    let mut deaf: Vec<Session> =
        (2..=5).filter_map(|less| last_said(&server, enough.checked_sub(less)?)).collect();
    assert!(!deaf.is_empty(), "something is stuck, behind {enough} reads or a little less");
    let before = server.memory_bytes();
    let answer = session.ask(5, |out| {
        out.text(Some("/large")).buffer(Some(b"an event for all of them")).int(-1);
    });
    assert!(matches!(answer.unwrap(), Answer::Reply(0, _)));
    let junk = vec![b'j'; 1 << 20];
    let deadline = Instant::now() + WITHIN;
    while !deaf.is_empty() {
        deaf.retain_mut(|deaf| {
            let sent = deaf.connection.stream().write(&junk);
            sent.is_ok() || sent.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        });
        let grown = server.memory_bytes().saturating_sub(before);
        assert!(grown < 64 * MIB, "grew by {grown} bytes");
        assert!(Instant::now() < deadline, "{} are still connected", deaf.len());
    }
    assert!(session.is_served().unwrap());
}

/// A quarter of what may wait for a client before it is not read any more.
const LARGE: usize = 64 * 1024;

/// A client that watches, and takes little at once.
fn deaf(server: &ServerProcess) -> Session {
    let mut session = Session::open(server.address(), 30_000).unwrap();
    set_socket_recv_buffer_size(session.connection.stream(), 4096).unwrap();
    let watch = session.ask(3, |out| {
        out.text(Some("/large")).flag(true);
    });
    assert!(matches!(watch.unwrap(), Answer::Reply(0, _)));
    session
}

fn send_read(session: &mut Session) {
    let read = session.frame(4, |out| {
        out.text(Some("/large")).flag(false);
    });
    session.connection.send(&read).unwrap();
}

/// How many reads without receiving it takes until the server reads no more from that client.
fn reads_until_not_read(server: &ServerProcess) -> u64 {
    let mut session = deaf(server);
    let port = session.connection.stream().local_addr().unwrap().port();
    for sent in 1.. {
        send_read(&mut session);
        // The handshake and the watch came before.
        if !has_read(server, port, sent + 2) {
            return sent;
        }
    }
    unreachable!("numbers do not end")
}

/// Whether the server reads so many requests of the client at a port, soon.
fn has_read(server: &ServerProcess, port: u16, requests: u64) -> bool {
    let deadline = Instant::now() + HEARD_WITHIN;
    while Instant::now() < deadline {
        let cons = four_letter_word(server.address(), "cons").unwrap();
        let client = cons.lines().find(|line| line.contains(&format!(":{port}[")));
        let Some((_, count)) = client.and_then(|line| line.split_once("recved=")) else {
            return false;
        };
        if count.split_once(',').is_some_and(|(count, _)| count.parse() == Ok(requests)) {
            return true;
        }
    }
    false
}

/// A client that has read nothing of so many replies, and was said that it is not who it claims;
/// none if its replies fit in between, or too few do for that to be read.
fn last_said(server: &ServerProcess, reads: u64) -> Option<Session> {
    let mut session = deaf(server);
    let port = session.connection.stream().local_addr().unwrap().port();
    for sent in 1..=reads {
        send_read(&mut session);
        // One by one, as when they were counted.
        if !has_read(server, port, sent + 2) {
            return None;
        }
    }
    let mut auth = Writer::new();
    auth.int(-4).int(100).int(0).text(Some("nobody knows it")).buffer(Some(b"x"));
    session.connection.send(&auth.into_frame()).unwrap();
    session.connection.stream().set_nonblocking(true).unwrap();
    has_read(server, port, reads + 3).then_some(session)
}

/// Sends as many requests as the server takes, and reads nothing.
fn greedy(server: &ServerProcess) -> TcpStream {
    let mut session = Session::open(server.address(), 30_000).unwrap();
    let mut requests = Vec::new();
    for _ in 0..2000 {
        requests.extend(session.frame(4, |out| {
            out.text(Some("/large")).flag(false);
        }));
    }
    let mut stream = session.connection.stream().try_clone().unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    // Stops where the server stops reading.
    let _ = stream.write_all(&requests);
    stream
}

/// Events that a client does not read pile up to a limit; then the client is dropped.
#[test]
fn a_client_that_never_reads_its_events_is_dropped() {
    if !is_rookery() {
        return;
    }
    let server = start(&[]);
    let mut session = Session::open(server.address(), 30_000).unwrap();
    let long = format!("/{}", "x".repeat(100_000));
    session.create(&long, b"").unwrap();
    let mut write_much = || {
        for _ in 0..1000 {
            let answer = session.ask(5, |out| {
                out.text(Some(&long)).buffer(Some(b"x")).int(-1);
            });
            assert!(matches!(answer.unwrap(), Answer::Reply(0, _)));
        }
    };
    // What the writes themselves need, in the log and in its buffers, comes first.
    write_much();
    write_much();
    let mut deaf = Session::open(server.address(), 30_000).unwrap();
    let watch = deaf.ask(106, |out| {
        out.text(Some("/")).int(1);
    });
    assert!(matches!(watch.unwrap(), Answer::Reply(0, _)));
    let before = server.memory_bytes();
    // 1,000 events of 100 kB are three times the limit of 32 MiB.
    write_much();
    let grown = server.memory_bytes().saturating_sub(before);
    assert!(grown < 64 * MIB, "grew by {grown} bytes");
    let mut rest = Vec::new();
    let mut stream = deaf.connection.stream();
    stream.set_read_timeout(Some(WITHIN)).unwrap();
    // The end comes after what was on its way.
    let end = stream.read_to_end(&mut rest);
    assert!(end.is_ok() || end.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset));
    assert!(rest.len() < 64 << 20, "{} bytes were kept for it", rest.len());
    assert!(session.is_served().unwrap());
}

/// A client that reads slowly gets everything, in order.
#[test]
fn a_slow_reader_gets_everything() {
    let server = start(&[]);
    let mut session = Session::open(server.address(), 30_000).unwrap();
    session.create("/slow", &[b's'; 10_000]).unwrap();
    let mut requests = Vec::new();
    for _ in 0..500 {
        requests.extend(session.frame(4, |out| {
            out.text(Some("/slow")).flag(false);
        }));
    }
    let mut sending = session.connection.stream().try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || sending.write_all(&requests).unwrap());
        for index in 0..500 {
            if index % 50 == 0 {
                std::thread::sleep(Duration::from_millis(10));
            }
            assert!(
                matches!(session.answer().unwrap(), Answer::Reply(0, body) if body.len() > 10_000)
            );
        }
    });
}
