//! A running log: openraft on threads of its own, started, fed and stopped here.

use std::{collections::BTreeMap, io, sync::Arc, sync::atomic::AtomicU64, thread, time::Duration};

use futures_util::{StreamExt, stream::FuturesOrdered};
use openraft::{
    Raft, ServerState, async_runtime::WatchReceiver, errors::ClientWriteError,
    impls::OneshotResponder,
};
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::{oneshot, watch};
use tree::OriginId;

use crate::{
    checkpoints::{CheckpointError, CheckpointStore},
    config::RaftLogConfig,
    disk::{LogDisk, LogPosition},
    log::Log,
    log_thread,
    machine::{Adapter, Due, Machine},
    network::NoPeers,
    proposer::{Batch, Proposer},
    types::{Batches, Member, Types},
};

/// How long a lone server may take to read its log and lead. Replaying is bounded by the
/// distance between checkpoints, so this is long.
const RECOVERY_MAX: Duration = Duration::from_secs(600);
/// How long a server that stops waits for the commands it has taken.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// How long to wait before batches are sent again that were refused.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Why the log did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The checkpoint cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The log cannot be read.
    #[error("log: {0}")]
    Log(#[from] io::Error),
    /// openraft did not start.
    #[error("raft: {0}")]
    Raft(String),
}

type ThisRaft = Raft<Types, Adapter>;

/// A running log.
#[derive(Debug)]
pub struct RaftLog {
    origin: OriginId,
    proposer: Proposer,
    failed: watch::Receiver<Option<String>>,
    due: Arc<Due>,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

impl std::fmt::Debug for Due {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Due").finish_non_exhaustive()
    }
}

impl RaftLog {
    /// Restores the machine, applies what the log holds, and takes the lead. On return
    /// the machine is up to date and commands are taken.
    ///
    /// # Errors
    /// [`StartError`] when log or checkpoint are damaged or cannot be read.
    pub async fn start(
        config: RaftLogConfig,
        disk: Arc<dyn LogDisk>,
        checkpoints: Arc<dyn CheckpointStore>,
        machine: Arc<dyn Machine>,
    ) -> Result<Self, StartError> {
        let origin = OriginId { node: config.node, incarnation: config.incarnation };
        let proposer = Proposer::new(origin);
        let due = Arc::new(Due::new(config.checkpoint_bytes, config.checkpoint_commands));
        let (failed_sender, failed) = watch::channel(None);
        let (stop, stopped) = oneshot::channel();
        let (started_sender, started) = oneshot::channel();
        let parts = Parts {
            config,
            disk,
            checkpoints,
            machine,
            proposer: proposer.clone(),
            due: Arc::clone(&due),
            failed: failed_sender,
        };
        let thread = thread::Builder::new()
            .name("raft".to_owned())
            .spawn(move || run_thread(parts, started_sender, stopped))?;
        match started.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(StartError::Raft("its thread ended".to_owned())),
        }
        let (stop, threads) = (Mutex::new(Some(stop)), Mutex::new(vec![thread]));
        Ok(Self { origin, proposer, failed, due, stop, threads })
    }

    /// Where commands go.
    pub fn proposer(&self) -> Proposer {
        self.proposer.clone()
    }

    /// Which commands in the log are this server's own.
    pub fn origin(&self) -> OriginId {
        self.origin
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
    /// if that takes longer.
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
}

struct Parts {
    config: RaftLogConfig,
    disk: Arc<dyn LogDisk>,
    checkpoints: Arc<dyn CheckpointStore>,
    machine: Arc<dyn Machine>,
    proposer: Proposer,
    due: Arc<Due>,
    failed: watch::Sender<Option<String>>,
}

