//! Takes connections from the network and gives each a task, within the limits.

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::{config::ClientAddress, connection_task, ensemble::OwnPort, service::Service};

/// How long to wait when the system has no more file descriptors or memory to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Opens a port.
///
/// Compat(dual-stack): all addresses means IPv6 and IPv4, also when it was written `0.0.0.0`, as in
/// Java; on a machine without IPv6, IPv4 alone.
///
/// # Errors
/// What the system says when the address cannot be bound.
pub(crate) fn bind(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    if address.is_ipv4() && address.ip().is_unspecified() {
        match bind_one((Ipv6Addr::UNSPECIFIED, address.port()).into(), backlog) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(error) => tracing::debug!(%error, "no IPv6 here"),
        }
    }
    bind_one(address, backlog)
}

fn bind_one(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    TcpListener::from_std(socket.into())
}

/// Accepts until told to stop. When a reconfig gives this server another port, the old one is
/// closed and the connections that came by it stay.
pub(crate) async fn run(
    mut listener: TcpListener,
    service: Arc<Service>,
    mut stop: watch::Receiver<bool>,
) {
    let mut port = service.own_port();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => Ok(accepted),
            address = moved(&mut port) => Err(address),
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let accepted = match accepted {
            Ok(accepted) => accepted,
            Err(address) => {
                let moved = move_to(&address, service.config.listen_backlog).await;
                listener = moved.unwrap_or(listener);
                continue;
            }
        };
        match accepted {
            Ok((stream, remote)) => admit(stream, canonical(remote), &service, &stop),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn moved(port: &mut Option<OwnPort>) -> ClientAddress {
    match port {
        Some(port) => port.moved().await,
        None => std::future::pending().await,
    }
}

/// Opens the port that a reconfig names; if that fails the old one stays.
async fn move_to(address: &ClientAddress, backlog: i32) -> Option<TcpListener> {
    let ClientAddress { host, port } = address;
    let opened = match tokio::net::lookup_host((host.as_str(), *port)).await {
        Ok(mut found) => match found.next() {
            Some(found) => bind(found, backlog),
            None => Err(io::ErrorKind::NotFound.into()),
        },
        Err(error) => Err(error),
    };
    match &opened {
        Ok(_) => tracing::info!(host, port, "clients are served on another port from now on"),
        Err(error) => tracing::error!(host, port, %error, "the new client port cannot be opened"),
    }
    opened.ok()
}

/// The peer's IPv4 address where it came by one: limits, ACLs and people know it by that,
/// and not by the IPv6 address that a socket for both gives it.
fn canonical(remote: SocketAddr) -> SocketAddr {
    match remote.ip().to_canonical() {
        IpAddr::V4(address) => SocketAddr::new(address.into(), remote.port()),
        IpAddr::V6(_) => remote,
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

#[cfg(test)]
mod tests {
    use super::*;

    const BACKLOG: i32 = 8;

    async fn peer_seen_from(address: IpAddr) -> (SocketAddr, SocketAddr) {
        let listener = bind(([0, 0, 0, 0], 0).into(), BACKLOG).unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = TcpStream::connect((address, port)).await.unwrap();
        let (_, remote) = listener.accept().await.unwrap();
        (canonical(remote), client.local_addr().unwrap())
    }

    #[tokio::test]
    async fn a_listener_on_all_addresses_sees_ipv4_peers_as_such() {
        let (seen, own) = peer_seen_from([127, 0, 0, 1].into()).await;
        assert_eq!(seen, own);
    }

    #[tokio::test]
    async fn a_listener_on_all_addresses_takes_ipv6() {
        if bind_one((Ipv6Addr::LOCALHOST, 0).into(), BACKLOG).is_err() {
            return; // A machine without IPv6 has nothing to show.
        }
        let (seen, own) = peer_seen_from(Ipv6Addr::LOCALHOST.into()).await;
        assert_eq!(seen, own);
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_not_shared_between_the_two() {
        let listener = bind(([0, 0, 0, 0], 0).into(), BACKLOG).unwrap();
        let again = bind(([0, 0, 0, 0], listener.local_addr().unwrap().port()).into(), BACKLOG);
        assert_eq!(again.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
