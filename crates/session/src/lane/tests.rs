//! The order in which a lane answers, above all around barriers.

use tree::{Change, CommandFlags, State};

use super::*;
use crate::{
    testing::Bytes as Request,
    watch::{WatchTable, WatcherId},
};

const CREATE: i32 = 1;
const EXISTS: i32 = 3;
const GET_DATA: i32 = 4;
const SYNC: i32 = 9;

struct Connection {
    lane: Lane,
    state: State,
    watches: WatchTable,
    identities: Identities,
    out: BytesMut,
}

impl Connection {
    fn new() -> Self {
        let identities = Identities::of_peer("127.0.0.1".parse().unwrap());
        let (lane, state) = (Lane::default(), State::new());
        Self { lane, state, watches: WatchTable::default(), identities, out: BytesMut::new() }
    }

    fn sync(&mut self, xid: i32) -> u64 {
        let frame = Request::request(xid, SYNC).text("/").0;
        self.lane.defer_behind_barrier(&frame, &self.identities)
    }

    fn exists(&mut self, xid: i32) -> bool {
        let frame = Request::request(xid, EXISTS).text("/").boolean(false).0;
        self.lane.defer(&frame, &self.identities)
    }

    fn get_data(&mut self, xid: i32) -> bool {
        let frame = Request::request(xid, GET_DATA).text("/").boolean(false).0;
        self.lane.defer(&frame, &self.identities)
    }

