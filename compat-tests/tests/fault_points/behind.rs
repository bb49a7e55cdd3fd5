//! The walk of a server that was away for so long that it needs another one's checkpoint.

use std::time::{Duration, Instant};

use compat_tests::raw::{Answer, Session, Writer};
use fault_points::Point;

use crate::armed::{Action, Case, WITHIN, until};
use crate::ensemble::{TRIES, Trio};
use crate::plan::Scene;
use crate::{cases, walk};

const SET_DATA: i32 = 5;
/// More than the receiver writes before it syncs, in znodes of this size.
const LARGE_ZNODES: usize = 7;
const LARGE_BYTES: usize = 900_000;

/// Between the writes of a writer: they go on, but slower than a checkpoint is taken in.
const REST: Duration = Duration::from_millis(30);
/// Entries that servers keep behind a checkpoint.
const KEPT: usize = 30;
/// Writes between two checkpoints.
const SNAP_COUNT: usize = 100;

/// Walks the scenes of a server that is far behind.
pub(crate) fn walk_all(action: Action) {
    let what = format!("behind, {action:?}");
    let cases = cases(&[Scene::Behind, Scene::BehindLeader, Scene::BehindAgain], action);
    if cases.is_empty() {
        return;
    }
    // A checkpoint every few moments, and of the log behind it what comes while one is taken in.
    let settings = [
        ("tickTime", "1000"),
        ("snapCount", &SNAP_COUNT.to_string()),
        ("commitLogCount", &KEPT.to_string()),
    ];
    let mut trio = Trio::start(&settings, REST);
    write_large(&trio);
    walk(&what, &cases, |case| {
        let reached = (0..TRIES).find_map(|_| {
            let reached = play(&mut trio, case);
            if reached.is_none() {
                trio.heal(case);
            }
            reached
        });
        let reached =
            reached.unwrap_or_else(|| panic!("{case}: not reached: {}", trio.ensemble.outputs()));
        trio.check(reached, case);
        trio.heal(case);
    });
    trio.finish();
}

/// Where the point was reached. None if the server got what it missed from the log, which a
/// leader keeps for a moment, for one that has just taken in a checkpoint; or if another one
/// leads meanwhile.
fn play(trio: &mut Trio, case: &Case) -> Option<usize> {
    let (leader, victim) = trio.roles();
    trio.ensemble.kill(victim);
    go_on(trio, leader)?;
    if case.scene == Scene::BehindAgain {
        let first = Case { point: Point::InstallRenameReceived, action: Action::Crash, ..*case };
        first.arm(&trio.ensemble.dir_of(victim));
        trio.ensemble.spawn(victim).unwrap();
        until_reached(trio, &first, victim, victim)?;
        trio.check(victim, &first);
    }
    let armed = if case.scene == Scene::BehindLeader { leader } else { victim };
    if armed == leader {
        trio.arm(&[leader], case);
    } else {
        case.arm(&trio.ensemble.dir_of(victim));
    }
    trio.ensemble.spawn(victim).unwrap();
    until_reached(trio, case, armed, victim)
}

/// Waits until one comes to the point, or the server that is behind has caught up without.
fn until_reached(trio: &Trio, case: &Case, armed: usize, behind: usize) -> Option<usize> {
    let is_reached = || case.is_reached(&trio.ensemble.output(armed));
    until(case, || {
        assert!(!trio.load.has_failed(), "{case}: a writer failed");
        is_reached() || trio.ensemble.mode(behind).is_some()
    });
    is_reached().then_some(armed)
}

/// Writes more than the servers keep, an entry each, and on until the log of that is gone. None
/// if this server leads no more.
fn go_on(trio: &Trio, leader: usize) -> Option<()> {
    let mut session = Session::open(trio.ensemble.address(leader), 30_000).ok()?;
    for _ in 0..=KEPT {
        set_at_once(&mut session, 1)?;
    }
    // One may be on its way that has less.
    let enough = checkpoints(trio, leader)? + 2;
    let deadline = Instant::now() + WITHIN;
    while checkpoints(trio, leader)? < enough {
        assert!(Instant::now() < deadline, "no checkpoint: {}", trio.ensemble.outputs());
        set_at_once(&mut session, SNAP_COUNT)?;
    }
    Some(())
}

/// How many a server has written.
fn checkpoints(trio: &Trio, index: usize) -> Option<u64> {
    trio.ensemble.figure_if_shown(index, "cnt_snapshottime")?.parse().ok()
}

/// So many writes, in as few entries as may be. None if the server does not answer.
fn set_at_once(session: &mut Session, writes: usize) -> Option<()> {
    let set = |_, out: &mut Writer| {
        out.text(Some("/often")).buffer(Some(b"small now")).int(-1);
    };
    for answer in session.ask_all(writes, SET_DATA, set).ok()? {
        let Answer::Reply(error, _) = answer else { return None };
        assert_eq!(error, 0);
    }
    Some(())
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
