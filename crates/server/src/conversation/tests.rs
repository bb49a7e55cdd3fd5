//! What a client is shown when the order of things is against it: the test says when a committed
//! command is applied, and when another state takes the place of this server's.

use proto::{EventType, OpCode};
use raft_log::{Committed, Payload, codec};
use session::Delivery;
use tree::{AclView, Owner, SessionId};

use super::*;
use crate::{
    admin::ConnectionStats,
    testing::{LoneServer, hello},
};

/// A server and one client.
struct Table {
    server: LoneServer,
    link: Arc<Link>,
    conversation: Conversation,
    output: BytesMut,
    /// What another server has applied.
    other: State,
}

impl Table {
    /// The client has its session, by the first own command.
    async fn laid() -> Self {
        let server = LoneServer::start().await;
        let service = Arc::clone(&server.service);
        let stats = ConnectionStats::new(0);
        let link = Arc::new(Link::new(Owner(9), ([127, 0, 0, 1], 1).into(), 0, stats));
        service.core.links.add(Arc::clone(&link));
        let conversation = Conversation::new(Arc::clone(&service), Arc::clone(&link));
        let (output, other) = (BytesMut::new(), State::new());
        let mut table = Self { server, link, conversation, output, other };
        assert_eq!(table.take(&hello()), Progress::NeedsBell);
        let first = table.server.committed(1).await;
        table.apply(&first);
        other_applies(&mut table.other, &first);
        table.collect();
        assert!(table.output.len() > 4, "the session is there");
        table.output.clear();
        table
    }

    fn take(&mut self, frames: &[u8]) -> Progress {
        let (taken, progress) = self.conversation.take(frames, &mut self.output).unwrap();
        assert_eq!(taken, frames.len());
        progress
    }

    fn apply(&self, entry: &Committed) {
        self.server.service.core.apply(std::slice::from_ref(entry));
    }

    fn collect(&mut self) {
        let collected = self.link.lane.lock().collect(&mut self.output);
        self.conversation.note_collected(&collected);
    }

    /// The xids and zxids of what was sent since the last time.
    fn sent(&mut self) -> Vec<(i32, i64)> {
        let sent = self.output.split();
        let mut rest: &[u8] = &sent;
        let mut headers = Vec::new();
        while let Some((length, frame)) = rest.split_first_chunk::<4>() {
            let (frame, behind) = frame.split_at(u32::from_be_bytes(*length) as usize);
            let (xid, frame) = frame.split_first_chunk().unwrap();
            let zxid = frame.first_chunk().unwrap();
            headers.push((i32::from_be_bytes(*xid), i64::from_be_bytes(*zxid)));
            rest = behind;
        }
        headers
    }
}

fn other_applies(other: &mut State, entry: &Committed) -> Zxid {
    let Payload::Commands(bytes) = &entry.payload else { panic!("no commands") };
    other.enter_term(entry.position.term);
    for batch in codec::decode(bytes).unwrap() {
        for (command, sequence) in batch.commands.iter().zip(batch.first_sequence..) {
            assert!(other.admit(batch.origin, sequence));
            other.apply(batch.time, command);
        }
    }
    other.last_zxid()
}

fn frame(xid: i32, op: OpCode, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend_from_slice(&u32::try_from(8 + body.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&xid.to_be_bytes());
    frame.extend_from_slice(&op.code().to_be_bytes());
    frame.extend_from_slice(body);
    frame
}

fn get_data(xid: i32, watch: u8) -> Vec<u8> {
    frame(xid, OpCode::GetData, &[0, 0, 0, 1, b'/', watch])
}

/// Of the root, at any version.
fn set_data(xid: i32) -> Vec<u8> {
    let body = [0, 0, 0, 1, b'/', 0, 0, 0, 1, b'x', 255, 255, 255, 255];
    frame(xid, OpCode::SetData, &body)
}

/// Of `/a`, open to all.
fn create(xid: i32) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 2, b'/', b'a', 0, 0, 0, 1, b'x', 0, 0, 0, 1, 0, 0, 0, 31];
    body.extend_from_slice(b"\0\0\0\x05world\0\0\0\x06anyone\0\0\0\0");
    frame(xid, OpCode::Create, &body)
}

/// The events on the way there cannot be told: a client that sees what came of them says so when
/// it comes back, and is never told of them.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_connected_is_shown_nothing_of_a_state_that_came_whole() {
    let mut table = Table::laid().await;
    assert_eq!(table.take(&get_data(1, 1)), Progress::NeedsInput);
    assert_eq!(table.sent().len(), 1);
    let other = mem::replace(&mut table.other, State::new());
    table.server.service.core.replace_state(other);
    // Its task is at work: it has not looked whether the connection is dropped.
    table.take(&[get_data(2, 0), get_data(3, 0), set_data(4)].concat());
    table.collect();
    assert_eq!(table.sent(), []);
    assert!(table.conversation.is_finished() && table.link.is_dropped());
    table.server.log.shutdown().await;
}

/// The first of two writes is in the state that came, the second was applied behind it: its
/// outcome met the place of the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_came_whole_gives_no_write_the_outcome_of_another() {
    let mut table = Table::laid().await;
    assert_eq!(table.take(&set_data(1)), Progress::NeedsInput);
    let first = table.server.committed(2).await;
    assert_eq!(table.take(&create(2)), Progress::NeedsInput);
    let second = table.server.committed(3).await;
    other_applies(&mut table.other, &first);
    let other = mem::replace(&mut table.other, State::new());
    assert_eq!(table.server.service.core.replace_state(other), 2);
    table.apply(&second);
    assert_eq!(table.server.service.core.outstanding(), 0);
    table.collect();
    table.take(&get_data(3, 0));
    assert_eq!(table.sent(), []);
    table.server.log.shutdown().await;
}

/// Its header was made when it was read, before the writes that it waits for were applied.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_behind_a_write_shows_no_older_zxid() {
    let mut table = Table::laid().await;
    table.take(&set_data(1));
    table.server.service.proposer.set_disk_full(true);
    table.take(&[create(2), set_data(3)].concat());
    let first = table.server.committed(2).await;
    let zxid = other_applies(&mut table.other, &first).0;
    table.apply(&first);
    table.collect();
    assert_eq!(table.sent(), [(1, zxid), (2, zxid), (3, zxid)]);
    table.take(&create(4));
    assert_eq!(table.sent(), [(4, zxid)], "with nothing before it, too");
    table.server.log.shutdown().await;
}

/// An event three seconds after the last request looked like a request that took so long.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_no_request_in_the_figures() {
    let mut table = Table::laid().await;
    let core = Arc::clone(&table.server.service.core);
    table.take(&get_data(1, 1));
    table.conversation.publish_stats(core.clock.monotonic_us());
    let before = table.link.stats.lock().clone();
    assert_eq!(before.last.map(|last| (last.op, last.xid)), Some((4, 1)));
    let event =
        table.link.lane.lock().event(Zxid(9), EventType::NodeDataChanged, "/", &AclView::Open);
    assert_eq!(event, Delivery::Ring);
    table.collect();
    table.conversation.publish_stats(0);
    let after = table.link.stats.lock().clone();
    assert_eq!((after.sent, after.received), (before.sent + 1, before.received));
    assert_eq!((after.last, after.latency), (before.last, before.latency));
    assert_eq!(table.sent(), [(1, before.last.unwrap().zxid.0), (-1, 9)]);
    assert_ne!(table.link.session(), SessionId::NONE);
    table.server.log.shutdown().await;
}
