//! A running log: openraft on a thread of its own, started, fed and stopped here.

use std::{
    collections::BTreeMap, future::Future, io, sync::Arc, sync::atomic::AtomicU64, thread,
    time::Duration,
};

use openraft::{Raft, ServerState, async_runtime::WatchReceiver};
use parking_lot::Mutex;
use thiserror::Error;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};
use tree::OriginId;

use crate::{
    applied::Applied,
    checkpoints::{CheckpointError, CheckpointStore},
    config::RaftLogConfig,
    disk::{LogDisk, LogPosition},
    ensemble::{
        ChangeError, FromPeer, Lag, MESSAGES_MAX, MemberChange, Own, PeerMessage, Role, Shared,
        Status, ThisRaft, ensure_joint_ends, found_or_join, hand_over_locally,
    },
    forward,
    log::Log,
    log_thread,
    machine::{Adapter, Due, Machine},
    network::Network,
    peer::accept,
    proposer::Proposer,
    transport::{Listener, Tcp, Transport},
    types::Member,
};

/// How long a lone server may take to read its log and lead. Replaying is bounded by the
/// distance between checkpoints, so this is long.
const RECOVERY_MAX: Duration = Duration::from_secs(600);
/// How long a server that stops waits for the commands it has taken.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// Why the log did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The checkpoint cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The log cannot be read.
    #[error("log: {0}")]
    Log(#[from] io::Error),
    /// The port for other servers cannot be opened.
    #[error("cannot listen for peers on {address}: {error}")]
    Listen {
        /// The address asked for.
        address: String,
        /// What the system said.
        error: io::Error,
    },
    /// openraft did not start.
    #[error("raft: {0}")]
    Raft(String),
}

impl StartError {
    /// Whether the data is not what was written, so that trying again does not help.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Checkpoint(CheckpointError::Damaged(_)) => true,
            Self::Log(error) => error.kind() == io::ErrorKind::InvalidData,
            Self::Checkpoint(CheckpointError::Io(_)) | Self::Listen { .. } | Self::Raft(_) => false,
        }
    }
}

/// Reading here would not be up to date, and cannot be made so now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("there is no leader that knows how far it is")]
pub struct NoLeader;

/// A running log.
pub struct RaftLog {
    origin: OriginId,
    proposer: Proposer,
    failed: watch::Receiver<Option<String>>,
    due: Arc<Due>,
    applied: Arc<Applied>,
    shared: Arc<Shared>,
    runtime: Handle,
    peer_address: Option<String>,
    messages: Mutex<Option<mpsc::Receiver<FromPeer>>>,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

impl std::fmt::Debug for RaftLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RaftLog").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl RaftLog {
    /// Restores the machine and starts the log.
    ///
    /// A server that stands alone (no [`RaftLogConfig::ensemble`]) has applied all of its
    /// log and leads on return. One of an ensemble has its checkpoint's state; it follows,
    /// leads or waits for its peers, as [`Self::status`] says.
    ///
    /// # Errors
    /// [`StartError`] when log or checkpoint are damaged or cannot be read, or the port for
    /// peers is taken.
    pub async fn start(
        config: RaftLogConfig,
        disk: Arc<dyn LogDisk>,
        checkpoints: Arc<dyn CheckpointStore>,
        machine: Arc<dyn Machine>,
    ) -> Result<Self, StartError> {
        let origin = OriginId { node: config.node, incarnation: config.incarnation };
        let proposer = Proposer::new(origin);
        let due = Arc::new(Due::new(config.checkpoint_bytes, config.checkpoint_commands));
        let applied = Arc::<Applied>::default();
        let (failed_sender, failed) = watch::channel(None);
        let (messages_sender, messages) = mpsc::channel(MESSAGES_MAX);
        let (stop, stopped) = oneshot::channel();
        let (started_sender, started) = oneshot::channel();
        let parts = Parts {
            config,
            disk,
            checkpoints,
            machine,
            proposer: proposer.clone(),
            due: Arc::clone(&due),
            applied: Arc::clone(&applied),
            messages: messages_sender,
            failed: failed_sender,
        };
        let thread = thread::Builder::new()
            .name("raft".to_owned())
            .spawn(move || run_thread(parts, started_sender, stopped))?;
        let started = match started.await {
            Ok(Ok(started)) => started,
            Ok(Err(error)) => {
                // Its files are closed when it has ended.
                let _ = tokio::task::spawn_blocking(move || thread.join()).await;
                return Err(error);
            }
            Err(_) => return Err(StartError::Raft("its thread ended".to_owned())),
        };
        let Started { shared, runtime, peer_address } = started;
        let (stop, threads) = (Mutex::new(Some(stop)), Mutex::new(vec![thread]));
        let messages = Mutex::new(Some(messages));
        Ok(Self {
            origin,
            proposer,
            failed,
            due,
            applied,
            shared,
            runtime,
            peer_address,
            messages,
            stop,
            threads,
        })
    }

