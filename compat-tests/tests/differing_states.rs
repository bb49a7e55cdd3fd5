//! One server's state is not what the others have, and nothing in its own files says so: the
//! digests of all are compared, an alarm is raised, the odd one leaves service and gets its
//! data anew. What is altered here is Rookery's own; there is nothing to compare with.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use compat_tests::digests;
use compat_tests::ensemble::{Ensemble, patient};
use compat_tests::load::Load;
use compat_tests::oracle::process::{Software, four_letter_word, rookery_binary};
use compat_tests::raw::{Answer, Session, Writer, put_create};

const SESSION_MS: i32 = 30_000;
const WITHIN: Duration = Duration::from_secs(60);
const CREATE: i32 = 1;
const SYNC: i32 = 9;
const KEPT: &[u8] = b"as it was written";
const ALARM: &str = "the states of the servers differ";

/// Servers with checkpoints that hold `/kept/safe`.
fn ensemble(count: usize) -> Ensemble {
    let settings = patient(&[("snapCount", "200")]);
    let mut ensemble = Ensemble::prepare(Software::Rookery, count, &settings).unwrap();
    ensemble.with_admin_servers().unwrap();
    ensemble.start_all().unwrap();
    ensemble.wait_for_leader(WITHIN);
    let mut session = Session::open(ensemble.address(0), SESSION_MS).unwrap();
    for (path, data) in [("/kept", &b"folder"[..]), ("/kept/safe", KEPT)] {
        assert!(matches!(session.create(path, data).unwrap(), Answer::Reply(0, _)));
    }
    let checkpoints = |ensemble: &Ensemble, index| -> u64 {
        let shown = four_letter_word(ensemble.address(index), "mntr").unwrap();
        let line = shown.lines().find(|line| line.starts_with("zk_cnt_snapshottime\t"));
        line.and_then(|line| line.split('\t').nth(1)?.parse().ok()).unwrap_or(0)
    };
    let before: Vec<u64> = (0..count).map(|index| checkpoints(&ensemble, index)).collect();
    let deadline = Instant::now() + WITHIN;
    for number in 0.. {
        let taken = (0..count).all(|index| checkpoints(&ensemble, index) > before[index] + 1);
        if taken {
            break;
        }
        assert!(Instant::now() < deadline, "no checkpoints: {}", ensemble.outputs());
        let create = |part, out: &mut Writer| {
            put_create(out, &format!("/fill-{number}-{part}"), b"");
        };
        let answers = session.ask_all(50, CREATE, create).unwrap();
        assert!(answers.iter().all(Answer::is_success), "{answers:?}");
    }
    ensemble
}

/// Alters `/kept/safe` in the checkpoint of a server that does not run.
fn alter(ensemble: &Ensemble, index: usize, how: &str) {
    let program = rookery_binary().parent().unwrap().join("examples/alter_checkpoint");
    assert!(program.is_file(), "cargo build --release -p store --examples makes {program:?}");
    let mut command = Command::new(program);
    let done = command.arg(ensemble.data_dir(index)).args(["/kept/safe", how]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[track_caller]
fn until(ensemble: &Ensemble, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + WITHIN;
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what} {}", ensemble.outputs());
        thread::sleep(Duration::from_millis(20));
    }
}

fn mismatches(ensemble: &Ensemble, index: usize) -> u64 {
    ensemble.figure(index, "digest_mismatches_count").parse().unwrap()
}

/// What a server has, up to date.
fn kept(ensemble: &Ensemble, index: usize) -> Vec<u8> {
    let mut session = Session::open(ensemble.address(index), SESSION_MS).unwrap();
    let synced = session.ask(SYNC, |out| {
        out.text(Some("/"));
    });
    assert!(matches!(synced.unwrap(), Answer::Reply(0, _)));
    session.data("/kept/safe").unwrap().unwrap()
}