    fn with_reader(
        &mut self,
        act: impl FnOnce(&mut Lane, &mut Reader<'_>) -> Delivery,
    ) -> Delivery {
        let (state, watches) = (&self.state, &mut self.watches);
        let flags = CommandFlags::default();
        let mut reader = Reader { state, watches, watcher: WatcherId(1), flags };
        act(&mut self.lane, &mut reader)
    }

    fn pass(&mut self, upto: u64) -> Delivery {
        self.with_reader(|lane, reader| lane.pass_barriers(upto, reader))
    }

    fn apply(&mut self) -> Delivery {
        self.apply_as(Zxid(7))
    }

    fn apply_as(&mut self, zxid: Zxid) -> Delivery {
        let changes: Vec<Change> = Vec::new();
        let outcome = Outcome { zxid, result: Err(Reject::NodeExists), changes };
        self.with_reader(|lane, reader| lane.deliver(&outcome, reader))
    }

    /// So many bytes wait for a client that does not read, in one frame with this xid.
    fn fill(&mut self, xid: i32, bytes: usize) {
        let length = u32::try_from(bytes).unwrap();
        self.lane.out.extend_from_slice(&length.to_be_bytes());
        self.lane.out.extend_from_slice(&xid.to_be_bytes());
        self.lane.out.resize(self.lane.out.len() + bytes - 4, 0);
    }

    fn run(&mut self) {
        self.with_reader(|lane, reader| {
            lane.run(reader);
            Delivery::Quiet
        });
    }

    /// The xids of the replies since the last time.
    fn replies(&mut self) -> Vec<i32> {
        self.headers().into_iter().map(|(xid, _)| xid).collect()
    }

    /// The xids and zxids of the replies since the last time.
    fn headers(&mut self) -> Vec<(i32, Zxid)> {
        self.lane.collect(&mut self.out);
        let bytes = self.out.split();
        let mut rest: &[u8] = &bytes;
        let mut headers = Vec::new();
        while let Some((length, frame)) = rest.split_first_chunk::<4>() {
            let (frame, behind) = frame.split_at(u32::from_be_bytes(*length) as usize);
            let (xid, frame) = frame.split_first_chunk().unwrap();
            let zxid = frame.first_chunk().map_or(0, |zxid| i64::from_be_bytes(*zxid));
            headers.push((i32::from_be_bytes(*xid), Zxid(zxid)));
            rest = behind;
        }
        headers
    }
}

#[test]
fn a_sync_waits_for_its_barrier_and_holds_up_what_is_behind() {
    let mut connection = Connection::new();
    let first = connection.sync(1);
    assert!(connection.exists(2), "behind a sync, a read waits");
    let second = connection.sync(3);
    assert!(connection.replies().is_empty());
    assert_eq!(connection.pass(first), Delivery::Ring);
    assert_eq!(connection.replies(), [1, 2]);
    assert_eq!(connection.pass(second), Delivery::Ring);
    assert_eq!(connection.replies(), [3]);
}

#[test]
fn a_passed_barrier_does_not_overtake_a_write() {
    let mut connection = Connection::new();
    connection.lane.expect_write(CREATE, ReplyShape::Empty);
    let barrier = connection.sync(2);
    assert_eq!(connection.pass(barrier), Delivery::Quiet);
    assert!(connection.replies().is_empty());
    assert_eq!(connection.apply(), Delivery::Ring);
    assert_eq!(connection.replies(), [CREATE, 2]);
}

#[test]
fn no_write_is_taken_while_a_barrier_is_awaited() {
    let mut connection = Connection::new();
    assert!(!connection.lane.awaits_barrier());
    let barrier = connection.sync(1);
    assert!(connection.lane.awaits_barrier());
    connection.pass(barrier);
    assert!(!connection.lane.awaits_barrier());
}

/// A server that left the read for later met the second write first, and ended.
#[test]
fn a_read_before_a_write_is_answered_though_the_client_does_not_read() {
    let mut connection = Connection::new();
    connection.lane.expect_write(1, ReplyShape::Empty);
    assert!(connection.exists(2));
    connection.lane.expect_write(3, ReplyShape::Empty);
    assert!(connection.exists(4));
    connection.fill(-1, OUT_HIGH_WATER);
    connection.apply();
    connection.apply();
    assert_eq!(connection.replies(), [-1, 1, 2, 3], "the last read has nothing behind it");
    connection.run();
    assert_eq!(connection.replies(), [4]);
}

#[test]
fn no_write_is_taken_while_a_read_waits_for_the_client_to_read() {
    let mut connection = Connection::new();
    connection.lane.expect_write(1, ReplyShape::Empty);
    assert!(connection.exists(2));
    assert!(connection.lane.takes_writes(), "the read comes with the reply to the write");
    connection.fill(-1, OUT_HIGH_WATER);
    connection.apply();
    assert!(!connection.lane.takes_writes());
    assert_eq!(connection.replies(), [-1, 1]);
    connection.run();
    assert_eq!(connection.replies(), [2]);
    assert!(connection.lane.takes_writes());
}

/// Forty reads of a megabyte between two writes came to more than is kept for a client, which
/// could not read yet: it was dropped.
#[test]
fn no_write_is_taken_behind_more_answers_than_there_is_room_for() {
    let mut connection = Connection::new();
    connection.lane.expect_write(1, ReplyShape::Empty);
    let mut reads = 0;
    while connection.lane.takes_writes() {
        reads += 1;
        assert!(connection.get_data(1 + reads));
    }
    assert_eq!(reads, 25, "so many megabytes are more than three quarters of 32");
    connection.apply();
    assert!(connection.lane.takes_writes(), "all are answered");
    assert_eq!(connection.replies(), (1..=26).collect::<Vec<_>>());
}

/// Its header was made when the request was read, before the write was applied.
#[test]
fn a_refusal_behind_a_write_shows_no_older_zxid() {
    let mut connection = Connection::new();
    assert!(!connection.lane.append_refusal(1, &Refusal::MARSHALLING), "nothing is owed");
    connection.lane.expect_write(1, ReplyShape::Empty);
    assert!(connection.lane.append_refusal(2, &Refusal::MARSHALLING));
    connection.state.enter_term(1);
    let _ = connection.state.set_config("");
    let applied = connection.state.last_zxid();
    connection.apply_as(applied);
    assert_eq!(connection.headers(), [(1, applied), (2, applied)]);
}

/// It would have been taken for one that has something to answer, for ever.
#[test]
fn a_closing_lane_takes_and_answers_nothing() {
    let mut connection = Connection::new();
    connection.lane.expect_write(1, ReplyShape::Empty);
    assert!(connection.exists(2));
    connection.lane.close();
    let barrier = connection.sync(3);
    assert!(connection.exists(4), "swallowed");
    assert!(connection.lane.append_ready(b"a reply", After::Continue), "swallowed");
    let welcome = Welcome { session: SessionId(5), timeout_ms: 4000, read_only: None };
    connection.lane.welcome(&welcome);
    assert_eq!(connection.lane.phase(), Phase::Closing);
    assert_eq!(connection.pass(barrier), Delivery::Quiet);
    assert!(!connection.lane.is_runnable());
    assert!(connection.replies().is_empty());
}

#[test]
fn a_client_that_never_reads_is_dropped() {
    let mut connection = Connection::new();
    connection.lane.expect_write(1, ReplyShape::Empty);
    assert!(connection.exists(2));
    connection.lane.expect_write(3, ReplyShape::Empty);
    connection.fill(-1, OUT_MAX);
    assert_eq!(connection.apply(), Delivery::Drop);
    assert_eq!(connection.lane.phase(), Phase::Closing);
    assert_eq!(connection.apply(), Delivery::Quiet);
}

#[test]
fn events_are_counted_apart_from_replies() {
    let mut connection = Connection::new();
    connection.lane.event(Zxid(1), EventType::NodeCreated, "/a", &AclView::Open);
    let collected = connection.lane.collect(&mut connection.out);
    assert_eq!((collected.frames, collected.replies), (1, 0));
    connection.lane.expect_write(1, ReplyShape::Empty);
    assert!(connection.exists(2));
    connection.apply();
    connection.lane.event(Zxid(8), EventType::NodeDeleted, "/a", &AclView::Open);
    let collected = connection.lane.collect(&mut connection.out);
    assert_eq!((collected.frames, collected.replies), (3, 2));
}

/// An answer would have the client believe that its session has ended.
#[test]
fn who_asks_for_a_session_that_has_moved_is_closed_without_an_answer() {
    let mut connection = Connection::new();
    let welcome = Welcome { session: SessionId(5), timeout_ms: 4000, read_only: None };
    connection.lane.expect_welcome(welcome);
    let outcome = Outcome { zxid: Zxid(7), result: Err(Reject::SessionMoved), changes: Vec::new() };
    let delivery = connection.with_reader(|lane, reader| lane.deliver(&outcome, reader));
    assert_eq!((delivery, connection.lane.phase()), (Delivery::Drop, Phase::Closing));
    assert_eq!(connection.lane.out_bytes(), 0);
}
