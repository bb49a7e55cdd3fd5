//! What people and their tools may see of a running server: plain values, no handles.
//!
//! The four-letter words, the admin server and the metrics are functions of this; the
//! server implements [`ServerObserved`], and tests do with a handful of constants.

use std::net::{IpAddr, SocketAddr};

use raft_log::Report;
use session::{WatchSummary, auth::address_text};
use tree::{SessionId, Zxid};

use super::metrics::{Metrics, Sizes};
use crate::config::{Member, Whitelist};

/// What a server is to its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// There are no others.
    Standalone,
    /// Orders the writes of an ensemble.
    Leader,
    /// Votes, and follows.
    Follower,
    /// Follows without a vote.
    Observer,
    /// Has lost the others, and serves those who only read.
    ReadOnly,
}

impl Mode {
    /// Whether only those are served who do no more than read.
    pub const fn is_read_only(self) -> bool {
        match self {
            Self::ReadOnly => true,
            Self::Standalone | Self::Leader | Self::Follower | Self::Observer => false,
        }
    }

    /// As `srvr` and `mntr` write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standalone => "standalone",
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Observer => "observer",
            Self::ReadOnly => "read-only",
        }
    }
}

/// The numbers that cost nothing to gather.
#[derive(Clone, Debug)]
pub struct Overview {
    /// False while the state is loaded, or without a leader.
    pub serving: bool,
    /// What it is to its clients.
    pub mode: Mode,
    /// The last write applied.
    pub zxid: Zxid,
    /// Since the server started.
    pub uptime_ms: u64,
    /// Wall clock, in milliseconds since 1970.
    pub wall_ms: i64,
    /// The server's monotonic clock, of the same moment.
    pub monotonic_ms: u64,
    /// Open connections, those that only say a four-letter word included.
    pub connections: u64,
    /// Writes that wait for the log.
    pub outstanding: u64,
    /// Znodes, the root included.
    pub znodes: u64,
    /// Of those, ephemerals.
    pub ephemerals: u64,
    /// Paths and data, in bytes, as ZooKeeper estimates it.
    pub data_bytes: i64,
    /// Open sessions that every server knows.
    pub sessions: u64,
    /// Open sessions that this server alone knows.
    pub local_sessions: u64,
    /// Watches of every kind.
    pub watches: u64,
    /// Watches on data, for `wchs`.
    pub data_watches: WatchSummary,
    /// Its place among others; none if it stands alone.
    pub ensemble: Option<EnsembleOverview>,
}

/// A server's place among others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnsembleOverview {
    /// Members that vote.
    pub voters: u64,
    /// What `mntr` calls the peer's state.
    pub peer_state: &'static str,
    /// The number of the server that an observer follows.
    pub observer_master: Option<i64>,
    /// What only a leader knows.
    pub leading: Option<Leading>,
}

/// What only a leader knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leading {
    /// For how long it leads.
    pub uptime_ms: u64,
    /// Servers that follow it, observers too.
    pub learners: u64,
    /// Followers that vote and have what the leader has, but for what is on its way.
    pub synced_followers: u64,
    /// The same of those that are to vote and do not yet.
    pub synced_non_voting_followers: u64,
    /// The same of observers.
    pub synced_observers: u64,
    /// Syncs of clients that wait.
    pub pending_syncs: u64,
    /// Lengths of the log's entries.
    pub proposal_sizes: Option<Sizes>,
}

/// One connection, for `cons` and `stat`.
#[derive(Clone, Debug)]
pub struct ConnectionView {
    /// The peer.
    pub remote: SocketAddr,
    /// What the task waits for, in the terms of Java's NIO: 1 to read, 4 to write, 0 while
    /// a request is being worked on.
    pub interest: u8,
    /// Requests that wait for their answer.
    pub queued: u64,
    /// Its session, [`SessionId::NONE`] before there is one.
    pub session: SessionId,
    /// The session's timeout.
    pub timeout_ms: i32,
    /// When the client was last heard, by the monotonic clock.
    pub heard_ms: u64,
    /// What it counted.
    pub stats: ConnectionStats,
}

