//! What differs must be seen, and what may differ must not.

use bytes::{Bytes, BytesMut};
use proto::{
    CreateRequest, CreateResponse, ErrorCode, ExistsResponse, GetChildrenRequest,
    GetChildrenResponse, GetDataRequest, GetDataResponse, Record, Request, Stat,
};

use super::baselines::Offsets;
use super::{Exchange, Judge, Reply};
use crate::change::{Change, What};
use crate::input::ConnId;
use crate::report::{Found, Reason};

const STAT: Stat = Stat {
    czxid: 12,
    mzxid: 12,
    ctime: 1000,
    mtime: 1000,
    version: 0,
    cversion: 0,
    aversion: 0,
    ephemeral_owner: 0,
    data_length: 1,
    num_children: 0,
    pzxid: 12,
};
/// The same znode on Rookery.
const OWN: Stat = Stat { czxid: 107, mzxid: 107, pzxid: 107, ctime: 1001, mtime: 1001, ..STAT };

fn judge() -> Judge {
    let mut judge = Judge::default();
    judge.zxids.set_old(10, 100);
    judge.zxids.pair(12, 107);
    judge
}

fn bytes<'a>(record: &impl Record<'a>) -> Bytes {
    let mut out = BytesMut::new();
    record.encode(&mut out);
    out.freeze()
}

fn exchange(request: &Request<'_>, err: i32, body: Bytes) -> Exchange {
    let mut out = BytesMut::new();
    request.encode(5, &mut out);
    let (request, op) = (out.freeze(), request.op());
    Exchange { conn: ConnId(1), xid: 5, op, request, zxid: 12, err, body }
}

/// What is reported of two replies, excuses left out: `path field`.
fn found(judge: &mut Judge, exchange: &Exchange, err: i32, body: &[u8]) -> Vec<String> {
    let reply = Reply { xid: 5, zxid: 107, err, body };
    let found = judge.compare(exchange, &reply, false);
    let left = found.iter().filter(|found| judge.excuse(exchange.op, found).is_none());
    left.map(|found| format!("{} {}", found.path, found.field)).collect()
}

fn get() -> Request<'static> {
    Request::GetData(GetDataRequest { path: Some("/p"), watch: false })
}

fn read(judge: &mut Judge, theirs: Stat, ours: Stat) -> Vec<String> {
    let body = |stat| bytes(&GetDataResponse { data: Some(b"x"), stat });
    let exchange = exchange(&get(), 0, body(theirs));
    found(judge, &exchange, 0, &body(ours))
}

#[test]
fn a_stat_may_differ_in_what_servers_make_up_and_in_nothing_else() {
    assert_eq!(read(&mut judge(), STAT, OWN), [""; 0]);
    let other = |change: fn(&mut Stat)| {
        let mut own = OWN;
        change(&mut own);
        read(&mut judge(), STAT, own)
    };
    assert_eq!(other(|stat| stat.czxid = 106), ["/p czxid"]);
    assert_eq!(other(|stat| stat.mzxid = 108), ["/p mzxid"]);
    assert_eq!(other(|stat| stat.pzxid = 0), ["/p pzxid"]);
    assert_eq!(other(|stat| stat.ctime = 0), ["/p ctime"]);
    assert_eq!(other(|stat| stat.version = 1), ["/p version"]);
    assert_eq!(other(|stat| stat.cversion = 2), ["/p cversion"]);
    assert_eq!(other(|stat| stat.aversion = 3), ["/p aversion"]);
    assert_eq!(other(|stat| stat.ephemeral_owner = 9), ["/p ephemeralOwner"]);
    assert_eq!(other(|stat| stat.data_length = 2), ["/p dataLength"]);
    assert_eq!(other(|stat| stat.num_children = 1), ["/p numChildren"]);
}

#[test]
fn one_change_has_one_time() {
    let mut judge = judge();
    assert_eq!(read(&mut judge, STAT, OWN), [""; 0]);
    assert_eq!(read(&mut judge, STAT, Stat { mtime: 1002, ..OWN }), ["/p mtime"]);
}

