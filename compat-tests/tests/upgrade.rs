//! A rolling upgrade as `docs/operations.md` has it: one server at a time, the leader last, while
//! clients work. No session dies, nothing acknowledged is lost, and no client waits for long.
//!
//! Environment: `UPGRADE_FROM` names the binary of an older version. Without it the servers
//! change from one copy of the build under test to another: a rolling restart. That servers of
//! two versions of the peer protocol agree on one is tested in `raft-log` (`peer/handshake.rs`).

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use compat_tests::at_work::AtWork;
use compat_tests::digests;
use compat_tests::ensemble::{Ensemble, patient};
use compat_tests::load::Load;
use compat_tests::oracle::process::{Software, rookery_binary};

const SESSION_MS: i32 = 30_000;
const WITHIN: Duration = Duration::from_secs(60);

#[test]
fn servers_are_upgraded_one_after_the_other_under_load() {
    let dir = tempfile::tempdir().unwrap();
    let before = std::env::var_os("UPGRADE_FROM").map_or_else(
        || {
            let copy = dir.path().join("rookery");
            fs::copy(rookery_binary(), &copy).unwrap();
            copy
        },
        PathBuf::from,
    );
    let settings = patient(&[("snapCount", "1000")]);
    let mut ensemble = Ensemble::prepare(Software::Rookery, 3, &settings).unwrap();
    for index in 0..3 {
        ensemble.set_program(index, Some(before.clone()));
    }
    ensemble.start_all().unwrap();
    let from = |first: usize| (0..3).map(|index| ensemble.address((first + index) % 3)).collect();
    let load = Load::start((0..3).map(from), SESSION_MS);
    let mut kazoo = AtWork::kazoo(&ensemble);
    load.wait_for(2000);
    let leader = ensemble.wait_for_leader(WITHIN);
    for index in [(leader + 1) % 3, (leader + 2) % 3, leader] {
        // The leader hands over before it ends.
        ensemble.stop(index, WITHIN);
        ensemble.set_program(index, None);
        load.wait_for(500);
        ensemble.start_again(index).unwrap();
        // Two versions side by side.
        load.wait_for(2000);
        kazoo.wait_for(20, &ensemble);
    }
    kazoo.take_stock(&ensemble);
    load.stop_and_verify();
    for index in 0..3 {
        let said = ensemble.output(index);
        for bad in ["unknown kind", "another version", "states of the servers differ"] {
            assert!(!said.contains(bad), "server {index}: {said}");
        }
    }
    digests::until_equal(&ensemble);
}
