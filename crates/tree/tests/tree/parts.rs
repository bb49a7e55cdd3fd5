//! Single promises: sequences of origins, terms, digest points, accessors, big parents.

use tree::{
    AclList, AclView, Answer, CommandFlags, Identity, Millis, OriginId, Permissions, Query,
    SessionId, State, Zxid,
};

use crate::script::{Scene, dump, parse_command};

#[test]
fn a_fresh_state_has_zookeepers_numbers() {
    let state = State::new();
    assert_eq!(state.node_count(), 5);
    assert_eq!(state.approximate_data_size(), 44);
    assert_eq!(state.last_zxid(), Zxid::ZERO);
    assert_eq!(state.ephemerals_count(), 0);
    assert_eq!(state.config_data(), b"");
}

#[test]
fn a_term_starts_an_epoch_above_the_last_and_not_below_the_term() {
    // Terms entered one after the other, and the epoch after each.
    let table: [(&[u64], u32); 6] = [
        (&[1], 1),
        (&[1, 1], 1),
        (&[1, 2], 2),
        (&[5, 7], 7),
        (&[5, 3], 5),
        (&[u64::MAX], (1 << 31) - 1),
    ];
    for (terms, epoch) in table {
        let mut state = State::new();
        terms.iter().for_each(|term| state.enter_term(*term));
        assert_eq!(state.last_zxid(), Zxid::start_of_epoch(epoch), "{terms:?}");
    }
}

#[test]
fn past_the_last_epoch_zxids_still_grow() {
    let mut state = State::new();
    state.enter_term(u64::MAX - 1);
    let before = state.apply(Millis(0), &parse_command("check / 0", CommandFlags::default())).zxid;
    state.enter_term(u64::MAX);
    let after = state.apply(Millis(0), &parse_command("check / 0", CommandFlags::default())).zxid;
    assert!(before < after && before.0 > 0);
}

#[test]
fn an_origin_is_admitted_in_sequence_and_once() {
    let (first, second) = (1, 2);
    // Incarnation, sequence, whether it is admitted.
    let steps = [
        (first, 2, false),
        (first, 1, true),
        (first, 1, false),
        (first, 3, false),
        (first, 2, true),
        (second, 3, false),
        (second, 2, false),
        (first, 3, true),
        (second, 1, true),
        (first, 4, false),
        (second, 2, true),
    ];
    let mut state = State::new();
    for (incarnation, sequence, admitted) in steps {
        let origin = OriginId { node: 9, incarnation };
        assert_eq!(state.admit(origin, sequence), admitted, "{incarnation} {sequence}");
    }
    assert!(state.admit(OriginId { node: 8, incarnation: 7 }, 1), "each node for itself");
}

#[test]
fn digests_are_noted_at_every_128th_zxid_and_1024_are_kept() {
    let mut state = State::new();
    let command = parse_command("create /n ps", CommandFlags::default());
    for _ in 0..128 * 1030 {
        let _ = state.apply(Millis(1), &command);
    }
    let points: Vec<(Zxid, u64)> = state.digest_points().collect();
    assert_eq!(points.len(), 1024);
    assert_eq!(points[0].0, Zxid(128 * 7));
    assert_eq!(points.last(), Some(&(Zxid(128 * 1030), state.digest())));
}

#[test]
fn a_parent_of_many_children_stays_whole() {
    const CHILDREN: usize = 100_000;
    let mut state = State::new();
    let empty = dump(&state);
    let numbered = parse_command("create /n ps", CommandFlags::default());
    for _ in 0..CHILDREN {
        let _ = state.apply(Millis(1), &numbered);
    }
    let Ok(Answer::Children { names, stat }) =
        state.query(&Query::GetChildren { path: "/" }, &[], CommandFlags::default())
    else {
        panic!("the root has children")
    };
    assert_eq!((names.len(), stat.num_children), (CHILDREN + 1, 100_001));
    // From the middle outwards, so that every kind of removal happens.
    let middle = CHILDREN / 2;
    for offset in 0..middle {
        for child in [middle + offset, middle - 1 - offset] {
            let line = format!("delete /n{child:010}");
            let outcome = state.apply(Millis(1), &parse_command(&line, CommandFlags::default()));
            assert!(outcome.result.is_ok(), "{line}");
        }
    }
    assert_eq!(dump(&state).lines().count(), empty.lines().count());
}

#[test]
fn changes_carry_the_acls_at_the_time() {
    let mut scene = Scene::new();
    scene.run("create /p acl=world:anyone:cdr");
    let command = parse_command("create /p/c acl=digest:a:b:r", CommandFlags::SCHEME_DIGEST);
    let outcome = scene.state.apply(Millis(1), &command);
    let change = &outcome.changes[0];
    let bob = [Identity { scheme: "digest", id: "a:b" }];
    assert!(change.acl.permits(Permissions::READ, &bob));
    assert!(!change.acl.permits(Permissions::READ, &[]));
    assert!(change.parent_acl.permits(Permissions::READ, &[]));
    assert!(!change.parent_acl.permits(Permissions::WRITE, &bob));
    assert_eq!(scene.state.acl_of("/p/c"), Some(change.acl.clone()));
    assert_eq!(scene.state.acl_of("/"), Some(AclView::Open));
    assert!(AclList::default().permits(Permissions::ALL, &[]), "an empty list permits");
}

#[test]
fn sessions_and_their_ephemerals_come_in_order() {
    let mut scene = Scene::new();
    scene.run("s3 open 3000\ns1 open 1000\ns3 create /z e\ns3 create /y e\ns1 create /x e");
    let ids: Vec<i64> = scene.state.sessions().map(|(id, _)| id.0).collect();
    assert_eq!(ids, [1, 3]);
    assert_eq!(scene.state.session(SessionId(3)).map(|session| session.timeout_ms), Some(3000));
    let owned = scene.state.ephemerals_by_session();
    assert_eq!(owned[1], (SessionId(3), vec!["/y".to_owned(), "/z".to_owned()]));
    assert_eq!(scene.state.ephemerals_count(), 3);
}

#[test]
fn containers_never_used_are_found_by_age() {
    let mut scene = Scene::new();
    scene.run("create /never c\ncreate /used c\ncreate /used/x\ndelete /used/x");
    assert_eq!(scene.state.containers_never_used(Millis(1001)), ["/never"]);
    assert!(scene.state.containers_never_used(Millis(1000)).is_empty());
}

#[test]
fn a_state_can_be_read_from_many_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<State>();
}

#[test]
fn a_huge_acl_is_checked_in_reasonable_time() {
    let ids: Vec<String> = (0..60_000).map(|id| format!("u:{}", id / 2)).collect();
    let entry = |id| tree::AclEntry { perms: Permissions::READ, scheme: "digest", id };
    let acl = Some(ids.iter().map(|id| entry(id.as_str())).collect());
    let mut command = parse_command("create /a", CommandFlags::SCHEME_DIGEST);
    command.op =
        tree::Op::Create { path: "/a", data: None, acl, mode: tree::CreateMode::Persistent };
    let mut state = State::new();
    assert!(state.apply(Millis(1), &command).result.is_ok());
    let Some(AclView::List(list)) = state.acl_of("/a") else { panic!("not open") };
    assert_eq!(list.iter().count(), 30_000);
}