    /// Where commands go.
    pub fn proposer(&self) -> Proposer {
        self.proposer.clone()
    }

    /// Which commands in the log are this server's own.
    pub fn origin(&self) -> OriginId {
        self.origin
    }

    /// Where peers reach this server; none if it stands alone.
    pub fn peer_address(&self) -> Option<&str> {
        self.peer_address.as_deref()
    }

    /// What this server is in its ensemble, who leads and who the members are.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.shared.status.subscribe()
    }

    /// The last entry that is in the machine.
    pub fn applied(&self) -> Option<LogPosition> {
        self.applied.get()
    }

    /// How long ago this server was in touch with a quorum, by way of the leader if it does
    /// not lead; none if it never was. A server for which this is longer than the shortest
    /// session timeout must stop serving.
    pub fn contact_age(&self) -> Option<Duration> {
        self.shared.contact_age()
    }

    /// Returns when all that was acknowledged anywhere before the call is in this machine:
    /// what `sync` promises. Many calls at once cost the leader one round.
    ///
    /// # Errors
    /// [`NoLeader`] when there is none, or it was lost meanwhile. Set a timeout: a server
    /// that was cut off waits.
    pub async fn read_barrier(&self) -> Result<(), NoLeader> {
        let shared = Arc::clone(&self.shared);
        let index = self.on_raft(async move { shared.read_index().await }).await.flatten();
        let index = index.ok_or(NoLeader)?;
        self.applied.reach(index).await;
        Ok(())
    }

    /// Tells the leader, be it another server or this one; false if there is none, or no
    /// room. Nothing comes back, and what was told may be lost.
    pub fn tell_leader(&self, message: PeerMessage) -> bool {
        let _on_raft = self.runtime.enter();
        self.shared.tell_leader(message)
    }

    /// What other servers told this one as the leader, and what it told itself. Taken once.
    pub fn take_messages(&self) -> Option<mpsc::Receiver<FromPeer>> {
        self.messages.lock().take()
    }

    /// Changes the members; on return the change is complete. Gives the version of the
    /// configuration that results.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn change_members(&self, change: MemberChange) -> Result<u64, ChangeError> {
        let shared = Arc::clone(&self.shared);
        let changed = self.on_raft(async move { shared.change_members(change).await }).await;
        changed.unwrap_or(Err(ChangeError::NoLeader))
    }

    /// Makes the leader give way to the server of that number, or to whichever is best.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn hand_over(&self, to: Option<i64>) -> Result<(), ChangeError> {
        let shared = Arc::clone(&self.shared);
        let handed = self.on_raft(async move { shared.hand_over(to).await }).await;
        handed.unwrap_or(Err(ChangeError::NoLeader))
    }

    /// How far each member is, as the leader sees it; empty elsewhere.
    pub fn lags(&self) -> Vec<Lag> {
        self.shared.lags()
    }

    /// Takes a checkpoint soon, whether one is due or not.
    pub fn trigger_checkpoint(&self) {
        self.due.bell.notify_one();
    }

    /// Becomes `Some`, with the reason, when the log has failed and nothing more can be
    /// acknowledged: the server must stop.
    pub fn failed(&self) -> watch::Receiver<Option<String>> {
        self.failed.clone()
    }

    /// Stops, once everything that the proposer has taken is applied, or after five seconds
    /// if that takes longer. A leader hands over first.
    pub async fn shutdown(&self) {
        let stop = self.stop.lock().take();
        let threads = std::mem::take(&mut *self.threads.lock());
        drop(stop);
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("the raft thread panicked");
                }
            }
        });
        if joined.await.is_err() {
            tracing::error!("the raft thread could not be joined");
        }
    }

    /// Ends at once, as if the process was killed: nothing is handed over or waited for.
    pub async fn kill(&self) {
        *self.shared.ends_at_once.lock() = true;
        self.shutdown().await;
    }

    /// Runs on the raft thread; none if that has ended.
    async fn on_raft<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        self.runtime.spawn(work).await.ok()
    }
}

