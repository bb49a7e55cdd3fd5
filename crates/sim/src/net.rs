//! A network between servers: ordered streams, as TCP gives them, over links that take their
//! time, can be cut in one direction or both, and break when a server crashes.
//!
//! What is sent into a cut link arrives when it is whole again, as TCP would send it again.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    ops::Range,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use raft_log::transport::{BoxFuture, Connection, Listener, Transport};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split},
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

use crate::chance::Chance;

/// How long bytes travel, in microseconds.
const TRAVEL_MICROS: Range<u64> = 30..3000;
/// Now and then much longer.
const LONG_TRAVEL_MICROS: Range<u64> = 3000..80_000;
/// How long one waits for a connection.
const DIAL_MAX: Duration = Duration::from_secs(2);
/// What a link holds, as a socket's buffers do.
const BUFFER_BYTES: usize = 64 << 10;
/// What a link to a client holds: little, so that a client that does not read is felt.
const CLIENT_BUFFER_BYTES: usize = 256;

/// The network. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Net {
    inner: Arc<Mutex<Inner>>,
    changed: watch::Sender<u64>,
    chance: Chance,
}

#[derive(Debug, Default)]
struct Inner {
    /// By address, and whose that is.
    listening: BTreeMap<String, (i64, mpsc::UnboundedSender<Connection>)>,
    /// From whom to whom nothing arrives.
    cut: BTreeSet<(i64, i64)>,
    /// Counts the crashes of each server.
    lives: BTreeMap<i64, u64>,
}

impl Net {
    /// A network without servers.
    pub fn new(chance: Chance) -> Self {
        let (changed, _) = watch::channel(0);
        Self { inner: Arc::default(), changed, chance }
    }

    /// Where peers reach a server.
    pub fn address(server: i64) -> String {
        format!("server-{server}:1")
    }

    /// Where clients reach a server.
    pub fn client_address(server: i64) -> String {
        format!("server-{server}:2")
    }

    /// Whether nothing that one sends arrives at the other.
    pub fn is_cut_between(&self, one: i64, other: i64) -> bool {
        self.is_cut(one, other) || self.is_cut(other, one)
    }

    /// A connection of a client to a server. Clients have numbers below zero.
    ///
    /// # Errors
    /// When the server cannot be reached, or refuses.
    pub async fn connect(&self, client: i64, server: i64) -> io::Result<Connection> {
        self.dial((client, 0), &Self::client_address(server)).await
    }

