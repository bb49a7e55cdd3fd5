//! Puts the parts together: who listens, who compares, on which threads.
//!
//! Clients are relayed on the caller's runtime. The comparison has a thread of its own, so that
//! nothing it does can keep a client waiting.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle as Task;

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
    stop: oneshot::Sender<()>,
    comparison: JoinHandle<Outcome>,
    tasks: Vec<Task<()>>,
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
        let watching = Watching::start(&settings.zookeeper, settings.auth.as_ref()).await;
        let watching = watching.map_err(StartError::ZooKeeper)?;
        let mut judge = Judge { show_data: settings.show_data, ..Judge::default() };
        let mut notes = Vec::new();
        if let Some(how) = settings.copy {
            let servers = (&settings.zookeeper, &settings.rookery);
            let copied = copy(servers, settings.auth.as_ref(), how, &mut judge).await?;
            notes.push(format!(
                "copied {} znodes; {} ephemerals were left out; the versions of {} znodes are \
                 compared by how they move",
                copied.znodes, copied.ephemerals, copied.inexact
            ));
        }
        let old = last_zxid(&settings.zookeeper, settings.auth.as_ref()).await;
        let old = old.map_err(StartError::ZooKeeper)?;
        let old_rookery = last_zxid(&settings.rookery, settings.auth.as_ref()).await;
        judge.zxids.set_old(old, old_rookery.map_err(StartError::Rookery)?);

        let budget = Arc::new(Budget::new(settings.backlog_bytes));
        let (listener, address) = listen(settings.listen).await?;
        let (to_director, taps) = mpsc::unbounded_channel();
        let relay = Relay {
            listener,
            zookeeper: Arc::new(settings.zookeeper.clone()),
            budget: Arc::clone(&budget),
            to: to_director,
        };
        let figures = Arc::new(Mutex::new(String::new()));
        let mut tasks = vec![tokio::spawn(relay.run())];
        if let Some(metrics_address) = settings.metrics {
            let (listener, _) = listen(metrics_address).await?;
            tasks.push(tokio::spawn(metrics::serve(listener, Arc::clone(&figures))));
        }
        let patience = Patience {
            settle: settings.settle,
            rookery: settings.patience,
            zookeeper: settings.patience,
        };
        let (to, others) = mpsc::channel(OTHERS_MAX);
        let (wanted, wants) = watch::channel(0);
        let observer = Observer::new(settings.zookeeper, settings.auth, to.clone(), wants);
        let mut director = Director::new(judge, budget, patience);
        for note in &notes {
            director.report.note(note);
        }
        let driver = Driver {
            director,
            taps,
            others,
            to,
            rookery: settings.rookery,
            wanted,
            lines: Lines { text, json },
            summary_every: settings.summary_every,
            drain: settings.drain,
            metrics: figures,
            remotes: HashMap::new(),
        };
        let (stop, stopped) = oneshot::channel();
        let comparison = compare_on_a_thread(driver, observer, watching, stopped)?;
        Ok(Self { address, stop, comparison, tasks })
    }

    /// Where clients connect.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Turns new clients away, compares what is left, and tells what came of it.
    ///
    /// # Panics
    /// When the comparison did, which is a fault of the program.
    pub async fn stop(self) -> Outcome {
        if let Some(relay) = self.tasks.first() {
            relay.abort();
        }
        // It may have ended already.
        let _ = self.stop.send(());
        let outcome = tokio::task::spawn_blocking(|| self.comparison.join()).await;
        for task in self.tasks {
            task.abort();
        }
        outcome.ok().and_then(Result::ok).expect("the comparison does not panic")
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bound.await.map_err(|error| StartError::Listen { address, error })
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
    observer: Observer,
    watching: Option<Watching>,
    stop: oneshot::Receiver<()>,
) -> Result<JoinHandle<Outcome>, StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(StartError::Thread)?;
    let run = move || {
        runtime.block_on(async {
            let observer = tokio::spawn(observer.run(watching));
            let outcome = driver.run(stop).await;
            observer.abort();
            outcome
        })
    };
    std::thread::Builder::new().name("crosscheck".to_owned()).spawn(run).map_err(StartError::Thread)
}