struct Parts {
    config: RaftLogConfig,
    disk: Arc<dyn LogDisk>,
    checkpoints: Arc<dyn CheckpointStore>,
    machine: Arc<dyn Machine>,
    proposer: Proposer,
    due: Arc<Due>,
    applied: Arc<Applied>,
    messages: mpsc::Sender<FromPeer>,
    failed: watch::Sender<Option<String>>,
}

struct Started {
    shared: Arc<Shared>,
    runtime: Handle,
    peer_address: Option<String>,
}

struct Opened {
    shared: Arc<Shared>,
    log_thread: thread::JoinHandle<()>,
    listener: Option<Box<dyn Listener>>,
}

/// The raft thread: a runtime of its own, so that no client can keep openraft waiting.
fn run_thread(
    parts: Parts,
    started: oneshot::Sender<Result<Started, StartError>>,
    stopped: oneshot::Receiver<()>,
) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time();
    // Alone it needs no sockets, and waking this thread is no system call while it is awake.
    if parts.config.ensemble.is_some() {
        builder.enable_io();
    }
    let runtime = builder.build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return drop(started.send(Err(StartError::Log(error)))),
    };
    runtime.block_on(run(parts, started, stopped));
}

async fn run(
    parts: Parts,
    started: oneshot::Sender<Result<Started, StartError>>,
    stopped: oneshot::Receiver<()>,
) {
    let (proposer, due) = (parts.proposer.clone(), Arc::clone(&parts.due));
    let failed = parts.failed.clone();
    let Opened { shared, log_thread, listener } = match open(parts).await {
        Ok(opened) => opened,
        Err(error) => return drop(started.send(Err(error))),
    };
    let peer_address = listener.as_ref().map(|listener| listener.address());
    let (sharing, runtime) = (Arc::clone(&shared), Handle::current());
    if started.send(Ok(Started { shared: sharing, runtime, peer_address })).is_err() {
        return;
    }
    // Ended all at once when this function returns.
    let mut tasks = JoinSet::new();
    if let Some(listener) = listener {
        tasks.spawn(accept::run(listener, Arc::clone(&shared)));
        tasks.spawn(found_or_join(Arc::clone(&shared)));
        tasks.spawn(ensure_joint_ends(Arc::clone(&shared)));
    }
    tokio::select! {
        () = follow_status(&shared) => {}
        () = forward::feed(&shared, &proposer) => report(&failed, "raft takes no more commands"),
        () = take_checkpoints(shared.raft(), &due) => {}
        () = watch_for_failure(shared.raft(), &failed) => {}
        () = stop_in_order(stopped, &shared, &proposer) => {}
    }
    drop(tasks);
    if let Err(error) = shared.raft().shutdown().await {
        tracing::error!(%error, "raft did not stop in order");
    }
    shared.links.clear();
    shared.log.end();
    let joined = tokio::task::spawn_blocking(move || log_thread.join());
    drop(joined.await);
}

async fn open(parts: Parts) -> Result<Opened, StartError> {
    let Parts { config, disk, checkpoints, machine, proposer, due, applied, messages, failed } =
        parts;
    let found = disk.state()?;
    let adapter =
        Adapter::open(machine, Arc::clone(&checkpoints), proposer, due, Arc::clone(&applied))?;
    check_joined(found.purged, adapter.applied())?;
    let written = Arc::new(AtomicU64::new(found.last.map_or(0, |last| last.index + 1)));
    let (sender, log_thread) = log_thread::start(Arc::clone(&disk), failed, Arc::clone(&written))?;
    let log = Log::new(disk, &found, sender, config.tail_bytes, written);
    let raft_config = config.raft().validate().map_err(raft_error)?;
    let own = Own {
        node: config.node,
        incarnation: config.incarnation,
        server_id: config.server_id,
        servers: config.ensemble.as_ref().map(|own| own.servers.clone()).unwrap_or_default(),
        may_found: config.ensemble.as_ref().is_none_or(|own| own.may_found),
    };
    let transport: Arc<dyn Transport> = config
        .ensemble
        .as_ref()
        .map_or_else(|| Arc::new(Tcp) as _, |own| Arc::clone(&own.transport));
    let (status, _) = watch::channel(Status::default());
    let shared = Shared::new(own, transport, log.clone(), checkpoints, status, messages);
    let shared = Arc::new(shared);
    let network = Network(Arc::clone(&shared));
    let raft = Raft::new(config.node, Arc::new(raft_config), network, log, adapter);
    let raft = raft.await.map_err(raft_error)?;
    shared.set_raft(raft);
    shared.refresh_status();
    let listener = match &config.ensemble {
        Some(ensemble) => Some(listen(&*ensemble.transport, &ensemble.listen).await?),
        None => {
            lead(&shared, &config).await?;
            shared.refresh_status();
            None
        }
    };
    Ok(Opened { shared, log_thread, listener })
}

