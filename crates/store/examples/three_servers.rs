//! How fast three servers replicate, without clients and without a tree: what the log costs.
//!
//! `cargo run --release -p store --example three_servers -- [clients] [in flight] [seconds]`
//!
//! All three run in one process, on one disk, over loopback. Each client has so many
//! commands under way at the server it belongs to, and proposes the next one when one is
//! applied there.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on should say where")]
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use raft_log::{
    CheckpointError, CheckpointSink, CheckpointSource, Committed, EnsembleConfig, Machine, Payload,
    RaftLog, RaftLogConfig, ReadCheckpoint, ServerSpec, codec, transport::Tcp,
};
use store::{DataDir, RocksCheckpoints, RocksLog};
use tokio::{net::TcpListener, sync::oneshot};
use tree::{Command, CommandFlags, Millis, Op, OriginId, Owner, SessionId};

/// Counts commands and tells those who wait for them.
struct Counter {
    origin: OriginId,
    last: AtomicU64,
    waiting: Mutex<VecDeque<oneshot::Sender<()>>>,
}

impl Machine for Counter {
    fn apply(&self, entries: &[Committed]) -> u64 {
        for entry in entries {
            let Payload::Commands(bytes) = &entry.payload else { continue };
            for batch in codec::decode(bytes).unwrap() {
                if batch.origin != self.origin {
                    continue;
                }
                for sequence in (batch.first_sequence..).take(batch.commands.len()) {
                    if sequence == self.last.load(Ordering::Relaxed) + 1 {
                        self.last.store(sequence, Ordering::Relaxed);
                        let waiting = self.waiting.lock().unwrap().pop_front();
                        let _ = waiting.unwrap().send(());
                    }
                }
            }
        }
        self.last.load(Ordering::Relaxed)
    }

    fn begin_checkpoint(&self) -> Box<dyn CheckpointSource> {
        Box::new(Nothing)
    }

    fn restore(&self, read: &mut ReadCheckpoint<'_>) -> Result<u64, CheckpointError> {
        read(&mut |_, _| Ok(())).map(|()| 0)
    }
}

struct Nothing;

impl CheckpointSource for Nothing {
    fn next_chunk(&mut self, _: &mut CheckpointSink<'_>) -> bool {
        false
    }

    fn finish(self: Box<Self>, _: bool) {}
}

struct Server {
    log: RaftLog,
    counter: Arc<Counter>,
    _folder: tempfile::TempDir,
}

async fn start(servers: &[ServerSpec], own: &ServerSpec) -> Server {
    let folder = tempfile::tempdir_in(".").unwrap();
    let node = (1 << 20) + own.server_id.cast_unsigned();
    let dir = DataDir::open(folder.path(), folder.path(), || node).unwrap();
    let identity = dir.identity();
    let ensemble = EnsembleConfig {
        servers: servers.to_vec(),
        listen: own.addresses[0].clone(),
        listen_attempts: 1,
        may_found: true,
        transport: Arc::new(Tcp),
    };
    let mut config =
        RaftLogConfig::new(identity.node, identity.incarnation).with_ensemble(ensemble);
    config.server_id = own.server_id;
    let counter = Arc::new(Counter {
        origin: OriginId { node: identity.node, incarnation: identity.incarnation },
        last: AtomicU64::new(0),
        waiting: Mutex::default(),
    });
    let log = Arc::new(RocksLog::open(&dir).unwrap());
    let checkpoints = Arc::new(RocksCheckpoints::open(&dir).unwrap());
    let log = RaftLog::start(config, log, checkpoints, Arc::<Counter>::clone(&counter));
    Server { log: log.await.unwrap(), counter, _folder: folder }
}

async fn client(server: Arc<Server>, until: Instant, done: Arc<AtomicU64>) {
    let proposer = server.log.proposer();
    let data = [7; 100];
    let command = Command {
        session: SessionId::NONE,
        owner: Owner(0),
        xid: 0,
        flags: CommandFlags::default(),
        identities: Vec::new(),
        op: Op::SetData { path: Some("/bench/keys/0000"), data: Some(&data), version: -1 },
    };
    while Instant::now() < until {
        let (sender, applied) = oneshot::channel();
        let mut sender = Some(sender);
        let noted = proposer.propose(Millis(0), &command, |_| {
            server.counter.waiting.lock().unwrap().push_back(sender.take().unwrap());
        });
        if noted.is_err() {
            proposer.ready().await;
            continue;
        }
        applied.await.unwrap();
        done.fetch_add(1, Ordering::Relaxed);
    }
}

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>().unwrap());
    let clients = arguments.next().unwrap_or(63);
    let in_flight = arguments.next().unwrap_or(1);
    let seconds = arguments.next().unwrap_or(5);
    let mut specs = Vec::new();
    for server_id in 1..=3 {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = free.local_addr().unwrap().to_string();
        let spec = format!("server.{server_id}={address}");
        specs.push(ServerSpec { server_id, addresses: vec![address], votes: true, spec });
    }
    let mut servers = Vec::new();
    for own in &specs {
        servers.push(Arc::new(start(&specs, own).await));
    }
    for server in &servers {
        let mut status = server.log.status();
        status.wait_for(|status| status.leader.is_some()).await.unwrap();
    }
    let done = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let cpu = cpu_seconds();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..clients * in_flight {
        let server = Arc::clone(&servers[usize::try_from(number % 3).unwrap()]);
        tasks.spawn(client(server, until, Arc::clone(&done)));
    }
    while tasks.join_next().await.is_some() {}
    let (took, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    #[expect(clippy::cast_precision_loss, reason = "a rate has few digits")]
    let commands = done.load(Ordering::Relaxed) as f64;
    println!(
        "{clients} clients, {in_flight} in flight: {:.0} commands/s, {:.1} us of processor each",
        commands / took,
        cpu / commands * 1e6
    );
}
