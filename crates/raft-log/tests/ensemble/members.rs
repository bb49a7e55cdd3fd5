//! Servers that come, go, change their role, or come back with an empty disk.

use std::pin::pin;

use raft_log::{ChangeError, MemberChange, Members, Role, ServerSpec};

use crate::support::{Ensemble, free_address, until};

/// Shorter than the shortest session.
const IN_TOUCH: std::time::Duration = std::time::Duration::from_secs(1);

/// Longer than a change may take that nothing holds up.
const ENDS_WITHIN: std::time::Duration = std::time::Duration::from_secs(20);

fn put(spec: ServerSpec) -> MemberChange {
    MemberChange { put: vec![spec], ..MemberChange::default() }
}

fn members(ensemble: &Ensemble, server: i64) -> Members {
    ensemble.node(server).log.status().borrow().members.clone()
}

/// Numbers of those that vote, in order, and of those that do not.
fn roles(members: &Members) -> (Vec<i64>, Vec<i64>) {
    let numbers = |voting: bool| {
        let members = members.members.iter().filter(|member| member.voting == voting);
        members.map(|member| member.server.server_id).collect()
    };
    (numbers(true), numbers(false))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_server_comes_back_under_its_number_as_a_new_node() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    for victim in 1..=3 {
        ensemble.until_led().await;
        let before = members(&ensemble, victim);
        ensemble.kill(victim).await;
        ensemble.wipe(victim);
        let witness = *ensemble.nodes.keys().next().unwrap();
        ensemble.node(witness).create(&format!("/without-{victim}")).await;
        ensemble.start(victim).await;
        let path = format!("/without-{victim}");
        until("it catches up", || ensemble.node(victim).tree.version(&path) == 0).await;
        until("it votes in the place of its predecessor", || {
            let members = members(&ensemble, victim);
            !members.changing && roles(&members) == (vec![1, 2, 3], vec![])
        })
        .await;
        let node = |members: &Members| {
            let mut members = members.members.iter();
            members.find(|member| member.server.server_id == victim).unwrap().node
        };
        assert_ne!(node(&before), node(&members(&ensemble, victim)), "under a new node id");
    }
    ensemble.until_equal().await;
    ensemble.stop_all().await;
}

