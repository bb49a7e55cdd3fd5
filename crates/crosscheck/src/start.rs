//! Puts the parts together: who listens, who compares, on which threads.
//!
//! Clients are relayed on the caller's runtime, and so is what the observer sees. The comparison
//! has a thread of its own, so that nothing it does can keep a client waiting.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle as Task, JoinSet};

use crate::client::{Auth, Client, ClientError};
use crate::copy::{Copy, CopyError, copy};
use crate::director::{Director, Patience};
use crate::driver::{Driver, Lines, Outcome};
use crate::judge::Judge;
use crate::metrics;
use crate::observer::{Observer, Watching};
use crate::relay::Relay;
use crate::servers::Servers;
use crate::tap::Budget;

/// Answers and events that wait for the director; those who bring more wait.
const OTHERS_MAX: usize = 4096;

/// Clients that may wait to be accepted.
const ACCEPT_QUEUE: u32 = 1024;

/// What to do.
#[derive(Debug)]
pub struct Settings {
    /// The ensemble that serves the clients.
    pub zookeeper: Servers,
    /// The server that is compared with it: one, for a follower may be behind.
    pub rookery: Servers,
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Where Prometheus asks, if at all.
    pub metrics: Option<SocketAddr>,
    /// Whether the tree is copied first, and how.
    pub copy: Option<Copy>,
    /// Who the proxy is on both sides, for what it does itself.
    pub auth: Option<Auth>,
    /// How much may wait to be compared, in bytes.
    pub backlog_bytes: usize,
    /// How long the counterpart of an event may take.
    pub settle: Duration,
    /// How long Rookery may take to answer.
    pub patience: Duration,
    /// How often a summary is written.
    pub summary_every: Duration,
    /// How long what is left may take at the end.
    pub drain: Duration,
    /// Whether reports show data, and not only its length and hash.
    pub show_data: bool,
}

