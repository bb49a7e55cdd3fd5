//! Servers that are cut off: the others go on, and nobody is led astray.

use std::time::{Duration, Instant};

use raft_log::Role;

use crate::support::{Ensemble, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_cut_off_is_replaced_in_time_and_its_commands_are_not_lost() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    let former = ensemble.until_led().await;
    ensemble.node(former).create("/counter").await;
    until("created", || ensemble.nodes.values().all(|node| node.tree.version("/counter") == 0))
        .await;
    ensemble.net.cut_off(former, 1..=3);
    let since = Instant::now();
    // Taken by a leader that no longer is one: applied when it is back, once.
    ensemble.node(former).set("/counter").await;
    let others: Vec<i64> = (1..=3).filter(|server| *server != former).collect();
    for other in &others {
        ensemble.node(*other).set("/counter").await;
    }
    until("writes on the other side", || {
        others.iter().all(|other| ensemble.node(*other).tree.version("/counter") == 2)
    })
    .await;
    let took = since.elapsed();
    assert!(took < Duration::from_millis(2500), "{took:?}");
    let age = || ensemble.node(former).log.contact_age();
    until("the former leader knows that it is cut off", || {
        age().is_none_or(|age| age > Duration::from_secs(2))
    })
    .await;
    assert_eq!(ensemble.node(former).tree.version("/counter"), 0);
    ensemble.net.mend();
    until("all commands, each once", || {
        ensemble.nodes.values().all(|node| node.tree.version("/counter") == 3)
    })
    .await;
    until("in touch again", || age().is_some_and(|age| age < Duration::from_millis(500))).await;
    ensemble.until_equal().await;
    ensemble.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_is_cut_off_disturbs_nobody_when_it_comes_back() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    let leader = ensemble.until_led().await;
    let term = ensemble.node(leader).log.status().borrow().term;
    ensemble.node(leader).create("/counter").await;
    let away = (1..=3).find(|server| *server != leader).unwrap();
    ensemble.net.cut_off(away, 1..=3);
    ensemble.node(away).set("/counter").await;
    for _ in 0..100 {
        ensemble.node(leader).set("/counter").await;
    }
    until("the others go on", || ensemble.node(leader).tree.version("/counter") == 100).await;
    until("it knows that it is cut off", || {
        ensemble.node(away).log.contact_age().is_none_or(|age| age > Duration::from_secs(3))
    })
    .await;
    ensemble.net.mend();
    until("it catches up, and its command is applied", || {
        ensemble.nodes.values().all(|node| node.tree.version("/counter") == 101)
    })
    .await;
    let status = ensemble.node(leader).log.status().borrow().clone();
    assert_eq!((status.role, status.term), (Role::Leading, term), "no election was needed");
    ensemble.until_equal().await;
    ensemble.stop_all().await;
}

/// It once said "just now" until somebody answered it: whoever could hear it, and not the
/// others, would have served for as long as that lasted.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_no_quorum_has_answered_does_not_say_that_it_is_in_touch() {
    let mut ensemble = Ensemble::new(4).await;
    ensemble.specs[3].votes = false;
    ensemble.start_all().await;
    let former = ensemble.until_led().await;
    ensemble.node(former).create("/a").await;
    until("created", || ensemble.nodes.values().all(|node| node.tree.version("/a") == 0)).await;
    let voters: Vec<i64> = (1..=3).filter(|server| *server != former).collect();
    // Votes go over connections that are there; what a leader sends needs new ones.
    for voter in &voters {
        ensemble.node(*voter).log.report().await.expect("it asks the others");
    }
    for (from, to) in [(voters[0], voters[1]), (voters[1], voters[0])] {
        ensemble.net.dial_no_more(from, to);
    }
    ensemble.kill(former).await;
    let led_by = || {
        let status = ensemble.node(4).log.status().borrow().clone();
        status.leader.map(|leader| leader.server_id)
    };
    until("the observer hears the next leader", || {
        led_by().is_some_and(|leader| voters.contains(&leader))
    })
    .await;
    let age = || ensemble.node(4).log.contact_age();
    let long = Duration::from_secs(4);
    until("it knows of no quorum", || age().is_none_or(|age| age > long)).await;
    ensemble.net.mend();
    until("in touch again", || age().is_some_and(|age| age < Duration::from_secs(1))).await;
    ensemble.stop_all().await;
}