/// Its new node waits to vote when a change makes an observer of it: both nodes observe then,
/// and the dead one was once a member for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_server_that_is_made_an_observer_before_it_is_back_is_one_member() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    let leader = ensemble.until_led().await;
    let victim = (1..=3).find(|server| *server != leader).unwrap();
    let former = ensemble.disks[&victim].node;
    ensemble.kill(victim).await;
    ensemble.wipe(victim);
    // It can ask to be taken in, and does not get the log.
    ensemble.net.cut_one_way(leader, victim);
    ensemble.start(victim).await;
    let nodes_of = |ensemble: &Ensemble| -> Vec<u64> {
        let members = members(ensemble, leader).members;
        let same = members.iter().filter(|member| member.server.server_id == victim);
        same.map(|member| member.node).collect()
    };
    until("both nodes are members", || nodes_of(&ensemble).len() == 2).await;
    let spec = ensemble.specs.iter().find(|spec| spec.server_id == victim).unwrap();
    let observer = ServerSpec { votes: false, ..spec.clone() };
    ensemble.node(leader).log.change_members(put(observer)).await.unwrap();
    ensemble.net.mend();
    until("the former node is gone", || {
        let nodes = nodes_of(&ensemble);
        nodes.len() == 1 && nodes[0] != former
    })
    .await;
    until("the new one observes", || {
        ensemble.node(victim).log.status().borrow().role == Role::Observing
    })
    .await;
    ensemble.node(victim).create("/a").await;
    until("its command", || ensemble.node(leader).tree.version("/a") == 0).await;
    ensemble.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_with_the_same_number_is_not_taken_in() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    let leader = ensemble.until_led().await;
    let before = members(&ensemble, leader);
    let number = (1..=3).find(|server| *server != leader).unwrap();
    // Another machine whose operator forgot to change `myid`.
    let mut other = Ensemble::new(0).await;
    let address = free_address();
    for spec in &ensemble.specs {
        let address = if spec.server_id == number { &address } else { &spec.addresses[0] };
        other.add(spec.server_id, address.clone(), address.clone());
    }
    other.wipe(number);
    other.disks.get_mut(&number).unwrap().node += 1_000_003;
    other.start(number).await;
    for _ in 0..20 {
        ensemble.node(leader).create("/a").await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(members(&ensemble, leader), before, "the one that is alive keeps its place");
    assert_eq!(other.node(number).log.status().borrow().role, Role::Joining);
    other.stop_all().await;
    ensemble.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_are_added_change_their_role_and_are_removed_while_commands_go_on() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    let leader = ensemble.until_led().await;
    ensemble.node(leader).create("/counter").await;
    let follower = (1..=3).find(|server| *server != leader).unwrap();
    let address = free_address();
    ensemble.add(4, address.clone(), address);
    let mut fourth = ensemble.specs[3].clone();
    fourth.votes = false;

    let added = ensemble.node(follower).log.change_members(put(fourth.clone())).await;
    added.expect("a quorum is there without the one that does not run yet");
    ensemble.start(4).await;
    until("it observes", || ensemble.node(4).log.status().borrow().role == Role::Observing).await;
    until("everybody knows", || {
        ensemble.nodes.keys().all(|server| {
            let members = members(&ensemble, *server);
            members.members.len() == 4 && roles(&members) == (vec![1, 2, 3], vec![4])
        })
    })
    .await;
    let version = members(&ensemble, follower).version();
    ensemble.node(4).set("/counter").await;
    until("an observer's command", || ensemble.node(4).tree.version("/counter") == 1).await;

    let stale = MemberChange { expected_version: Some(version - 1), ..put(fourth.clone()) };
    let stale = ensemble.node(follower).log.change_members(stale).await;
    assert_eq!(stale, Err(ChangeError::WrongVersion(version)));

    fourth.votes = true;
    let change = MemberChange { expected_version: Some(version), ..put(fourth) };
    ensemble.node(follower).log.change_members(change).await.unwrap();
    until("it votes", || ensemble.node(4).log.status().borrow().role == Role::Following).await;

    // The leader removes itself: another one leads, and goes on.
    let leader = ensemble.until_led().await;
    let remove = MemberChange { remove: vec![leader], ..MemberChange::default() };
    let asked = (1..=4).find(|server| *server != leader).unwrap();
    let gave_way = ensemble.node(asked).log.change_members(remove.clone()).await;
    assert_eq!(gave_way, Err(ChangeError::HandedOver), "one that stays does it");
    until("another one leads", || ensemble.leader().is_some_and(|other| other != leader)).await;
    ensemble.node(asked).log.change_members(remove).await.unwrap();
    until("the leader is removed", || {
        let members = members(&ensemble, asked);
        !members.changing
            && members.members.len() == 3
            && members.members.iter().all(|member| member.server.server_id != leader)
    })
    .await;
    ensemble.kill(leader).await;
    ensemble.until_led().await;
    ensemble.node(asked).set("/counter").await;
    until("the rest goes on", || {
        ensemble.nodes.values().all(|node| node.tree.version("/counter") == 2)
    })
    .await;
    ensemble.until_equal().await;
    ensemble.stop_all().await;
}

/// A node was added that stands for it, beside its own; both were to vote when it was heard again,
/// and the one that nobody runs was a member for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_added_again_while_it_is_taken_for_dead_is_one_member() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    let leader = ensemble.until_led().await;
    let address = free_address();
    ensemble.add(4, address.clone(), address);
    let voter = ensemble.specs[3].clone();
    let observer = ServerSpec { votes: false, ..voter.clone() };
    ensemble.node(leader).log.change_members(put(observer.clone())).await.unwrap();
    ensemble.start(4).await;
    let change = async |wanted| ensemble.node(leader).log.change_members(wanted).await.unwrap();
    until("it observes", || ensemble.node(4).log.status().borrow().role == Role::Observing).await;
    let own = ensemble.disks[&4].node;
    let is_heard = || {
        let lags = ensemble.node(leader).log.lags();
        let heard = lags.iter().find(|lag| lag.peer.node == own).and_then(|lag| lag.heard);
        heard.is_some_and(|heard| heard < std::time::Duration::from_millis(1500))
    };
    ensemble.net.cut_one_way(leader, 4);
    until("it is taken for dead", || !is_heard()).await;
    change(MemberChange { remove: vec![4], ..MemberChange::default() }).await;
    change(put(observer)).await;
    ensemble.net.mend();
    until("it is heard again", is_heard).await;
    change(put(voter)).await;
    until("it votes, and is there once", || {
        ensemble.nodes.keys().all(|server| {
            let members = members(&ensemble, *server);
            !members.changing && roles(&members) == (vec![1, 2, 3, 4], vec![])
        })
    })
    .await;
    ensemble.stop_all().await;
}

