//! kazoo and Apache's Java client at work while servers of an ensemble are killed, restarted and
//! wiped: each keeps its one session, and finds afterwards exactly what was acknowledged.
//!
//! Environment: `COMPAT_SERVER=zookeeper` runs the tests against Apache ZooKeeper.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use compat_tests::at_work::AtWork;
use compat_tests::ensemble::Ensemble;
use compat_tests::oracle::process::Software;

const WITHIN: Duration = Duration::from_secs(60);

/// All that may happen to servers, one at a time, while the client works.
fn survives(start: fn(&Ensemble) -> AtWork) {
    let settings = [("tickTime".to_owned(), "1000".to_owned())];
    let mut ensemble = Ensemble::start(Software::from_env(), 3, &settings).unwrap();
    let mut client = start(&ensemble);
    client.wait_for(20, &ensemble);
    for round in 0..4 {
        // kill -9, of the leader every other time.
        let leader = ensemble.wait_for_leader(WITHIN);
        let victim = if round % 2 == 0 { leader } else { (leader + 1) % 3 };
        ensemble.kill(victim);
        client.wait_for(20, &ensemble);
        ensemble.start_again(victim).unwrap();
        client.wait_for(20, &ensemble);
    }
    for index in 0..3 {
        // A rolling restart.
        ensemble.stop(index, Duration::from_secs(10));
        client.wait_for(20, &ensemble);
        ensemble.start_again(index).unwrap();
        client.wait_for(20, &ensemble);
    }
    let leader = ensemble.wait_for_leader(WITHIN);
    let victim = (leader + 1) % 3;
    ensemble.kill(victim);
    ensemble.wipe(victim);
    client.wait_for(20, &ensemble);
    ensemble.start_again(victim).unwrap();
    client.wait_for(20, &ensemble);
    client.take_stock(&ensemble);
}

#[test]
fn kazoo_keeps_its_session_and_its_writes() {
    survives(AtWork::kazoo);
}

#[test]
fn the_java_client_keeps_its_session_and_its_writes() {
    survives(AtWork::java);
}
