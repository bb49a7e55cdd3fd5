//! What was acknowledged survives: kill -9 at many moments, an orderly stop, a second server
//! on the same data.
//!
//! Kill -9 loses what a process holds, not what the kernel holds: that data reaches the disk
//! before it is acknowledged is tested where the disk can be replaced, in `store`.
//!
//! Environment: `COMPAT_SERVER=zookeeper` runs the tests against Apache ZooKeeper.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use compat_tests::oracle::process::{ServerProcess, Software};
use compat_tests::raw::{Answer, Handshake, Session};
use compat_tests::server::{Server, client_settings};
use compat_tests::writer::{Writer, create_ephemeral, owner, verify_all};

/// Sessions must outlive the slowest restart.
const SESSION_MS: i32 = 30_000;
const WITHIN: Duration = Duration::from_secs(60);
/// How long the server runs before each kill, in milliseconds.
const RUNS_MS: [u64; 8] = [150, 20, 400, 5, 250, 60, 1, 120];
const WRITERS: usize = 3;
/// It takes some milliseconds, and another test keeps disk and processors busy.
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

#[test]
fn every_acknowledged_write_survives_kill_9() {
    let mut server = Server::start(client_settings()).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let progress = Arc::new(AtomicU64::new(0));
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let writer = Writer::start(vec![server.address()], number, SESSION_MS).unwrap();
            let (stop, progress) = (Arc::clone(&stop), Arc::clone(&progress));
            thread::spawn(move || writer.run(&stop, &progress))
        })
        .collect();
    for run in RUNS_MS {
        // Kills an idle server would prove nothing: wait until it works again.
        let before = progress.load(Ordering::Relaxed);
        let deadline = Instant::now() + WITHIN;
        while progress.load(Ordering::Relaxed) == before {
            assert!(Instant::now() < deadline, "no write was acknowledged");
            assert!(!writers.iter().any(thread::JoinHandle::is_finished), "a writer failed");
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(run));
        server.kill();
        server.start_again().unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let mut writers: Vec<_> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
    server.kill();
    server.start_again().unwrap();
    verify_all(&mut writers);
}

#[test]
fn an_orderly_stop_ends_and_keeps_everything() {
    let mut server = Server::start(client_settings()).unwrap();
    let mut session = Session::open(server.address(), SESSION_MS).unwrap();
    for number in 0_u32..200 {
        let answer = session.create(&format!("/n{number}"), &number.to_be_bytes());
        assert!(matches!(answer.unwrap(), Answer::Reply(0, _)));
    }
    create_ephemeral(&mut session, "/held").unwrap();
    for _ in 0..2 {
        let status = server.stop(STOPPED_WITHIN).expect("it ends by itself");
        if server.software() == Software::Rookery {
            assert_eq!(status.code(), Some(0));
        }
        server.start_again().unwrap();
        let handshake = Handshake::resume(SESSION_MS, &session.welcome);
        session = Session::open_with(server.address(), &handshake).unwrap();
        for number in 0_u32..200 {
            let data = session.data(&format!("/n{number}")).unwrap();
            assert_eq!(data, Some(number.to_be_bytes().to_vec()));
        }
        assert_eq!(owner(&mut session, "/held").unwrap(), Some(session.welcome.session_id));
    }
}

/// Two servers writing to one directory would destroy it. ZooKeeper does not notice, so this
/// is Rookery's alone.
#[test]
fn a_second_server_on_the_same_data_is_refused() {
    if Software::from_env() == Software::ZooKeeper {
        return;
    }
    let first = Server::start(client_settings()).unwrap();
    let mut session = Session::open(first.address(), SESSION_MS).unwrap();
    assert!(matches!(session.create("/kept", b"here").unwrap(), Answer::Reply(0, _)));

    let data = first.dir().join("data").display().to_string();
    let elsewhere = tempfile::tempdir().unwrap();
    let settings = [("dataDir".to_owned(), data.clone())];
    let mut second =
        ServerProcess::spawn_in(Software::Rookery, elsewhere.path(), &settings).unwrap();
    let status = second.wait_exit(Duration::from_secs(20)).expect("it gives up");
    assert!(!status.success(), "{status}");
    let output = second.output();
    let names_it = output.contains(&format!("{data}: another server is using"));
    assert!(names_it, "expected to be told that {data} is in use:\n{output}");

    assert_eq!(session.data("/kept").unwrap(), Some(b"here".to_vec()));
    assert!(matches!(session.create("/more", b"").unwrap(), Answer::Reply(0, _)));
}
