//! How servers reach each other: a seam, so that a simulation can put its own network here.
//!
//! The clock needs no seam of its own: everything here waits with tokio's timers, which a
//! simulation stops and turns by hand.

mod tcp;

use std::{fmt, future::Future, io, pin::Pin};

use tokio::io::{AsyncRead, AsyncWrite};

pub use tcp::Tcp;

/// A future that is made by a trait object.
pub type BoxFuture<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;

/// Makes and takes connections between servers.
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Connects to `address`, `host:port`. A name is resolved each time.
    ///
    /// # Errors
    /// What the system says; also when nobody answers for a few seconds.
    fn dial<'f>(&'f self, address: &'f str) -> BoxFuture<'f, io::Result<Connection>>;

    /// Takes connections at `address`, `host:port`.
    ///
    /// # Errors
    /// What the system says, such as that the port is taken.
    fn listen<'f>(&'f self, address: &'f str) -> BoxFuture<'f, io::Result<Box<dyn Listener>>>;
}

/// Where connections come in.
pub trait Listener: Send {
    /// The next connection.
    ///
    /// # Errors
    /// What the system says; the next attempt may succeed.
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Connection>>;

    /// Where it listens: with the port that was free, if none was asked for.
    fn address(&self) -> String;
}

/// An ordered stream of bytes in each direction.
pub struct Connection {
    /// What comes from the other side.
    pub reader: Box<dyn AsyncRead + Send + Sync + Unpin>,
    /// What goes to the other side.
    pub writer: Box<dyn AsyncWrite + Send + Sync + Unpin>,
    /// Where the other side is, for messages.
    pub peer: String,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("peer", &self.peer).finish_non_exhaustive()
    }
}
