//! The director against scripted servers: what is sent, when, and what is reported.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use proto::{
    ConnectRequest, ConnectResponse, CreateRequest, CreateResponse, GetDataRequest,
    GetDataResponse, Record, ReplyHeader, Request, SetDataRequest, SetDataResponse, Stat,
    WatcherEvent, put_frame, xid,
};

use super::ends::NODE_DELETED;
use super::{Director, Output, Patience};
use crate::input::{ConnId, FromRookery, Input, Observed, Probe};
use crate::judge::Judge;
use crate::report::{Counts, GivenUp, Reason};
use crate::tap::Budget;

const STAT: Stat = Stat {
    czxid: 1,
    mzxid: 1,
    ctime: 1,
    mtime: 1,
    version: 0,
    cversion: 0,
    aversion: 0,
    ephemeral_owner: 0,
    data_length: 0,
    num_children: 0,
    pzxid: 1,
};

struct Scene {
    director: Director,
    now: Instant,
}

fn framed(put: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut out = BytesMut::new();
    put_frame(&mut out, put);
    out.freeze()
}

fn reply<'a>(xid: i32, zxid: i64, record: Option<&impl Record<'a>>) -> Bytes {
    let mut out = BytesMut::new();
    ReplyHeader { xid, zxid, err: 0 }.encode(&mut out);
    if let Some(record) = record {
        record.encode(&mut out);
    }
    out.freeze()
}

impl Scene {
    fn new() -> Self {
        let mut judge = Judge::default();
        judge.zxids.set_old(10, 100);
        let patience = Patience {
            settle: Duration::from_secs(1),
            rookery: Duration::from_secs(30),
            zookeeper: Duration::from_secs(30),
        };
        let director = Director::new(judge, Arc::new(Budget::new(1 << 20)), patience);
        let mut scene = Self { director, now: Instant::now() };
        scene.observed(i64::MAX);
        scene
    }

    fn tell(&mut self, input: Input) -> Vec<Output> {
        // What a tap takes from the budget does not matter here.
        self.director.handle(input, self.now);
        self.director.pump(self.now);
        self.director.take_outputs()
    }

    fn observed(&mut self, zxid: i64) {
        self.tell(Input::Observed(Observed::UpTo(zxid)));
    }

    fn open(&mut self, id: u64) {
        let conn = ConnId(id);
        self.tell(Input::Opened(conn));
        let hello = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout_ms: 4000,
            session_id: 0,
            password: None,
            read_only: None,
        };
        self.tell(Input::FromClient(conn, framed(|out| hello.encode(out))));
        let number = i64::try_from(id).expect("small");
        let welcome = |session_id| ConnectResponse {
            protocol_version: 0,
            timeout_ms: 4000,
            session_id,
            password: Some(&[7; 16]),
            read_only: None,
        };
        let theirs = framed(|out| welcome(0x10 + number).encode(out));
        let sent = self.tell(Input::FromZooKeeper(conn, theirs));
        assert!(matches!(sent[..], [Output::Connect(..)]), "{sent:?}");
        let mut ours = BytesMut::new();
        welcome(0x20 + number).encode(&mut ours);
        self.rookery(id, ours.freeze());
    }

    fn ask(&mut self, id: u64, xid: i32, request: &Request<'_>) {
        let frame = framed(|out| request.encode(xid, out));
        self.tell(Input::FromClient(ConnId(id), frame));
    }

    fn zookeeper(&mut self, id: u64, payload: &Bytes) -> Vec<Output> {
        let frame = framed(|out| out.extend_from_slice(payload));
        self.tell(Input::FromZooKeeper(ConnId(id), frame))
    }

    fn rookery(&mut self, id: u64, payload: Bytes) -> Vec<Output> {
        self.tell(Input::Rookery(ConnId(id), FromRookery::Frame(payload)))
    }

    /// Creates an ephemeral on both sides.
    fn hold(&mut self, id: u64, path: &str, zxid: i64) {
        let xid = 6;
        let create = CreateRequest { path: Some(path), data: None, acl: None, flags: 1 };
        self.ask(id, xid, &Request::Create(create));
        let done = |zxid| reply(xid, zxid, Some(&CreateResponse { path }));
        let sent = self.zookeeper(id, &done(zxid));
        assert_eq!(Self::whose(&sent), [id]);
        self.rookery(id, done(zxid + 90));
    }

    /// The observer sees deletions, by one change.
    fn deleted(&mut self, zxid: i64, paths: &[&str]) -> Vec<Output> {
        for path in paths {
            let path = (*path).to_owned();
            let change = Observed::Change { zxid, kind: NODE_DELETED, path };
            self.director.handle(Input::Observed(change), self.now);
        }
        self.tell(Input::Observed(Observed::UpTo(zxid)))
    }

    /// Time goes by.
    fn wait(&mut self, seconds: u64) -> Vec<Output> {
        self.now += Duration::from_secs(seconds);
        self.director.tick(self.now);
        self.director.take_outputs()
    }

    /// Whose requests are sent.
    fn whose(outputs: &[Output]) -> Vec<u64> {
        let sent = outputs.iter().filter_map(|output| {
            if let Output::Send(conn, _) = output { Some(conn.0) } else { None }
        });
        sent.collect()
    }
}