/// What one connection counted, since it began or since `crst`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionStats {
    /// When it began, in milliseconds since 1970.
    pub established_ms: i64,
    /// Requests.
    pub received: u64,
    /// Replies and events.
    pub sent: u64,
    /// The last request that was answered.
    pub last: Option<LastRequest>,
    /// How long requests took, in milliseconds.
    pub latency: super::metrics::Observed,
}

/// The last request that a connection answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRequest {
    /// Its op code.
    pub op: i32,
    /// The client's number for it, or for the last one that had a number; negative before
    /// the first of these.
    pub xid: i32,
    /// The zxid in the reply.
    pub zxid: Zxid,
    /// When it was answered, by the monotonic clock, in milliseconds.
    pub answered_ms: u64,
    /// How long it took, in milliseconds.
    pub latency_ms: u64,
}

impl ConnectionView {
    /// The peer as Java writes it: IPv6 with all its zeros.
    pub fn remote_text(&self) -> String {
        let (address, port) = (address_text(self.remote.ip()), self.remote.port());
        if self.remote.is_ipv6() {
            format!("[{address}]:{port}")
        } else {
            format!("{address}:{port}")
        }
    }
}

impl ConnectionStats {
    /// A connection that has not said anything yet.
    pub fn new(established_ms: i64) -> Self {
        let latency = super::metrics::Observed::default();
        Self { established_ms, received: 0, sent: 0, last: None, latency }
    }

    /// Takes in what a batch of requests added. Latencies count for the last one only:
    /// within a batch they hardly differ.
    pub fn add(&mut self, received: u64, sent: u64, last: Option<LastRequest>) {
        self.received += received;
        self.sent += sent;
        if let Some(mut last) = last {
            self.latency.observe(last.latency_ms);
            // Compat(last-xid): what has no number of the client's, such as a ping, does not
            // take the place of the last number.
            if let Some(before) = self.last.filter(|_| last.xid < 0) {
                last.xid = before.xid;
            }
            self.last = Some(last);
        }
    }

    /// Forgets everything but when the connection began: `crst`.
    pub fn reset(&mut self) {
        *self = Self::new(self.established_ms);
    }
}

/// Sessions that end at the same moment unless they are heard of, for `dump`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiryBucket {
    /// By the monotonic clock, in milliseconds.
    pub deadline_ms: u64,
    /// The sessions.
    pub sessions: Vec<SessionId>,
}

/// The sessions as this server keeps them, for `dump`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionsView {
    /// Those of this server alone, by when they end; none when there can be none.
    pub local: Option<Vec<ExpiryBucket>>,
    /// Those that every server knows.
    pub global: GlobalSessions,
}

/// What a server knows of the sessions that every server knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GlobalSessions {
    /// When they end: it decides that.
    Expiring(Vec<ExpiryBucket>),
    /// Their timeouts, in milliseconds: another one decides when they end.
    Known(Vec<(SessionId, i32)>),
}

/// What `conf` prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfView {
    /// The port that clients connect to.
    pub client_port: u16,
    /// Where the state is.
    pub data_dir: String,
    /// Where the log is.
    pub data_log_dir: String,
    /// `tickTime`.
    pub tick_ms: u32,
    /// `maxClientCnxns`.
    pub max_client_connections: u64,
    /// `minSessionTimeout`.
    pub session_min_ms: i32,
    /// `maxSessionTimeout`.
    pub session_max_ms: i32,
    /// `clientPortListenBacklog`, -1 when not set.
    pub listen_backlog: i32,
    /// `myid`; 0 for a server that is alone.
    pub server_id: i64,
    /// The text of the configuration file.
    pub file_text: String,
    /// What a server among others was configured with.
    pub ensemble: Option<EnsembleConf>,
}

/// The part of `conf` that only servers of an ensemble have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnsembleConf {
    /// `initLimit` and `syncLimit`: shown, and of no effect.
    pub limits: (i64, i64),
    /// Where it is reached, and whether it votes.
    pub me: Member,
    /// The members as `/zookeeper/config` has them.
    pub membership: String,
}

