//! The handshake: the one exchange that has no request header.

use super::bytes::{Malformed, Reader, Writer};

/// What a client sends first. Every field can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// Clients send 0; servers ignore it.
    pub protocol_version: i32,
    /// The last zxid that the client saw; a server that is behind it refuses.
    pub last_zxid_seen: i64,
    /// Requested timeout, in milliseconds; any number.
    pub timeout_ms: i32,
    /// 0 for a new session.
    pub session_id: i64,
    /// 16 bytes; null and others can be sent.
    pub password: Option<Vec<u8>>,
    /// The trailing byte, which old clients do not send.
    pub read_only: Option<bool>,
}

impl Handshake {
    /// Asks for a new session, as today's clients do.
    pub fn fresh(timeout_ms: i32) -> Self {
        Self {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout_ms,
            session_id: 0,
            password: Some(vec![0; 16]),
            read_only: Some(false),
        }
    }

    /// Asks to go on with a session.
    pub fn resume(timeout_ms: i32, welcome: &Welcome) -> Self {
        Self {
            session_id: welcome.session_id,
            password: welcome.password.clone(),
            ..Self::fresh(timeout_ms)
        }
    }

    /// The payload of the frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.int(self.protocol_version)
            .long(self.last_zxid_seen)
            .int(self.timeout_ms)
            .long(self.session_id)
            .buffer(self.password.as_deref());
        if let Some(read_only) = self.read_only {
            out.flag(read_only);
        }
        out.into_bytes()
    }
}

/// The server's answer to a [`Handshake`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Bytes of the payload: 37, or 36 for clients that sent no read-only byte.
    pub payload_bytes: usize,
    /// Always 0.
    pub protocol_version: i32,
    /// The negotiated timeout, in milliseconds; 0 when the session is refused.
    pub timeout_ms: i32,
    /// The session; 0 when refused.
    pub session_id: i64,
    /// 16 bytes; zeros when refused.
    pub password: Option<Vec<u8>>,
    /// Present only if the client sent its own.
    pub read_only: Option<bool>,
}

impl Welcome {
    /// Reads a frame's payload, all of it.
    pub fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let mut welcome = Self {
            payload_bytes: payload.len(),
            protocol_version: reader.int("protocol version")?,
            timeout_ms: reader.int("timeout")?,
            session_id: reader.long("session id")?,
            password: reader.buffer("password")?.map(<[u8]>::to_vec),
            read_only: None,
        };
        if reader.finish().is_err() {
            welcome.read_only = Some(reader.flag("read-only")?);
        }
        reader.finish()?;
        Ok(welcome)
    }

    /// Whether the server granted a session.
    pub const fn is_granted(&self) -> bool {
        self.timeout_ms > 0
    }
}
