//! The raft thread: openraft, fed, followed and stopped in order, beside the tasks that speak to
//! other servers. A runtime of its own, so that no client can keep it waiting.

use std::{collections::BTreeMap, io, sync::Arc, sync::atomic::AtomicU64, thread, time::Duration};

use openraft::{Raft, ServerState, async_runtime::WatchReceiver};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::sleep,
};

use crate::{
    applied::Applied,
    checkpoints::{CheckpointError, CheckpointStore},
    config::RaftLogConfig,
    disk::{LogDisk, LogPosition},
    ensemble::{
        EnsembleConfig, FromPeer, Kept, Own, Role, Shared, Status, ThisRaft, ensure_joint_ends,
        found_or_join, hand_over_locally,
    },
    execution::{Worker, is_simulated},
    forward,
    log::Log,
    log_thread::{self, CommittedHint},
    machine::{Adapter, Due, Machine},
    network::Network,
    peer::accept,
    proposer::Proposer,
    purging::{Purging, purge},
    raft::StartError,
    standstill::{self, inherited},
    transport::{Listener, Tcp, Transport},
    types::Member,
};

/// How long a lone server may take to read its log and lead. Replaying is bounded by the
/// distance between checkpoints, so this is long.
const RECOVERY_MAX: Duration = Duration::from_secs(600);
/// How long a server that stops waits for the commands it has taken.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// Between two attempts to listen for peers.
const LISTEN_PAUSE: Duration = Duration::from_secs(1);

/// What the thread is given.
pub(crate) struct Parts {
    pub(crate) config: RaftLogConfig,
    pub(crate) disk: Arc<dyn LogDisk>,
    pub(crate) checkpoints: Arc<dyn CheckpointStore>,
    pub(crate) machine: Arc<dyn Machine>,
    pub(crate) proposer: Proposer,
    pub(crate) due: Arc<Due>,
    pub(crate) applied: Arc<Applied>,
    pub(crate) messages: mpsc::Sender<FromPeer>,
    pub(crate) failed: watch::Sender<Option<String>>,
}

/// What it gives back once it runs.
pub(crate) struct Started {
    pub(crate) shared: Arc<Shared>,
    pub(crate) runtime: Handle,
    pub(crate) peer_address: Option<String>,
}

struct Opened {
    shared: Arc<Shared>,
    log_thread: Worker,
    listener: Option<Box<dyn Listener>>,
}

/// Starts the raft thread; in a simulation, a task.
///
/// # Errors
/// When the system gives no thread. What goes wrong on it is told to `started`.
pub(crate) fn spawn(
    parts: Parts,
    started: oneshot::Sender<Result<Started, StartError>>,
    stopped: oneshot::Receiver<()>,
) -> io::Result<Worker> {
    if is_simulated() {
        return Ok(Worker::Task(standstill::spawn(run(parts, started, stopped))));
    }
    let thread = thread::Builder::new().name("raft".to_owned());
    Ok(Worker::Thread(thread.spawn(move || run_thread(parts, started, stopped))?))
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
    let (due, keep) = (Arc::clone(&parts.due), parts.config.keep_entries);
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
        tasks.spawn(inherited(accept::run(listener, Arc::clone(&shared))));
        tasks.spawn(inherited(found_or_join(Arc::clone(&shared))));
        tasks.spawn(inherited(ensure_joint_ends(Arc::clone(&shared))));
    }
    tokio::select! {
        biased;
        () = follow_status(&shared) => {}
        // openraft takes no more commands, and will say why.
        () = forward::feed(&shared) => {
            watch_for_failure(shared.raft(), &failed).await;
        }
        () = take_checkpoints(shared.raft(), &due) => {}
        () = purge(&shared, &due, keep) => {}
        () = watch_for_failure(shared.raft(), &failed) => {}
        () = stop_in_order(stopped, &shared) => {}
    }
    drop(tasks);
    if let Err(error) = shared.raft().shutdown().await {
        tracing::error!(%error, "raft did not stop in order");
    }
    shared.links.clear();
    shared.log.end();
    log_thread.join("log").await;
}

async fn open(parts: Parts) -> Result<Opened, StartError> {
    let Parts { config, disk, checkpoints, machine, proposer, due, applied, messages, failed } =
        parts;
    let own_commands = proposer.clone();
    let found = disk.state()?;
    let purging = Arc::<Purging>::default();
    let adapter = Adapter::open(
        machine,
        Arc::clone(&checkpoints),
        proposer,
        due,
        Arc::clone(&purging),
        Arc::clone(&applied),
    )?;
    check_joined(found.purged, adapter.applied())?;
    let written = Arc::new(AtomicU64::new(found.last.map_or(0, |last| last.index + 1)));
    let hint = Arc::<CommittedHint>::default();
    let (sender, log_thread) =
        log_thread::start(Arc::clone(&disk), failed, Arc::clone(&written), Arc::clone(&hint))?;
    let log = Log::new(disk, &found, sender, config.tail_bytes, written, hint);
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
    let kept = Kept { log: log.clone(), checkpoints, purging };
    let shared = Arc::new(Shared::new(own, transport, kept, status, messages, own_commands));
    let network = Network(Arc::clone(&shared));
    let raft = Raft::new(config.node, Arc::new(raft_config), network, log, adapter);
    let raft = raft.await.map_err(raft_error)?;
    shared.set_raft(raft);
    shared.refresh_status();
    let listener = match &config.ensemble {
        Some(ensemble) => Some(listen(ensemble).await?),
        None => {
            lead(&shared, &config).await?;
            shared.refresh_status();
            None
        }
    };
    Ok(Opened { shared, log_thread, listener })
}

async fn listen(ensemble: &EnsembleConfig) -> Result<Box<dyn Listener>, StartError> {
    let address = &ensemble.listen;
    let mut attempts = 0;
    loop {
        attempts += 1;
        match ensemble.transport.listen(address).await {
            Ok(listener) => return Ok(listener),
            Err(error) if attempts == ensemble.listen_attempts => {
                return Err(StartError::Listen { address: address.clone(), error });
            }
            Err(error) => {
                tracing::warn!(%address, %error, "cannot listen for peers; it is tried again");
                sleep(LISTEN_PAUSE).await;
            }
        }
    }
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
async fn stop_in_order(stopped: oneshot::Receiver<()>, shared: &Arc<Shared>) {
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
    if tokio::time::timeout(DRAIN_MAX, shared.proposer.drained()).await.is_err() {
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
