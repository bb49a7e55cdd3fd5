//! Followers that are behind: by less than the log, and by more.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use raft_log::{CheckpointStore as _, Role};

use crate::support::{Ensemble, until};

/// An ensemble that keeps little of its log, with a follower that was away too long, and
/// the leader's number and the follower's.
async fn with_one_far_behind() -> (Ensemble, i64, i64) {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.checkpoint_commands = 100;
    ensemble.keep_entries = 5;
    ensemble.start_all().await;
    let leader = ensemble.until_led().await;
    let away = (1..=3).find(|server| *server != leader).unwrap();
    ensemble.kill(away).await;
    for round in 0..40 {
        for number in 0..50 {
            let path = format!("/large-{round}-{number}");
            ensemble.node(leader).create_large(&path, 2000).await;
        }
        let last = format!("/large-{round}-49");
        until("applied", || ensemble.node(leader).tree.version(&last) == 0).await;
    }
    let purged = || {
        let log = &ensemble.disks[&leader].log;
        raft_log::LogDisk::state(&**log).unwrap().purged.map_or(0, |purged| purged.index)
    };
    until("the log is purged", || purged() > 20).await;
    (ensemble, leader, away)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_is_far_behind_gets_the_checkpoint() {
    let (mut ensemble, leader, away) = with_one_far_behind().await;
    ensemble.start(away).await;
    until("it has the state", || ensemble.node(away).tree.version("/large-39-49") == 0).await;
    assert!(ensemble.node(away).tree.restored.load(Ordering::Relaxed) > 0, "by a checkpoint");
    // Its own commands, before and after.
    ensemble.node(away).create("/a").await;
    until("it takes commands", || ensemble.node(leader).tree.version("/a") == 0).await;
    ensemble.until_equal().await;
    // And it has it after a restart.
    ensemble.kill(away).await;
    ensemble.start(away).await;
    until("again", || ensemble.node(away).tree.version("/a") == 0).await;
    ensemble.until_equal().await;
    ensemble.stop_all().await;
}

/// A checkpoint was once frozen each second for one that is away, and nothing applied meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_frozen_for_one_that_is_away() {
    let (mut ensemble, leader, away) = with_one_far_behind().await;
    let checkpoints = Arc::clone(&ensemble.disks[&leader].checkpoints);
    let frozen = || checkpoints.freezes.load(Ordering::Relaxed);
    until("it is tried", || frozen() > 0).await;
    let before = frozen();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(frozen() <= before + 1, "{} times in five seconds", frozen() - before);
    ensemble.start(away).await;
    until("it has the state", || ensemble.node(away).tree.version("/large-39-49") == 0).await;
    ensemble.until_equal().await;
    ensemble.stop_all().await;
}

/// A leader once ended when the checkpoint that another server needed could not be frozen.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_cannot_freeze_a_checkpoint_tries_again() {
    let (mut ensemble, leader, away) = with_one_far_behind().await;
    let checkpoints = Arc::clone(&ensemble.disks[&leader].checkpoints);
    let tried = || checkpoints.freezes.load(Ordering::Relaxed);
    checkpoints.is_full.store(true, Ordering::Relaxed);
    let before = tried();
    ensemble.start(away).await;
    until("it is tried again", || tried() > before + 2).await;
    ensemble.node(leader).create("/meanwhile").await;
    until("it goes on", || ensemble.node(leader).tree.version("/meanwhile") == 0).await;
    checkpoints.is_full.store(false, Ordering::Relaxed);
    until("it has the state", || ensemble.node(away).tree.version("/meanwhile") == 0).await;
    assert_eq!(ensemble.until_led().await, leader);
    ensemble.until_equal().await;
    ensemble.stop_all().await;
}

/// It once went on for ever: by the time a checkpoint was there, the log behind it was purged.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_behind_a_checkpoint_waits_for_who_is_being_sent_it() {
    let (mut ensemble, leader, away) = with_one_far_behind().await;
    ensemble.net.cut_after(leader, away, 1_500_000);
    ensemble.start(away).await;
    until("the checkpoint is on its way", || ensemble.net.is_cut(leader, away)).await;
    let newest = || {
        let frozen = ensemble.disks[&leader].checkpoints.freeze().unwrap().unwrap();
        frozen.meta().applied
    };
    ensemble.node(leader).create("/counter").await;
    let mut sets = 0;
    for _ in 0..3 {
        let before = newest();
        while newest() == before {
            for _ in 0..50 {
                ensemble.node(leader).set("/counter").await;
            }
            sets += 50;
            until("applied", || ensemble.node(leader).tree.version("/counter") == sets).await;
        }
    }
    ensemble.net.mend();
    until("it has it all", || ensemble.node(away).tree.version("/counter") == sets).await;
    assert_eq!(ensemble.node(away).tree.restored.load(Ordering::Relaxed), 1, "of one checkpoint");
    ensemble.until_equal().await;
    ensemble.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_server_gets_the_checkpoint_before_it_votes() {
    let (mut ensemble, leader, away) = with_one_far_behind().await;
    ensemble.wipe(away);
    ensemble.start(away).await;
    until("it votes in the place of its predecessor, and everybody knows", || {
        ensemble.nodes.values().all(|node| {
            let members = node.log.status().borrow().members.clone();
            !members.changing && members.members.len() == 3
        })
    })
    .await;
    assert_eq!(ensemble.node(away).log.status().borrow().role, Role::Following);
    assert_eq!(ensemble.node(away).tree.version("/large-39-49"), 0);
    assert!(ensemble.node(away).tree.restored.load(Ordering::Relaxed) > 0, "by a checkpoint");
    ensemble.kill(leader).await;
    ensemble.until_led().await;
    ensemble.node(away).create("/a").await;
    until("it counts", || ensemble.node(away).tree.version("/a") == 0).await;
    ensemble.until_equal().await;
    ensemble.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_breaks_off_is_completed_whoever_dies() {
    for victim_sends in [true, false] {
        let (mut ensemble, leader, away) = with_one_far_behind().await;
        ensemble.net.cut_after(leader, away, 1_500_000);
        ensemble.start(away).await;
        until("it is broken off in the middle", || ensemble.net.is_cut(leader, away)).await;
        assert_eq!(ensemble.node(away).tree.restored.load(Ordering::Relaxed), 0);
        let victim = if victim_sends { leader } else { away };
        ensemble.kill(victim).await;
        ensemble.net.mend();
        ensemble.start(victim).await;
        until("it has the state", || ensemble.node(away).tree.version("/large-39-49") == 0).await;
        ensemble.until_led().await;
        ensemble.node(away).create("/a").await;
        until("it goes on", || ensemble.nodes.values().all(|node| node.tree.version("/a") == 0))
            .await;
        ensemble.until_equal().await;
        ensemble.stop_all().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_was_away_for_a_moment_gets_the_log() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    let leader = ensemble.until_led().await;
    let away = (1..=3).find(|server| *server != leader).unwrap();
    ensemble.kill(away).await;
    ensemble.node(leader).create("/counter").await;
    for _ in 0..5000 {
        ensemble.node(leader).set("/counter").await;
    }
    ensemble.start(away).await;
    until("it has it all", || ensemble.node(away).tree.version("/counter") == 5000).await;
    assert_eq!(ensemble.node(away).tree.restored.load(Ordering::Relaxed), 0, "by the log");
    ensemble.until_equal().await;
    ensemble.stop_all().await;
}
