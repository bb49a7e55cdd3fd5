//! A running log, as the server holds it. What runs is in [`crate::raft_thread`].

use std::{future::Future, io, sync::Arc, time::Duration};

use parking_lot::Mutex;
use thiserror::Error;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
};
use tree::OriginId;

use crate::{
    applied::Applied,
    checkpoints::{CheckpointError, CheckpointStore},
    config::RaftLogConfig,
    disk::{LogDisk, LogPosition},
    ensemble::{
        ChangeError, FromPeer, Lag, MESSAGES_MAX, MemberChange, PeerMessage, Report, Shared, Status,
    },
    execution::Worker,
    machine::{Due, Machine},
    proposer::Proposer,
    raft_thread::{self, Parts, Started},
};

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
    /// What had to be written could not be.
    #[error("{0}")]
    Failed(String),
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
            Self::Checkpoint(CheckpointError::Io(_))
            | Self::Listen { .. }
            | Self::Failed(_)
            | Self::Raft(_) => false,
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
    thread: Mutex<Option<Worker>>,
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
        let thread = raft_thread::spawn(parts, started_sender, stopped)?;
        let started = match started.await {
            Ok(Ok(started)) => started,
            Ok(Err(error)) => {
                // Its files are closed when it has ended.
                thread.join("raft").await;
                // openraft says only that it has ended; the log's thread knows why.
                let failed = failed.borrow().clone();
                return Err(failed.map_or(error, StartError::Failed));
            }
            Err(_) => return Err(StartError::Raft("its thread ended".to_owned())),
        };
        let Started { shared, runtime, peer_address } = started;
        let (stop, thread) = (Mutex::new(Some(stop)), Mutex::new(Some(thread)));
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
            thread,
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
    pub fn tell_leader(&self, message: &PeerMessage) -> bool {
        let _on_raft = self.runtime.enter();
        self.shared.tell_leader(message)
    }

    /// Tells a member, as [`Self::tell_leader`].
    pub fn tell(&self, node: u64, message: &PeerMessage) -> bool {
        let _on_raft = self.runtime.enter();
        self.shared.tell(node, message)
    }

    /// What other servers told this one, and what it told itself. Taken once.
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

    /// What is known of the ensemble, for people to look at: asks the leader and every member,
    /// and takes a second when some do not answer. None once the log has ended.
    pub async fn report(&self) -> Option<Report> {
        let shared = Arc::clone(&self.shared);
        self.on_raft(async move { shared.report().await }).await
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
        let thread = self.thread.lock().take();
        drop(stop);
        if let Some(thread) = thread {
            thread.join("raft").await;
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
