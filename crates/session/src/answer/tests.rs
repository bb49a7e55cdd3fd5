//! Requests in, bytes out, against a real state: replies, and which watches they set.

use bytes::BytesMut;
use expect_test::{Expect, expect};
use tree::{
    AclEntry, Command, CommandFlags, CreateMode, Millis, Op, Owner, Permissions, SessionId, State,
};

use super::*;
use crate::{
    testing::{Bytes, reply_hex},
    watch::WatchLimits,
};

const SESSION: SessionId = SessionId(0x77);

fn apply(state: &mut State, op: Op<'_>) {
    let command = Command {
        session: SESSION,
        owner: Owner(1),
        xid: 1,
        flags: CommandFlags::default(),
        identities: Vec::new(),
        op,
    };
    state.apply(Millis(1), &command).result.expect("the fixture applies");
}

fn create<'a>(path: &'a str, acl: AclEntry<'a>, mode: CreateMode) -> Op<'a> {
    Op::Create { path, data: Some(b"data"), acl: Some(vec![acl]), mode }
}

/// zxid 1 opens the session, 2 makes `/a`, 3 `/a/eph`, 4 `/secret`, which nobody reads.
fn state() -> State {
    let open = AclEntry { perms: Permissions::ALL, scheme: "world", id: "anyone" };
    let other = AclEntry { perms: Permissions::ALL, scheme: "ip", id: "1.2.3.4" };
    let mut state = State::new();
    apply(&mut state, Op::OpenSession { timeout_ms: 4000 });
    apply(&mut state, create("/a", open, CreateMode::Persistent));
    apply(&mut state, create("/a/eph", open, CreateMode::Ephemeral));
    apply(&mut state, create("/secret", other, CreateMode::Persistent));
    state
}

/// What the requests of one connection come to, one line each; and the watches it has.
fn check(requests: &[(&str, Bytes)], expected: &Expect) {
    let (state, mut watches) = (state(), WatchTable::default());
    let mut trace = String::new();
    for (name, request) in requests {
        let (after, out) = answer(&state, &mut watches, CommandFlags::default(), request);
        trace += &format!("{name}\n");
        for frame in frames(&out) {
            trace += &format!("  {}\n", reply_hex(frame).trim_end());
        }
        if after == After::Close {
            trace += "  closed\n";
        }
        let count = watches.total();
        if count > 0 {
            trace += &format!("  watches: {count}\n");
        }
    }
    expected.assert_eq(&trace);
}

fn answer(
    state: &State,
    watches: &mut WatchTable,
    flags: CommandFlags,
    request: &Bytes,
) -> (After, BytesMut) {
    let identities = Identities::of_peer("127.0.0.1".parse().unwrap());
    let asker = Asker { session: SESSION, identities: &identities };
    let mut reader = Reader { state, watches, watcher: WatcherId(1), flags };
    let mut out = BytesMut::new();
    let after = answer_frame(&request.0, &asker, &mut reader, &mut out);
    (after, out)
}

/// Cuts whole frames, their lengths included.
fn frames(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some((length, _)) = bytes.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap();
        let (frame, rest) = bytes.split_at(4 + length);
        frames.push(frame);
        bytes = rest;
    }
    assert!(bytes.is_empty(), "whole frames only");
    frames
}

fn request(op: i32) -> Bytes {
    Bytes::request(7, op)
}

