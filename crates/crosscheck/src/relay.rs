//! What clients see: their bytes go to `ZooKeeper`, its bytes come back, and that is all.
//!
//! Nothing here decodes anything, and nothing waits for the comparison.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::input::{ConnId, Input};
use crate::servers::Servers;
use crate::tap::{Budget, Tap};

/// What is read at once, in bytes.
const CHUNK_BYTES: usize = 64 << 10;
/// How long `ZooKeeper` is not told that its client has gone.
const LINGER: Duration = Duration::from_millis(300);
/// How long `ZooKeeper` may take to close after its client has.
const CLOSE_MAX: Duration = Duration::from_secs(10);
/// How long to rest when no connection can be accepted, for want of descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);
/// The first byte of a TLS connection. No length of a first frame begins with it.
const TLS_HANDSHAKE: u8 = 0x16;

/// Relays connections for as long as it is polled.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) listener: TcpListener,
    pub(crate) zookeeper: Arc<Servers>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) to: UnboundedSender<Input>,
}

/// How a client's side of a connection ended.
enum Ended<'a> {
    /// The client said all that it has to say.
    ByClient(WriteHalf<'a>),
    /// `ZooKeeper` takes no more.
    ByZooKeeper,
    /// The client is refused.
    Refused,
}

impl Relay {
    /// Accepts clients until it is told to stop. When this returns, all of them are told to
    /// have ended.
    pub(crate) async fn run(self, mut stop: oneshot::Receiver<()>) {
        let numbers = AtomicU64::new(1);
        let mut clients = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = clients.join_next() => continue,
                _ = &mut stop => return clients.shutdown().await,
            };
            let client = match accepted {
                Ok((client, _)) => client,
                Err(error) => {
                    tracing::warn!("cannot accept a client: {error}");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                    continue;
                }
            };
            let conn = ConnId(numbers.fetch_add(1, Ordering::Relaxed));
            let tap = Tap::open(conn, Arc::clone(&self.budget), self.to.clone());
            let zookeeper = Arc::clone(&self.zookeeper);
            clients.spawn(async move {
                // How a connection ended is for its two ends to judge.
                if let Err(error) = relay(client, &zookeeper, &tap).await {
                    tracing::debug!("connection {conn}: {error}");
                }
            });
        }
    }
}

async fn relay(mut client: TcpStream, zookeeper: &Servers, tap: &Tap) -> io::Result<()> {
    client.set_nodelay(true)?;
    // A client that finds a server away sees a connection that ends, and tries again.
    let mut server = zookeeper.connect().await?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let up = up(from_client, to_server, tap);
    let down = down(from_server, to_client, tap);
    tokio::pin!(up, down);
    let ended = tokio::select! {
        ended = &mut up => ended,
        result = &mut down => return result,
    };
    match ended {
        Ended::ByClient(mut server) => {
            // ZooKeeper drops what it has not answered when it reads the end of a connection:
            // a client that closes its session and does not wait would go unanswered.
            if let Ok(result) = timeout(LINGER, &mut down).await {
                return result;
            }
            server.shutdown().await?;
        }
        // What it answered before is still on its way.
        Ended::ByZooKeeper => {}
        Ended::Refused => return Ok(()),
    }
    timeout(CLOSE_MAX, down).await.unwrap_or(Ok(()))
}

/// From the client to `ZooKeeper`, until either ends.
async fn up<'a>(mut from: ReadHalf<'_>, mut to: WriteHalf<'a>, tap: &Tap) -> Ended<'a> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut is_first = true;
    loop {
        let bytes = from.read(&mut chunk).await.unwrap_or(0);
        let chunk = &chunk[..bytes];
        if is_first && chunk.first() == Some(&TLS_HANDSHAKE) {
            tracing::warn!("a client speaks TLS, which the cross-check does not: it is refused");
            return Ended::Refused;
        }
        is_first = false;
        if chunk.is_empty() {
            return Ended::ByClient(to);
        }
        tap.client(chunk);
        if to.write_all(chunk).await.is_err() {
            return Ended::ByZooKeeper;
        }
    }
}

/// From `ZooKeeper` to the client, until `ZooKeeper` ends.
async fn down(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, tap: &Tap) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut is_heard = true;
    loop {
        let bytes = from.read(&mut chunk).await?;
        let chunk = &chunk[..bytes];
        if chunk.is_empty() {
            return if is_heard { to.shutdown().await } else { Ok(()) };
        }
        tap.zookeeper(chunk);
        // A client that is gone does not end this: what ZooKeeper answered is still compared.
        is_heard = is_heard && to.write_all(chunk).await.is_ok();
    }
}