    /// The connections of clients to a server that starts now.
    pub fn serve_clients(&self, server: i64) -> mpsc::UnboundedReceiver<Connection> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let address = Self::client_address(server);
        self.inner.lock().listening.insert(address, (server, sender));
        receiver
    }

    /// What a server holds while it runs.
    pub fn plug_in(&self, server: i64) -> Arc<dyn Transport> {
        let life = self.inner.lock().lives.get(&server).copied().unwrap_or(0);
        Arc::new(Plug { net: self.clone(), server, life })
    }

    /// Breaks every connection of a server.
    pub fn crash(&self, server: i64) {
        let mut inner = self.inner.lock();
        *inner.lives.entry(server).or_default() += 1;
        inner.listening.retain(|_, (whose, _)| *whose != server);
        drop(inner);
        self.note_change();
    }

    /// Cuts these directions, and no others.
    pub fn set_cut(&self, cut: BTreeSet<(i64, i64)>) {
        self.inner.lock().cut = cut;
        self.note_change();
    }

    fn note_change(&self) {
        self.changed.send_modify(|changes| *changes += 1);
    }

    fn is_alive(&self, server: i64, life: u64) -> bool {
        self.inner.lock().lives.get(&server).copied().unwrap_or(0) == life
    }

    fn is_cut(&self, from: i64, to: i64) -> bool {
        self.inner.lock().cut.contains(&(from, to))
    }

    fn travel(&self) -> Duration {
        let range = if self.chance.percent(2) { LONG_TRAVEL_MICROS } else { TRAVEL_MICROS };
        self.chance.micros(range)
    }

    async fn until(&self, condition: impl Fn() -> bool + Send) {
        let mut changed = self.changed.subscribe();
        while !condition() {
            // The sender lives as long as this.
            let _ = changed.changed().await;
        }
    }

    async fn dial(&self, from: (i64, u64), address: &str) -> io::Result<Connection> {
        sleep(self.travel()).await;
        let to = address.strip_prefix("server-").and_then(|rest| rest.split(':').next());
        let to: i64 = to.and_then(|to| to.parse().ok()).ok_or(io::ErrorKind::InvalidInput)?;
        let whole = self.until(|| !self.is_cut(from.0, to) && !self.is_cut(to, from.0));
        timeout(DIAL_MAX, whole).await.map_err(|_| io::ErrorKind::TimedOut)?;
        if !self.is_alive(from.0, from.1) {
            return Err(io::ErrorKind::NetworkDown.into());
        }
        let (listener, life) = {
            let inner = self.inner.lock();
            let listener = inner.listening.get(address).map(|(_, listener)| listener.clone());
            (listener, inner.lives.get(&to).copied().unwrap_or(0))
        };
        let listener = listener.ok_or(io::ErrorKind::ConnectionRefused)?;
        let buffer = if from.0 < 0 { CLIENT_BUFFER_BYTES } else { BUFFER_BYTES };
        let (own, own_wire) = duplex(buffer);
        let (theirs, their_wire) = duplex(buffer);
        let (own_in, own_out) = split(own_wire);
        let (their_in, their_out) = split(their_wire);
        tokio::spawn(self.clone().carry(from, (to, life), own_in, their_out));
        tokio::spawn(self.clone().carry((to, life), from, their_in, own_out));
        let arrives = listener.send(connection(theirs, from.0));
        arrives.map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(connection(own, to))
    }

    /// Carries bytes in one direction until either side is gone.
    async fn carry(
        self,
        from: (i64, u64),
        to: (i64, u64),
        mut input: ReadHalf<DuplexStream>,
        mut output: WriteHalf<DuplexStream>,
    ) {
        let broken = || !self.is_alive(from.0, from.1) || !self.is_alive(to.0, to.1);
        let mut room = vec![0; BUFFER_BYTES];
        loop {
            let read = tokio::select! {
                biased;
                () = self.until(broken) => return,
                read = input.read(&mut room) => read,
            };
            let Ok(read @ 1..) = read else { break };
            sleep(self.travel()).await;
            self.until(|| broken() || !self.is_cut(from.0, to.0)).await;
            if broken() || output.write_all(&room[..read]).await.is_err() {
                return;
            }
        }
        // What was sent before the end arrives before it.
        self.until(|| broken() || !self.is_cut(from.0, to.0)).await;
        let _ = output.shutdown().await;
    }
}

fn connection(stream: DuplexStream, peer: i64) -> Connection {
    let (reader, writer) = split(stream);
    Connection { reader: Box::new(reader), writer: Box::new(writer), peer: Net::address(peer) }
}

/// A server's end of the network.
#[derive(Debug)]
struct Plug {
    net: Net,
    server: i64,
    life: u64,
}

impl Transport for Plug {
    fn dial<'f>(&'f self, address: &'f str) -> BoxFuture<'f, io::Result<Connection>> {
        Box::pin(self.net.dial((self.server, self.life), address))
    }

    fn listen<'f>(&'f self, _: &'f str) -> BoxFuture<'f, io::Result<Box<dyn Listener>>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        if self.net.is_alive(self.server, self.life) {
            let address = Net::address(self.server);
            self.net.inner.lock().listening.insert(address, (self.server, sender));
        }
        let listener: Box<dyn Listener> = Box::new(Incoming { server: self.server, receiver });
        Box::pin(async move { Ok(listener) })
    }
}

struct Incoming {
    server: i64,
    receiver: mpsc::UnboundedReceiver<Connection>,
}

impl Listener for Incoming {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Connection>> {
        Box::pin(async move {
            match self.receiver.recv().await {
                Some(connection) => Ok(connection),
                // The server has crashed; what is left of it waits for its end.
                None => std::future::pending().await,
            }
        })
    }

    fn address(&self) -> String {
        Net::address(self.server)
    }
}
