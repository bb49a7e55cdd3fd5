//! The real network.

use std::{io, time::Duration};

use rustix::net::sockopt;
use tokio::{
    net::{TcpListener, TcpStream, lookup_host},
    time::timeout,
};

use super::{BoxFuture, Connection, Listener, Transport};

/// How long to wait for a connection to one address.
const DIAL_MAX: Duration = Duration::from_secs(3);

/// How long what was sent may stay unacknowledged before the connection is broken.
const SILENT_MAX_MS: u32 = 5000;
/// How often a connection on which nothing is said is probed.
const PROBE_AFTER: Duration = Duration::from_secs(2);

/// Connections by TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

impl Transport for Tcp {
    fn dial<'f>(&'f self, address: &'f str) -> BoxFuture<'f, io::Result<Connection>> {
        Box::pin(async move {
            let mut last = None;
            for address in lookup_host(address).await? {
                match timeout(DIAL_MAX, TcpStream::connect(address)).await {
                    Ok(Ok(stream)) => return connection(stream),
                    Ok(Err(error)) => last = Some(error),
                    Err(_) => last = Some(io::ErrorKind::TimedOut.into()),
                }
            }
            Err(last.unwrap_or_else(|| io::Error::other("the name has no addresses")))
        })
    }

    fn listen<'f>(&'f self, address: &'f str) -> BoxFuture<'f, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let listener = TcpListener::bind(address).await?;
            Ok(Box::new(TcpIncoming(listener)) as Box<dyn Listener>)
        })
    }
}

struct TcpIncoming(TcpListener);

impl Listener for TcpIncoming {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Connection>> {
        Box::pin(async move { connection(self.0.accept().await?.0) })
    }

    fn address(&self) -> String {
        self.0.local_addr().map_or_else(|_| "?".to_owned(), |address| address.to_string())
    }
}

fn connection(stream: TcpStream) -> io::Result<Connection> {
    // A batch must not wait for the acknowledgement of the one before it.
    stream.set_nodelay(true)?;
    // A host that is cut off must not hold a connection for the minutes that TCP would.
    sockopt::set_tcp_user_timeout(&stream, SILENT_MAX_MS)?;
    sockopt::set_socket_keepalive(&stream, true)?;
    sockopt::set_tcp_keepidle(&stream, PROBE_AFTER)?;
    sockopt::set_tcp_keepintvl(&stream, PROBE_AFTER)?;
    let peer = stream.peer_addr()?.to_string();
    let (reader, writer) = stream.into_split();
    Ok(Connection { reader: Box::new(reader), writer: Box::new(writer), peer })
}
