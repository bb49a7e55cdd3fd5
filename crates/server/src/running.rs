//! Starting and stopping a server: the order in which its parts come up and go down.

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use raft_log::{RaftLog, RaftLogConfig};
use session::{LocalSessions, SessionIds};
use store::{DataDir, Place, RocksCheckpoints, RocksLog};
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};
use tree::OriginId;

use crate::{
    admin::{
        Metrics,
        audit::{AuditLog, AuditResult, Operation},
        http,
    },
    clock::Clock,
    config::{Config, Role},
    core::Core,
    damaged::{Damage, Next},
    disk_watch,
    ensemble::{self, Ensemble, StateDiffers},
    leader_duties, listener, local_sessions,
    machine::CoreMachine,
    measured::{MeasuredCheckpoints, MeasuredDisk},
    service::Service,
};

/// The id that ZooKeeper's standalone servers put into session ids.
const LONE_SERVER_ID: u8 = 1;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// The log cannot be started.
    #[error(transparent)]
    Log(#[from] raft_log::StartError),
    /// The audit log cannot be written.
    #[error("audit log {}: {error}", path.display())]
    Audit {
        /// Where it should be.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A port cannot be opened.
    #[error("cannot listen on {address}: {error}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
}

impl ServerError {
    /// Whether other servers could not be listened for.
    pub const fn is_of_peer_port(&self) -> bool {
        matches!(self, Self::Log(raft_log::StartError::Listen { .. }))
    }

    /// Whether the data of this server is not what was written.
    fn is_damage(&self) -> bool {
        match self {
            Self::Store(error) => error.is_damage(),
            Self::Log(error) => error.is_damage(),
            Self::Audit { .. } | Self::Bind { .. } => false,
        }
    }
}

/// A server that is up.
#[derive(Debug)]
pub struct Running {
    log: Arc<RaftLog>,
    core: Arc<Core>,
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
    client_address: SocketAddr,
    failed: watch::Receiver<Option<String>>,
    /// None if this server cannot get its data anew: then it goes on with what it has.
    differs: Option<watch::Receiver<Option<StateDiffers>>>,
}

/// Why a server cannot go on as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It must end at once, for this reason.
    Failed(String),
    /// It has not the state that the others have, and can get that from them: it must
    /// [`Running::begin_anew`].
    Differs(StateDiffers),
}

/// How long the files of a server that was stopped may still be held: its last connections are
/// on their way out.
const CLOSED_WITHIN: Duration = Duration::from_secs(10);

/// How long a server that ends waits for its tasks: a request that is still answered is given a
/// second. Without its duties a leader must not lead on.
const TASKS_END_WITHIN: Duration = Duration::from_secs(2);

/// How long a connection to the metrics may do nothing, as in ZooKeeper, where none can set it.
const METRICS_IDLE: Duration = Duration::from_secs(30);

/// Starts a server: opens its data, replays its log, then takes clients. On return clients
/// are served.
///
/// Damaged data is set aside where other servers have it all, and fetched from them. For as long
/// as no majority of them serves this waits, and changes nothing; if the data turns out to be
/// whole after all, it starts with that. It may be dropped at any time by a process that ends.
///
/// # Errors
/// [`ServerError`], which says what is wrong and where.
pub async fn start(config: Config) -> Result<Running, ServerError> {
    let mut damage: Option<Damage> = None;
    loop {
        let place = Place::of(&config.data_dir, &config.data_log_dir);
        let error = match start_as_it_is(config.clone()).await {
            Err(error) if error.is_damage() && others_have_it_all(&config) => error,
            started => return started,
        };
        let Some(ensemble) = &config.ensemble else { return Err(error) };
        let damage = damage.get_or_insert_with(|| Damage::new(&config, ensemble));
        match damage.wait(&error, &place).await {
            Next::TryAgain => tracing::info!("trying once more to start with the data as it is"),
            Next::SetAside => {
                set_aside_as_damaged(&config, &error)?;
                return start_as_it_is(config).await;
            }
        }
    }
}

fn set_aside_as_damaged(config: &Config, error: &ServerError) -> Result<(), store::StoreError> {
    let aside = store::set_aside(&config.data_dir, &config.data_log_dir, rand::random)?;
    tracing::error!(
        %error,
        set_aside = %aside.display(),
        "this server's data is damaged: it begins anew, with what the others have"
    );
    Ok(())
}

async fn set_aside_when_closed(config: &Config) -> Result<PathBuf, store::StoreError> {
    let deadline = Instant::now() + CLOSED_WITHIN;
    loop {
        match store::set_aside(&config.data_dir, &config.data_log_dir, rand::random) {
            Err(store::StoreError::InUse { .. }) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            done => return done,
        }
    }
}

/// Whether there is a quorum without this server, which then has all that was acknowledged.
fn others_have_it_all(config: &Config) -> bool {
    let Some(ensemble) = &config.ensemble else { return false };
    let voters = config.members.iter().filter(|member| member.role == Role::Participant);
    let voters: Vec<i64> = voters.map(|member| member.id).collect();
    let others = voters.iter().filter(|id| **id != ensemble.me.id).count();
    others > voters.len() / 2
}

