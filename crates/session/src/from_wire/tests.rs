//! Every operation, every create flag and every kind of nonsense, as tables.

use expect_test::{Expect, expect};

use super::*;
use crate::testing::Bytes;

const EXTENDED: Settings = Settings {
    extended_types: true,
    reconfig_enabled: false,
    command_flags: tree::CommandFlags(0),
};

fn show(request: &Bytes, settings: &Settings) -> String {
    let parsed = parse(&request.0, settings);
    match parsed.action {
        Action::Write { op: Op::Reject(reject), .. } => format!("rejected: {reject:?}"),
        Action::Write { op, shape } => format!("{op:?} -> {shape:?}"),
        Action::Local(Local::Refuse(refusal)) => {
            format!("refused: {:?}, {:?}, {:?}", refusal.code, refusal.zxid, refusal.then)
        }
        Action::Local(local) => format!("{local:?}"),
        action @ (Action::Auth { .. } | Action::Reconfig(_) | Action::Close) => {
            format!("{action:?}")
        }
    }
}

fn check(requests: impl IntoIterator<Item = (String, Bytes)>, expected: &Expect) {
    let lines = requests
        .into_iter()
        .map(|(name, request)| format!("{name}: {}\n", show(&request, &Settings::default())));
    expected.assert_eq(&lines.collect::<String>());
}

fn named(rows: Vec<(&str, Bytes)>) -> Vec<(String, Bytes)> {
    rows.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect()
}

/// A body that every operation can decode is not there; so each gets its own.
fn well_formed(op: i32) -> Bytes {
    let request = Bytes::request(7, op);
    match op {
        1 | 15 | 19 => request.create(Some("/a"), 0),
        21 => request.create(Some("/a"), 5).long(1000),
        2 | 13 | 17 | 18 => request.text("/a").int(3),
        106 => request.text("/a").int(1),
        3 | 4 | 8 | 12 => request.text("/a").boolean(true),
        5 => request.text("/a").buffer(b"x").int(3),
        6 | 9 | 20 | 103 | 104 => request.text("/a"),
        7 => request.text("/a").open_acl().int(3),
        14 => request.element(2).text("/a").int(3).end(),
        16 => request.null().null().null().long(-1),
        22 => request.element(4).text("/a").boolean(true).end(),
        100 => request.int(0).text("digest").buffer(b"a:b"),
        101 => request.long(5).int(1).text("/a").int(1).text("/b").int(1).text("/c"),
        105 => request.long(5).int(0).int(0).int(0).int(1).text("/d").int(1).text("/e"),
        102 => request.buffer(b""),
        _ => request,
    }
}

