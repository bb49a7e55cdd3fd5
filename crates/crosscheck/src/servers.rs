//! Connect strings: several servers, tried in turn.

use std::io;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long one server may take to accept a connection.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// The port of servers whose address names none.
const PORT: u16 = 2181;

/// Servers of one ensemble.
#[derive(Debug)]
pub struct Servers {
    /// Host and port of each.
    addresses: Vec<String>,
    /// The one to try first.
    next: AtomicUsize,
}

impl Clone for Servers {
    fn clone(&self) -> Self {
        Self { addresses: self.addresses.clone(), next: AtomicUsize::new(0) }
    }
}

/// A connect string is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadServers {
    /// No server in it.
    #[error("no server is named")]
    Empty,
    /// A path behind the servers.
    #[error("a path behind the servers is for clients: leave it out here")]
    Path,
    /// Not a port.
    #[error("{0:?} is not HOST:PORT")]
    Port(String),
}

impl FromStr for Servers {
    type Err = BadServers;

    fn from_str(text: &str) -> Result<Self, BadServers> {
        if text.contains('/') {
            return Err(BadServers::Path);
        }
        let mut addresses = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            addresses.push(with_port(part)?);
        }
        if addresses.is_empty() {
            return Err(BadServers::Empty);
        }
        Ok(Self { addresses, next: AtomicUsize::new(0) })
    }
}

fn with_port(part: &str) -> Result<String, BadServers> {
    match part.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
            Ok(part.to_owned())
        }
        None => Ok(format!("{part}:{PORT}")),
        Some(_) if part.ends_with(']') => Ok(format!("{part}:{PORT}")),
        Some(_) => Err(BadServers::Port(part.to_owned())),
    }
}

impl Servers {
    /// Whether it is a single server.
    pub const fn is_one(&self) -> bool {
        self.addresses.len() == 1
    }

    /// Connects to one of them, beginning with another one each time.
    pub(crate) async fn connect(&self) -> io::Result<TcpStream> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for offset in 0..self.addresses.len() {
            let index = first.wrapping_add(offset) % self.addresses.len();
            match timeout(CONNECT_MAX, TcpStream::connect(&self.addresses[index])).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connect_strings_are_lists_with_ports() {
        let addresses = |text: &str| text.parse::<Servers>().map(|servers| servers.addresses);
        let expected = ["a:1", "b:2181", "[::1]:2181", "[::1]:5"].map(str::to_owned).to_vec();
        assert_eq!(addresses("a:1, b,[::1],[::1]:5"), Ok(expected));
        assert_eq!(addresses(" ,"), Err(BadServers::Empty));
        assert_eq!(addresses("a:1/chroot"), Err(BadServers::Path));
        assert_eq!(addresses("a:x"), Err(BadServers::Port("a:x".to_owned())));
    }
}