async fn start_as_it_is(config: Config) -> Result<Running, ServerError> {
    let address = config.client_address;
    // The port is taken first, so that a second server with the same one fails at once;
    // nobody is accepted before the log is replayed.
    let listener = listener::bind(address, config.listen_backlog)
        .map_err(|error| ServerError::Bind { address, error })?;
    let client_address = listener.local_addr().unwrap_or(address);
    let dir = Arc::new(DataDir::open(&config.data_dir, &config.data_log_dir, rand::random)?);
    let clock = Clock::start();
    let figures = Arc::new(Metrics::new());
    let flags = config.settings.command_flags;
    let mut core = Core::new(clock, figures, config.tick_ms, flags, rand::random());
    core.audit = open_audit(&config)?;
    let core = Arc::new(core);
    let log = Arc::new(open_log(&config, &dir, &core).await?);
    core.liveness.restart(&core.read(), clock.monotonic_ms());
    let started_ms = u64::try_from(clock.wall().0).unwrap_or_default();
    let service = Arc::new(Service {
        settings: config.settings,
        auth: config.auth.clone(),
        client_address,
        core,
        proposer: log.proposer(),
        session_ids: Mutex::new(SessionIds::new(server_id(&config), started_ms)),
        local_sessions: Mutex::new(LocalSessions::new(u64::from(config.tick_ms))),
        next_owner: AtomicU64::new(first_owner(&log)),
        ensemble: config.ensemble.as_ref().map(|own| Ensemble::new(Arc::clone(&log), own)),
        config,
    });
    tracing::info!(
        address = %client_address,
        zxid = %service.core.read().last_zxid(),
        znodes = service.core.read().node_count(),
        "serving clients"
    );
    let (stop, stopped) = watch::channel(false);
    let failed = log.failed();
    let ensemble = service.ensemble.as_ref().filter(|_| others_have_it_all(&service.config));
    let differs = ensemble.map(Ensemble::differs);
    let mut tasks = JoinSet::new();
    // First, as ZooKeeper's admin server: whoever is served as a client finds it there.
    serve_http(&service, &mut tasks, &stopped).await;
    spawn_tasks(&service, &dir, listener, &stopped, &mut tasks);
    service.core.audit_server(Operation::ServerStart, AuditResult::Success);
    let core = Arc::clone(&service.core);
    Ok(Running { log, core, tasks, stop, client_address, failed, differs })
}

fn open_audit(config: &Config) -> Result<Option<AuditLog>, ServerError> {
    let open = |path: &PathBuf| {
        AuditLog::open(path.clone())
            .map_err(|error| ServerError::Audit { path: path.clone(), error })
    };
    config.audit.as_ref().map(open).transpose()
}

async fn open_log(
    config: &Config,
    dir: &Arc<DataDir>,
    core: &Arc<Core>,
) -> Result<RaftLog, ServerError> {
    let identity = dir.identity();
    let mut raft = RaftLogConfig::new(identity.node, identity.incarnation);
    raft.checkpoint_commands = config.checkpoints.commands;
    raft.checkpoint_bytes = config.checkpoints.log_bytes.unwrap_or(u64::MAX);
    if let Some(ensemble) = &config.ensemble {
        raft.server_id = ensemble.me.id;
        let ensemble = ensemble::raft_config(ensemble, &config.members, identity.may_found);
        raft = raft.with_ensemble(ensemble);
        raft.keep_entries = config.checkpoints.keep_entries;
    }
    let opening = Arc::clone(dir);
    let opened = tokio::task::spawn_blocking(move || {
        Ok::<_, store::StoreError>((RocksLog::open(&opening)?, RocksCheckpoints::open(&opening)?))
    });
    let (disk, checkpoints) = opened.await.map_err(|error| {
        raft_log::StartError::Raft(format!("opening the data directory: {error}"))
    })??;
    let disk = MeasuredDisk::new(disk, Arc::clone(&core.metrics), core.clock, config.slow_sync);
    let checkpoints = MeasuredCheckpoints::new(checkpoints, Arc::clone(&core.metrics));
    let machine = Arc::new(CoreMachine::new(Arc::clone(core)));
    let began = Instant::now();
    let applying = Arc::<CoreMachine>::clone(&machine);
    let log = RaftLog::start(raft, Arc::new(disk), Arc::new(checkpoints), applying).await?;
    machine.note_started(began.elapsed());
    core.set_origin(log.origin());
    Ok(log)
}

/// The highest byte of session ids.
fn server_id(config: &Config) -> u8 {
    let id = config.ensemble.as_ref().and_then(|ensemble| u8::try_from(ensemble.me.id).ok());
    id.unwrap_or(LONE_SERVER_ID)
}

