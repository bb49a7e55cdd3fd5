//! The walk of a server that was away for so long that it needs another one's checkpoint.

use compat_tests::raw::{Answer, Session};
use fault_points::Point;

use crate::armed::{Action, arm};
use crate::ensemble::Trio;
use crate::plan::Scene;
use crate::{cases, walk};

/// More than the receiver writes before it syncs, in znodes of this size.
const LARGE_ZNODES: usize = 7;
const LARGE_BYTES: usize = 900_000;

/// Walks the scenes of a server that is far behind.
pub(crate) fn walk_all(action: Action) {
    let what = format!("behind, {action:?}");
    let cases = cases(&[Scene::Behind, Scene::BehindLeader, Scene::BehindAgain], action);
    if cases.is_empty() {
        return;
    }
    // Nothing of the log is kept behind a checkpoint, and there is one every few moments.
    let mut trio =
        Trio::start(&[("tickTime", "1000"), ("snapCount", "100"), ("commitLogCount", "1")]);
    write_large(&trio);
    walk(&what, &cases, |case| {
        let (leader, victim) = trio.roles();
        trio.ensemble.kill(victim);
        trio.load.wait_for(400);
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

fn write_large(trio: &Trio) {
    let mut session = Session::open(trio.ensemble.address(0), 30_000).unwrap();
    for number in 0..LARGE_ZNODES {
        let data = vec![u8::try_from(number).unwrap(); LARGE_BYTES];
        let answer = session.create(&format!("/large-{number}"), &data).unwrap();
        assert!(matches!(answer, Answer::Reply(0, _)), "{answer:?}");
    }
}