/// There is nobody among them to give the lead to first: it was refused, for ever.
#[tokio::test(flavor = "multi_thread")]
async fn all_servers_are_replaced_in_one_change() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    let leader = ensemble.until_led().await;
    ensemble.node(leader).create("/a").await;
    for number in 4..=6 {
        let address = free_address();
        ensemble.add(number, address.clone(), address);
        ensemble.start(number).await;
    }
    let put = ensemble.specs[3..].to_vec();
    let change = MemberChange { expected_version: None, put, remove: vec![1, 2, 3] };
    let changed = async {
        loop {
            match ensemble.node(leader).log.change_members(change.clone()).await {
                // They have not said yet that they are there.
                Err(ChangeError::NoQuorum) => {}
                outcome => return outcome,
            }
        }
    };
    tokio::time::timeout(ENDS_WITHIN, changed).await.unwrap().unwrap();
    until("the new ones alone are members", || {
        (4..=6).all(|number| {
            let members = members(&ensemble, number);
            !members.changing && roles(&members) == (vec![4, 5, 6], vec![])
        })
    })
    .await;
    for number in 1..=3 {
        ensemble.kill(number).await;
    }
    ensemble.until_led().await;
    ensemble.node(4).set("/a").await;
    until("they go on with what there was", || ensemble.node(6).tree.version("/a") == 1).await;
    ensemble.until_equal().await;
    ensemble.stop_all().await;
}

/// Its configuration is older than the one that leads: those whom it asks pass it on. They once
/// said that they could not do it, for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_know_the_leader_is_taken_in() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    let leader = ensemble.until_led().await;
    let address = free_address();
    ensemble.add(4, address.clone(), address);
    let fourth = ensemble.specs[3].clone();
    ensemble.node(leader).log.change_members(put(fourth)).await.unwrap();
    ensemble.specs.retain(|spec| spec.server_id != leader);
    ensemble.start(4).await;
    until("it votes", || {
        let members = members(&ensemble, leader);
        !members.changing && roles(&members) == (vec![1, 2, 3, 4], vec![])
    })
    .await;
    ensemble.node(4).create("/a").await;
    until("its command", || ensemble.node(leader).tree.version("/a") == 0).await;
    ensemble.stop_all().await;
}

/// What is left would have needed the dead one for a quorum: the change could never end, nor any
/// other begin, had it lost its disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_just_died_does_not_count_for_a_change() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    let leader = ensemble.until_led().await;
    let others: Vec<i64> = (1..=3).filter(|server| *server != leader).collect();
    let (victim, other) = (others[0], others[1]);
    let address = free_address();
    ensemble.add(4, address.clone(), address);
    let change = MemberChange { remove: vec![other], ..put(ensemble.specs[3].clone()) };
    let before = roles(&members(&ensemble, leader));
    ensemble.kill(victim).await;
    let refused = ensemble.node(leader).log.change_members(change.clone());
    let refused = tokio::time::timeout(ENDS_WITHIN, refused).await;
    assert_eq!(refused, Ok(Err(ChangeError::NoQuorum)));
    assert_eq!(roles(&members(&ensemble, leader)), before);

    let former = members(&ensemble, leader);
    ensemble.wipe(victim);
    ensemble.start(victim).await;
    until("it votes in the place of its predecessor", || {
        let members = members(&ensemble, leader);
        !members.changing && members != former && roles(&members) == before
    })
    .await;
    ensemble.node(leader).log.change_members(change).await.unwrap();
    ensemble.kill(other).await;
    ensemble.start(4).await;
    let mut after = vec![leader, victim, 4];
    after.sort_unstable();
    until("the new one votes", || roles(&members(&ensemble, leader)) == (after.clone(), vec![]))
        .await;
    ensemble.stop_all().await;
}

