//! A server that does not run asks whether the others serve without it.

use std::time::{Duration, Instant};

use raft_log::{NotServing, Others};

use crate::support::Ensemble;

/// As a server sees them that has this number and does not run.
fn others(ensemble: &Ensemble, server_id: i64) -> Others {
    Others::new(server_id, ensemble.specs.clone(), ensemble.net.transport_of(server_id))
}

async fn until_they_serve(others: &Others) {
    let since = Instant::now();
    while let Err(why) = others.serve().await {
        assert!(since.elapsed() < Duration::from_secs(30), "not within 30 seconds: {why}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[track_caller]
fn assert_no_majority(asked: &Result<(), NotServing>, answer: &str) {
    let Err(NotServing::NoMajority { needed: 2, answers }) = asked else { panic!("{asked:?}") };
    assert!(answers.iter().any(|text| text.starts_with(answer)), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_others_serve_while_a_majority_of_all_voters_follows_one_leader() {
    let mut ensemble = Ensemble::new(3).await;
    let asking = others(&ensemble, 3);
    assert_no_majority(&asking.serve().await, "server.1: ");
    ensemble.start(1).await;
    assert_no_majority(&asking.serve().await, "server.1 belongs to no cluster");
    ensemble.start(2).await;
    until_they_serve(&asking).await;
    // It was asked for nothing, and nobody noted who asked.
    let leader = ensemble.until_led().await;
    let members = ensemble.node(leader).log.status().borrow().members.clone();
    assert_eq!(members.members.len(), 3);
    assert!(members.members.iter().all(|one| one.is_awaited() == (one.server.server_id == 3)));

    ensemble.kill(3 - leader).await;
    let follower = format!("server.{}: ", 3 - leader);
    assert_no_majority(&asking.serve().await, &follower);
    ensemble.start(3 - leader).await;
    until_they_serve(&asking).await;
    ensemble.stop_all().await;
}

/// Nobody forgets the last leader before there is another one, not even that itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whom_no_quorum_answers_does_not_serve() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    let leader = ensemble.until_led().await;
    let away = leader % 3 + 1;
    let asking = others(&ensemble, away);
    ensemble.kill(away).await;
    until_they_serve(&asking).await;
    let follower = 6 - leader - away;
    ensemble.net.cut_off(leader, [follower]);
    let asked = asking.serve().await;
    let Err(NotServing::NoQuorum { leader: named, .. }) = asked else { panic!("{asked:?}") };
    assert_eq!(named, leader);
    ensemble.net.mend();
    until_they_serve(&asking).await;
    ensemble.stop_all().await;
}

/// The others have not noticed yet that their leader, which asks, has gone: whom they dial there
/// does not answer, and does not refuse either.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_asks_is_not_the_leader_itself() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    let former = ensemble.until_led().await;
    let asking = others(&ensemble, former);
    for other in (1..=3).filter(|other| *other != former) {
        ensemble.net.cut_one_way(other, former);
    }
    ensemble.kill(former).await;
    let first = (1..=3).find(|other| *other != former).unwrap();
    let text = format!("server.{first} takes this server for the leader");
    assert_no_majority(&asking.serve().await, &text);
    until_they_serve(&asking).await;
    ensemble.net.mend();
    assert_ne!(ensemble.until_led().await, former);
    ensemble.stop_all().await;
}
