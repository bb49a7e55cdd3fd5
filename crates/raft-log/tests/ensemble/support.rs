//! Several servers in one process, over real sockets, with a real state.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use compat_tests::oracle::process;
use raft_log::{
    CheckpointError, CheckpointSource, Committed, EnsembleConfig, LogDisk, Machine, Members,
    Payload, RaftLog, RaftLogConfig, ReadCheckpoint, Role, ServerSpec, codec, mem,
};
use tree::{
    AclEntry, Command, CommandFlags, CreateMode, Millis, Op, OriginId, Owner, Permissions,
    SessionId, State,
};

use crate::{
    disk::{Checkpoints, Disk},
    network::Net,
};

/// A state, and what was applied to it.
pub(crate) struct Tree {
    state: Mutex<State>,
    origin: OriginId,
    own: AtomicU64,
    pub(crate) members: Mutex<Members>,
    pub(crate) restored: AtomicU64,
}

impl Tree {
    fn new(origin: OriginId) -> Self {
        Self {
            state: Mutex::new(State::new()),
            origin,
            own: AtomicU64::new(0),
            members: Mutex::default(),
            restored: AtomicU64::new(0),
        }
    }

    /// How often the znode was set, by its version; -1 while it is not there.
    pub(crate) fn version(&self, path: &str) -> i32 {
        self.state.lock().unwrap().stat_of(path).map_or(-1, |stat| stat.version)
    }

    pub(crate) fn digest(&self) -> (i64, u64) {
        let state = self.state.lock().unwrap();
        (state.last_zxid().0, state.digest())
    }
}

impl Machine for Tree {
    fn apply(&self, entries: &[Committed]) -> u64 {
        let mut state = self.state.lock().unwrap();
        for entry in entries {
            state.enter_term(entry.position.term);
            match &entry.payload {
                Payload::Blank => {}
                Payload::Membership(members) => *self.members.lock().unwrap() = members.clone(),
                Payload::Commands(bytes) => {
                    for batch in codec::decode(bytes).unwrap() {
                        for (command, sequence) in batch.commands.iter().zip(batch.first_sequence..)
                        {
                            if !state.admit(batch.origin, sequence) {
                                continue;
                            }
                            if batch.origin == self.origin {
                                self.own.store(sequence, Ordering::Relaxed);
                            }
                            state.apply(batch.time, command);
                        }
                    }
                }
            }
        }
        self.own.load(Ordering::Relaxed)
    }

    fn begin_checkpoint(&self) -> Box<dyn CheckpointSource> {
        mem::begin_checkpoint(&mut self.state.lock().unwrap())
    }

    fn restore(&self, read: &mut ReadCheckpoint<'_>) -> Result<u64, CheckpointError> {
        if let Some(loaded) = mem::restore(read)? {
            let own = loaded.last_sequence(self.origin.node);
            let own = own.filter(|(origin, _)| *origin == self.origin);
            self.own.store(own.map_or(0, |(_, sequence)| sequence), Ordering::Relaxed);
            self.restored.fetch_add(1, Ordering::Relaxed);
            *self.state.lock().unwrap() = loaded;
        }
        Ok(self.own.load(Ordering::Relaxed))
    }
}

/// What of a server outlives its process.
#[derive(Clone)]
pub(crate) struct Disks {
    pub(crate) log: Arc<Disk>,
    pub(crate) checkpoints: Arc<Checkpoints>,
    pub(crate) node: u64,
    pub(crate) incarnation: u64,
}

impl Disks {
    pub(crate) fn empty(node: u64) -> Self {
        Self { log: Arc::default(), checkpoints: Arc::default(), node, incarnation: 0 }
    }
}

/// A server that runs.
pub(crate) struct Node {
    pub(crate) log: RaftLog,
    pub(crate) tree: Arc<Tree>,
}

/// The servers of an ensemble, those that run and those that do not.
pub(crate) struct Ensemble {
    pub(crate) specs: Vec<ServerSpec>,
    pub(crate) listen: BTreeMap<i64, String>,
    pub(crate) disks: BTreeMap<i64, Disks>,
    pub(crate) nodes: BTreeMap<i64, Node>,
    pub(crate) checkpoint_commands: u64,
    pub(crate) keep_entries: u64,
    pub(crate) net: Arc<Net>,
    next_node: u64,
}

/// Where a server may listen.
pub(crate) fn free_address() -> String {
    process::free_address().unwrap().to_string()
}

impl Ensemble {
    pub(crate) async fn new(count: i64) -> Self {
        let mut ensemble = Self {
            specs: Vec::new(),
            listen: BTreeMap::new(),
            disks: BTreeMap::new(),
            nodes: BTreeMap::new(),
            checkpoint_commands: u64::MAX,
            keep_entries: 100_000,
            net: Arc::default(),
            next_node: 1 << 20,
        };
        for server_id in 1..=count {
            let address = free_address();
            ensemble.add(server_id, address.clone(), address);
        }
        ensemble
    }