/// The raft thread: a runtime of its own, so that no client can keep openraft waiting.
fn run_thread(
    parts: Parts,
    started: oneshot::Sender<Result<(), StartError>>,
    stopped: oneshot::Receiver<()>,
) {
    // Without sockets, so that waking this thread is not a system call while it is awake.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return drop(started.send(Err(StartError::Log(error)))),
    };
    runtime.block_on(async move {
        let (proposer, due) = (parts.proposer.clone(), Arc::clone(&parts.due));
        let failed = parts.failed.clone();
        let (raft, log_thread) = match open(parts).await {
            Ok(opened) => opened,
            Err(error) => return drop(started.send(Err(error))),
        };
        if started.send(Ok(())).is_err() {
            return;
        }
        tokio::select! {
            () = feed(&raft, &proposer) => report(&failed, "raft takes no more commands"),
            () = take_checkpoints(&raft, &due) => {}
            () = watch_for_failure(&raft, &failed) => {}
            () = stop_in_order(stopped, &proposer) => {}
        }
        if let Err(error) = raft.shutdown().await {
            tracing::error!(%error, "raft did not stop in order");
        }
        drop(raft);
        let joined = tokio::task::spawn_blocking(move || log_thread.join());
        drop(joined.await);
    });
}

async fn open(parts: Parts) -> Result<(ThisRaft, thread::JoinHandle<()>), StartError> {
    let Parts { config, disk, checkpoints, machine, proposer, due, failed } = parts;
    let found = disk.state()?;
    let adapter = Adapter::open(machine, checkpoints, proposer, due)?;
    check_joined(found.purged, adapter.applied())?;
    let written = Arc::new(AtomicU64::new(found.last.map_or(0, |last| last.index + 1)));
    let (sender, log_thread) = log_thread::start(Arc::clone(&disk), failed, Arc::clone(&written))?;
    let log = Log::new(disk, &found, sender, config.tail_bytes, written);
    let raft_config = config.raft().validate().map_err(raft_error)?;
    let raft = Raft::new(config.node, Arc::new(raft_config), NoPeers, log, adapter);
    let raft = raft.await.map_err(raft_error)?;
    lead(&raft, &config).await?;
    Ok((raft, log_thread))
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
async fn lead(raft: &ThisRaft, config: &RaftLogConfig) -> Result<(), StartError> {
    if !raft.is_initialized().await.map_err(raft_error)? {
        let member = Member { server_id: config.server_id, address: String::new() };
        let members = BTreeMap::from([(config.node, member)]);
        raft.initialize(members).await.map_err(raft_error)?;
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

/// Sends batches in order. If one is refused, all that are not applied are sent again:
/// those that come twice, or after a gap, have no effect.
async fn feed(raft: &ThisRaft, proposer: &Proposer) {
    let mut answers = FuturesOrdered::new();
    loop {
        while let Some(batch) = proposer.take() {
            let Some(answer) = send(raft, batch).await else { return };
            answers.push_back(answer);
        }
        let refused = tokio::select! {
            () = proposer.work() => false,
            Some(answer) = answers.next(), if !answers.is_empty() => !matches!(answer, Ok(Ok(_))),
        };
        if refused {
            answers = FuturesOrdered::new();
            tracing::warn!("a batch was refused; sending what is not applied again");
            tokio::time::sleep(RETRY_PAUSE).await;
            for batch in proposer.unapplied() {
                let Some(answer) = send(raft, batch).await else { return };
                answers.push_back(answer);
            }
        }
    }
}

type Answer =
    oneshot::Receiver<Result<openraft::raft::ClientWriteResponse<Types>, ClientWriteError<Types>>>;

/// `None` when openraft has stopped.
async fn send(raft: &ThisRaft, batch: Batch) -> Option<Answer> {
    let (responder, answer) = OneshotResponder::new_pair();
    raft.client_write_ff(Batches(batch.payload), Some(responder)).await.ok()?;
    Some(answer)
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

/// Returns when told to stop and everything taken by then is applied.
async fn stop_in_order(stopped: oneshot::Receiver<()>, proposer: &Proposer) {
    // An error means the same: nobody is left who could use the log.
    drop(stopped.await);
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