/// Under load and idle: the one that differs is found, leaves, and is as the others again.
#[test]
fn a_server_whose_state_differs_is_found_and_mended() {
    let mut ensemble = ensemble(3);
    let from = |first: usize| (0..3).map(|index| ensemble.address((first + index) % 3)).collect();
    let mut load = Some(Load::start((0..3).map(from), SESSION_MS));
    for _ in 0..2 {
        if let Some(load) = &load {
            load.wait_for(100);
        }
        let victim = (ensemble.wait_for_leader(WITHIN) + 1) % 3;
        ensemble.stop(victim, WITHIN);
        alter(&ensemble, victim, "agreeing");
        let said_before = [0, 1, 2].map(|index| ensemble.output(index).len());
        ensemble.spawn(victim).unwrap();
        let said = |index: usize, text: &str| ensemble.output(index).contains(text);
        until(&ensemble, "it leaves", || said(victim, "it leaves service"));
        until(&ensemble, "it begins anew", || said(victim, "this server begins anew"));
        // By the one that led then; another may lead now.
        let odd = format!("odd=\"server.{}\"", victim + 1);
        let alarm = |index: &usize| {
            let said = ensemble.output(*index).split_off(said_before[*index]);
            let is_alarm = |line: &&str| line.contains(ALARM) && line.contains(&odd);
            Some((*index, said.lines().find(is_alarm)?.to_owned()))
        };
        let others = [(victim + 1) % 3, (victim + 2) % 3];
        let (told, alarm) = others.iter().find_map(alarm).expect("an alarm");
        assert!(alarm.contains("ERROR") && alarm.contains("zxid=0x"), "{alarm}");
        assert!(mismatches(&ensemble, told) > 0, "server {told}");
        ensemble.wait_for_mode(victim, Some("follower"), WITHIN);
        assert!(ensemble.data_dir(victim).join("rookery.damaged").exists());
        for index in 0..3 {
            assert_eq!(kept(&ensemble, index), KEPT, "server {index}");
        }
        digests::until_equal(&ensemble);
        if let Some(load) = load.take() {
            load.wait_for(100);
            load.stop_and_verify();
        }
    }
}

/// Two servers that differ cannot tell who is right; the third can, and it is the leader that
/// has to go.
#[test]
fn a_leader_whose_state_differs_gives_way_once_there_is_a_majority() {
    let mut ensemble = ensemble(3);
    for index in 0..3 {
        ensemble.stop(index, WITHIN);
    }
    alter(&ensemble, 0, "agreeing");
    ensemble.spawn(0).unwrap();
    ensemble.spawn(1).unwrap();
    let leader = ensemble.wait_for_leader(WITHIN);
    until(&ensemble, "an alarm", || ensemble.output(leader).contains("no majority agrees"));
    if leader != 0 {
        let (status, body) = ensemble.hand_over(leader, 0).unwrap();
        assert_eq!(status, 200, "{body}");
        ensemble.wait_for_mode(0, Some("leader"), WITHIN);
        until(&ensemble, "an alarm", || ensemble.output(0).contains("no majority agrees"));
    }
    // Both go on as they are.
    ensemble.wait_for_mode(1, Some("follower"), WITHIN);
    assert_ne!(kept(&ensemble, 0), KEPT);
    assert_eq!(kept(&ensemble, 1), KEPT);

    ensemble.spawn(2).unwrap();
    until(&ensemble, "it begins anew", || ensemble.output(0).contains("this server begins anew"));
    ensemble.wait_for_mode(0, Some("follower"), WITHIN);
    for index in 0..3 {
        assert_eq!(kept(&ensemble, index), KEPT, "server {index}");
        let begun = ensemble.data_dir(index).join("rookery.damaged").exists();
        assert_eq!(begun, index == 0, "server {index}");
    }
    digests::until_equal(&ensemble);
}

/// The stored digest is not that of what is stored: damage, found when the server starts.
#[test]
fn a_checkpoint_that_contradicts_its_digest_is_damage() {
    let mut ensemble = ensemble(3);
    let victim = (ensemble.wait_for_leader(WITHIN) + 1) % 3;
    ensemble.stop(victim, WITHIN);
    alter(&ensemble, victim, "contradicting");
    ensemble.start_again(victim).unwrap();
    let said = ensemble.output(victim);
    assert!(said.contains("data is damaged") && said.contains("digest"), "{said}");
    assert!(ensemble.data_dir(victim).join("rookery.damaged").exists());
    for index in 0..3 {
        assert_eq!(kept(&ensemble, index), KEPT, "server {index}");
    }
    digests::until_equal(&ensemble);
}
