//! Commands taken by any server: applied once, in order, through changes of the leader; and
//! what servers tell each other besides.

use std::time::Duration;

use raft_log::{FromPeer, PeerMessage, Role};
use tree::{SessionId, Zxid};

use crate::support::{Ensemble, Node, Tree, until};

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_commands_are_applied_once_across_changes_of_the_leader() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    ensemble.until_led().await;
    for server in 1..=3 {
        ensemble.node(server).create(&format!("/counter-{server}")).await;
    }
    let feed = async {
        for round in 0..3334 {
            for server in 1..=3 {
                ensemble.node(server).set(&format!("/counter-{server}")).await;
            }
            if round % 10 == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    let disturb = async {
        let mut changes = 0;
        loop {
            for server in [1, 2, 3] {
                if ensemble.node(1).log.hand_over(Some(server)).await.is_ok() {
                    changes += 1;
                }
            }
            let leader = ensemble.leader().unwrap_or(1);
            ensemble.net.cut_off(leader, 1..=3);
            tokio::time::sleep(Duration::from_millis(100)).await;
            ensemble.net.mend();
            if changes >= 6 {
                return;
            }
        }
    };
    tokio::join!(feed, disturb);
    until("all are applied, each once", || {
        ensemble.nodes.values().all(|node| {
            (1..=3).all(|server| node.tree.version(&format!("/counter-{server}")) == 3334)
        })
    })
    .await;
    ensemble.until_equal().await;
    ensemble.stop_all().await;
}

/// The leader's own queue is never empty here: what others forward must get its turn.
#[tokio::test(flavor = "multi_thread")]
async fn a_busy_leader_does_not_keep_the_others_waiting() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    let leader = ensemble.until_led().await;
    let follower = if leader == 1 { 2 } else { 1 };
    ensemble.node(leader).create("/busy").await;
    let flood = async {
        loop {
            ensemble.node(leader).set("/busy").await;
            tokio::task::yield_now().await;
        }
    };
    let others = async {
        ensemble.node(follower).create("/other").await;
        for round in 1..=20 {
            ensemble.node(follower).set("/other").await;
            until("a follower's command is applied", || {
                ensemble.node(follower).tree.version("/other") == round
            })
            .await;
        }
    };
    tokio::select! {
        () = flood => {}
        () = others => {}
    }
    assert!(ensemble.node(leader).tree.version("/busy") > 1000, "the leader was busy");
    ensemble.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_barrier_waits_for_what_was_written_elsewhere() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    let leader = ensemble.until_led().await;
    ensemble.node(leader).create("/counter").await;
    for round in 1..=50 {
        ensemble.node(leader).set("/counter").await;
        until("applied at the leader", || ensemble.node(leader).tree.version("/counter") == round)
            .await;
        for node in ensemble.nodes.values() {
            node.log.read_barrier().await.unwrap();
            assert_eq!(node.tree.version("/counter"), round);
        }
    }
    let away = (1..=3).find(|server| *server != leader).unwrap();
    ensemble.net.cut_off(away, 1..=3);
    let barrier = ensemble.node(away).log.read_barrier();
    let ended = tokio::time::timeout(Duration::from_secs(10), barrier).await;
    assert!(ended.expect("it gives up").is_err(), "a server that is cut off cannot promise that");
    ensemble.net.mend();
    ensemble.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_hears_what_every_server_tells() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    let leader = ensemble.until_led().await;
    let mut messages = ensemble.node(leader).log.take_messages().unwrap();
    let mut told = Vec::new();
    for (server_id, node) in &ensemble.nodes {
        let message = PeerMessage::SessionsHeard(vec![SessionId(*server_id), SessionId(-7)]);
        assert!(node.log.tell_leader(&message));
        let digests = PeerMessage::Digests(vec![(Zxid(128), 7), (Zxid(256), u64::MAX)]);
        assert!(node.log.tell_leader(&digests));
        let (node, server_id) = (node.log.origin().node, *server_id);
        told.push(FromPeer { node, server_id, message });
        told.push(FromPeer { node, server_id, message: digests });
    }
    let mut heard = Vec::new();
    while heard.len() < told.len() {
        let next = tokio::time::timeout(Duration::from_secs(10), messages.recv()).await;
        heard.push(next.expect("messages arrive").unwrap());
    }
    heard.sort_by_key(|message| message.server_id);
    assert_eq!(heard, told);

    // And any server hears what it alone is told.
    let follower = if leader == 1 { 2 } else { 1 };
    let mut messages = ensemble.node(follower).log.take_messages().unwrap();
    let message = PeerMessage::StateDiffers { zxid: Zxid(128), yours: 7, theirs: u64::MAX };
    let (from, to) = (ensemble.node(leader), ensemble.node(follower).log.origin().node);
    assert!(from.log.tell(to, &message));
    let next = tokio::time::timeout(Duration::from_secs(10), messages.recv()).await;
    let heard = next.expect("messages arrive").unwrap();
    let node = from.log.origin().node;
    assert_eq!(heard, FromPeer { node, server_id: leader, message });
    ensemble.stop_all().await;
}

/// Both together are more than a message to a follower holds. They were once one entry, which
/// went nowhere, and nothing behind it.
#[tokio::test(flavor = "multi_thread")]
async fn two_of_the_largest_writes_at_once_are_replicated() {
    const LARGEST: usize = 32 << 20;
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    // A busy machine may take longer to forward than the others wait for their leader.
    for round in 0..5 {
        let leader = ensemble.until_led().await;
        let follower = (1..=3).find(|server| *server != leader).unwrap();
        let sent_before = ensemble.net.sent(follower, leader);
        // What comes while as many entries are on their way as may be goes into one.
        for other in (1..=3).filter(|other| *other != leader) {
            ensemble.net.cut_one_way(leader, other);
        }
        for first in 0..4 {
            ensemble.node(leader).create_large(&format!("/first-{first}-{round}"), 300_000).await;
        }
        ensemble.node(leader).create_large(&format!("/own-{round}"), LARGEST).await;
        ensemble.node(follower).create_large(&format!("/forwarded-{round}"), LARGEST).await;
        let is_forwarded = || ensemble.net.sent(follower, leader) >= sent_before + LARGEST;
        let another_leads = || {
            let leads = |(server, node): (&i64, &Node)| {
                *server != leader && node.log.status().borrow().role == Role::Leading
            };
            ensemble.nodes.iter().any(leads)
        };
        until("it is forwarded", || is_forwarded() || another_leads()).await;
        let is_one_entry = !another_leads();
        ensemble.net.mend();
        let paths = ["/first-3", "/own", "/forwarded"].map(|name| format!("{name}-{round}"));
        until("all are applied", || {
            let has_all = |tree: &Tree| paths.iter().all(|path| tree.version(path) == 0);
            ensemble.nodes.values().all(|node| has_all(&node.tree))
        })
        .await;
        if is_one_entry {
            break;
        }
        assert!(round < 4, "another one leads each time");
    }
    ensemble.until_equal().await;
    ensemble.stop_all().await;
}
