//! A walk over all named steps of the way of a write (`fault-points`): at each the server
//! crashes, fails or stalls; then everything that was acknowledged is there, once, in order,
//! sessions and ephemerals are kept, and the trees of several servers are equal.
//!
//! [`plan`] says where each point is reached. A point that was to be reached and was not is a
//! failure of the test, as is a point that is nowhere in the plan.
//!
//! Environment: `FAULT_POINTS=all` walks every case; else every point is walked once alone and
//! once among others, and the stalls of the log and of what is sent. `FAULT_POINTS_ONLY=log.sync,mark` walks all cases of the
//! points whose names contain one of these.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod armed;
mod behind;
mod ensemble;
mod lone;
mod plan;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Instant;

use compat_tests::prerequisites;
use fault_points::Point;

use crate::armed::{Action, Case};
use crate::plan::Scene;

/// The cases of a test: those of these scenes with this action.
fn cases(scenes: &[Scene], action: Action) -> Vec<Case> {
    prerequisites::rookery_faults_binary().unwrap();
    let only = std::env::var("FAULT_POINTS_ONLY").unwrap_or_default();
    let all = std::env::var("FAULT_POINTS").is_ok_and(|which| which == "all");
    plan::cases(action, all || !only.is_empty())
        .into_iter()
        .filter(|case| {
            scenes.contains(&case.scene)
                && only.split(',').any(|only| case.point.name().contains(only))
        })
        .collect()
}

fn say(line: &str) {
    writeln!(std::io::stdout().lock(), "{line}").unwrap();
}

/// Says what is walked, and at the end how much it was.
fn walk(what: &str, cases: &[Case], mut step: impl FnMut(&Case)) {
    let began = Instant::now();
    for case in cases {
        let since = Instant::now();
        step(case);
        say(&format!("{what}: {case}: {} ms", since.elapsed().as_millis()));
    }
    say(&format!("{what}: {} cases in {:?}", cases.len(), began.elapsed()));
}

#[test]
fn every_point_is_reached_somewhere() {
    let planned: BTreeSet<Point> =
        plan::cases(Action::Crash, true).iter().map(|case| case.point).collect();
    let missing: Vec<_> = Point::ALL.iter().filter(|point| !planned.contains(point)).collect();
    assert!(missing.is_empty(), "no scene reaches {missing:?}");
}

#[test]
fn a_shipped_binary_has_no_points() {
    let shipped = std::fs::read(prerequisites::rookery_binary().unwrap()).unwrap();
    let armed = std::fs::read(prerequisites::rookery_faults_binary().unwrap()).unwrap();
    let has = |binary: &[u8], text: &str| {
        binary.windows(text.len()).any(|window| window == text.as_bytes())
    };
    // Names that could stand there for no other reason.
    for name in [fault_points::FILE_VARIABLE, "log.fill-sync", "receive.sync-name"] {
        assert!(has(&armed, name), "{name} is not in the binary for tests");
        assert!(!has(&shipped, name), "{name} is in the binary that is shipped");
    }
}

#[test]
fn a_lone_server_loses_nothing_when_it_crashes_at_a_point() {
    lone::walk_all(Action::Crash);
}

#[test]
fn a_lone_server_loses_nothing_when_a_step_fails() {
    lone::walk_all(Action::Fail);
}

#[test]
fn a_lone_server_loses_nothing_when_a_step_stalls() {
    lone::walk_all(Action::Stall);
}

#[test]
fn three_servers_lose_nothing_when_one_crashes_at_a_point() {
    ensemble::walk_all(Action::Crash);
}

#[test]
fn three_servers_lose_nothing_when_a_step_of_one_fails() {
    ensemble::walk_all(Action::Fail);
}

#[test]
fn three_servers_lose_nothing_when_a_step_of_one_stalls() {
    ensemble::walk_all(Action::Stall);
}

#[test]
fn a_server_far_behind_catches_up_through_crashes() {
    behind::walk_all(Action::Crash);
}

#[test]
fn a_server_far_behind_catches_up_through_failures() {
    behind::walk_all(Action::Fail);
}
