//! What goes back: results, answers and events as the bytes that clients expect.
//!
//! Everything is appended to a buffer as whole frames. An error has a header and no body;
//! the exceptions are ZooKeeper's and are marked where they are made.

mod answers;
mod multi;
mod outcomes;
#[cfg(test)]
mod tests;

use bytes::BytesMut;
use jute::Record;
use proto::{
    ErrorCode, EventType, KeeperState, ReplyHeader, SetSaslResponse, SyncResponse, WatcherEvent,
    put_frame,
};
use tree::Zxid;

use crate::action::{HeaderZxid, Refusal};

pub(crate) use answers::{put_add_watch_done, put_answer, put_who_am_i};
pub(crate) use multi::{put_multi_end, put_read_element};
pub use outcomes::put_outcome;

/// Compat(event-header): the zxid of an event that `setWatches` tells after the fact.
const ZXID_MISSED: Zxid = Zxid(-1);

/// Writes the notification that `path` changed, at `zxid`.
pub fn put_event(out: &mut BytesMut, zxid: Zxid, event: EventType, path: &str) {
    put_reply(out, proto::xid::EVENT, zxid, ErrorCode::Ok, |out| {
        // Compat(event-header): whatever happens to a connection, the server only ever says
        // "connected"; the other states are the client's own.
        let state = KeeperState::SyncConnected;
        WatcherEvent { kind: event.code(), state: state.code(), path }.encode(out);
    });
}

/// Writes the notification of a change that a client missed while it was away.
pub(crate) fn put_missed_event(out: &mut BytesMut, event: EventType, path: &str) {
    put_event(out, ZXID_MISSED, event, path);
}

/// Writes an error that is answered without asking the state.
pub fn put_refusal(out: &mut BytesMut, xid: i32, refusal: &Refusal, last_applied: Zxid) {
    let zxid = match refusal.zxid {
        HeaderZxid::LastApplied => last_applied,
        HeaderZxid::Fixed(zxid) => Zxid(zxid),
    };
    put_header(out, xid, zxid, refusal.code);
}

/// Writes the answer to an auth packet that was taken. Compat(zxid-of-replies): its zxid is 0.
pub fn put_auth_done(out: &mut BytesMut, xid: i32) {
    put_header(out, xid, Zxid::ZERO, ErrorCode::Ok);
}

/// Writes the answer to a step of SASL where SASL is not configured: success and a null
/// token, which sends the client on without it. Compat(zxid-of-replies): its zxid is 0.
pub(crate) fn put_sasl_unconfigured(out: &mut BytesMut, xid: i32) {
    put_reply(out, xid, Zxid::ZERO, ErrorCode::Ok, |out| {
        SetSaslResponse { token: None }.encode(out)
    });
}

/// Writes the answer to a sync.
pub(crate) fn put_sync(out: &mut BytesMut, xid: i32, zxid: Zxid, path: Option<&str>) {
    put_reply(out, xid, zxid, ErrorCode::Ok, |out| SyncResponse { path }.encode(out));
}

/// Writes a reply that is a header and nothing else.
pub(crate) fn put_header(out: &mut BytesMut, xid: i32, zxid: Zxid, code: ErrorCode) {
    put_reply(out, xid, zxid, code, |_| {});
}

/// Writes a frame of a header and what `body` appends.
pub(crate) fn put_reply(
    out: &mut BytesMut,
    xid: i32,
    zxid: Zxid,
    code: ErrorCode,
    body: impl FnOnce(&mut BytesMut),
) {
    put_frame(out, |out| {
        ReplyHeader { xid, zxid: zxid.0, err: code.code() }.encode(out);
        body(out);
    });
}

/// A Stat as the wire has it.
const fn wire_stat(stat: &tree::Stat) -> proto::Stat {
    proto::Stat {
        czxid: stat.czxid.0,
        mzxid: stat.mzxid.0,
        ctime: stat.ctime.0,
        mtime: stat.mtime.0,
        version: stat.version,
        cversion: stat.cversion,
        aversion: stat.aversion,
        ephemeral_owner: stat.ephemeral_owner.0,
        data_length: stat.data_length,
        num_children: stat.num_children,
        pzxid: stat.pzxid.0,
    }
}
