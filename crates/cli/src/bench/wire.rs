//! The few requests that the load consists of, as bytes, and the little of the replies that it
//! checks.

use bytes::{BufMut, BytesMut};

use super::workload::Kind;

/// Largest reply taken; `ZooKeeper` has no limit here, but nothing that is asked for is larger.
pub(super) const REPLY_BYTES_MAX: usize = 4 << 20;
/// Session timeout asked for, in milliseconds: no run may expire because its machine is busy.
pub(super) const SESSION_TIMEOUT_MS: i32 = 30_000;
/// Xid of watch events.
pub(super) const EVENT_XID: i32 = -1;
/// Bytes of a Stat.
const STAT_BYTES: usize = 68;

/// What a reply says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) xid: i32,
    pub(super) code: i32,
    /// Bytes behind the header.
    pub(super) body_bytes: usize,
}

/// The peer does not speak the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadFrame;

/// Opens a session.
pub(super) fn put_connect(out: &mut BytesMut) {
    framed(out, |out| {
        out.put_i32(0);
        out.put_i64(0);
        out.put_i32(SESSION_TIMEOUT_MS);
        out.put_i64(0);
        put_buffer(out, &[0; 16]);
        out.put_u8(0);
    });
}

/// One operation on `path`.
pub(super) fn put_operation(out: &mut BytesMut, xid: i32, kind: Kind, path: &str, value: &[u8]) {
    framed(out, |out| {
        out.put_i32(xid);
        match kind {
            Kind::Get => {
                out.put_i32(4);
                put_buffer(out, path.as_bytes());
                out.put_u8(0);
            }
            Kind::Set => {
                out.put_i32(5);
                put_buffer(out, path.as_bytes());
                put_buffer(out, value);
                out.put_i32(-1);
            }
            Kind::Create => {
                out.put_i32(1);
                put_buffer(out, path.as_bytes());
                put_buffer(out, value);
                out.put_i32(1);
                out.put_i32(31);
                put_buffer(out, b"world");
                put_buffer(out, b"anyone");
                out.put_i32(0);
            }
            Kind::Watch => {
                out.put_i32(106);
                put_buffer(out, path.as_bytes());
                out.put_i32(0);
            }
            Kind::Delete => {
                out.put_i32(2);
                put_buffer(out, path.as_bytes());
                out.put_i32(-1);
            }
        }
    });
}

/// Closes the session.
pub(super) fn put_close(out: &mut BytesMut, xid: i32) {
    framed(out, |out| {
        out.put_i32(xid);
        out.put_i32(-11);
    });
}

/// Keeps the session alive.
pub(super) fn put_ping(out: &mut BytesMut) {
    framed(out, |out| {
        out.put_i32(-2);
        out.put_i32(11);
    });
}

/// The first whole frame of `input` without its length; `None` when more bytes are needed.
pub(super) fn first_frame(input: &[u8]) -> Result<Option<&[u8]>, BadFrame> {
    let Some((length, rest)) = input.split_first_chunk::<4>() else { return Ok(None) };
    let length = usize::try_from(i32::from_be_bytes(*length)).map_err(|_| BadFrame)?;
    if length > REPLY_BYTES_MAX {
        return Err(BadFrame);
    }
    Ok(rest.get(..length))
}

/// Reads a reply's header.
pub(super) fn reply(frame: &[u8]) -> Result<Reply, BadFrame> {
    let (xid, rest) = frame.split_first_chunk::<4>().ok_or(BadFrame)?;
    let (_zxid, rest) = rest.split_first_chunk::<8>().ok_or(BadFrame)?;
    let (code, body) = rest.split_first_chunk::<4>().ok_or(BadFrame)?;
    let (xid, code) = (i32::from_be_bytes(*xid), i32::from_be_bytes(*code));
    Ok(Reply { xid, code, body_bytes: body.len() })
}

/// Whether the answer to a handshake grants a session.
pub(super) fn is_session(frame: &[u8]) -> Result<bool, BadFrame> {
    let timeout_ms = frame.get(4..8).ok_or(BadFrame)?;
    Ok(timeout_ms != [0; 4])
}

/// Bytes that a successful reply has behind its header.
pub(super) fn body_bytes(kind: Kind, path_bytes: usize, value_bytes: usize) -> usize {
    match kind {
        Kind::Get => 4 + value_bytes + STAT_BYTES,
        Kind::Set => STAT_BYTES,
        Kind::Create => 4 + path_bytes,
        Kind::Watch => 4,
        Kind::Delete => 0,
    }
}

fn framed(out: &mut BytesMut, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_i32(0);
    body(out);
    let length = i32::try_from(out.len() - start - 4).expect("requests are far below 2 GiB");
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

fn put_buffer(out: &mut BytesMut, bytes: &[u8]) {
    out.put_i32(i32::try_from(bytes.len()).expect("paths and values are far below 2 GiB"));
    out.put_slice(bytes);
}