/// The ensemble, for `voting_view`, `leader` and `zabstate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnsembleView {
    /// This server.
    pub me: Member,
    /// Where its clients connect.
    pub client_address: SocketAddr,
    /// The number of the server that leads.
    pub leader: Option<i64>,
    /// The members, by number.
    pub members: Vec<Member>,
    /// Observers that follow this server, if it leads.
    pub observers: Vec<i64>,
}

/// Sizes of the data and of the log directory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirectorySizes {
    /// `dataDir`.
    pub data: u64,
    /// `dataLogDir`.
    pub log: u64,
}

/// Whether somebody may have all there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The root's ACL gives every permission.
    Granted,
    /// It does not.
    Denied,
    /// Nobody is proven to be asking.
    Unknown,
}

/// A running server, as far as it can be looked at. Everything but
/// [`Self::overview`] may take time in proportion to what it returns.
pub trait ServerObserved: Send + Sync {
    /// The numbers that cost nothing.
    fn overview(&self) -> Overview;
    /// What was counted.
    fn metrics(&self) -> &Metrics;
    /// Which four-letter words are answered.
    fn whitelist(&self) -> &Whitelist;
    /// What was configured.
    fn conf(&self) -> ConfView;
    /// The settings that are JVM properties in ZooKeeper, passwords left out.
    fn properties(&self) -> Vec<(String, String)>;
    /// What one who comes from `peer`, and proves an identity of `scheme` with `data`, may do.
    fn access_to_all(&self, peer: IpAddr, scheme: &str, data: &[u8]) -> Access;
    /// The whole state as a snapshot file of ZooKeeper, and its last zxid. Holds writes up.
    fn snapshot(&self) -> (Zxid, Vec<u8>);
    /// Sizes on disk.
    fn directory_sizes(&self) -> DirectorySizes;
    /// All connections, in the order they came.
    fn connections(&self) -> Vec<ConnectionView>;
    /// Forgets what connections counted.
    fn reset_connections(&self);
    /// The ensemble as its members are known here; none if the server stands alone.
    fn ensemble(&self) -> Option<EnsembleView>;
    /// Global sessions by when they end, soonest first, as far as this server knows.
    fn expiry_buckets(&self) -> Vec<ExpiryBucket>;
    /// All sessions, as this server keeps them.
    fn sessions(&self) -> SessionsView;
    /// Sessions that own ephemerals, with their paths.
    fn ephemerals(&self) -> Vec<(SessionId, Vec<String>)>;
    /// Sessions that watch data, with the paths.
    fn watched_paths(&self) -> Vec<(SessionId, Vec<String>)>;
    /// Digests of the state at past zxids, oldest first.
    fn digests(&self) -> Vec<(Zxid, u64)>;
}

/// Who asks for something, and how they prove it.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// Where they come from.
    pub peer: IpAddr,
    /// A scheme of authentication.
    pub scheme: &'a str,
    /// What an auth packet of that scheme would hold.
    pub data: &'a [u8],
}

/// A running server that can be told what to do. Both may take seconds, and must be called where
/// a thread may wait.
pub trait ServerOperated: ServerObserved {
    /// The ensemble, as this server sees it; none if it stands alone.
    fn report(&self) -> Option<Report>;
    /// Whether somebody may tell the ensemble what to do.
    fn may_operate(&self, who: &Credentials<'_>) -> Access;
    /// Makes the leader give way to the server of that number, or to whichever is best; gives the
    /// number of the new one.
    ///
    /// # Errors
    /// Why it did not, in words.
    fn hand_over(&self, to: Option<i64>) -> Result<Option<i64>, String>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_does_not_take_the_place_of_the_last_number() {
        let answered =
            |op, xid| LastRequest { op, xid, zxid: Zxid::ZERO, answered_ms: 0, latency_ms: 0 };
        let mut stats = ConnectionStats::new(0);
        for (request, shown) in [
            (answered(11, -2), -2),
            (answered(4, 7), 7),
            (answered(11, -2), 7),
            (answered(3, 8), 8),
        ] {
            stats.add(1, 1, Some(request));
            let last = stats.last.unwrap();
            assert_eq!((last.op, last.xid), (request.op, shown));
        }
    }
}