fn set() -> Request<'static> {
    Request::SetData(SetDataRequest { path: Some("/p"), data: None, version: -1 })
}

fn get() -> Request<'static> {
    Request::GetData(GetDataRequest { path: Some("/p"), watch: false })
}

fn set_done(xid: i32, zxid: i64, version: i32) -> Bytes {
    let stat = Stat { mzxid: zxid, version, ..STAT };
    reply(xid, zxid, Some(&SetDataResponse { stat }))
}

#[test]
fn writes_of_several_clients_are_repeated_in_the_order_of_their_zxids() {
    let mut scene = Scene::new();
    scene.open(1);
    scene.open(2);
    scene.open(3);
    for id in 1..=3 {
        scene.ask(id, 5, &set());
    }
    let none = Vec::<u64>::new();
    let sent = scene.zookeeper(2, &set_done(5, 13, 3));
    assert_eq!(Scene::whose(&sent), none, "the others may have been before it");
    let sent = scene.zookeeper(3, &set_done(5, 12, 2));
    assert_eq!(Scene::whose(&sent), none);
    let sent = scene.zookeeper(1, &set_done(5, 11, 1));
    assert_eq!(Scene::whose(&sent), [1]);
    let sent = scene.rookery(1, set_done(5, 101, 1));
    assert_eq!(Scene::whose(&sent), [3]);
    let sent = scene.rookery(3, set_done(5, 102, 2));
    assert_eq!(Scene::whose(&sent), [2]);
    scene.rookery(2, set_done(5, 103, 3));
    let counts = &scene.director.report.counts;
    assert_eq!((counts.requests, counts.equal, counts.different), (3, 3, 0));
    assert_eq!(scene.director.waiting(), 0);
}

#[test]
fn reads_are_repeated_together_and_between_the_writes_that_they_saw() {
    let mut scene = Scene::new();
    for id in 1..=3 {
        scene.open(id);
    }
    for id in 1..=3 {
        scene.ask(id, 5, &if id == 1 { set() } else { get() });
    }
    let stat = |mzxid| Stat { mzxid, version: 1, ..STAT };
    let read =
        |zxid, mzxid| reply(5, zxid, Some(&GetDataResponse { data: None, stat: stat(mzxid) }));
    scene.zookeeper(2, &read(11, 11));
    scene.zookeeper(3, &read(11, 11));
    let sent = scene.zookeeper(1, &set_done(5, 11, 1));
    assert_eq!(Scene::whose(&sent), [1]);
    let sent = scene.rookery(1, set_done(5, 101, 1));
    assert_eq!(Scene::whose(&sent), [2, 3]);
    scene.rookery(2, read(101, 101));
    scene.rookery(3, read(101, 100));
    let counts = &scene.director.report.counts;
    assert_eq!((counts.equal, counts.different), (2, 1));
    let lines = scene.director.report.take_lines();
    assert!(lines[0].text.starts_with("difference path=/p operation=getData field=mzxid"));
}

#[test]
fn rookery_that_closes_is_asked_whether_it_is_there() {
    for (probe, different, ended) in [(Probe::Alive, 1, false), (Probe::Gone, 0, true)] {
        let mut scene = Scene::new();
        scene.open(1);
        scene.ask(1, 5, &set());
        scene.zookeeper(1, &set_done(5, 11, 1));
        let sent = scene.tell(Input::Rookery(ConnId(1), FromRookery::Closed));
        assert_eq!(sent, [Output::Probe]);
        scene.tell(Input::Probed(probe));
        let report = &scene.director.report;
        assert_eq!((report.counts.different, report.ended.is_some()), (different, ended));
        let why = if ended { GivenUp::RookeryGone } else { GivenUp::EndedByRookery };
        assert_eq!(report.counts.given_up.get(&why), Some(&1));
    }
}

#[test]
fn rookery_that_is_silent_ends_the_comparison_and_nothing_else() {
    let mut scene = Scene::new();
    scene.open(1);
    scene.ask(1, 5, &set());
    scene.zookeeper(1, &set_done(5, 11, 1));
    scene.director.tick(scene.now + Duration::from_secs(31));
    assert_eq!(scene.director.report.ended, Some("Rookery does not answer"));
    assert!(scene.tell(Input::Opened(ConnId(2))).contains(&Output::Close(ConnId(1))));
}

