//! Three servers on real disks: one that was away too long gets the checkpoint, file by
//! file, and has it when it is killed and opened again, whenever that happens.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use compat_tests::oracle::process::free_address;
use raft_log::{
    CheckpointError, CheckpointSink, CheckpointSource, Committed, EnsembleConfig, LogDisk, Machine,
    Payload, RaftLog, RaftLogConfig, ReadCheckpoint, ServerSpec, codec, transport::Tcp,
};
use store::{DataDir, RocksCheckpoints, RocksLog};
use tree::{Command, CommandFlags, Millis, Op, OriginId, Owner, SessionId};

/// Values by path, and the last command of each origin.
#[derive(Clone, Default, PartialEq)]
struct Contents {
    values: BTreeMap<String, Vec<u8>>,
    origins: BTreeMap<u64, (u64, u64)>,
}

struct Values {
    own: OriginId,
    contents: Mutex<Contents>,
    restored: AtomicU64,
}

impl Values {
    fn own_sequence(&self, contents: &Contents) -> u64 {
        let own = contents.origins.get(&self.own.node);
        own.filter(|own| own.0 == self.own.incarnation).map_or(0, |own| own.1)
    }

    fn has(&self, path: &str) -> bool {
        self.contents.lock().unwrap().values.contains_key(path)
    }
}

impl Machine for Values {
    fn apply(&self, entries: &[Committed]) -> u64 {
        let mut contents = self.contents.lock().unwrap();
        for entry in entries {
            let Payload::Commands(bytes) = &entry.payload else { continue };
            for batch in codec::decode(bytes).unwrap() {
                let OriginId { node, incarnation } = batch.origin;
                for (command, sequence) in batch.commands.iter().zip(batch.first_sequence..) {
                    let last = contents.origins.get(&node).copied().unwrap_or_default();
                    let next = if incarnation > last.0 { 1 } else { last.1 + 1 };
                    if incarnation < last.0 || sequence != next {
                        continue;
                    }
                    contents.origins.insert(node, (incarnation, sequence));
                    if let Op::SetData { path: Some(path), data: Some(data), .. } = command.op {
                        contents.values.insert(path.to_owned(), data.to_vec());
                    }
                }
            }
        }
        self.own_sequence(&contents)
    }

    fn begin_checkpoint(&self) -> Box<dyn CheckpointSource> {
        Box::new(Frozen(self.contents.lock().unwrap().clone()))
    }

    fn restore(&self, read: &mut ReadCheckpoint<'_>) -> Result<u64, CheckpointError> {
        let mut loaded = Contents::default();
        read(&mut |key, value| {
            if let Some(path) = key.strip_prefix(b"v") {
                let path = String::from_utf8(path.to_vec()).unwrap();
                loaded.values.insert(path, value.to_vec());
            } else {
                let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
                let last = (number(&value[..8]), number(&value[8..]));
                loaded.origins.insert(number(&key[1..]), last);
            }
            Ok(())
        })?;
        self.restored.fetch_add(u64::from(!loaded.values.is_empty()), Ordering::Relaxed);
        let mut contents = self.contents.lock().unwrap();
        *contents = loaded;
        Ok(self.own_sequence(&contents))
    }
}

struct Frozen(Contents);

impl CheckpointSource for Frozen {
    fn next_chunk(&mut self, sink: &mut CheckpointSink<'_>) -> bool {
        for (path, value) in &self.0.values {
            sink(format!("v{path}").as_bytes(), Some(value));
        }
        for (node, (incarnation, sequence)) in &self.0.origins {
            let key = [&b"o"[..], &node.to_be_bytes()].concat();
            sink(&key, Some(&[incarnation.to_be_bytes(), sequence.to_be_bytes()].concat()));
        }
        false
    }

    fn finish(self: Box<Self>, _: bool) {}
}

struct Server {
    log: RaftLog,
    values: Arc<Values>,
    disk: Arc<RocksLog>,
}

