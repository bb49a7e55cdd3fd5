//! Golden bytes: what a real ZooKeeper 3.9.5 sent.

use bytes::BytesMut;
use hex_literal::hex;
use proto::EventType;
use tree::{Millis, MultiOutcome, Outcome, Reject, Reply, SessionId, Stat, Zxid};

use super::*;
use crate::{
    action::{ElementShape, ReplyShape},
    testing::reply_hex,
};

/// The Stat of `/ms` right after its creation in the multi below.
fn stat(version: i32) -> Stat {
    Stat {
        czxid: Zxid(0x28),
        mzxid: Zxid(0x28),
        ctime: Millis(0x01a1_fce6_6918),
        mtime: Millis(0x01a1_fce6_6918),
        version,
        cversion: 0,
        aversion: 0,
        ephemeral_owner: SessionId::NONE,
        data_length: 1,
        num_children: 0,
        pzxid: Zxid(0x28),
    }
}

fn outcome(zxid: i64, result: Result<Reply, Reject>, shape: &ReplyShape) -> BytesMut {
    let mut out = BytesMut::new();
    put_outcome(&mut out, 7, &Outcome { zxid: Zxid(zxid), result, changes: Vec::new() }, shape);
    out
}

#[test]
fn a_create_answers_with_its_path() {
    let reply = Reply::Created { path: "/a".into(), stat: stat(0) };
    let bytes = outcome(2, Ok(reply), &ReplyShape::Path);
    assert_eq!(bytes, hex!("00000016 00000007 0000000000000002 00000000 00000002 2f61")[..]);
}

#[test]
fn a_create2_answers_with_path_and_stat() {
    let reply = Reply::Created { path: "/a".into(), stat: stat(1) };
    let bytes = outcome(0x28, Ok(reply), &ReplyShape::PathAndStat);
    assert_eq!(
        bytes,
        hex!(
            "0000005a 00000007 0000000000000028 00000000 00000002 2f61"
            "0000000000000028 0000000000000028 000001a1fce66918 000001a1fce66918"
            "00000001 00000000 00000000 0000000000000000 00000001 00000000 0000000000000028"
        )[..]
    );
}

#[test]
fn an_error_is_a_header_and_nothing_else() {
    let bytes = outcome(3, Err(Reject::NoNode), &ReplyShape::Path);
    assert_eq!(bytes, hex!("00000010 00000007 0000000000000003 ffffff9b")[..]);
    assert!(outcome(3, Err(Reject::SessionMoved), &ReplyShape::Path).is_empty());
}

#[test]
fn a_multi_answers_each_element_by_its_kind() {
    // create /ms, setData /ms "1" 0, check /ms 1, delete /ms 1, as zxid 0x28.
    let shapes =
        [ElementShape::Create, ElementShape::SetData, ElementShape::Check, ElementShape::Delete];
    let replies = vec![
        Reply::Created { path: "/ms".into(), stat: stat(0) },
        Reply::Stat(stat(1)),
        Reply::Done,
        Reply::Done,
    ];
    let reply = Reply::Multi(MultiOutcome::Applied(replies));
    let bytes = outcome(0x28, Ok(reply), &ReplyShape::Multi(shapes.into()));
    assert_eq!(
        bytes[20..],
        hex!(
            "000000010000000000000000032f6d73"
            "0000000500000000000000000000000028000000000000002800"
            "0001a1fce66918000001a1fce669180000000100000000000000000000000000000000000000010000000000"
            "00000000000028"
            "0000000d0000000000"
            "000000020000000000"
            "ffffffff01ffffffff"
        )
    );
}

#[test]
fn an_element_of_create2_has_its_stat() {
    let reply = Reply::Multi(MultiOutcome::Applied(vec![Reply::Created {
        path: "/m".into(),
        stat: stat(0),
    }]));
    let bytes = outcome(0x28, Ok(reply), &ReplyShape::Multi([ElementShape::Create2].into()));
    assert_eq!(bytes[20..29], hex!("0000000f 00 00000000"));
    assert_eq!(bytes.len(), 20 + 9 + 6 + 68 + 9);
}

#[test]
fn a_failed_multi_is_a_success_whose_elements_are_errors() {
    let result = MultiOutcome::Failed { index: 1, len: 3, reject: Reject::NoNode };
    let shapes = [ElementShape::Create, ElementShape::Delete, ElementShape::Check];
    let bytes = outcome(0x27, Ok(Reply::Multi(result)), &ReplyShape::Multi(shapes.into()));
    assert_eq!(
        bytes,
        hex!(
            "00000040 00000007 0000000000000027 00000000"
            "ffffffff 00 00000000 00000000"
            "ffffffff 00 ffffff9b ffffff9b"
            "ffffffff 00 fffffffe fffffffe"
            "ffffffff 01 ffffffff"
        )[..]
    );
}

#[test]
fn an_empty_multi_is_its_end() {
    let reply = Reply::Multi(MultiOutcome::Applied(Vec::new()));
    let bytes = outcome(0x12, Ok(reply), &ReplyShape::Multi([].into()));
    assert_eq!(bytes[16..], hex!("00000000 ffffffff01ffffffff"));
}

#[test]
fn events_carry_the_zxid_of_the_change() {
    let mut out = BytesMut::new();
    put_event(&mut out, Zxid(5), EventType::NodeDataChanged, "/w");
    put_missed_event(&mut out, EventType::NodeDeleted, "/gone");
    assert_eq!(
        out,
        hex!(
            "0000001e ffffffff 0000000000000005 00000000 00000003 00000003 00000002 2f77"
            "00000021 ffffffff ffffffffffffffff 00000000 00000002 00000003 00000005 2f676f6e65"
        )[..]
    );
}

#[test]
fn refusals_say_what_zookeeper_says() {
    let check = |refusal: &Refusal, expected: &str| {
        let mut out = BytesMut::new();
        put_refusal(&mut out, 2, refusal, Zxid(9));
        assert_eq!(reply_hex(&out).trim_end(), expected);
    };
    check(&Refusal::UNKNOWN_OPERATION, "00000010 00000002 ffffffffffffffff fffffffa");
    check(&Refusal::MARSHALLING, "00000010 00000002 0000000000000009 fffffffb");
    check(&Refusal::AUTH_FAILED, "00000010 00000002 0000000000000000 ffffff8d");
    check(&Refusal::IDENTITY_REQUIRED, "00000010 00000002 0000000000000000 ffffff84");
}