#[test]
fn rookery_that_hangs_while_clients_are_silent_is_noticed() {
    let mut scene = Scene::new();
    scene.open(1);
    assert_eq!(Scene::whose(&scene.wait(2)), [1], "a ping");
    scene.wait(29);
    assert_eq!(scene.director.report.ended, None);
    scene.wait(2);
    assert_eq!(scene.director.report.ended, Some("Rookery does not answer"));
}

#[test]
fn rookery_may_take_its_time_for_many_requests_but_not_for_one() {
    let mut scene = Scene::new();
    scene.open(1);
    for xid in 1..=3 {
        scene.ask(1, xid, &set());
        scene.zookeeper(1, &set_done(xid, 10 + i64::from(xid), xid));
    }
    for xid in 1..=2 {
        scene.wait(20);
        assert_eq!(scene.director.report.ended, None);
        scene.rookery(1, set_done(xid, 100 + i64::from(xid), xid));
    }
    scene.wait(31);
    assert_eq!(scene.director.report.ended, Some("Rookery does not answer"));
}

#[test]
fn what_rookery_has_not_answered_counts_as_backlog() {
    for is_closed in [false, true] {
        let mut scene = Scene::new();
        scene.open(1);
        let read = |xid| reply(xid, 10, Some(&GetDataResponse { data: None, stat: STAT }));
        let mut held = 0;
        for xid in 1..=5 {
            scene.ask(1, xid, &get());
            assert_eq!(Scene::whose(&scene.zookeeper(1, &read(xid))), [1]);
            assert!(scene.director.held >= held + 100, "{held}");
            held = scene.director.held;
        }
        if is_closed {
            scene.tell(Input::Rookery(ConnId(1), FromRookery::Closed));
        } else {
            for xid in 1..=5 {
                scene.rookery(1, read(xid));
            }
        }
        assert_eq!(scene.director.held, 0);
    }
}

#[test]
fn what_cannot_be_understood_is_held_no_more() {
    let mut scene = Scene::new();
    scene.open(1);
    scene.ask(1, 5, &set());
    scene.zookeeper(1, &set_done(5, 11, 1).slice(..20));
    assert_eq!(scene.director.report.counts.given_up.get(&GivenUp::NotUnderstood), Some(&1));
    assert_eq!(scene.director.held, 0);
}

#[test]
fn an_ephemeral_that_others_delete_does_not_end_its_session() {
    let mut scene = Scene::new();
    scene.open(1);
    scene.hold(1, "/p/a", 11);
    scene.hold(1, "/p/b", 12);
    assert_eq!(scene.deleted(13, &["/p/a"]), [], "there is another one");
    assert_eq!(scene.director.judge.marks.whole("/p/a"), Some(Reason::Foreign));

    // The last one may be the end: it is not, for the client is answered.
    assert_eq!(scene.deleted(14, &["/p/b"]), []);
    assert_eq!(scene.director.judge.marks.whole("/p/b"), None);
    scene.ask(1, 7, &set());
    let sent = scene.zookeeper(1, &set_done(7, 15, 1));
    assert_eq!(Scene::whose(&sent), [1], "the client's request and nothing before it");
    assert_eq!(scene.director.judge.marks.whole("/p/b"), Some(Reason::Foreign));
    assert_eq!(scene.director.report.counts.foreign_changes, 2);
}

#[test]
fn a_session_that_loses_all_at_once_and_stays_is_taken_to_be_alive() {
    let mut scene = Scene::new();
    scene.open(1);
    scene.hold(1, "/p/a", 11);
    assert_eq!(scene.deleted(12, &["/p/a"]), []);
    assert_eq!(scene.director.waiting(), 1);
    scene.wait(2);
    assert_eq!(scene.director.waiting(), 0);
    assert_eq!(scene.director.judge.marks.whole("/p/a"), Some(Reason::Foreign));
}

#[test]
fn a_session_that_ends_by_itself_ends_on_rookery_by_the_same_change() {
    for is_silent in [false, true] {
        let mut scene = Scene::new();
        scene.open(1);
        scene.hold(1, "/p/a", 11);
        scene.hold(1, "/p/b", 12);
        let ended = Input::Ended(ConnId(1));
        // ZooKeeper tells of the ephemerals before it closes the connection of a client that
        // hangs; one that has gone has no connection any more.
        let sent = if is_silent {
            assert_eq!(scene.deleted(13, &["/p/b", "/p/a"]), []);
            scene.tell(ended)
        } else {
            scene.tell(ended);
            scene.deleted(13, &["/p/b", "/p/a"])
        };
        assert_eq!(Scene::whose(&sent), [1]);
        scene.rookery(1, reply(i32::MAX, 103, None::<&SetDataResponse>));
        assert_eq!(scene.director.judge.zxids.back(103), Some(13));
        assert_eq!(scene.director.report.counts.foreign_changes, 0);
    }
}

