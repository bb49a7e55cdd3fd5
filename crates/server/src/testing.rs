//! A server for tests whose log is in memory, and which applies when the test says so.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use raft_log::{
    CheckpointError, CheckpointSource, Committed, Machine, Payload, RaftLog, RaftLogConfig,
    ReadCheckpoint, codec,
    mem::{self, MemCheckpoints, MemLog},
};
use session::{LocalSessions, SessionIds};
use tempfile::TempDir;
use tree::State;

use crate::{
    admin::Metrics,
    clock::Clock,
    config::{Overrides, load},
    core::Core,
    service::Service,
};

/// Longer than anything here takes.
const WITHIN: Duration = Duration::from_secs(20);

/// Keeps what the log has committed, until the test applies it.
#[derive(Debug, Default)]
struct Held(Mutex<Vec<Committed>>);

impl Machine for Held {
    fn apply(&self, entries: &[Committed]) -> u64 {
        self.0.lock().extend_from_slice(entries);
        0
    }

    fn begin_checkpoint(&self) -> Box<dyn CheckpointSource> {
        mem::begin_checkpoint(&mut State::new())
    }

    fn restore(&self, _read: &mut ReadCheckpoint<'_>) -> Result<u64, CheckpointError> {
        Ok(0)
    }
}

/// A server that stands alone.
pub(crate) struct LoneServer {
    pub(crate) service: Arc<Service>,
    pub(crate) log: RaftLog,
    held: Arc<Held>,
    _dir: TempDir,
}

impl LoneServer {
    pub(crate) async fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let overrides = Overrides::default().with("dataDir", dir.path().display());
        let config = load(None, &overrides).unwrap().config;
        let held = Arc::new(Held::default());
        let log = RaftLog::start(
            RaftLogConfig::new(7, 1),
            Arc::new(MemLog::default()),
            Arc::new(MemCheckpoints::default()),
            Arc::<Held>::clone(&held),
        );
        let log = log.await.unwrap();
        let flags = config.settings.command_flags;
        let metrics = Arc::new(Metrics::new());
        let core = Arc::new(Core::new(Clock::start(), metrics, config.tick_ms, flags, 1));
        core.set_origin(log.origin());
        let service = Arc::new(Service {
            settings: config.settings,
            auth: config.auth.clone(),
            client_address: config.client_address,
            core,
            proposer: log.proposer(),
            session_ids: Mutex::new(SessionIds::new(1, 0)),
            local_sessions: Mutex::new(LocalSessions::new(2000)),
            next_owner: 1.into(),
            ensemble: None,
            config,
        });
        Self { service, log, held, _dir: dir }
    }

    /// Waits for this server's command of that number.
    pub(crate) async fn committed(&self, number: u64) -> Committed {
        let found = || {
            let held = self.held.0.lock();
            held.iter().find(|entry| first_sequence(entry) == Some(number)).cloned()
        };
        let wait = async {
            loop {
                if let Some(found) = found() {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(WITHIN, wait).await.expect("what was proposed is committed")
    }
}

fn first_sequence(entry: &Committed) -> Option<u64> {
    let Payload::Commands(bytes) = &entry.payload else { return None };
    codec::decode(bytes).unwrap().first().map(|batch| batch.first_sequence)
}

/// The frame of a client that wants a session of 30 s.
pub(crate) fn hello() -> Vec<u8> {
    let mut hello = vec![0, 0, 0, 45];
    hello.extend_from_slice(&[0; 12]);
    hello.extend_from_slice(&[0, 0, 0x75, 0x30]);
    hello.extend_from_slice(&[0; 8]);
    hello.extend_from_slice(&[0, 0, 0, 16]);
    hello.extend_from_slice(&[0; 17]);
    hello
}
