//! A TCP relay between clients and a server, to break connections at will.
//!
//! Its address stays while the server behind it is restarted on another port. It delays and
//! reorders nothing: what it breaks, it breaks as a network does, for both sides at once.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// A relay on a free loopback port. Stops, and breaks its connections, when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    upstream: SocketAddr,
    passage: Passage,
    /// Both ends of each connection that was relayed since the last break.
    open: Vec<TcpStream>,
}

/// What happens to a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It is relayed.
    Open,
    /// It is accepted and closed at once, as by a host whose server is away.
    Closed,
}

impl Proxy {
    /// Starts to relay to `upstream`.
    ///
    /// # Errors
    /// When no port can be listened on.
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let state = State { upstream, passage: Passage::Open, open: Vec::new() };
        let shared = Arc::new(Shared { state: Mutex::new(state) });
        let weak = Arc::downgrade(&shared);
        // The acceptor ends when the proxy is gone: dropping it connects once more.
        let acceptor = thread::spawn(move || {
            for client in listener.incoming() {
                let Some(shared) = weak.upgrade() else { return };
                if let Ok(client) = client {
                    // A server that is away shows as a connection that ends.
                    let _ = shared.relay(client);
                }
            }
        });
        Ok(Self { address, shared, acceptor: Some(acceptor) })
    }

    /// Where clients connect.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// New connections go to `upstream` from now on.
    pub fn relay_to(&self, upstream: SocketAddr) {
        self.shared.lock().upstream = upstream;
    }

    /// Lets new connections through, or not.
    pub fn set_passage(&self, passage: Passage) {
        self.shared.lock().passage = passage;
    }

    /// Breaks all connections, and returns how many were relayed since the last time.
    pub fn break_connections(&self) -> usize {
        let open = std::mem::take(&mut self.shared.lock().open);
        for stream in &open {
            // An error means that it is broken already.
            let _ = stream.shutdown(Shutdown::Both);
        }
        open.len() / 2
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.break_connections();
        // The acceptor sees that the state is gone only when it is woken.
        self.shared = Arc::new(Shared {
            state: Mutex::new(State {
                upstream: self.address,
                passage: Passage::Closed,
                open: Vec::new(),
            }),
        });
        let woken = TcpStream::connect(self.address);
        if let (Ok(_), Some(acceptor)) = (woken, self.acceptor.take()) {
            // A panic there has been reported by the thread itself.
            let _ = acceptor.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn relay(&self, client: TcpStream) -> io::Result<()> {
        let (upstream, passage) = {
            let state = self.lock();
            (state.upstream, state.passage)
        };
        if passage == Passage::Closed {
            return client.shutdown(Shutdown::Both);
        }
        let server = TcpStream::connect(upstream)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        {
            let mut state = self.lock();
            state.open.push(client.try_clone()?);
            state.open.push(server.try_clone()?);
        }
        pump(client.try_clone()?, server.try_clone()?);
        pump(server, client);
        Ok(())
    }
}

/// Copies until either side ends, and then ends the other.
fn pump(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        // How a connection ended does not matter: the other half ends too.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    });
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn it_relays_breaks_and_refuses() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a server");
        let proxy = Proxy::start(server.local_addr().expect("bound")).expect("a proxy");
        let mut client = TcpStream::connect(proxy.address()).expect("connected");
        let (mut accepted, _) = server.accept().expect("relayed");
        client.write_all(b"there").expect("sent");
        let mut bytes = [0; 5];
        accepted.read_exact(&mut bytes).expect("received");
        assert_eq!(&bytes, b"there");

        assert_eq!(proxy.break_connections(), 1);
        assert_eq!(client.read(&mut bytes).expect("the end"), 0);
        assert_eq!(accepted.read(&mut bytes).expect("the end"), 0);

        proxy.set_passage(Passage::Closed);
        let mut refused = TcpStream::connect(proxy.address()).expect("accepted");
        assert!(matches!(refused.read(&mut bytes), Ok(0) | Err(_)));
    }
}
