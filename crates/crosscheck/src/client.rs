//! The proxy's own sessions, on either server: to observe, to copy, to see who is there.

use std::io;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use proto::{
    AuthPacket, ConnectRequest, ConnectResponse, DecodeError, FrameError, Record, ReplyHeader,
    Request, put_frame, xid,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::frames::Cutter;
use crate::servers::Servers;

/// The timeout of the proxy's own sessions, in milliseconds.
const SESSION_MS: i32 = 30_000;
/// How long an answer may take.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(20);
/// How long such a session may be silent.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(5);

/// Why a session of the proxy's own does not work.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A frame that cannot be.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// A record that cannot be.
    #[error("{0}")]
    Decode(#[from] DecodeError),
    /// The server gave no session.
    #[error("the server refused a session")]
    NoSession,
    /// The server refused what the proxy says that it is.
    #[error("the server refused --auth")]
    Auth,
    /// The server sets no watch.
    #[error("the server refused a watch")]
    NoWatch,
    /// No answer in time.
    #[error("the server does not answer")]
    Silent,
}

/// Who the proxy says that it is: a scheme, and what proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Such as `digest`.
    pub scheme: String,
    /// Such as `user:password`.
    pub secret: String,
}

impl std::str::FromStr for Auth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':').filter(|(scheme, _)| !scheme.is_empty());
        let (scheme, secret) = parts.ok_or("expected SCHEME:SECRET, as digest:user:password")?;
        Ok(Self { scheme: scheme.to_owned(), secret: secret.to_owned() })
    }
}

/// A session.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    cutter: Cutter,
    out: BytesMut,
    xid: i32,
    /// When something was sent last.
    sent: Instant,
}

/// A reply or an event.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) header: ReplyHeader,
    pub(crate) body: Bytes,
}

impl Client {
    fn on(stream: TcpStream) -> Self {
        let (cutter, out, sent) = (Cutter::default(), BytesMut::new(), Instant::now());
        Self { stream, cutter, out, xid: 0, sent }
    }

    /// Opens a session.
    pub(crate) async fn open(servers: &Servers, auth: Option<&Auth>) -> Result<Self, ClientError> {
        let stream = servers.connect().await?;
        let mut client = Self::on(stream);
        let hello = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout_ms: SESSION_MS,
            session_id: 0,
            password: Some(&[0; 16]),
            read_only: Some(false),
        };
        put_frame(&mut client.out, |out| hello.encode(out));
        client.flush().await?;
        let welcome = client.next_in_time().await?;
        if ConnectResponse::decode(&welcome)?.timeout_ms <= 0 {
            return Err(ClientError::NoSession);
        }
        if let Some(Auth { scheme, secret }) = auth {
            let auth = Some(secret.as_bytes());
            let packet = Request::Auth(AuthPacket { kind: 0, scheme: Some(scheme), auth });
            client.put(xid::AUTH, &packet);
            if client.answer().await?.header.err != 0 {
                return Err(ClientError::Auth);
            }
        }
        Ok(client)
    }

    /// Sends a request and waits for its reply; events in between are skipped.
    pub(crate) async fn ask(&mut self, request: &Request<'_>) -> Result<Answer, ClientError> {
        self.queue(request);
        self.answer().await
    }

    /// Adds a request to what is to be sent.
    pub(crate) fn queue(&mut self, request: &Request<'_>) {
        self.xid = self.xid.wrapping_add(1).max(1);
        self.put(self.xid, request);
    }

    fn put(&mut self, xid: i32, request: &Request<'_>) {
        put_frame(&mut self.out, |out| request.encode(xid, out));
    }

    /// Sends what was added, and waits for the next reply.
    pub(crate) async fn answer(&mut self) -> Result<Answer, ClientError> {
        self.flush().await?;
        loop {
            let frame = self.next_in_time().await?;
            let answer = Self::decode(&frame)?;
            if answer.header.xid != xid::EVENT {
                return Ok(answer);
            }
        }
    }

    /// Sends a ping, and does not wait.
    pub(crate) async fn ping(&mut self) -> Result<(), ClientError> {
        self.put(xid::PING, &Request::Ping);
        self.flush().await
    }

    /// Sends a ping and waits for its answer, if the session was silent for so long. To be
    /// called between questions.
    pub(crate) async fn keep_alive(&mut self, silence_max: Duration) -> Result<(), ClientError> {
        if self.sent.elapsed() < silence_max {
            return Ok(());
        }
        self.ping().await?;
        self.answer().await.map(drop)
    }

    /// Closes the session.
    pub(crate) async fn close(mut self) {
        // It would end by itself.
        let _ = self.ask(&Request::CloseSession).await;
    }

    /// The next reply or event. Nothing is lost when this is cancelled.
    pub(crate) async fn next(&mut self) -> Result<Answer, ClientError> {
        let frame = self.next_frame().await?;
        Self::decode(&frame)
    }

    fn decode(frame: &Bytes) -> Result<Answer, ClientError> {
        let header = ReplyHeader::from_bytes(frame)?;
        Ok(Answer { header, body: frame.slice(ReplyHeader::BYTES_MIN..) })
    }

    async fn flush(&mut self) -> Result<(), ClientError> {
        self.sent = Instant::now();
        let sent = timeout(ANSWER_MAX, self.stream.write_all_buf(&mut self.out)).await;
        Ok(sent.map_err(|_| ClientError::Silent)??)
    }

    async fn next_in_time(&mut self) -> Result<Bytes, ClientError> {
        timeout(ANSWER_MAX, self.next_frame()).await.map_err(|_| ClientError::Silent)?
    }

    async fn next_frame(&mut self) -> Result<Bytes, ClientError> {
        loop {
            if let Some(frame) = self.cutter.next()? {
                return Ok(frame);
            }
            let mut chunk = [0; 16 << 10];
            let bytes = self.stream.read(&mut chunk).await?;
            if bytes == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            self.cutter.push(&chunk[..bytes]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auth_is_a_scheme_and_the_rest() {
        let auth: Auth = "digest:user:pass".parse().expect("good");
        assert_eq!((auth.scheme.as_str(), auth.secret.as_str()), ("digest", "user:pass"));
        assert!("digest".parse::<Auth>().is_err() && ":x".parse::<Auth>().is_err());
    }

    #[tokio::test]
    async fn a_session_that_was_silent_is_kept_alive_and_others_are_left_alone() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let stream = TcpStream::connect(address).await.expect("somebody listens");
        let (mut server, _) = listener.accept().await.expect("somebody came");
        let mut client = Client::on(stream);
        client.keep_alive(Duration::from_secs(3600)).await.expect("nothing to do");
        let answers = tokio::spawn(async move {
            let mut ping = [0; 12];
            server.read_exact(&mut ping).await.expect("a ping");
            let mut answer = BytesMut::new();
            let header = ReplyHeader { xid: xid::PING, zxid: 7, err: 0 };
            put_frame(&mut answer, |out| header.encode(out));
            server.write_all(&answer).await.expect("somebody reads");
            ping
        });
        client.keep_alive(Duration::ZERO).await.expect("the answer of the ping");
        let ping = answers.await.expect("it does not panic");
        assert_eq!(ping, [0, 0, 0, 8, 255, 255, 255, 254, 0, 0, 0, 11]);
    }
}