async fn listen(transport: &dyn Transport, address: &str) -> Result<Box<dyn Listener>, StartError> {
    let listener = transport.listen(address).await;
    listener.map_err(|error| StartError::Listen { address: address.to_owned(), error })
}

/// What was purged from the log must be in the checkpoint; otherwise nobody has it.
fn check_joined(
    purged: Option<LogPosition>,
    applied: Option<LogPosition>,
) -> Result<(), CheckpointError> {
    let Some(purged) = purged.filter(|purged| Some(*purged) > applied) else { return Ok(()) };
    let applied = applied.map_or_else(|| "no entry".to_owned(), |at| format!("entry {at}"));
    Err(CheckpointError::Damaged(format!(
        "it stands for {applied}, but the log begins behind entry {purged}: what is between is \
         missing. Restore the checkpoint that belongs to this log"
    )))
}

/// Makes a lone member lead at once, and waits until all of its log is applied.
async fn lead(shared: &Shared, config: &RaftLogConfig) -> Result<(), StartError> {
    let raft = shared.raft();
    if !raft.is_initialized().await.map_err(raft_error)? {
        let member = Member {
            server_id: config.server_id,
            cluster: config.node,
            votes: true,
            ..Member::default()
        };
        raft.initialize(BTreeMap::from([(config.node, member)])).await.map_err(raft_error)?;
    } else {
        // Without waiting for an election timeout: there is nobody to wait for.
        raft.trigger().elect(false).await.map_err(raft_error)?;
    }
    let wait = raft.wait(Some(RECOVERY_MAX));
    let metrics = wait.state(ServerState::Leader, "to lead").await.map_err(raft_error)?;
    let last = metrics.last_log_index;
    wait.applied_index_at_least(last, "the whole log").await.map_err(raft_error)?;
    Ok(())
}

fn raft_error(error: impl std::fmt::Display) -> StartError {
    StartError::Raft(error.to_string())
}

/// Takes over what openraft says about leader and members, until it has ended.
async fn follow_status(shared: &Shared) {
    let mut metrics = shared.raft().server_metrics();
    while metrics.changed().await.is_ok() {
        shared.refresh_status();
    }
    std::future::pending().await
}

async fn take_checkpoints(raft: &ThisRaft, due: &Due) {
    loop {
        due.bell.notified().await;
        if let Err(error) = raft.trigger().snapshot().await {
            tracing::error!(%error, "a checkpoint cannot be taken");
            std::future::pending::<()>().await;
        }
    }
}

/// Returns when told to stop, the lead is handed over and everything taken by then applied.
async fn stop_in_order(stopped: oneshot::Receiver<()>, shared: &Arc<Shared>, proposer: &Proposer) {
    // An error means the same: nobody is left who could use the log.
    drop(stopped.await);
    if *shared.ends_at_once.lock() {
        return;
    }
    let leads_others = {
        let status = shared.status.borrow();
        status.role == Role::Leading && status.members.members.len() > 1
    };
    if leads_others && let Err(error) = hand_over_locally(shared, None).await {
        tracing::warn!(%error, "the lead could not be handed over");
    }
    if tokio::time::timeout(DRAIN_MAX, proposer.drained()).await.is_err() {
        tracing::warn!("stopping with commands that were not written in time");
    }
}

/// Returns when openraft has stopped by itself.
async fn watch_for_failure(raft: &ThisRaft, failed: &watch::Sender<Option<String>>) {
    // The metrics of the server change rarely, those of the log with every entry; either way
    // the channel is closed when openraft has ended.
    let mut metrics = raft.server_metrics();
    while metrics.changed().await.is_ok() {}
    let state = raft.metrics().borrow_watched().running_state.clone();
    let reason = state.err().map_or_else(|| "raft has ended".to_owned(), |end| end.to_string());
    report(failed, &reason);
}

/// The first reason is the one that counts.
fn report(failed: &watch::Sender<Option<String>>, reason: &str) {
    failed.send_if_modified(|failed| {
        let first = failed.is_none();
        failed.get_or_insert_with(|| reason.to_owned());
        first
    });
}
