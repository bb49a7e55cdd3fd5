//! The real network, with links that can be cut: what is under way waits, as with packets
//! that are dropped, until the link is mended.

use std::{
    collections::{HashMap, HashSet},
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use raft_log::transport::{BoxFuture, Connection, Listener, Tcp, Transport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Which links are cut; shared by all servers.
#[derive(Debug, Default)]
pub(crate) struct Net(Mutex<Links>);

#[derive(Debug, Default)]
struct Links {
    servers: HashMap<String, i64>,
    cut: HashSet<(i64, i64)>,
    /// Over these links nothing new is dialled; connections that were made go on.
    closed: HashSet<(i64, i64)>,
    /// Bytes that a server has sent to another one, on connections that it has dialled.
    sent: HashMap<(i64, i64), usize>,
    /// Bytes that a server may still send before it is cut off from this one.
    budgets: HashMap<(i64, i64), usize>,
    waiting: Vec<Waker>,
}

impl Net {
    pub(crate) fn know(&self, server_id: i64, address: &str) {
        self.0.lock().unwrap().servers.insert(address.to_owned(), server_id);
    }

    pub(crate) fn transport_of(self: &Arc<Self>, own: i64) -> Arc<dyn Transport> {
        Arc::new(Via { net: Arc::clone(self), own })
    }

    /// Cuts a server off from the others, both ways.
    pub(crate) fn cut_off(&self, server_id: i64, others: impl IntoIterator<Item = i64>) {
        let mut links = self.0.lock().unwrap();
        for other in others.into_iter().filter(|other| *other != server_id) {
            links.cut.insert((server_id, other));
            links.cut.insert((other, server_id));
        }
    }

    /// Stops what one server has dialled to another; the other way goes on.
    pub(crate) fn cut_one_way(&self, from: i64, to: i64) {
        self.0.lock().unwrap().cut.insert((from, to));
    }

    /// Mends what was cut one way.
    pub(crate) fn mend_one_way(&self, from: i64, to: i64) {
        let mut links = self.0.lock().unwrap();
        links.cut.remove(&(from, to));
        links.waiting.drain(..).for_each(Waker::wake);
    }

    /// From now on one server makes no more connections to another; those there are go on.
    pub(crate) fn dial_no_more(&self, from: i64, to: i64) {
        self.0.lock().unwrap().closed.insert((from, to));
    }

    /// After so many bytes from one server to another, the two are cut off.
    pub(crate) fn cut_after(&self, from: i64, to: i64, bytes: usize) {
        self.0.lock().unwrap().budgets.insert((from, to), bytes);
    }

    /// How many bytes a server has sent to another one, on connections that it has dialled.
    pub(crate) fn sent(&self, from: i64, to: i64) -> usize {
        self.0.lock().unwrap().sent.get(&(from, to)).copied().unwrap_or(0)
    }

    pub(crate) fn is_cut(&self, from: i64, to: i64) -> bool {
        self.0.lock().unwrap().cut.contains(&(from, to))
    }

    pub(crate) fn mend(&self) {
        let mut links = self.0.lock().unwrap();
        links.cut.clear();
        links.closed.clear();
        links.budgets.clear();
        links.waiting.drain(..).for_each(Waker::wake);
    }

    /// Ready when the link is whole.
    fn poll_whole(&self, link: (i64, i64), context: &Context<'_>) -> Poll<()> {
        let mut links = self.0.lock().unwrap();
        if !links.cut.contains(&link) {
            return Poll::Ready(());
        }
        links.waiting.push(context.waker().clone());
        Poll::Pending
    }

    fn spend(&self, (from, to): (i64, i64), bytes: usize) {
        let mut links = self.0.lock().unwrap();
        *links.sent.entry((from, to)).or_default() += bytes;
        let Some(left) = links.budgets.get_mut(&(from, to)) else { return };
        *left = left.saturating_sub(bytes);
        if *left == 0 {
            links.cut.insert((from, to));
            links.cut.insert((to, from));
        }
    }
}

/// One server's way into the network.
#[derive(Debug)]
struct Via {
    net: Arc<Net>,
    own: i64,
}

impl Transport for Via {
    fn dial<'f>(&'f self, address: &'f str) -> BoxFuture<'f, io::Result<Connection>> {
        Box::pin(async move {
            let link = {
                let links = self.net.0.lock().unwrap();
                let to = links.servers.get(address).copied().unwrap_or(-1);
                if links.closed.contains(&(self.own, to)) {
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                (self.own, to)
            };
            let whole = std::future::poll_fn(|context| self.net.poll_whole(link, context));
            let whole = tokio::time::timeout(Duration::from_secs(3), whole).await;
            whole.map_err(|_| io::ErrorKind::TimedOut)?;
            let Connection { reader, writer, peer } = Tcp.dial(address).await?;
            let net = &self.net;
            Ok(Connection {
                reader: Box::new(Gated { net: Arc::clone(net), link, inner: reader }),
                writer: Box::new(Gated { net: Arc::clone(net), link, inner: writer }),
                peer,
            })
        })
    }

    fn listen<'f>(&'f self, address: &'f str) -> BoxFuture<'f, io::Result<Box<dyn Listener>>> {
        Box::pin(async move { Tcp.listen(address).await })
    }
}

/// One half of a connection, which stands still while its link is cut.
struct Gated<T> {
    net: Arc<Net>,
    link: (i64, i64),
    inner: T,
}

impl<T: AsyncRead + Unpin> AsyncRead for Gated<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.net.poll_whole(self.link, context).is_pending() {
            return Poll::Pending;
        }
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Gated<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.net.poll_whole(self.link, context).is_pending() {
            return Poll::Pending;
        }
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        if let Poll::Ready(Ok(bytes)) = written {
            self.net.spend(self.link, bytes);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