#[test]
fn the_end_of_a_session_without_ephemerals_takes_no_change_of_others() {
    let mut scene = Scene::new();
    scene.open(1);
    scene.open(2);
    scene.ask(1, 5, &set());
    scene.ask(2, 5, &Request::CloseSession);
    let closed = |zxid| reply(5, zxid, None::<&SetDataResponse>);
    // A local session ends by no change: the zxid is that of the last one.
    assert_eq!(scene.zookeeper(2, &closed(11)), []);
    let sent = scene.zookeeper(1, &set_done(5, 11, 1));
    assert_eq!(Scene::whose(&sent), [1]);
    assert_eq!(Scene::whose(&scene.rookery(1, set_done(5, 101, 1))), [2]);
    scene.rookery(2, closed(102));
    assert_eq!(scene.director.judge.zxids.back(101), Some(11));
    assert_eq!(scene.director.judge.zxids.back(102), None);
    assert_eq!(scene.director.report.counts.equal, 2);
}

#[test]
fn events_that_nobody_is_there_to_get_are_not_waited_for() {
    let mut scene = Scene::new();
    scene.open(1);
    scene.tell(Input::Ended(ConnId(1)));
    for zxid in 101..=150 {
        let mut event = BytesMut::new();
        ReplyHeader { xid: xid::EVENT, zxid, err: 0 }.encode(&mut event);
        WatcherEvent { kind: NODE_DELETED, state: 3, path: "/p" }.encode(&mut event);
        scene.rookery(1, event.freeze());
    }
    let counts = &scene.director.report.counts;
    assert_eq!(counts.events_not_judged.get(&Reason::Ended), Some(&50));
    assert_eq!((scene.director.waiting(), scene.director.held), (0, 0));
}

#[test]
fn whoever_only_looks_at_the_port_is_no_session_that_is_lost() {
    let mut scene = Scene::new();
    let mut hello = framed(|out| out.extend_from_slice(b"hello")).to_vec();
    hello.extend_from_slice(b"GET / HTTP/1.1\r\n");
    for (id, bytes) in [(1, b"GET / HTTP/1.1\r\n".to_vec()), (2, hello)] {
        scene.tell(Input::Opened(ConnId(id)));
        scene.tell(Input::FromClient(ConnId(id), bytes.into()));
        scene.tell(Input::Ended(ConnId(id)));
    }
    assert_eq!(scene.director.report.counts, Counts::default());
    assert_eq!(scene.director.held, 0);
}

#[test]
fn when_nothing_can_be_said_any_more_the_comparison_is_over() {
    let mut scene = Scene::new();
    let names = (0..=1 << 20).map(|number| format!("/{number}"));
    scene.director.judge.clocked.extend(names);
    scene.wait(1);
    assert!(scene.director.report.ended.is_some());
}

#[test]
fn any_bytes_from_anybody_are_survived() {
    let mut state = 7_u64;
    let mut below = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from((state >> 33) % bound).expect("small")
    };
    for round in 0..2000 {
        let mut scene = Scene::new();
        scene.open(1);
        for _ in 0..6 {
            let length = below(40);
            let mut bytes: Vec<u8> =
                (0..length).map(|_| u8::try_from(below(256)).expect("a byte")).collect();
            if below(2) == 0 {
                // A header that is likely, and then nonsense.
                let op = [1, 2, 4, 5, 11, 14, 15, 22, 100, 101, 105][below(11)];
                let xid = [1, -1, -2, -4][below(4)];
                let mut likely = [i32::to_be_bytes(xid), i32::to_be_bytes(op)].concat();
                likely.append(&mut bytes);
                bytes = likely;
            }
            let payload = Bytes::from(bytes);
            let framed = framed(|out| out.extend_from_slice(&payload));
            scene.tell(match below(4) {
                0 => Input::FromClient(ConnId(1), framed),
                1 => Input::FromZooKeeper(ConnId(1), framed),
                2 => Input::FromZooKeeper(ConnId(1), payload),
                _ => Input::Rookery(ConnId(1), FromRookery::Frame(payload)),
            });
        }
        scene.tell(Input::Ended(ConnId(1)));
        scene.tell(Input::Rookery(ConnId(1), FromRookery::Closed));
        scene.director.tick(scene.now + Duration::from_secs(round));
    }
}
