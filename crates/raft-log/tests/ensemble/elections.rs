//! Forming a cluster, electing, losing and replacing leaders.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use raft_log::Role;

use crate::support::{Ensemble, until};

#[tokio::test(flavor = "multi_thread")]
async fn three_servers_that_start_together_form_one_cluster_and_replicate() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    ensemble.until_led().await;
    for server_id in 1..=3 {
        ensemble.node(server_id).create(&format!("/from-{server_id}")).await;
    }
    for node in ensemble.nodes.values() {
        for from in 1..=3 {
            until("every create everywhere", || node.tree.version(&format!("/from-{from}")) == 0)
                .await;
        }
    }
    ensemble.until_equal().await;
    let members = ensemble.node(1).log.status().borrow().members.clone();
    assert_eq!(members.members.len(), 3);
    assert!(members.members.iter().all(|member| member.voting && member.shown));
    ensemble.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_leader_is_replaced_at_once() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    let leader = ensemble.until_led().await;
    ensemble.node(leader).create("/counter").await;
    until("created", || ensemble.nodes.values().all(|node| node.tree.version("/counter") == 0))
        .await;
    let killed = Instant::now();
    ensemble.kill(leader).await;
    let survivor = *ensemble.nodes.keys().next().unwrap();
    ensemble.node(survivor).set("/counter").await;
    until("a write after the kill", || {
        ensemble.nodes.values().all(|node| node.tree.version("/counter") == 1)
    })
    .await;
    let took = killed.elapsed();
    assert!(took < Duration::from_millis(700), "without waiting for a timeout: {took:?}");
    ensemble.start(leader).await;
    until("the former leader catches up", || ensemble.node(leader).tree.version("/counter") == 1)
        .await;
    ensemble.until_equal().await;
    ensemble.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_three_are_enough_and_the_third_joins_later() {
    for missing in 1..=3 {
        let mut ensemble = Ensemble::new(3).await;
        let present: Vec<i64> = (1..=3).filter(|server| *server != missing).collect();
        for server in &present {
            ensemble.start(*server).await;
        }
        ensemble.until_led().await;
        ensemble.node(present[0]).create("/a").await;
        until("created", || ensemble.node(present[1]).tree.version("/a") == 0).await;
        ensemble.start(missing).await;
        until("the third has it, too", || ensemble.node(missing).tree.version("/a") == 0).await;
        until("and votes", || ensemble.node(missing).log.status().borrow().role == Role::Following)
            .await;
        let members = || ensemble.node(present[0]).log.status().borrow().members.clone();
        until("nobody stands in for it", || {
            let members = members();
            !members.changing && members.members.len() == 3
        })
        .await;
        assert!(members().members.iter().all(|member| member.voting));
        ensemble.stop_all().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_them_can_be_killed_and_started_again() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    ensemble.until_led().await;
    ensemble.node(1).create("/counter").await;
    until("created", || ensemble.nodes.values().all(|node| node.tree.version("/counter") == 0))
        .await;
    let mut sets = 0;
    for round in 0..6 {
        let victim = if round % 2 == 0 { ensemble.until_led().await } else { 1 + round % 3 };
        ensemble.kill(victim).await;
        for node in ensemble.nodes.values() {
            for _ in 0..20 {
                node.set("/counter").await;
                sets += 1;
            }
        }
        until("what was taken is applied", || {
            ensemble.nodes.values().all(|node| node.tree.version("/counter") == sets)
        })
        .await;
        ensemble.start(victim).await;
        until("the victim catches up", || ensemble.node(victim).tree.version("/counter") == sets)
            .await;
    }
    ensemble.until_equal().await;
    ensemble.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_them_can_be_killed_at_once() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    ensemble.until_led().await;
    ensemble.node(1).create("/counter").await;
    for round in 1..=3 {
        until("created", || ensemble.node(1).tree.version("/counter") >= 0).await;
        ensemble.node(1).set("/counter").await;
        until("set", || ensemble.node(1).tree.version("/counter") == round).await;
        ensemble.stop_all().await;
        ensemble.start_all().await;
        ensemble.until_led().await;
        until("what was acknowledged is there", || {
            ensemble.nodes.values().all(|node| node.tree.version("/counter") == round)
        })
        .await;
    }
    ensemble.until_equal().await;
    ensemble.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_founding_that_is_interrupted_again_and_again_forms_one_cluster() {
    let mut ensemble = Ensemble::new(3).await;
    for round in 0..12_u64 {
        ensemble.start_all().await;
        tokio::time::sleep(Duration::from_millis(round * 17 % 120)).await;
        ensemble.stop_all().await;
    }
    ensemble.start_all().await;
    ensemble.until_led().await;
    ensemble.node(1).create("/a").await;
    until("one cluster", || ensemble.nodes.values().all(|node| node.tree.version("/a") == 0)).await;
    ensemble.until_equal().await;
    ensemble.stop_all().await;
}

/// openraft does nothing else while it waits for a purge, and once did wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_disk_stands_still_while_it_purges_keeps_its_lead() {
    let mut ensemble = Ensemble::new(3).await;
    (ensemble.checkpoint_commands, ensemble.keep_entries) = (100, 5);
    ensemble.start_all().await;
    let leader = ensemble.until_led().await;
    let term = ensemble.node(leader).log.status().borrow().term;
    let disk = Arc::clone(&ensemble.disks[&leader].log);
    disk.hold_purging();
    ensemble.node(leader).create("/counter").await;
    let mut sets = 0;
    while !disk.stands_still() {
        ensemble.node(leader).set("/counter").await;
        sets += 1;
        until("applied", || ensemble.node(leader).tree.version("/counter") == sets).await;
    }
    let since = Instant::now();
    until("a quorum is heard after two seconds without a disk", || {
        let heard = ensemble.node(leader).log.contact_age().map(|age| Instant::now() - age);
        heard > Some(since + Duration::from_secs(2))
    })
    .await;
    disk.release();
    ensemble.node(leader).set("/counter").await;
    until("it writes again", || ensemble.node(leader).tree.version("/counter") == sets + 1).await;
    assert_eq!(ensemble.until_led().await, leader);
    assert_eq!(ensemble.node(leader).log.status().borrow().term, term, "it led all the while");
    ensemble.until_equal().await;
    ensemble.stop_all().await;
}