async fn start(folder: &Path, servers: &[ServerSpec], own: &ServerSpec) -> Server {
    let node = 1000 + own.server_id.cast_unsigned();
    let dir = DataDir::open(folder, folder, || node).unwrap();
    let identity = dir.identity();
    let ensemble = EnsembleConfig {
        servers: servers.to_vec(),
        listen: own.addresses[0].clone(),
        listen_attempts: 1,
        may_found: true,
        transport: Arc::new(Tcp),
    };
    let config = RaftLogConfig::new(identity.node, identity.incarnation).with_ensemble(ensemble);
    let config = RaftLogConfig {
        server_id: own.server_id,
        checkpoint_commands: 200,
        keep_entries: 5,
        ..config
    };
    let values = Arc::new(Values {
        own: OriginId { node: identity.node, incarnation: identity.incarnation },
        contents: Mutex::default(),
        restored: AtomicU64::new(0),
    });
    let disk = Arc::new(RocksLog::open(&dir).unwrap());
    let checkpoints = Arc::new(RocksCheckpoints::open(&dir).unwrap());
    let log = RaftLog::start(
        config,
        Arc::<RocksLog>::clone(&disk),
        checkpoints,
        Arc::<Values>::clone(&values),
    );
    Server { log: log.await.unwrap(), values, disk }
}

async fn set(server: &Server, path: &str, data: &[u8]) {
    let command = Command {
        session: SessionId::NONE,
        owner: Owner(0),
        xid: 0,
        flags: CommandFlags::default(),
        identities: Vec::new(),
        op: Op::SetData { path: Some(path), data: Some(data), version: -1 },
    };
    let proposer = server.log.proposer();
    while proposer.propose(Millis(0), &command, |_| {}).is_err() {
        proposer.ready().await;
    }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < Duration::from_secs(30), "{what}: not within 30 seconds");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn specs() -> Vec<ServerSpec> {
    let spec = |server_id| {
        let address = free_address().unwrap().to_string();
        let spec = format!("server.{server_id}={address}");
        ServerSpec { server_id, addresses: vec![address], votes: true, spec }
    };
    (1..=3).map(spec).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_away_gets_the_checkpoint_however_often_it_is_killed() {
    let specs = specs();
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let first = start(folders[0].path(), &specs, &specs[0]).await;
    let second = start(folders[1].path(), &specs, &specs[1]).await;
    {
        let third = start(folders[2].path(), &specs, &specs[2]).await;
        set(&third, "/from-the-third", b"1").await;
        until("all are there", || first.values.has("/from-the-third")).await;
        third.log.kill().await;
    }
    for number in 0..3000_u32 {
        // Does not compress, and differs.
        let data: Vec<u8> =
            (0..2000_u32).map(|at| (at * 31 + number * 7).to_le_bytes()[0]).collect();
        set(&first, &format!("/large-{number}"), &data).await;
    }
    until("all is applied", || second.values.has("/large-2999")).await;
    until("the log is purged", || first.disk.state().unwrap().purged.is_some()).await;
    let receiving = folders[2].path().join("rookery/receiving");
    for round in 0..8_u64 {
        let third = start(folders[2].path(), &specs, &specs[2]).await;
        let until_killed = Instant::now() + Duration::from_millis(20 * round);
        while Instant::now() < until_killed && !third.values.has("/large-2999") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        third.log.kill().await;
    }
    let third = start(folders[2].path(), &specs, &specs[2]).await;
    until("it has the state", || third.values.has("/large-2999")).await;
    assert!(third.values.restored.load(Ordering::Relaxed) > 0, "by a checkpoint");
    assert!(!receiving.exists(), "what was received is installed");
    set(&third, "/at-last", b"2").await;
    until("it goes on", || second.values.has("/at-last")).await;
    let equal = || {
        let contents = |server: &Server| server.values.contents.lock().unwrap().clone();
        contents(&first) == contents(&second) && contents(&second) == contents(&third)
    };
    until("all have the same", equal).await;
    for server in [third, second, first] {
        server.log.kill().await;
    }
}