    /// Adds a server to the configuration; peers reach it at `address`.
    pub(crate) fn add(&mut self, server_id: i64, address: String, listen: String) {
        let spec = format!("server.{server_id}={address}");
        self.specs.push(ServerSpec { server_id, addresses: vec![address], votes: true, spec });
        self.net.know(server_id, &listen);
        self.listen.insert(server_id, listen);
        self.wipe(server_id);
    }

    /// Puts an empty disk into a server.
    pub(crate) fn wipe(&mut self, server_id: i64) {
        self.next_node += 7;
        self.disks.insert(server_id, Disks::empty(self.next_node));
    }

    pub(crate) async fn start(&mut self, server_id: i64) {
        let disks = self.disks.get_mut(&server_id).unwrap();
        disks.incarnation += 1;
        let origin = OriginId { node: disks.node, incarnation: disks.incarnation };
        let tree = Arc::new(Tree::new(origin));
        let mut config = RaftLogConfig::new(disks.node, disks.incarnation);
        config.server_id = server_id;
        config.checkpoint_commands = self.checkpoint_commands;
        let mut config = config.with_ensemble(EnsembleConfig {
            servers: self.specs.clone(),
            listen: self.listen[&server_id].clone(),
            listen_attempts: 1,
            may_found: true,
            transport: self.net.transport_of(server_id),
        });
        config.keep_entries = self.keep_entries;
        let disk: Arc<dyn LogDisk> = Arc::<Disk>::clone(&disks.log);
        let checkpoints: Arc<Checkpoints> = Arc::clone(&disks.checkpoints);
        let log = RaftLog::start(config, disk, checkpoints, Arc::<Tree>::clone(&tree));
        let log = log.await.unwrap();
        self.nodes.insert(server_id, Node { log, tree });
    }

    pub(crate) async fn start_all(&mut self) {
        let servers: Vec<i64> = self.listen.keys().copied().collect();
        for server_id in servers {
            self.start(server_id).await;
        }
    }

    /// Ends a server as a kill does: nothing is handed over and nothing waited for. The
    /// disk has what was written.
    pub(crate) async fn kill(&mut self, server_id: i64) {
        self.nodes.remove(&server_id).unwrap().log.kill().await;
    }

    pub(crate) async fn stop(&mut self, server_id: i64) {
        self.nodes.remove(&server_id).unwrap().log.shutdown().await;
    }

    pub(crate) async fn stop_all(&mut self) {
        let servers: Vec<i64> = self.nodes.keys().copied().collect();
        for server_id in servers {
            self.kill(server_id).await;
        }
    }

    /// The number of the server that all running ones follow.
    pub(crate) fn leader(&self) -> Option<i64> {
        let mut leaders = self.nodes.values().map(|node| {
            let status = node.log.status().borrow().clone();
            (status.leader.map(|leader| leader.server_id), status.term)
        });
        let first = leaders.next()?;
        let leads = self.nodes.get(&first.0?)?.log.status().borrow().role == Role::Leading;
        (leads && leaders.all(|leader| leader == first)).then_some(first.0).flatten()
    }

    pub(crate) async fn until_led(&self) -> i64 {
        until("one leader for all", || self.leader().is_some()).await;
        self.leader().unwrap()
    }

    pub(crate) fn node(&self, server_id: i64) -> &Node {
        &self.nodes[&server_id]
    }

    /// All running servers have the same state.
    pub(crate) async fn until_equal(&self) {
        until("equal states", || {
            let mut digests = self.nodes.values().map(|node| node.tree.digest());
            let first = digests.next();
            digests.all(|digest| Some(digest) == first)
        })
        .await;
    }
}

impl Node {
    /// Takes a command.
    pub(crate) async fn propose(&self, op: Op<'_>) {
        let command = Command {
            session: SessionId::NONE,
            owner: Owner(0),
            xid: 0,
            flags: CommandFlags::SKIP_ACL,
            identities: Vec::new(),
            op,
        };
        let proposer = self.log.proposer();
        while proposer.propose(Millis(1), &command, |_| {}).is_err() {
            proposer.ready().await;
        }
    }

    pub(crate) async fn create(&self, path: &str) {
        let anyone = AclEntry { perms: Permissions::ALL, scheme: "world", id: "anyone" };
        let (data, acl) = (Some(&b"0"[..]), Some(vec![anyone]));
        self.propose(Op::Create { path, data, acl, mode: CreateMode::Persistent }).await;
    }

    pub(crate) async fn create_large(&self, path: &str, bytes: usize) {
        let anyone = AclEntry { perms: Permissions::ALL, scheme: "world", id: "anyone" };
        let data = vec![7; bytes];
        let (data, acl) = (Some(data.as_slice()), Some(vec![anyone]));
        self.propose(Op::Create { path, data, acl, mode: CreateMode::Persistent }).await;
    }

    pub(crate) async fn set(&self, path: &str) {
        self.propose(Op::SetData { path: Some(path), data: Some(b"1"), version: -1 }).await;
    }
}

/// Waits for a condition, for 30 seconds at most.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < Duration::from_secs(30), "{what}: not within 30 seconds");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
