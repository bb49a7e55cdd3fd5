//! The few requests that the load consists of, and the little of the replies that it checks.
//!
//! The encoding is `proto`'s; here is only which fields a load fills in.

use bytes::BytesMut;
use proto::{
    Acl, AddWatchRequest, ConnectRequest, ConnectResponse, CreateRequest, DeleteRequest,
    GetDataRequest, Id, Record, ReplyHeader, Request, SetDataRequest, Stat, SyncRequest, put_frame,
    xid,
};

use super::workload::Kind;

/// Largest reply taken; `ZooKeeper` has no limit here, but nothing that is asked for is larger.
const REPLY_BYTES_MAX: usize = 4 << 20;
/// Session timeout asked for, in milliseconds: no run may expire because its machine is busy.
pub(super) const SESSION_TIMEOUT_MS: i32 = 30_000;
/// Whatever version there is.
const ANY_VERSION: i32 = -1;
/// All that may be done to a znode.
const PERMS_ALL: i32 = 31;

/// The peer does not speak the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadFrame;

/// What a reply says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) xid: i32,
    pub(super) code: i32,
    /// Bytes behind the header.
    pub(super) body_bytes: usize,
}

/// Opens a session.
pub(super) fn put_connect(out: &mut BytesMut) {
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0,
        timeout_ms: SESSION_TIMEOUT_MS,
        session_id: 0,
        password: Some(&[0; 16]),
        read_only: Some(false),
    };
    put_frame(out, |out| request.encode(out));
}

/// One operation on `path`.
pub(super) fn put_operation(out: &mut BytesMut, xid: i32, kind: Kind, path: &str, value: &[u8]) {
    let (path, data, version) = (Some(path), Some(value), ANY_VERSION);
    let request = match kind {
        Kind::Get => Request::GetData(GetDataRequest { path, watch: false }),
        Kind::Set => Request::SetData(SetDataRequest { path, data, version }),
        Kind::Create => {
            let id = Id { scheme: Some("world"), id: Some("anyone") };
            let acl = Some(vec![Acl { perms: PERMS_ALL, id }]);
            Request::Create(CreateRequest { path, data, acl, flags: 0 })
        }
        Kind::Delete => Request::Delete(DeleteRequest { path, version }),
        Kind::Watch => Request::AddWatch(AddWatchRequest { path, mode: 0 }),
        Kind::Sync => Request::Sync(SyncRequest { path }),
    };
    put_request(out, xid, &request);
}

/// Closes the session.
pub(super) fn put_close(out: &mut BytesMut, xid: i32) {
    put_request(out, xid, &Request::CloseSession);
}

/// Keeps the session alive.
pub(super) fn put_ping(out: &mut BytesMut) {
    put_request(out, xid::PING, &Request::Ping);
}

fn put_request(out: &mut BytesMut, xid: i32, request: &Request<'_>) {
    put_frame(out, |out| request.encode(xid, out));
}

/// The first whole frame of `input` without its length; `None` when more bytes are needed.
pub(super) fn first_frame(input: &[u8]) -> Result<Option<&[u8]>, BadFrame> {
    proto::first_frame(input, REPLY_BYTES_MAX).map_err(|_| BadFrame)
}

/// Reads a reply's header.
pub(super) fn reply(frame: &[u8]) -> Result<Reply, BadFrame> {
    let ReplyHeader { xid, err, .. } = ReplyHeader::from_bytes(frame).map_err(|_| BadFrame)?;
    Ok(Reply { xid, code: err, body_bytes: frame.len() - ReplyHeader::BYTES_MIN })
}

/// Whether the answer to a handshake grants a session.
pub(super) fn is_session(frame: &[u8]) -> Result<bool, BadFrame> {
    let response = ConnectResponse::decode(frame).map_err(|_| BadFrame)?;
    Ok(response.timeout_ms != 0)
}

/// Bytes that a successful reply has behind its header.
pub(super) fn body_bytes(kind: Kind, path_bytes: usize, value_bytes: usize) -> usize {
    // A string, a buffer, and an error number begin with, or are, four bytes.
    match kind {
        Kind::Get => 4 + value_bytes + Stat::BYTES_MIN,
        Kind::Set => Stat::BYTES_MIN,
        Kind::Create | Kind::Sync => 4 + path_bytes,
        Kind::Watch => 4,
        Kind::Delete => 0,
    }
}
