//! A listener that takes a bounded number of connections at a time, each for a bounded time.
//!
//! Whoever comes when all places are taken waits in the system's queue, which is bounded too.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};

use super::timed::Timed;

/// Connections to the admin server, or to the metrics: scrapers are few.
pub(super) const CONNECTIONS_MAX: usize = 64;

pub(super) struct Limited {
    listener: TcpListener,
    places: Arc<Semaphore>,
    idle: Duration,
    stop: watch::Receiver<bool>,
}

impl Limited {
    pub(super) fn new(listener: TcpListener, idle: Duration, stop: watch::Receiver<bool>) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(CONNECTIONS_MAX)), idle, stop }
    }
}

impl Listener for Limited {
    type Io = Timed;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Timed, SocketAddr) {
        let place = Arc::clone(&self.places).acquire_owned().await;
        // The one of axum waits a moment when the system has no descriptor to give.
        let (stream, remote) = Listener::accept(&mut self.listener).await;
        (Timed::new(stream, place.ok(), self.idle, self.stop.clone()), remote)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Who asks: the address that an `ip` identity is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

impl Connected<IncomingStream<'_, Limited>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Limited>) -> Self {
        Self(stream.remote_addr().ip().to_canonical())
    }
}