/// Owner numbers start anew with each run, and are never those of another server or run:
/// the node id is random, and each server counts its runs.
fn first_owner(log: &RaftLog) -> u64 {
    let OriginId { node, incarnation } = log.origin();
    (node << 48) | ((incarnation & 0xff) << 40) | 1
}

fn spawn_tasks(
    service: &Arc<Service>,
    dir: &Arc<DataDir>,
    listener: TcpListener,
    stopped: &watch::Receiver<bool>,
    tasks: &mut JoinSet<()>,
) {
    let shared = || (Arc::clone(service), stopped.clone());
    let (service_, stop) = shared();
    tasks.spawn(listener::run(listener, service_, stop));
    let (service_, stop) = shared();
    tasks.spawn(leader_duties::expire_sessions(service_, stop));
    let (service_, stop) = shared();
    tasks.spawn(leader_duties::reap_znodes(service_, stop));
    let (service_, stop) = shared();
    tasks.spawn(disk_watch::run(service_, Arc::clone(dir), stop));
    if service.ensemble.is_some() {
        let (service_, stop) = shared();
        tasks.spawn(ensemble::follow(service_, stop));
        let (service_, stop) = shared();
        tasks.spawn(ensemble::keep_figures(service_, stop));
        let (service_, stop) = shared();
        tasks.spawn(ensemble::report(service_, stop));
        let (service_, stop) = shared();
        tasks.spawn(ensemble::hear_others(service_, stop));
        let (service_, stop) = shared();
        tasks.spawn(ensemble::pass_barriers(service_, stop));
        let (service_, stop) = shared();
        tasks.spawn(local_sessions::expire(service_, stop));
    }
}

/// Starts the admin server and the metrics endpoint, where they are configured.
async fn serve_http(
    service: &Arc<Service>,
    tasks: &mut JoinSet<()>,
    stopped: &watch::Receiver<bool>,
) {
    let mut serve = async |what: &str, address: SocketAddr, idle, router| {
        let Some(listener) = http::bind(what, address) else { return };
        tasks.spawn(http::serve(listener, router, idle, stopped.clone()));
    };
    if let Some(admin) = &service.config.admin {
        let router = http::admin_router(Arc::<Service>::clone(service), admin);
        serve("the admin server", admin.address, admin.idle, router).await;
    }
    if let Some(address) = service.config.metrics_address {
        serve(
            "the metrics endpoint",
            address,
            METRICS_IDLE,
            http::metrics_router(Arc::<Service>::clone(service)),
        )
        .await;
    }
}

impl Running {
    /// Where clients are served: the port asked for, or the one that was free.
    pub fn client_address(&self) -> SocketAddr {
        self.client_address
    }

    /// Waits until the server cannot go on as it is, and says why.
    pub async fn ended(&mut self) -> Ended {
        tokio::select! {
            reason = failed(&mut self.failed) => Ended::Failed(reason),
            found = differs(self.differs.as_mut()) => Ended::Differs(found),
        }
    }

    /// Stops, sets the data aside, and starts again with what the others have. A leader hands
    /// over first.
    ///
    /// # Errors
    /// [`ServerError`], as when starting.
    pub async fn begin_anew(self, config: Config, why: StateDiffers) -> Result<Self, ServerError> {
        tracing::error!(
            zxid = %why.zxid,
            own = format!("{:016x}", why.own),
            majority = format!("{:016x}", why.right),
            "this server's state is not that of the others: it leaves service"
        );
        self.stop().await;
        let aside = set_aside_when_closed(&config).await?;
        tracing::error!(
            set_aside = %aside.display(),
            "this server begins anew, with what the others have"
        );
        start_as_it_is(config).await
    }

    /// Stops: no more clients, what was taken is written, files are closed.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        self.core.audit_server(Operation::ServerStop, AuditResult::Invoked);
        end_tasks(&mut self.tasks).await;
        self.log.shutdown().await;
        if let Some(audit) = &self.core.audit {
            audit.close();
        }
        tracing::info!("stopped");
    }
}

/// Waits for the tasks, which were told to end, but not for ever.
async fn end_tasks(tasks: &mut JoinSet<()>) {
    let ended = async { while tasks.join_next().await.is_some() {} };
    if timeout(TASKS_END_WITHIN, ended).await.is_err() {
        tracing::warn!(left = tasks.len(), "some tasks did not end in time: they are aborted");
        tasks.abort_all();
    }
}

async fn failed(failed: &mut watch::Receiver<Option<String>>) -> String {
    let failed = failed.wait_for(Option::is_some).await;
    failed.ok().and_then(|reason| reason.clone()).unwrap_or_else(|| "the log ended".to_owned())
}

async fn differs(differs: Option<&mut watch::Receiver<Option<StateDiffers>>>) -> StateDiffers {
    if let Some(differs) = differs
        && let Ok(found) = differs.wait_for(Option::is_some).await
        && let Some(found) = *found
    {
        return found;
    }
    std::future::pending().await
}
