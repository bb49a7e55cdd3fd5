//! Clients that ask for much before they read anything: reads and writes of one session in
//! turn, with answers that are larger than what a server keeps for a client that does not read.

use std::thread;
use std::time::Duration;

use compat_tests::oracle::process::{ServerProcess, Software};
use compat_tests::raw::{Answer, Reader, Session, put_create};

const CREATE: i32 = 1;
const EXISTS: i32 = 3;
const GET_DATA: i32 = 4;
const SET_DATA: i32 = 5;
/// Many times this is the size of the answers that nobody reads at first.
const SIZE: usize = 200_000;
const ROUNDS: i32 = 8;
/// How long the client does not read: long enough that the server has taken all it can.
const UNREAD: Duration = Duration::from_millis(500);

fn set_data(session: &mut Session, byte: u8) -> Vec<u8> {
    session.frame(SET_DATA, |out| {
        out.text(Some("/large")).buffer(Some(&[byte; SIZE])).int(-1);
    })
}

fn get_data(session: &mut Session) -> Vec<u8> {
    session.frame(GET_DATA, |out| {
        out.text(Some("/large")).flag(false);
    })
}

/// A server met the write before a read that it had put off, and ended; the client went on to
/// the next server with the same requests, and that one ended, too.
#[test]
fn large_reads_between_writes_are_answered_in_turn() {
    let server = ServerProcess::start(Software::from_env(), &[]).unwrap();
    let mut session = Session::open(server.address(), 30_000).unwrap();
    let created = session.ask(CREATE, |out| put_create(out, "/large", &[0; SIZE])).unwrap();
    assert!(matches!(created, Answer::Reply(0, _)), "{created:?}");
    let mut frames = Vec::new();
    for round in 1..=ROUNDS {
        frames.extend(set_data(&mut session, u8::try_from(round).unwrap()));
        for _ in 0..3 {
            frames.extend(get_data(&mut session));
        }
    }
    session.connection.send(&frames).unwrap();
    thread::sleep(UNREAD);
    for round in 1..=ROUNDS {
        let written = session.answer().unwrap();
        assert!(matches!(written, Answer::Reply(0, _)), "round {round}: {written:?}");
        for _ in 0..3 {
            let Answer::Reply(0, body) = session.answer().unwrap() else { panic!("no data") };
            let data = Reader::new(&body).buffer("data").unwrap().unwrap_or_default();
            let expected = u8::try_from(round).unwrap();
            assert!(data.iter().all(|byte| *byte == expected), "round {round}: {}", data[0]);
            assert_eq!(data.len(), SIZE);
        }
    }
    assert!(session.is_served().unwrap());
}

/// What is read between two writes must be answered before the second is applied, and comes to
/// more here than is kept for a client: the client was dropped, at every server.
#[test]
fn forty_megabytes_between_two_writes_are_answered() {
    const MEGABYTE: usize = 1_000_000;
    const READS: usize = 40;
    let server = ServerProcess::start(Software::from_env(), &[]).unwrap();
    let mut session = Session::open(server.address(), 30_000).unwrap();
    let created = session.ask(CREATE, |out| put_create(out, "/large", &[0; MEGABYTE])).unwrap();
    assert!(matches!(created, Answer::Reply(0, _)), "{created:?}");
    let write =
        |session: &mut Session, path: &str| session.frame(CREATE, |out| put_create(out, path, b""));
    let mut frames = write(&mut session, "/before");
    for _ in 0..READS {
        frames.extend(get_data(&mut session));
    }
    frames.extend(write(&mut session, "/behind"));
    session.connection.send(&frames).unwrap();
    for number in 0..READS + 2 {
        let answer = session.answer().unwrap();
        assert!(matches!(answer, Answer::Reply(0, _)), "answer {number}: {answer:?}");
    }
}

/// Answers that there was no room for were sent only when the client asked for more.
#[test]
fn large_reads_behind_a_write_come_without_another_request() {
    let server = ServerProcess::start(Software::from_env(), &[]).unwrap();
    let mut session = Session::open(server.address(), 30_000).unwrap();
    let created = session.ask(CREATE, |out| put_create(out, "/large", &[0; SIZE])).unwrap();
    assert!(matches!(created, Answer::Reply(0, _)), "{created:?}");
    let mut frames = set_data(&mut session, 1);
    for _ in 0..3 * ROUNDS {
        frames.extend(get_data(&mut session));
    }
    frames.extend(session.frame(EXISTS, |out| {
        out.text(Some("/")).flag(false);
    }));
    session.connection.send(&frames).unwrap();
    for _ in 0..3 * ROUNDS + 2 {
        let answer = session.answer().unwrap();
        assert!(matches!(answer, Answer::Reply(0, _)), "{answer:?}");
    }
}