#[test]
fn reads_answer_or_say_why_not() {
    check(
        &[
            ("exists", request(3).text("/a").boolean(false)),
            ("exists missing", request(3).text("/x").boolean(false)),
            ("exists not permitted", request(3).text("/secret").boolean(false)),
            ("exists with NUL", request(3).text("/a\0").boolean(false)),
            ("getData", request(4).text("/a").boolean(false)),
            ("getData not permitted", request(4).text("/secret").boolean(false)),
            ("getData missing", request(4).text("/x").boolean(false)),
            ("getChildren", request(8).text("/a").boolean(false)),
            ("getChildren2", request(12).text("/a").boolean(false)),
            ("getACL", request(6).text("/a")),
            ("getAllChildrenNumber", request(104).text("/a")),
            ("getEphemerals", request(103).text("/")),
            ("getEphemerals elsewhere", request(103).text("/b")),
        ],
        &expect![[r#"
            exists
              00000054 00000007 0000000000000004 00000000 0000000000000002000000000000000200000000000000010000000000000001000000000000000100000000000000000000000000000004000000010000000000000003
            exists missing
              00000010 00000007 0000000000000004 ffffff9b
            exists not permitted
              00000010 00000007 0000000000000004 ffffff9a
            exists with NUL
              00000010 00000007 0000000000000004 fffffff8
            getData
              0000005c 00000007 0000000000000004 00000000 00000004646174610000000000000002000000000000000200000000000000010000000000000001000000000000000100000000000000000000000000000004000000010000000000000003
            getData not permitted
              00000010 00000007 0000000000000004 ffffff9a
            getData missing
              00000010 00000007 0000000000000004 ffffff9b
            getChildren
              0000001b 00000007 0000000000000004 00000000 0000000100000003657068
            getChildren2
              0000005f 00000007 0000000000000004 00000000 00000001000000036570680000000000000002000000000000000200000000000000010000000000000001000000000000000100000000000000000000000000000004000000010000000000000003
            getACL
              0000006f 00000007 0000000000000004 00000000 000000010000001f00000005776f726c6400000006616e796f6e650000000000000002000000000000000200000000000000010000000000000001000000000000000100000000000000000000000000000004000000010000000000000003
            getAllChildrenNumber
              00000014 00000007 0000000000000004 00000000 00000001
            getEphemerals
              0000001e 00000007 0000000000000004 00000000 00000001000000062f612f657068
            getEphemerals elsewhere
              00000014 00000007 0000000000000004 00000000 00000000
        "#]],
    );
}

#[test]
fn skip_acl_reads_everything() {
    let (state, mut watches) = (state(), WatchTable::default());
    let read = request(4).text("/secret").boolean(false);
    let (_, refused) = answer(&state, &mut watches, CommandFlags::default(), &read);
    let (_, allowed) = answer(&state, &mut watches, CommandFlags::SKIP_ACL, &read);
    assert_eq!((refused.len(), allowed.len()), (20, 20 + 8 + 68));
}

#[test]
fn what_is_not_about_znodes() {
    check(
        &[
            ("ping", Bytes::request(-2, 11)),
            ("sync", request(9).text("/nowhere")),
            ("sync of null", request(9).null()),
            ("whoAmI", request(107)),
            ("sasl", request(102).buffer(b"")),
            ("no such operation", request(99)),
            ("undecodable", request(3)),
        ],
        &expect![[r#"
            ping
              00000010 fffffffe 0000000000000004 00000000
            sync
              0000001c 00000007 0000000000000004 00000000 000000082f6e6f7768657265
            sync of null
              00000014 00000007 0000000000000004 00000000 ffffffff
            whoAmI
              00000027 00000007 0000000000000004 00000000 00000001000000026970000000093132372e302e302e31
            sasl
              00000014 00000007 0000000000000000 00000000 ffffffff
            no such operation
              00000010 00000007 ffffffffffffffff fffffffa
              closed
            undecodable
              00000010 00000007 0000000000000004 fffffffb
        "#]],
    );
}

#[test]
fn multi_reads_answer_each_element() {
    let get = |bytes: Bytes, path: &str| bytes.element(4).text(path).boolean(true);
    let list = |bytes: Bytes, path: &str| bytes.element(8).text(path).boolean(true);
    let null = |bytes: Bytes| bytes.element(4).null().boolean(true);
    check(
        &[
            ("empty", request(22).end()),
            ("each by itself", list(get(list(request(22), "/a"), "/x"), "/secret").end()),
            ("a null path", get(null(list(request(22), "/a")), "/a").end()),
            ("a write", request(22).element(2).text("/a").int(-1).end()),
        ],
        &expect![[r#"
            empty
              00000019 00000007 0000000000000004 00000000 ffffffff01ffffffff
            each by itself
              00000047 00000007 0000000000000004 00000000 0000000800000000000000000100000003657068ffffffff00ffffff9bffffff9bffffffff00ffffff9affffff9affffffff01ffffffff
            a null path
              0000002d 00000007 0000000000000004 fffffffb 0000000800000000000000000100000003657068ffffffff01ffffffff
            a write
              00000019 00000007 0000000000000004 fffffffb ffffffff01ffffffff
        "#]],
    );
}

/// The table of protocol.md, section 9: which reads set a watch, and when.
#[test]
fn which_reads_set_a_watch() {
    let mut table = String::new();
    for (name, op) in [("exists", 3), ("getData", 4), ("getChildren", 8), ("getChildren2", 12)] {
        for path in ["/a", "/missing", "/secret", "/bad\0"] {
            for watch in [false, true] {
                let (state, mut watches) = (state(), WatchTable::default());
                let read = request(op).text(path).boolean(watch);
                answer(&state, &mut watches, CommandFlags::default(), &read);
                let data = watches.contains(path, WatcherId(1), crate::WatcherType::Data);
                let child = watches.contains(path, WatcherId(1), crate::WatcherType::Children);
                match (watch, data, child) {
                    (_, false, false) => {}
                    (true, true, false) => table += &format!("{name} {path:?}: data\n"),
                    (true, false, true) => table += &format!("{name} {path:?}: child\n"),
                    other => unreachable!("{name} {path:?}: {other:?}"),
                }
            }
        }
    }
    expect![[r#"
        exists "/a": data
        exists "/missing": data
        getData "/a": data
        getChildren "/a": child
        getChildren2 "/a": child
    "#]]
    .assert_eq(&table);
}

#[test]
fn watches_are_added_asked_for_and_removed() {
    check(
        &[
            ("checkWatches before", request(17).text("/a").int(3)),
            ("addWatch", request(106).text("/a").int(0)),
            ("addWatch again", request(106).text("/a").int(0)),
            ("addWatch recursive", request(106).text("/x").int(1)),
            ("checkWatches", request(17).text("/a").int(4)),
            ("checkWatches of another type", request(17).text("/a").int(2)),
            ("removeWatches", request(18).text("/a").int(4)),
            ("removeWatches again", request(18).text("/a").int(4)),
            ("addWatch of an unknown mode", request(106).text("/a").int(2)),
        ],
        &expect![[r#"
            checkWatches before
              00000010 00000007 0000000000000004 ffffff87
            addWatch
              00000014 00000007 0000000000000004 00000000 00000000
              watches: 2
            addWatch again
              00000014 00000007 0000000000000004 00000000 00000000
              watches: 2
            addWatch recursive
              00000014 00000007 0000000000000004 00000000 00000000
              watches: 3
            checkWatches
              00000010 00000007 0000000000000004 00000000
              watches: 3
            checkWatches of another type
              00000010 00000007 0000000000000004 ffffff87
              watches: 3
            removeWatches
              00000010 00000007 0000000000000004 00000000
              watches: 1
            removeWatches again
              00000010 00000007 0000000000000004 ffffff87
              watches: 1
            addWatch of an unknown mode
              00000010 00000007 0000000000000004 fffffffb
              watches: 1
        "#]],
    );
}

#[test]
fn set_watches_tells_what_was_missed_before_it_answers() {
    let paths = |bytes: Bytes, list: &[&str]| {
        let bytes = bytes.int(i32::try_from(list.len()).unwrap());
        list.iter().fold(bytes, |bytes, path| bytes.text(path))
    };
    // The client has seen zxid 2: /a as it was made, without its child.
    let data = paths(Bytes::request(-8, 101).long(2), &["/a", "/gone", "/secret"]);
    let exist = paths(data, &["/a", "/gone"]);
    let three = paths(exist, &["/a", "/gone", "/a/eph"]);
    let five = paths(Bytes::request(-8, 105).long(9).int(0).int(0).int(0), &["/a", "/gone"]);
    check(
        &[("setWatches", three), ("setWatches2", paths(five, &["/"]))],
        &expect![[r#"
        setWatches
          00000021 ffffffff ffffffffffffffff 00000000 0000000200000003000000052f676f6e65
          00000023 ffffffff ffffffffffffffff 00000000 0000000300000003000000072f736563726574
          0000001e ffffffff ffffffffffffffff 00000000 0000000100000003000000022f61
          0000001e ffffffff ffffffffffffffff 00000000 0000000400000003000000022f61
          00000021 ffffffff ffffffffffffffff 00000000 0000000200000003000000052f676f6e65
          00000022 ffffffff ffffffffffffffff 00000000 0000000400000003000000062f612f657068
          00000010 fffffff8 0000000000000004 00000000
          watches: 2
        setWatches2
          00000010 fffffff8 0000000000000004 00000000
          watches: 5
    "#]],
    );
}

#[test]
fn a_connection_with_too_many_watches_is_closed() {
    let state = state();
    let mut watches = WatchTable::new(WatchLimits { per_connection: 1, total: 9 }, 0);
    let mut ask = |bytes| answer(&state, &mut watches, CommandFlags::default(), &bytes).0;
    assert_eq!(ask(request(4).text("/a").boolean(true)), After::Continue);
    assert_eq!(ask(request(4).text("/a").boolean(true)), After::Continue);
    assert_eq!(ask(request(3).text("/b").boolean(true)), After::Close);
    assert_eq!(ask(request(106).text("/b").int(1)), After::Close);
    assert_eq!(ask(request(101).long(9).int(0).int(1).text("/b").int(0)), After::Close);
}

proptest::proptest! {
    /// Whatever a client asks, it gets whole frames or loses the connection.
    #[test]
    fn any_request_is_answered_in_whole_frames(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40),
        path in "(/|/a|/a/eph|/secret|/x|\\PC{0,8})",
        op in -1..110_i32,
        number in -1..7_i32,
    ) {
        let (state, mut watches) = (state(), WatchTable::default());
        let mut bodies = vec![request(op).text(&path).int(number), request(op).int(number)];
        bodies.push(Bytes([request(op).0, bytes].concat()));
        for body in bodies {
            let parsed = from_wire::parse(&body.0, &Settings::default());
            if matches!(parsed.action, Action::Local(_)) {
                let (_, out) = answer(&state, &mut watches, CommandFlags::default(), &body);
                proptest::prop_assert!(!frames(&out).is_empty());
            }
        }
    }
}

/// Each element costs 18 bytes to ask for, and a mebibyte to answer.
#[test]
fn a_multi_read_cannot_ask_for_gigabytes() {
    let mut state = state();
    let data = vec![7; 1 << 20];
    apply(&mut state, Op::SetData { path: Some("/a"), data: Some(&data), version: -1 });
    let mut watches = WatchTable::default();
    for (count, answered) in [(31, true), (32, false), (50_000, false)] {
        let mut bytes = request(22);
        for _ in 0..count {
            bytes = bytes.element(4).text("/a").boolean(false);
        }
        let (_, out) = answer(&state, &mut watches, CommandFlags::default(), &bytes.end());
        let header = reply_hex(&out[..20]);
        assert_eq!(header.ends_with("fffffffb "), !answered, "{count}: {header}");
        assert_eq!(out.len() > 20, answered, "{count}");
    }
}