/// The leader alone would have voted, and one disk have been enough for an acknowledgement.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_server_that_dies_once_it_has_caught_up_does_not_count_for_a_change() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    let leader = ensemble.until_led().await;
    let before = roles(&members(&ensemble, leader));
    ensemble.node(leader).create("/a").await;
    for server_id in [4, 5] {
        let address = free_address();
        ensemble.add(server_id, address.clone(), address);
        // It can ask to be taken in, and does not get the log.
        ensemble.net.cut_one_way(leader, server_id);
        ensemble.start(server_id).await;
    }
    let change = MemberChange {
        put: ensemble.specs[3..].to_vec(),
        remove: (1..=3).filter(|server| *server != leader).collect(),
        ..MemberChange::default()
    };
    // Those that have not asked yet would be awaited under another node id.
    let both_are_waited_for = || {
        let nodes: Vec<u64> =
            members(&ensemble, leader).members.iter().map(|member| member.node).collect();
        [4, 5].iter().all(|server| nodes.contains(&ensemble.disks[server].node))
    };
    let refused = loop {
        let mut changing = pin!(ensemble.node(leader).log.change_members(change.clone()));
        tokio::select! {
            outcome = &mut changing => assert_eq!(outcome, Err(ChangeError::NoQuorum), "too early"),
            () = until("both are waited for", both_are_waited_for) => {
                ensemble.net.mend_one_way(leader, 4);
                until("it has the log", || ensemble.node(4).tree.version("/a") == 0).await;
                ensemble.node(4).log.kill().await;
                break changing.await;
            }
        }
    };
    assert_eq!(refused, Err(ChangeError::NoQuorum));
    assert_eq!(roles(&members(&ensemble, leader)), before);
    ensemble.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lead_is_handed_over_on_request_and_before_the_leader_stops() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    let first = ensemble.until_led().await;
    let second = (1..=3).find(|server| *server != first).unwrap();
    let in_touch = || ensemble.node(first).log.contact_age().is_some_and(|age| age < IN_TOUCH);
    until("it is in touch", in_touch).await;
    ensemble.node(second).log.hand_over(Some(second)).await.unwrap();
    assert!(in_touch(), "who gives way needs not send its clients away");
    until("the one asked for leads", || ensemble.leader() == Some(second)).await;
    ensemble.node(first).create("/counter").await;
    until("created", || ensemble.node(second).tree.version("/counter") == 0).await;
    ensemble.node(second).set("/counter").await;
    ensemble.stop(second).await;
    // What the one that stopped had taken was applied before it went.
    until("another one leads", || ensemble.leader().is_some()).await;
    until("nothing is lost", || {
        ensemble.nodes.values().all(|node| node.tree.version("/counter") == 1)
    })
    .await;
    ensemble.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn observers_of_the_configuration_are_members_and_do_not_count() {
    let mut ensemble = Ensemble::new(4).await;
    ensemble.specs[3].votes = false;
    for server in [1, 2, 4] {
        ensemble.start(server).await;
    }
    until("it observes", || ensemble.node(4).log.status().borrow().role == Role::Observing).await;
    ensemble.node(4).create("/a").await;
    until("its command", || ensemble.node(1).tree.version("/a") == 0).await;
    until("all are known", || {
        let members = members(&ensemble, 1);
        roles(&members) == (vec![1, 2, 3], vec![4]) && !members.changing
    })
    .await;
    // With two voters gone the third and the observer are no quorum.
    ensemble.kill(1).await;
    ensemble.node(2).create("/b").await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(ensemble.node(2).tree.version("/b"), -1);
    ensemble.start(1).await;
    until("a quorum again", || ensemble.node(2).tree.version("/b") == 0).await;
    ensemble.stop_all().await;
}

