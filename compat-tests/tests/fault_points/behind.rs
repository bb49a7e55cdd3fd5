//! The walk of a server that was away for so long that it needs another one's checkpoint.

use std::time::Duration;

use compat_tests::raw::{Answer, Session};
use fault_points::Point;

use crate::armed::{Action, arm};
use crate::ensemble::Trio;
use crate::plan::Scene;
use crate::{cases, walk};

const SET_DATA: i32 = 5;
/// More than the receiver writes before it syncs, in znodes of this size.
const LARGE_ZNODES: usize = 7;
const LARGE_BYTES: usize = 900_000;

/// Between the writes of a writer: they go on, but slower than a checkpoint is taken in.
const REST: Duration = Duration::from_millis(30);
/// Entries that servers keep behind a checkpoint.
const KEPT: usize = 150;

/// Walks the scenes of a server that is far behind.
pub(crate) fn walk_all(action: Action) {
    let what = format!("behind, {action:?}");
    let cases = cases(&[Scene::Behind, Scene::BehindLeader, Scene::BehindAgain], action);
    if cases.is_empty() {
        return;
    }
    // A checkpoint every few moments, and of the log behind it what comes while one is taken in.
    let settings =
        [("tickTime", "1000"), ("snapCount", "100"), ("commitLogCount", &KEPT.to_string())];
    let mut trio = Trio::start(&settings, REST);
    write_large(&trio);
    walk(&what, &cases, |case| {
        let (leader, victim) = trio.roles();
        trio.ensemble.kill(victim);
        go_on(&trio, leader);
        let armed = if case.scene == Scene::BehindLeader { leader } else { victim };
        if case.scene == Scene::BehindAgain {
            arm(&trio.ensemble.dir_of(victim), &[(Point::InstallRenameReceived, 0, "crash")]);
            trio.ensemble.spawn(victim).unwrap();
            let ended = trio.ensemble.wait_exit(victim, crate::armed::WITHIN);
            assert!(ended.is_some(), "{case}: it does not crash: {}", trio.ensemble.outputs());
        }
        if armed == leader {
            trio.arm(&[leader], case);
        } else {
            case.arm(&trio.ensemble.dir_of(victim));
        }
        trio.ensemble.spawn(victim).unwrap();
        let reached = trio.wait_for_fault(&[armed], case);
        trio.check(reached, case);
        trio.heal(case);
    });
    trio.finish();
}

/// Writes more than the servers keep, an entry each.
fn go_on(trio: &Trio, leader: usize) {
    let mut session = Session::open(trio.ensemble.address(leader), 30_000).unwrap();
    for _ in 0..2 * KEPT {
        let answer = session.ask(SET_DATA, |out| {
            out.text(Some("/often")).buffer(Some(b"small now")).int(-1);
        });
        assert!(matches!(answer.unwrap(), Answer::Reply(0, _)));
    }
}

fn write_large(trio: &Trio) {
    let mut session = Session::open(trio.ensemble.address(0), 30_000).unwrap();
    assert!(matches!(session.create("/often", b"").unwrap(), Answer::Reply(0, _)));
    for number in 0..LARGE_ZNODES {
        let data = vec![u8::try_from(number).unwrap(); LARGE_BYTES];
        let answer = session.create(&format!("/large-{number}"), &data).unwrap();
        assert!(matches!(answer, Answer::Reply(0, _)), "{answer:?}");
    }
}
