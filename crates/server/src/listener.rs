//! Takes connections from the network and gives each a task, within the limits.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::{connection_task, service::Service};

/// How long to wait when the system has no more file descriptors or memory to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Opens the client port.
///
/// # Errors
/// What the system says when the address cannot be bound.
pub(crate) fn bind(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        // As Java does: a listener on all addresses takes IPv4 as well.
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    TcpListener::from_std(socket.into())
}

/// Accepts until told to stop.
pub(crate) async fn run(
    listener: TcpListener,
    service: Arc<Service>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((stream, remote)) => admit(stream, remote, &service, &stop),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Starts the connection's task, or closes the socket without a byte, as ZooKeeper does.
fn admit(
    stream: TcpStream,
    remote: SocketAddr,
    service: &Arc<Service>,
    stop: &watch::Receiver<bool>,
) {
    let config = &service.config;
    let links = &service.core.links;
    if let Err(refusal) =
        links.admit(remote.ip(), config.max_connections, config.max_connections_per_address)
    {
        service.core.metrics.connection_rejected();
        tracing::warn!(%remote, ?refusal, "connection refused");
        return;
    }
    if config.keep_alive
        && let Err(error) = SockRef::from(&stream).set_keepalive(true)
    {
        tracing::warn!(%remote, %error, "TCP keep-alive cannot be turned on");
    }
    let (service, stop) = (Arc::clone(service), stop.clone());
    tokio::spawn(async move {
        connection_task::serve(stream, remote, &service, stop).await;
        service.core.links.leave(remote.ip());
    });
}