#[test]
fn every_operation() {
    let numbers = (-12..=0).chain(1..=25).chain(99..=108);
    let requests = numbers.map(|op| (op.to_string(), well_formed(op)));
    check(
        requests,
        &expect![[r#"
        -12: refused: Unimplemented, Fixed(-1), Close
        -11: CloseSession -> Empty
        -10: refused: Unimplemented, Fixed(-1), Close
        -9: refused: Unimplemented, Fixed(-1), Close
        -8: refused: Unimplemented, Fixed(-1), Close
        -7: refused: Unimplemented, Fixed(-1), Close
        -6: refused: Unimplemented, Fixed(-1), Close
        -5: refused: Unimplemented, Fixed(-1), Close
        -4: refused: Unimplemented, Fixed(-1), Close
        -3: refused: Unimplemented, Fixed(-1), Close
        -2: refused: Unimplemented, Fixed(-1), Close
        -1: refused: Unimplemented, Fixed(-1), Close
        0: refused: Unimplemented, Fixed(-1), Close
        1: Create { path: "/a", data: Some([120]), acl: Some([AclEntry { perms: Permissions(31), scheme: "world", id: "anyone" }]), mode: Persistent } -> Path
        2: Delete { path: "/a", version: 3 } -> Empty
        3: Read(Read { query: Exists { path: "/a" }, watch: DataIfReadOrMissing, stat: Sent })
        4: Read(Read { query: GetData { path: "/a" }, watch: DataIfRead, stat: Sent })
        5: SetData { path: Some("/a"), data: Some([120]), version: 3 } -> Stat
        6: Read(Read { query: GetAcl { path: "/a" }, watch: None, stat: Sent })
        7: SetAcl { path: Some("/a"), acl: Some([AclEntry { perms: Permissions(31), scheme: "world", id: "anyone" }]), version: 3 } -> Stat
        8: Read(Read { query: GetChildren { path: "/a" }, watch: ChildIfRead, stat: Left })
        9: Sync { path: Some("/a") }
        10: refused: Unimplemented, Fixed(-1), Close
        11: Ping
        12: Read(Read { query: GetChildren { path: "/a" }, watch: ChildIfRead, stat: Sent })
        13: refused: Unimplemented, Fixed(-1), Close
        14: Multi([Delete { path: "/a", version: 3 }]) -> Multi([Delete])
        15: Create { path: "/a", data: Some([120]), acl: Some([AclEntry { perms: Permissions(31), scheme: "world", id: "anyone" }]), mode: Persistent } -> PathAndStat
        16: rejected: ReconfigDisabled
        17: CheckWatches { path: "/a", kind: Any }
        18: RemoveWatches { path: "/a", kind: Any }
        19: Create { path: "/a", data: Some([120]), acl: Some([AclEntry { perms: Permissions(31), scheme: "world", id: "anyone" }]), mode: Container } -> PathAndStat
        20: refused: Unimplemented, Fixed(-1), Close
        21: rejected: Unimplemented
        22: MultiRead(MultiRead { reads: [Read { query: GetData { path: "/a" }, watch: None, stat: Sent }], fails_at_end: false })
        23: refused: Unimplemented, Fixed(-1), Close
        24: refused: Unimplemented, Fixed(-1), Close
        25: refused: Unimplemented, Fixed(-1), Close
        99: refused: Unimplemented, Fixed(-1), Close
        100: Auth { scheme: "digest", data: Some([97, 58, 98]) }
        101: SetWatches(SetWatches { last_seen: Zxid(5), data: ["/a"], exist: ["/b"], child: ["/c"], persistent: [], recursive: [], fails_at_end: false })
        102: Sasl
        103: Ephemerals { prefix: Some("/a") }
        104: Read(Read { query: CountDescendants { path: "/a" }, watch: None, stat: Sent })
        105: SetWatches(SetWatches { last_seen: Zxid(5), data: [], exist: [], child: [], persistent: ["/d"], recursive: ["/e"], fails_at_end: false })
        106: AddWatch { path: "/a", mode: PersistentRecursive }
        107: WhoAmI
        108: refused: Unimplemented, Fixed(-1), Close
    "#]],
    );
}

#[test]
fn every_operation_with_an_empty_body() {
    let numbers = (1..=22).chain(100..=107);
    let requests = numbers.map(|op| (op.to_string(), Bytes::request(7, op)));
    check(
        requests,
        &expect![[r#"
        1: refused: MarshallingError, LastApplied, Continue
        2: refused: MarshallingError, LastApplied, Continue
        3: refused: MarshallingError, LastApplied, Continue
        4: refused: MarshallingError, LastApplied, Continue
        5: refused: MarshallingError, LastApplied, Continue
        6: refused: MarshallingError, LastApplied, Continue
        7: refused: MarshallingError, LastApplied, Continue
        8: refused: MarshallingError, LastApplied, Continue
        9: refused: MarshallingError, LastApplied, Continue
        10: refused: Unimplemented, Fixed(-1), Close
        11: Ping
        12: refused: MarshallingError, LastApplied, Continue
        13: refused: Unimplemented, Fixed(-1), Close
        14: rejected: Marshalling
        15: refused: MarshallingError, LastApplied, Continue
        16: refused: MarshallingError, LastApplied, Continue
        17: refused: MarshallingError, LastApplied, Continue
        18: refused: MarshallingError, LastApplied, Continue
        19: refused: MarshallingError, LastApplied, Continue
        20: refused: Unimplemented, Fixed(-1), Close
        21: refused: MarshallingError, LastApplied, Continue
        22: refused: MarshallingError, LastApplied, Continue
        100: Close
        101: refused: MarshallingError, LastApplied, Continue
        102: Close
        103: refused: MarshallingError, LastApplied, Continue
        104: refused: MarshallingError, LastApplied, Continue
        105: refused: MarshallingError, LastApplied, Continue
        106: refused: MarshallingError, LastApplied, Continue
        107: WhoAmI
    "#]],
    );
}

#[test]
fn a_truncated_header_closes_the_connection() {
    for length in 0..8 {
        let request = Bytes::request(7, 11);
        let parsed = parse(&request.0[..length], &Settings::default());
        assert_eq!(parsed.action, Action::Close);
    }
}

#[test]
fn null_paths() {
    let request = |op| Bytes::request(7, op);
    check(
        named(vec![
            ("create", request(1).create(None, 0)),
            ("create with a bad flag", request(1).create(None, 9)),
            ("delete", request(2).null().int(-1)),
            ("setData", request(5).null().buffer(b"").int(-1)),
            ("setACL", request(7).null().open_acl().int(-1)),
            ("exists", request(3).null().boolean(true)),
            ("getData", request(4).null().boolean(true)),
            ("getChildren", request(8).null().boolean(true)),
            ("getChildren2", request(12).null().boolean(true)),
            ("getACL", request(6).null()),
            ("getAllChildrenNumber", request(104).null()),
            ("getEphemerals", request(103).null()),
            ("sync", request(9).null()),
            ("addWatch", request(106).null().int(0)),
            ("checkWatches", request(17).null().int(1)),
            ("removeWatches", request(18).null().int(1)),
            ("setWatches, path", request(101).long(5).int(1).null().int(0).int(0)),
            ("setWatches, list", request(101).long(5).int(0).null().int(0)),
            ("setWatches2, list", request(105).long(5).int(0).int(0).int(0).null().int(0)),
            ("auth", request(100).int(0).null().buffer(b"")),
            ("auth without data", request(100).int(0).text("digest").null()),
        ]),
        &expect![[r#"
            create: rejected: Marshalling
            create with a bad flag: rejected: BadArguments
            delete: rejected: Marshalling
            setData: SetData { path: None, data: Some([]), version: -1 } -> Stat
            setACL: SetAcl { path: None, acl: Some([AclEntry { perms: Permissions(31), scheme: "world", id: "anyone" }]), version: -1 } -> Stat
            exists: refused: MarshallingError, LastApplied, Continue
            getData: refused: MarshallingError, LastApplied, Continue
            getChildren: refused: MarshallingError, LastApplied, Continue
            getChildren2: refused: MarshallingError, LastApplied, Continue
            getACL: refused: MarshallingError, LastApplied, Continue
            getAllChildrenNumber: refused: MarshallingError, LastApplied, Continue
            getEphemerals: Ephemerals { prefix: None }
            sync: Sync { path: None }
            addWatch: AddWatch { path: "", mode: Persistent }
            checkWatches: CheckWatches { path: "", kind: Children }
            removeWatches: RemoveWatches { path: "", kind: Children }
            setWatches, path: refused: MarshallingError, LastApplied, Continue
            setWatches, list: SetWatches(SetWatches { last_seen: Zxid(5), data: [], exist: [], child: [], persistent: [], recursive: [], fails_at_end: true })
            setWatches2, list: SetWatches(SetWatches { last_seen: Zxid(5), data: [], exist: [], child: [], persistent: [], recursive: [], fails_at_end: true })
            auth: refused: AuthFailed, Fixed(0), Close
            auth without data: Auth { scheme: "digest", data: None }
        "#]],
    );
}

#[test]
fn a_null_list_of_watches_fails_the_request_when_its_turn_comes() {
    let watches = Bytes::request(7, 101).long(5).int(1).text("/a").int(-1).int(1).text("/c");
    check(
        named(vec![("a null list between others", watches)]),
        &expect![[r#"
            a null list between others: SetWatches(SetWatches { last_seen: Zxid(5), data: ["/a"], exist: [], child: [], persistent: [], recursive: [], fails_at_end: true })
        "#]],
    );
}

#[test]
fn a_time_to_live_that_cannot_be_is_found_before_a_null_path() {
    let create = || Bytes::request(7, 21).create(None, 5);
    let shown = [-1, 1].map(|ttl| show(&create().long(ttl), &EXTENDED));
    assert_eq!(shown, ["rejected: BadArguments", "rejected: Marshalling"]);
}

#[test]
fn null_data_and_null_acls_are_passed_on() {
    let request = |op| Bytes::request(7, op);
    check(
        named(vec![
            ("create", request(1).text("/a").null().null().int(0)),
            ("setData", request(5).text("/a").null().int(-1)),
            ("setACL", request(7).text("/a").null().int(-1)),
            ("null scheme and id", request(7).text("/a").int(1).int(1).null().null().int(-1)),
        ]),
        &expect![[r#"
            create: Create { path: "/a", data: None, acl: None, mode: Persistent } -> Path
            setData: SetData { path: Some("/a"), data: None, version: -1 } -> Stat
            setACL: SetAcl { path: Some("/a"), acl: None, version: -1 } -> Stat
            null scheme and id: SetAcl { path: Some("/a"), acl: Some([AclEntry { perms: Permissions(1), scheme: "", id: "" }]), version: -1 } -> Stat
        "#]],
    );
}

#[test]
fn modes_and_types_of_watches() {
    let rows = (-1..=3).map(|mode| (format!("addWatch {mode}"), (106, mode)));
    let types = (0..=6).map(|kind| (format!("removeWatches {kind}"), (18, kind)));
    let requests = rows
        .chain(types)
        .map(|(name, (op, number))| (name, Bytes::request(7, op).text("/a").int(number)));
    check(
        requests,
        &expect![[r#"
        addWatch -1: refused: MarshallingError, LastApplied, Continue
        addWatch 0: AddWatch { path: "/a", mode: Persistent }
        addWatch 1: AddWatch { path: "/a", mode: PersistentRecursive }
        addWatch 2: refused: MarshallingError, LastApplied, Continue
        addWatch 3: refused: MarshallingError, LastApplied, Continue
        removeWatches 0: refused: MarshallingError, LastApplied, Continue
        removeWatches 1: RemoveWatches { path: "/a", kind: Children }
        removeWatches 2: RemoveWatches { path: "/a", kind: Data }
        removeWatches 3: RemoveWatches { path: "/a", kind: Any }
        removeWatches 4: RemoveWatches { path: "/a", kind: Persistent }
        removeWatches 5: RemoveWatches { path: "/a", kind: PersistentRecursive }
        removeWatches 6: refused: MarshallingError, LastApplied, Continue
    "#]],
    );
}

#[test]
fn reconfig_is_off_or_left_to_the_ensemble() {
    let request = well_formed(16);
    let enabled = Settings { reconfig_enabled: true, ..Settings::default() };
    assert_eq!(show(&request, &Settings::default()), "rejected: ReconfigDisabled");
    expect!["Reconfig(Reconfig { joining: None, leaving: None, members: None, version: -1 })"]
        .assert_eq(&show(&request, &enabled));
}

/// What a create makes, shortened to its mode.
fn mode_of(request: &Bytes, settings: &Settings) -> String {
    match parse(&request.0, settings).action {
        Action::Write { op: Op::Create { mode, .. }, shape } => format!("{mode:?} -> {shape:?}"),
        Action::Write { op: Op::Multi(ops), shape } => match &ops[..] {
            [Op::Create { mode, .. }] => format!("{mode:?} -> {shape:?}"),
            other => format!("{other:?} -> {shape:?}"),
        },
        Action::Write { op: Op::Reject(reject), .. } => format!("rejected: {reject:?}"),
        other @ (Action::Write { .. }
        | Action::Local(_)
        | Action::Auth { .. }
        | Action::Reconfig(_)
        | Action::Close) => format!("{other:?}"),
    }
}

/// Every create operation with every flag, alone and within a multi.
fn flags(settings: &Settings) -> String {
    let mut table = String::new();
    for (name, op) in [("create", 1), ("create2", 15), ("createContainer", 19), ("createTTL", 21)] {
        for flags in -1..=7 {
            let body = |request: Bytes| {
                let request = request.create(Some("/a"), flags);
                if op == 21 { request.long(1000) } else { request }
            };
            let alone = mode_of(&body(Bytes::request(7, op)), settings);
            let element = mode_of(&body(Bytes::request(7, 14).element(op)).end(), settings);
            table += &format!("{name} {flags}: {alone} | {element}\n");
        }
    }
    table
}

#[test]
fn create_flags() {
    expect![[r#"
        create -1: rejected: BadArguments | rejected: Marshalling
        create 0: Persistent -> Path | Persistent -> Multi([Create])
        create 1: Ephemeral -> Path | Ephemeral -> Multi([Create])
        create 2: PersistentSequential -> Path | PersistentSequential -> Multi([Create])
        create 3: EphemeralSequential -> Path | EphemeralSequential -> Multi([Create])
        create 4: Persistent -> Path | Container -> Multi([Create2])
        create 5: rejected: BadArguments | rejected: Marshalling
        create 6: rejected: BadArguments | rejected: Marshalling
        create 7: rejected: BadArguments | rejected: Marshalling
        create2 -1: rejected: BadArguments | rejected: Marshalling
        create2 0: Persistent -> PathAndStat | Persistent -> Multi([Create2])
        create2 1: Ephemeral -> PathAndStat | Ephemeral -> Multi([Create2])
        create2 2: PersistentSequential -> PathAndStat | PersistentSequential -> Multi([Create2])
        create2 3: EphemeralSequential -> PathAndStat | EphemeralSequential -> Multi([Create2])
        create2 4: Persistent -> PathAndStat | Container -> Multi([Create2])
        create2 5: rejected: BadArguments | rejected: Marshalling
        create2 6: rejected: BadArguments | rejected: Marshalling
        create2 7: rejected: BadArguments | rejected: Marshalling
        createContainer -1: rejected: BadArguments | rejected: Marshalling
        createContainer 0: Container -> PathAndStat | Container -> Multi([Create2])
        createContainer 1: Container -> PathAndStat | Container -> Multi([Create2])
        createContainer 2: rejected: BadArguments | [Reject(BadArguments)] -> Multi([Create2])
        createContainer 3: rejected: BadArguments | [Reject(BadArguments)] -> Multi([Create2])
        createContainer 4: Container -> PathAndStat | Container -> Multi([Create2])
        createContainer 5: rejected: BadArguments | rejected: Marshalling
        createContainer 6: rejected: BadArguments | rejected: Marshalling
        createContainer 7: rejected: BadArguments | rejected: Marshalling
        createTTL -1: rejected: BadArguments | [Reject(BadArguments)] -> Multi([Create2])
        createTTL 0: rejected: BadArguments | Persistent -> Multi([Create])
        createTTL 1: rejected: BadArguments | Ephemeral -> Multi([Create])
        createTTL 2: rejected: BadArguments | PersistentSequential -> Multi([Create])
        createTTL 3: rejected: BadArguments | EphemeralSequential -> Multi([Create])
        createTTL 4: rejected: BadArguments | Container -> Multi([Create2])
        createTTL 5: PersistentWithTtl { ttl_ms: 1000 } -> PathAndStat | PersistentWithTtl { ttl_ms: 1000 } -> Multi([Create2])
        createTTL 6: PersistentSequentialWithTtl { ttl_ms: 1000 } -> PathAndStat | PersistentSequentialWithTtl { ttl_ms: 1000 } -> Multi([Create2])
        createTTL 7: rejected: BadArguments | [Reject(BadArguments)] -> Multi([Create2])
    "#]].assert_eq(&flags(&EXTENDED));
}

#[test]
fn create_flags_without_extended_types() {
    let with = flags(&EXTENDED);
    let without = flags(&Settings::default());
    let lines = with.lines().zip(without.lines()).filter(|(with, without)| with != without);
    let changed: String = lines.map(|(_, without)| format!("{without}\n")).collect();
    expect![[r#"
        create 5: rejected: Unimplemented | rejected: Marshalling
        create 6: rejected: Unimplemented | rejected: Marshalling
        create2 5: rejected: Unimplemented | rejected: Marshalling
        create2 6: rejected: Unimplemented | rejected: Marshalling
        createContainer 5: rejected: Unimplemented | rejected: Marshalling
        createContainer 6: rejected: Unimplemented | rejected: Marshalling
        createTTL 5: rejected: Unimplemented | [Reject(Unimplemented)] -> Multi([Create2])
        createTTL 6: rejected: Unimplemented | [Reject(Unimplemented)] -> Multi([Create2])
    "#]]
    .assert_eq(&changed);
}

#[test]
fn multis() {
    let multi = || Bytes::request(7, 14);
    check(
        named(vec![
            ("empty", multi().end()),
            ("without an end", multi().element(2).text("/a").int(1)),
            (
                "all that may be in one",
                multi()
                    .element(1)
                    .create(Some("/a"), 0)
                    .element(15)
                    .create(Some("/b"), 1)
                    .element(19)
                    .create(Some("/c"), 4)
                    .element(2)
                    .text("/d")
                    .int(1)
                    .element(5)
                    .text("/e")
                    .buffer(b"")
                    .int(2)
                    .element(13)
                    .text("/f")
                    .int(3)
                    .end(),
            ),
            ("a null path in a create", multi().element(1).create(None, 0).end()),
            ("a null path in a delete", multi().element(2).null().int(1).end()),
            ("a null path in a setData", multi().element(5).null().null().int(1).end()),
            ("a null path in a check", multi().element(13).null().int(1).end()),
            ("a null ACL", multi().element(1).text("/a").null().null().int(0).end()),
            ("a read", multi().element(4).text("/a").boolean(false).end()),
            ("setACL", multi().element(7).text("/a").open_acl().int(1).end()),
            ("sync", multi().element(9).text("/a").end()),
        ]),
        &expect![[r#"
            empty: Multi([]) -> Multi([])
            without an end: rejected: Marshalling
            all that may be in one: Multi([Create { path: "/a", data: Some([120]), acl: Some([AclEntry { perms: Permissions(31), scheme: "world", id: "anyone" }]), mode: Persistent }, Create { path: "/b", data: Some([120]), acl: Some([AclEntry { perms: Permissions(31), scheme: "world", id: "anyone" }]), mode: Ephemeral }, Create { path: "/c", data: Some([120]), acl: Some([AclEntry { perms: Permissions(31), scheme: "world", id: "anyone" }]), mode: Container }, Delete { path: "/d", version: 1 }, SetData { path: Some("/e"), data: Some([]), version: 2 }, Check { path: Some("/f"), version: 3 }]) -> Multi([Create, Create2, Create2, Delete, SetData, Check])
            a null path in a create: rejected: Marshalling
            a null path in a delete: rejected: Marshalling
            a null path in a setData: rejected: Marshalling
            a null path in a check: rejected: Marshalling
            a null ACL: rejected: Marshalling
            a read: rejected: Marshalling
            setACL: rejected: Marshalling
            sync: rejected: Marshalling
        "#]],
    );
}

#[test]
fn multi_reads() {
    let multi = || Bytes::request(7, 22);
    let read = |request: Bytes| request.element(4).text("/a").boolean(true);
    let list = |request: Bytes| request.element(8).text("/b").boolean(true);
    let delete = |request: Bytes| request.element(2).text("/c").int(1);
    let null = |request: Bytes| request.element(4).null().boolean(true);
    check(
        named(vec![
            ("empty", multi().end()),
            ("reads", list(read(multi())).end()),
            ("a null path", list(null(read(multi()))).end()),
            ("writes only", delete(multi()).end()),
            ("mixed", delete(read(multi())).end()),
            ("mixed, the write first", read(delete(multi())).end()),
            ("exists", multi().element(3).text("/a").boolean(true).end()),
        ]),
        &expect![[r#"
            empty: MultiRead(MultiRead { reads: [], fails_at_end: false })
            reads: MultiRead(MultiRead { reads: [Read { query: GetData { path: "/a" }, watch: None, stat: Sent }, Read { query: GetChildren { path: "/b" }, watch: None, stat: Left }], fails_at_end: false })
            a null path: MultiRead(MultiRead { reads: [Read { query: GetData { path: "/a" }, watch: None, stat: Sent }], fails_at_end: true })
            writes only: MultiRead(MultiRead { reads: [], fails_at_end: true })
            mixed: refused: MarshallingError, LastApplied, Continue
            mixed, the write first: refused: MarshallingError, LastApplied, Continue
            exists: refused: MarshallingError, LastApplied, Continue
        "#]],
    );
}

proptest::proptest! {
    /// Nothing that a client can send makes the server panic.
    #[test]
    fn any_bytes_are_understood_as_something(bytes: Vec<u8>, op in -12..110_i32) {
        let mut request = Bytes::request(7, op);
        request.0.extend_from_slice(&bytes);
        parse(&request.0, &EXTENDED);
        parse(&bytes, &EXTENDED);
    }
}