#[test]
fn data_errors_and_bodies_are_compared() {
    let body = |data| bytes(&GetDataResponse { data, stat: STAT });
    let own = |data| bytes(&GetDataResponse { data, stat: OWN });
    let exchange = exchange(&get(), 0, body(Some(b"x")));
    let judge = &mut judge();
    assert_eq!(found(judge, &exchange, 0, &own(Some(b"y"))), ["/p data"]);
    assert_eq!(found(judge, &exchange, 0, &own(None)), ["/p data"]);
    assert_eq!(found(judge, &exchange, ErrorCode::NoNode.code(), b""), ["/p error"]);
    assert_eq!(found(judge, &exchange, 0, b"\0\0"), ["/p body"]);
    let null = super::tests::exchange(&get(), 0, body(None));
    assert_eq!(found(judge, &null, 0, &own(Some(b""))), ["/p data"]);
}

#[test]
fn a_znode_from_before_is_measured_by_how_it_moves() {
    let mut judge = judge();
    let old = Stat { czxid: 3, mzxid: 12, pzxid: 5, version: 7, cversion: 40, ..STAT };
    let own = Stat { czxid: 50, pzxid: 60, version: 1, cversion: 2, ..OWN };
    assert_eq!(read(&mut judge, old, own), [""; 0]);
    assert_eq!(judge.baselines.get("/p").map(|it| it.version), Some(-6));
    let (old, next) = (Stat { version: 8, ..old }, Stat { version: 2, ..own });
    assert_eq!(read(&mut judge, old, next), [""; 0]);
    assert_eq!(read(&mut judge, old, own), ["/p version"]);
    judge.baselines.learn("/p", Offsets::default());
    assert_eq!(read(&mut judge, old, next), ["/p version", "/p cversion"]);
}

#[test]
fn what_others_changed_is_not_judged() {
    let mut judge = judge();
    let theirs = Stat { mzxid: 13, version: 1, ..STAT };
    assert_eq!(read(&mut judge, theirs, OWN), [""; 0]);
    assert_eq!(judge.marks.whole("/p"), Some(Reason::Foreign));
}

#[test]
fn owners_stand_for_each_other() {
    let mut judge = judge();
    judge.sessions.insert(0x10, 0x20);
    let theirs = Stat { ephemeral_owner: 0x10, ..STAT };
    assert_eq!(read(&mut judge, theirs, Stat { ephemeral_owner: 0x20, ..OWN }), [""; 0]);
    assert_eq!(
        read(&mut judge, theirs, Stat { ephemeral_owner: 0x21, ..OWN }),
        ["/p ephemeralOwner"]
    );
}

#[test]
fn children_are_sets_less_those_of_which_nothing_is_known() {
    let list = GetChildrenRequest { path: Some("/p"), watch: false };
    let body =
        |children: &[&'static str]| bytes(&GetChildrenResponse { children: children.to_vec() });
    let exchange = exchange(&Request::GetChildren(list), 0, body(&["a", "b", "c"]));
    let mut judge = judge();
    assert_eq!(found(&mut judge, &exchange, 0, &body(&["c", "b", "a"])), [""; 0]);
    assert_eq!(found(&mut judge, &exchange, 0, &body(&["b", "a"])), ["/p children"]);
    judge.marks.mark("/p/c", Reason::Foreign);
    assert_eq!(found(&mut judge, &exchange, 0, &body(&["b", "a"])), [""; 0]);
    assert_eq!(found(&mut judge, &exchange, 0, &body(&["b"])), ["/p children"]);
}

#[test]
fn another_name_is_a_difference_and_then_a_mark() {
    let create = CreateRequest { path: Some("/q/n-"), data: None, acl: None, flags: 2 };
    let body = |path| bytes(&CreateResponse { path });
    let exchange = exchange(&Request::Create(create), 0, body("/q/n-0000000002"));
    let mut judge = judge();
    let own = body("/q/n-0000000001");
    assert_eq!(found(&mut judge, &exchange, 0, &own), ["/q/n-0000000002 path"]);
    let difference = Found::new("/q/n-0000000002", "path", "", "/q/n-0000000001");
    judge.mark_consequences(&exchange, &difference, Reason::Consequence);
    for name in ["/q/n-0000000001", "/q/n-0000000002"] {
        assert_eq!(judge.marks.whole(name), Some(Reason::Consequence));
    }
    assert_eq!(judge.marks.children("/q"), Some(Reason::Consequence));
}

#[test]
fn what_servers_delete_by_the_clock_may_be_gone_on_one_of_them() {
    let mut judge = judge();
    let change = Change { path: "/p".to_owned(), what: What::CreatedClocked };
    judge.note(1, 12, &[change]);
    let exists = exchange(&get(), 0, bytes(&ExistsResponse { stat: STAT }));
    assert_eq!(found(&mut judge, &exists, ErrorCode::NoNode.code(), b""), [""; 0]);
}