/// Why a comparison cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something about `ZooKeeper`.
    #[error("ZooKeeper: {0}")]
    ZooKeeper(ClientError),
    /// Something about Rookery.
    #[error("Rookery: {0}")]
    Rookery(ClientError),
    /// The copy.
    #[error("the tree was not copied: {0}")]
    Copy(#[from] CopyError),
    /// An address to listen on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The thread of the comparison.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// A comparison that runs.
#[derive(Debug)]
pub struct Crosscheck {
    address: SocketAddr,
    relay: Task<()>,
    stop_relay: oneshot::Sender<()>,
    comparison: JoinHandle<Outcome>,
    stop: oneshot::Sender<()>,
    /// The observer and the figures, which end with this.
    others: JoinSet<()>,
}

impl Crosscheck {
    /// Begins: when this returns, clients may connect. Lines of the report go to `text`, and to
    /// `json` as one object each.
    ///
    /// # Errors
    /// [`StartError`] when either side cannot be reached, or an address is taken.
    pub async fn start(
        settings: Settings,
        text: Box<dyn Write + Send>,
        json: Option<Box<dyn Write + Send>>,
    ) -> Result<Self, StartError> {
        // That addresses are taken should not come out when the tree has been copied.
        let clients = Bound::to(settings.listen)?;
        let metrics = settings.metrics.map(Bound::to).transpose()?;
        let watching = Watching::first(&settings.zookeeper, settings.auth.as_ref()).await;
        let watching = watching.map_err(StartError::ZooKeeper)?;

        let budget = Arc::new(Budget::new(settings.backlog_bytes));
        let (to_director, taps) = mpsc::unbounded_channel();
        let (to, others) = mpsc::channel(OTHERS_MAX);
        let (wanted, wants) = watch::channel(0);
        let (zookeeper, auth) = (settings.zookeeper.clone(), settings.auth.clone());
        let observer = Observer::new(zookeeper, auth, to.clone(), wants);
        let figures = Arc::new(Mutex::new(String::new()));
        let judge = Judge { show_data: settings.show_data, ..Judge::default() };
        let mut driver = Driver {
            director: Director::new(judge, Arc::clone(&budget), settings.patience()),
            taps,
            others,
            to,
            rookery: settings.rookery.clone(),
            wanted,
            lines: Lines { text, json },
            summary_every: settings.summary_every,
            drain: settings.drain,
            metrics: Arc::clone(&figures),
            remotes: HashMap::new(),
        };
        let mut others = JoinSet::new();
        others.spawn(observer.run(watching));
        prepare(&mut driver, &settings).await?;

        if let Some(bound) = metrics {
            others.spawn(metrics::serve(bound.listen()?, figures));
        }
        let address = clients.address;
        let zookeeper = Arc::new(settings.zookeeper);
        let relay = Relay { listener: clients.listen()?, zookeeper, budget, to: to_director };
        let (stop, stopped) = oneshot::channel();
        let comparison = compare_on_a_thread(driver, stopped)?;
        let (stop_relay, stopped) = oneshot::channel();
        let relay = tokio::spawn(relay.run(stopped));
        Ok(Self { address, relay, stop_relay, comparison, stop, others })
    }

    /// Where clients connect.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the connections of clients, compares what is left, and tells what came of it.
    ///
    /// # Panics
    /// When the comparison did, which is a fault of the program.
    pub async fn stop(self) -> Outcome {
        // Either may have ended already.
        let _ = self.stop_relay.send(());
        let _ = self.relay.await;
        let _ = self.stop.send(());
        let outcome = tokio::task::spawn_blocking(|| self.comparison.join()).await;
        drop(self.others);
        outcome.ok().and_then(Result::ok).expect("the comparison does not panic")
    }
}

impl Settings {
    const fn patience(&self) -> Patience {
        Patience { settle: self.settle, rookery: self.patience, zookeeper: self.patience }
    }
}

/// Copies the tree, if that is wanted, and finds out from where on zxids are compared.
async fn prepare(driver: &mut Driver, settings: &Settings) -> Result<(), StartError> {
    let (zookeeper, rookery) = (&settings.zookeeper, &settings.rookery);
    let auth = settings.auth.as_ref();
    if let Some(how) = settings.copy {
        let copied = driver.during(copy((zookeeper, rookery), auth, how)).await?;
        driver.director.report.note(&format!(
            "copied {} znodes; {} ephemerals were left out; the versions of {} znodes are \
             compared by how they move",
            copied.znodes,
            copied.ephemerals.len(),
            copied.inexact
        ));
        driver.director.judge.copied(copied);
    }
    let old = last_zxid(zookeeper, auth).await.map_err(StartError::ZooKeeper)?;
    let old_rookery = last_zxid(rookery, auth).await.map_err(StartError::Rookery)?;
    driver.director.judge.zxids.set_old(old, old_rookery);
    Ok(())
}

/// An address that is taken, and at which nobody is let in yet.
#[derive(Debug)]
struct Bound {
    socket: TcpSocket,
    address: SocketAddr,
}

impl Bound {
    fn to(address: SocketAddr) -> Result<Self, StartError> {
        let bound = || {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            let address = socket.local_addr()?;
            Ok(Self { socket, address })
        };
        bound().map_err(|error| StartError::Listen { address, error })
    }

    fn listen(self) -> Result<TcpListener, StartError> {
        let address = self.address;
        self.socket.listen(ACCEPT_QUEUE).map_err(|error| StartError::Listen { address, error })
    }
}

/// The zxid that a server is at.
async fn last_zxid(servers: &Servers, auth: Option<&Auth>) -> Result<i64, ClientError> {
    let mut client = Client::open(servers, auth).await?;
    let request = proto::ExistsRequest { path: Some("/"), watch: false };
    let answer = client.ask(&proto::Request::Exists(request)).await?;
    client.close().await;
    Ok(answer.header.zxid)
}

fn compare_on_a_thread(
    driver: Driver,
    stop: oneshot::Receiver<()>,
) -> Result<JoinHandle<Outcome>, StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(StartError::Thread)?;
    let run = move || runtime.block_on(driver.run(stop));
    std::thread::Builder::new().name("crosscheck".to_owned()).spawn(run).map_err(StartError::Thread)
}
