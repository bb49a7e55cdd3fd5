//! The replies of writes, from what applying them came to.

use bytes::BytesMut;
use jute::Record;
use proto::{Create2Response, CreateResponse, ErrorCode, GetDataResponse};
use tree::{Outcome, Reject, Reply, Stat, Zxid};

use super::{multi, put_header, put_reply, wire_stat};
use crate::{
    action::ReplyShape,
    wire_error::{WireError, wire_error},
};

/// Writes the reply of a write. Writes nothing for a rejection that is answered by closing
/// the connection (see [`mod@crate::wire_error`]).
///
/// Panics when `shape` is not that of the request that `outcome` belongs to: the two were
/// kept together since the request was read.
pub fn put_outcome(out: &mut BytesMut, xid: i32, outcome: &Outcome, shape: &ReplyShape) {
    let zxid = outcome.zxid;
    let reply = match &outcome.result {
        Ok(reply) => reply,
        Err(reject) => return put_reject(out, xid, zxid, *reject),
    };
    match (shape, reply) {
        (ReplyShape::Empty, _) => put_header(out, xid, zxid, ErrorCode::Ok),
        (ReplyShape::Path, Reply::Created { path, .. }) => {
            put_reply(out, xid, zxid, ErrorCode::Ok, |out| CreateResponse { path }.encode(out));
        }
        (ReplyShape::PathAndStat, Reply::Created { path, stat }) => {
            put_reply(out, xid, zxid, ErrorCode::Ok, |out| put_created(out, path, stat));
        }
        (ReplyShape::Stat, Reply::Stat(stat)) => {
            put_reply(out, xid, zxid, ErrorCode::Ok, |out| wire_stat(stat).encode(out));
        }
        (ReplyShape::Config, Reply::Config { data, stat }) => {
            put_reply(out, xid, zxid, ErrorCode::Ok, |out| {
                GetDataResponse { data: Some(data), stat: wire_stat(stat) }.encode(out);
            });
        }
        (ReplyShape::Multi(shapes), Reply::Multi(result)) => {
            // Compat(multi-error): a failed multi is a success by its header; its elements tell.
            put_reply(out, xid, zxid, ErrorCode::Ok, |out| multi::put_result(out, result, shapes));
        }
        (
            ReplyShape::Path
            | ReplyShape::PathAndStat
            | ReplyShape::Stat
            | ReplyShape::Config
            | ReplyShape::Multi(_),
            Reply::Created { .. }
            | Reply::Done
            | Reply::Stat(_)
            | Reply::Config { .. }
            | Reply::Multi(_)
            | Reply::Attached { .. }
            | Reply::Closed(_),
        ) => unreachable!("a reply of the shape {shape:?} cannot be {reply:?}"),
    }
}

/// The body of every create that answers with a Stat.
pub(super) fn put_created(out: &mut BytesMut, path: &str, stat: &Stat) {
    Create2Response { path, stat: wire_stat(stat) }.encode(out);
}

fn put_reject(out: &mut BytesMut, xid: i32, zxid: Zxid, reject: Reject) {
    match wire_error(reject) {
        WireError::Code(code) => put_header(out, xid, zxid, code),
        WireError::CloseSilently => {}
    }
}