/// It was once a member twice, under its own node and under one that stands for a server that
/// has not come yet; that one never went.
#[tokio::test(flavor = "multi_thread")]
async fn a_founder_that_configurations_call_an_observer_by_now_stays_one_member() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    ensemble.until_led().await;
    ensemble.stop_all().await;
    ensemble.specs[0].votes = false;
    ensemble.start_all().await;
    ensemble.until_led().await;
    let address = free_address();
    ensemble.add(4, address.clone(), address);
    let fourth = ServerSpec { votes: false, ..ensemble.specs[3].clone() };
    ensemble.node(2).log.change_members(put(fourth)).await.unwrap();
    until("all are known", || {
        let members = members(&ensemble, 2);
        roles(&members) == (vec![1, 2, 3], vec![4]) && !members.changing
    })
    .await;
    ensemble.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_survivor_goes_on_alone_and_takes_the_others_in_again() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    ensemble.until_led().await;
    ensemble.node(1).create("/a").await;
    until("created", || ensemble.nodes.values().all(|node| node.tree.version("/a") == 0)).await;
    ensemble.stop_all().await;
    let survivor = ensemble.disks[&2].clone();
    let recovered =
        raft_log::recover(&*survivor.log, &*survivor.checkpoints, survivor.node, 4711).unwrap();
    assert_eq!(recovered.servers.len(), 3);
    ensemble.start(2).await;
    until("it leads alone", || ensemble.leader() == Some(2)).await;
    ensemble.node(2).create("/b").await;
    until("it takes commands", || ensemble.node(2).tree.version("/b") == 0).await;
    // One comes back from the dead with its old disk: it is of another cluster now.
    ensemble.start(1).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(ensemble.node(1).tree.version("/b"), -1);
    ensemble.kill(1).await;
    for server in [1, 3] {
        ensemble.wipe(server);
        ensemble.start(server).await;
    }
    until("they vote again, and everybody knows", || {
        ensemble.nodes.keys().all(|server| {
            let members = members(&ensemble, *server);
            !members.changing && roles(&members) == (vec![1, 2, 3], vec![])
        })
    })
    .await;
    until("with the state", || ensemble.nodes.values().all(|node| node.tree.version("/b") == 0))
        .await;
    ensemble.kill(2).await;
    ensemble.until_led().await;
    ensemble.until_equal().await;
    ensemble.stop_all().await;
}

/// It votes until those that are to vote have come, and leads them in.
#[tokio::test(flavor = "multi_thread")]
async fn an_observer_that_survives_alone_takes_the_voters_in_and_observes_again() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    let leader = ensemble.until_led().await;
    let address = free_address();
    ensemble.add(4, address.clone(), address);
    ensemble.specs[3].votes = false;
    let observer = ensemble.specs[3].clone();
    ensemble.node(leader).log.change_members(put(observer)).await.unwrap();
    ensemble.start(4).await;
    ensemble.node(leader).create("/a").await;
    until("it observes", || ensemble.node(4).tree.version("/a") == 0).await;
    ensemble.stop_all().await;
    let survivor = ensemble.disks[&4].clone();
    raft_log::recover(&*survivor.log, &*survivor.checkpoints, survivor.node, 4711).unwrap();
    ensemble.start(4).await;
    until("it leads alone", || ensemble.leader() == Some(4)).await;
    for server in 1..=3 {
        ensemble.wipe(server);
        ensemble.start(server).await;
    }
    until("they vote again, and it observes", || {
        ensemble.nodes.keys().all(|server| {
            let members = members(&ensemble, *server);
            !members.changing && roles(&members) == (vec![1, 2, 3], vec![4])
        })
    })
    .await;
    ensemble.until_led().await;
    ensemble.node(1).set("/a").await;
    until("with the state", || ensemble.nodes.values().all(|node| node.tree.version("/a") == 1))
        .await;
    ensemble.until_equal().await;
    ensemble.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_moved_to_another_address_is_found_there() {
    let mut ensemble = Ensemble::new(3).await;
    ensemble.start_all().await;
    for mover in [1, 3] {
        ensemble.until_led().await;
        ensemble.kill(mover).await;
        let address = free_address();
        let spec = ensemble.specs.iter_mut().find(|spec| spec.server_id == mover).unwrap();
        spec.addresses = vec![address.clone()];
        ensemble.net.know(mover, &address);
        ensemble.listen.insert(mover, address);
        let path = format!("/before-{mover}");
        ensemble.node(2).create(&path).await;
        ensemble.start(mover).await;
        until("it is reached", || ensemble.node(mover).tree.version(&path) == 0).await;
    }
    ensemble.until_led().await;
    ensemble.until_equal().await;
    ensemble.stop_all().await;
}
