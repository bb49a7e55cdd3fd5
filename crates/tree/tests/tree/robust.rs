//! Nothing that a client can send makes the state panic, and nobody else's text gets in.

use proptest::{
    collection::vec,
    option,
    prelude::{ProptestConfig, Strategy, any},
    prop_oneof, proptest,
    strategy::Just,
};
use tree::{
    AclEntry, Command, CommandFlags, CreateMode, Former, Identity, Millis, Op, Owner, Permissions,
    Query, Reject, SessionId, State, Zxid,
};

/// Owned stand-ins for what a command borrows.
#[derive(Clone, Debug)]
struct Wild {
    path: String,
    data: Option<Vec<u8>>,
    acl: Option<Vec<(i32, String, String)>>,
    identities: Vec<(String, String)>,
    mode: CreateMode,
    number: i32,
    kind: u8,
    session: i64,
    flags: u32,
}

fn wild() -> impl Strategy<Value = Wild> {
    let text = prop_oneof![any::<String>(), "[/.a:=%0-9,;+\\\\@\"]{0,12}", Just("/a".to_owned())];
    let path = prop_oneof![
        text.clone(),
        "(/[ab]){0,3}",
        "/zookeeper(/quota(/a(/zookeeper_(limits|stats))?)?)?"
    ];
    let scheme = proptest::sample::select(
        &["world", "auth", "digest", "ip", "sasl", "x509", "super", ""][..],
    );
    let scheme = scheme.prop_map(str::to_owned);
    let acl = option::of(vec((any::<i32>(), scheme.clone(), text.clone()), 0..4));
    let mode = (any::<u8>(), any::<i64>()).prop_map(|(kind, ttl_ms)| match kind % 8 {
        0 => CreateMode::Persistent,
        1 => CreateMode::Ephemeral,
        2 => CreateMode::PersistentSequential,
        3 => CreateMode::EphemeralSequential,
        4 => CreateMode::Container,
        5 => CreateMode::PersistentWithTtl { ttl_ms },
        6 => CreateMode::PersistentWithTtl { ttl_ms: 1 },
        _ => CreateMode::PersistentSequentialWithTtl { ttl_ms },
    });
    let who = vec((scheme, text), 0..3);
    let numbers = (any::<i32>(), any::<u8>(), 0..3_i64, any::<u32>());
    (path, option::of(vec(any::<u8>(), 0..40)), acl, who, mode, numbers).prop_map(
        |(path, data, acl, identities, mode, (number, kind, session, flags))| Wild {
            path,
            data,
            acl,
            identities,
            mode,
            number,
            kind,
            session,
            flags,
        },
    )
}

fn op(wild: &Wild, nested: bool) -> Op<'_> {
    let acl = wild.acl.as_ref().map(|entries| {
        let entry = |(perms, scheme, id)| AclEntry { perms: Permissions(perms), scheme, id };
        entries
            .iter()
            .map(|(perms, scheme, id)| entry((*perms, scheme.as_str(), id.as_str())))
            .collect()
    });
    let path = wild.path.as_str();
    let data = wild.data.as_deref();
    let version = if wild.number % 2 == 0 { -1 } else { wild.number };
    let some_path = (wild.number % 5 != 0).then_some(path);
    match wild.kind % 14 {
        0..=3 => Op::Create { path, data, acl, mode: wild.mode },
        4 => Op::Delete { path, version },
        5 => Op::SetData { path: some_path, data, version },
        6 => Op::SetAcl { path: some_path, acl, version },
        7 => Op::Check { path: some_path, version },
        8 if nested => Op::Multi(Vec::new()),
        8 => Op::OpenSession { timeout_ms: wild.number },
        9 => Op::AttachSession {
            timeout_ms: wild.number,
            former: match wild.number % 3 {
                0 => Former::Anybody,
                1 => Former::Owner(Owner(1)),
                _ => Former::Unknown,
            },
        },
        10 => Op::CloseSession,
        11 => Op::ExpireSession {
            session: SessionId(wild.session),
            owner: Owner(1),
            term: u64::try_from(wild.number % 3).ok(),
        },
        12 => Op::Reconfig { refused: None, before: Zxid(i64::from(wild.number % 3)) },
        _ => Op::Reap { path },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nothing_a_client_sends_panics(wilds in vec(wild(), 1..40), group in 1..5_usize) {
        let mut state = State::new();
        for (turn, some) in wilds.chunks(group).enumerate() {
            let wild = &some[0];
            let who = wild.identities.iter();
            let identities: Vec<Identity<'_>> =
                who.map(|(scheme, id)| Identity { scheme, id }).collect();
            let op = if some.len() == 1 {
                op(wild, false)
            } else {
                Op::Multi(some.iter().map(|wild| op(wild, true)).collect())
            };
            let flags = CommandFlags(wild.flags);
            let session = SessionId(wild.session);
            let command = Command { session, owner: Owner(1), xid: 0, flags, identities, op };
            let outcome = state.apply(Millis(i64::from(wild.number)), &command);
            assert_ne!(outcome.result, Err(Reject::OutOfSequence));
            let path = wild.path.as_str();
            let queries = [
                Query::Exists { path },
                Query::GetData { path },
                Query::GetChildren { path },
                Query::GetAcl { path },
                Query::CountDescendants { path },
                Query::Ephemerals { session, prefix: (turn % 2 == 0).then_some(path) },
            ];
            for query in queries {
                let _ = state.query(&query, &command.identities, flags);
            }
        }
        let _ = crate::script::dump(&state);
    }
}
