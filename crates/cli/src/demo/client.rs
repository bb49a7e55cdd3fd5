//! The small client of the demonstration: one connection, one request at a time.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use bytes::BytesMut;
use proto::{
    Acl, ConnectRequest, ConnectResponse, CreateRequest, DecodeError, ErrorCode, ExistsRequest,
    GetDataRequest, GetDataResponse, Id, Record, ReplyHeader, Request, SetDataRequest,
    SetDataResponse, WatcherEvent, put_frame, xid,
};

/// How long to wait for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// The longest answer taken, in bytes.
const FRAME_MAX: usize = 1 << 20;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Decode(#[from] DecodeError),
    #[error("the server refused: {0:?}")]
    Refused(Option<ErrorCode>),
    #[error("the session is gone")]
    SessionGone,
    #[error("no event came")]
    NoEvent,
    #[error("{0}")]
    Unexpected(String),
}

/// What it takes to come back to a session.
#[derive(Clone, Debug)]
pub(crate) struct Resume {
    session: i64,
    password: Vec<u8>,
    zxid: i64,
}

/// A connected client.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    session: i64,
    password: Vec<u8>,
    next_xid: i32,
    zxid: i64,
    events: Vec<String>,
}

impl Client {
    /// Opens a session, or comes back to one.
    pub(crate) fn connect(
        address: SocketAddr,
        resume: Option<&Resume>,
    ) -> Result<Self, ClientError> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        let fresh = Resume { session: 0, password: vec![0; 16], zxid: 0 };
        let resume = resume.unwrap_or(&fresh);
        let mut out = BytesMut::new();
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: resume.zxid,
            timeout_ms: 10_000,
            session_id: resume.session,
            password: Some(&resume.password),
            read_only: Some(false),
        };
        put_frame(&mut out, |out| request.encode(out));
        stream.write_all(&out)?;
        let answer = read_frame(&mut stream)?;
        let answer = ConnectResponse::decode(&answer)?;
        if answer.timeout_ms == 0 {
            return Err(ClientError::SessionGone);
        }
        let password = answer.password.unwrap_or_default().to_vec();
        let session = answer.session_id;
        let zxid = resume.zxid;
        Ok(Self { stream, session, password, next_xid: 1, zxid, events: Vec::new() })
    }

    /// The session's id.
    pub(crate) fn session(&self) -> i64 {
        self.session
    }

    /// What it takes to come back.
    pub(crate) fn resume(self) -> Resume {
        Resume { session: self.session, password: self.password, zxid: self.zxid }
    }

    /// Creates a znode that everybody may do everything with.
    pub(crate) fn create(
        &mut self,
        path: &str,
        data: &[u8],
        ephemeral: bool,
    ) -> Result<(), ClientError> {
        let id = Id { scheme: Some("world"), id: Some("anyone") };
        let acl = Some(vec![Acl { perms: 31, id }]);
        let flags = i32::from(ephemeral);
        let create = CreateRequest { path: Some(path), data: Some(data), acl, flags };
        self.ask(&Request::Create(create)).map(drop)
    }

    /// Reads a znode and watches it.
    pub(crate) fn get_and_watch(&mut self, path: &str) -> Result<Vec<u8>, ClientError> {
        let body = self.ask(&Request::GetData(GetDataRequest { path: Some(path), watch: true }))?;
        Ok(GetDataResponse::from_bytes(&body)?.data.unwrap_or_default().to_vec())
    }

    /// Sets a znode's data; returns its version.
    pub(crate) fn set(&mut self, path: &str, data: &[u8]) -> Result<i32, ClientError> {
        let set = SetDataRequest { path: Some(path), data: Some(data), version: -1 };
        let body = self.ask(&Request::SetData(set))?;
        Ok(SetDataResponse::from_bytes(&body)?.stat.version)
    }

    /// Whether a znode does not exist.
    pub(crate) fn is_missing(&mut self, path: &str) -> Result<bool, ClientError> {
        match self.ask(&Request::Exists(ExistsRequest { path: Some(path), watch: false })) {
            Ok(_) => Ok(false),
            Err(ClientError::Refused(Some(ErrorCode::NoNode))) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The oldest event that came with the answers so far.
    pub(crate) fn event(&mut self) -> Option<String> {
        (!self.events.is_empty()).then(|| self.events.remove(0))
    }

    /// Ends the session.
    pub(crate) fn close(mut self) -> Result<(), ClientError> {
        self.ask(&Request::CloseSession).map(drop)
    }

    /// Sends a request and returns the body of its answer; events before it are kept.
    fn ask(&mut self, request: &Request<'_>) -> Result<Vec<u8>, ClientError> {
        let mut out = BytesMut::new();
        put_frame(&mut out, |out| request.encode(self.next_xid, out));
        self.next_xid += 1;
        self.stream.write_all(&out)?;
        loop {
            let frame = read_frame(&mut self.stream)?;
            let (body, header) = split(&frame)?;
            if header.xid == xid::EVENT {
                let event = WatcherEvent::from_bytes(body)?;
                self.events.push(format!("type {} on {}", event.kind, event.path));
                continue;
            }
            self.zxid = self.zxid.max(header.zxid);
            if header.err != 0 {
                return Err(ClientError::Refused(ErrorCode::from_code(header.err)));
            }
            return Ok(body.to_vec());
        }
    }
}

fn split(frame: &[u8]) -> Result<(&[u8], ReplyHeader), DecodeError> {
    let header = ReplyHeader::from_bytes(frame)?;
    Ok((frame.get(ReplyHeader::BYTES_MIN..).unwrap_or_default(), header))
}

fn read_frame(stream: &mut TcpStream) -> Result<Vec<u8>, ClientError> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let bytes = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if bytes > FRAME_MAX {
        return Err(ClientError::Unexpected(format!("an answer of {bytes} bytes")));
    }
    let mut frame = vec![0; bytes];
    stream.read_exact(&mut frame)?;
    Ok(frame)
}
