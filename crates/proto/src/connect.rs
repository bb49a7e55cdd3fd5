//! The handshake: records whose last byte may be missing.

use bytes::BytesMut;
use jute::{DecodeError, finish};

/// The first message of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectRequest<'a> {
    /// Clients send 0; servers do not look at it.
    pub protocol_version: i32,
    /// The last zxid that the client has seen, 0 for a fresh one.
    pub last_zxid_seen: i64,
    /// The session timeout that the client would like, in milliseconds; anything at all.
    pub timeout_ms: i32,
    /// The session to come back to, or 0 for a new one.
    pub session_id: i64,
    /// The session's password; of no account for a new one.
    pub password: Option<&'a [u8]>,
    /// Whether a server without a quorum will do. Old clients leave the byte out.
    pub read_only: Option<bool>,
}

impl<'a> ConnectRequest<'a> {
    /// Decodes the payload of the first frame. Bytes behind it are ignored.
    ///
    /// # Errors
    /// [`DecodeError`] when it is cut short.
    pub fn decode(input: &'a [u8]) -> Result<Self, DecodeError> {
        let (input, protocol_version) = finish(jute::int("protocol_version", input))?;
        let (input, last_zxid_seen) = finish(jute::long("last_zxid_seen", input))?;
        let (input, timeout_ms) = finish(jute::int("timeout_ms", input))?;
        let (input, session_id) = finish(jute::long("session_id", input))?;
        let (input, password) = finish(jute::nullable_buffer("password", input))?;
        let read_only = optional_boolean("read_only", input)?;
        Ok(Self { protocol_version, last_zxid_seen, timeout_ms, session_id, password, read_only })
    }

    /// Appends the payload.
    pub fn encode(&self, out: &mut BytesMut) {
        jute::put_int(out, self.protocol_version);
        jute::put_long(out, self.last_zxid_seen);
        jute::put_int(out, self.timeout_ms);
        jute::put_long(out, self.session_id);
        jute::put_nullable_buffer(out, self.password);
        if let Some(read_only) = self.read_only {
            jute::put_boolean(out, read_only);
        }
    }
}

/// The server's answer to the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectResponse<'a> {
    /// 0.
    pub protocol_version: i32,
    /// The negotiated timeout in milliseconds; 0 when there is no such session.
    pub timeout_ms: i32,
    /// The session; 0 when there is none.
    pub session_id: i64,
    /// 16 bytes to come back with.
    pub password: Option<&'a [u8]>,
    /// Whether the server only reads.
    ///
    /// Compat(connect-length): there if and only if the request had the byte, for some
    /// clients know the length of the answer by heart.
    pub read_only: Option<bool>,
}

impl<'a> ConnectResponse<'a> {
    /// Decodes the payload of the first frame from the server.
    ///
    /// # Errors
    /// [`DecodeError`] when it is cut short.
    pub fn decode(input: &'a [u8]) -> Result<Self, DecodeError> {
        let (input, protocol_version) = finish(jute::int("protocol_version", input))?;
        let (input, timeout_ms) = finish(jute::int("timeout_ms", input))?;
        let (input, session_id) = finish(jute::long("session_id", input))?;
        let (input, password) = finish(jute::nullable_buffer("password", input))?;
        let read_only = optional_boolean("read_only", input)?;
        Ok(Self { protocol_version, timeout_ms, session_id, password, read_only })
    }

    /// Appends the payload: 36 bytes, or 37 with the last one.
    pub fn encode(&self, out: &mut BytesMut) {
        jute::put_int(out, self.protocol_version);
        jute::put_int(out, self.timeout_ms);
        jute::put_long(out, self.session_id);
        jute::put_nullable_buffer(out, self.password);
        if let Some(read_only) = self.read_only {
            jute::put_boolean(out, read_only);
        }
    }
}

fn optional_boolean(field: &'static str, input: &[u8]) -> Result<Option<bool>, DecodeError> {
    if input.is_empty() {
        return Ok(None);
    }
    finish(jute::boolean(field, input)).map(|(_, value)| Some(value))
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;

    /// A session of a real ZooKeeper 3.9.5: timeout 4000, with and without the last byte.
    const ANSWER: [u8; 37] =
        hex!("00000000 00000fa0 0100000d26260000 00000010 781603eca592b5d6167a2c7bf6078a9d 00");

    #[test]
    fn the_answer_has_the_last_byte_if_the_request_had_it() {
        let with = ConnectResponse::decode(&ANSWER).unwrap();
        assert_eq!(with.read_only, Some(false));
        assert_eq!(with.timeout_ms, 4000);
        let without = ConnectResponse::decode(&ANSWER[..36]).unwrap();
        assert_eq!(without, ConnectResponse { read_only: None, ..with });
        for (answer, length) in [(with, 37), (without, 36)] {
            let mut out = BytesMut::new();
            answer.encode(&mut out);
            assert_eq!(&out[..], &ANSWER[..length]);
        }
    }

    #[test]
    fn a_request_without_the_last_byte_is_whole() {
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 7,
            timeout_ms: -5,
            session_id: 0,
            password: None,
            read_only: None,
        };
        let mut out = BytesMut::new();
        request.encode(&mut out);
        assert_eq!(ConnectRequest::decode(&out), Ok(request));
        for cut in 0..out.len() {
            assert!(ConnectRequest::decode(&out[..cut]).is_err(), "{cut} bytes are no request");
        }
    }
}
