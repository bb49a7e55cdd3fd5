//! What the director is told: all that happens on the sockets, in one order.
//!
//! That order is what the comparison stands on. A request is told before it is forwarded, so
//! when the reply to a write is told, every write that came before it on ZooKeeper has been
//! told as a request: see [`crate::director::order`].

use std::fmt;

use bytes::Bytes;

/// A client's connection, and the connection to Rookery that stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnId(pub(crate) u64);

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Something happened.
#[derive(Debug)]
pub(crate) enum Input {
    /// A client connected.
    Opened(ConnId),
    /// Bytes of a client, about to be forwarded.
    FromClient(ConnId, Bytes),
    /// Bytes of `ZooKeeper` to a client.
    FromZooKeeper(ConnId, Bytes),
    /// The client's connection is over.
    Ended(ConnId),
    /// There was no room for bytes of this connection: nothing more will be told of it.
    Lost(ConnId),
    /// From Rookery.
    Rookery(ConnId, FromRookery),
    /// From the observer.
    Observed(Observed),
    /// Whether Rookery takes connections, as asked.
    Probed(Probe),
}

/// What came on a connection to Rookery.
#[derive(Debug)]
pub(crate) enum FromRookery {
    /// The payload of a frame.
    Frame(Bytes),
    /// It is closed, or was never open.
    Closed,
}

/// What the observer saw on `ZooKeeper`.
#[derive(Debug)]
pub(crate) enum Observed {
    /// A change, by whomever.
    Change {
        /// Its zxid; -1 from a `ZooKeeper` before 3.9.
        zxid: i64,
        /// The number of the event's type.
        kind: i32,
        /// The znode.
        path: String,
    },
    /// All changes up to this zxid have been told.
    UpTo(i64),
    /// Changes may have been missed: the connection was lost, and is back.
    Gap,
    /// `ZooKeeper` does not offer what observing needs.
    Blind,
}

/// The answer to a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Sessions are opened.
    Alive,
    /// They are not.
    Gone,
}
