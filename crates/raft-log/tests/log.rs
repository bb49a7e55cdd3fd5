//! A whole log in memory: what is proposed is applied, once, in order, and again after a
//! restart; a checkpoint stands for what came before it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use raft_log::{
    CheckpointError, CheckpointSink, CheckpointSource, Committed, DiskState, EntryKind, LogDisk,
    LogOp, Machine, Payload, RaftLog, RaftLogConfig, ReadCheckpoint, StoredEntry, codec,
    mem::{MemCheckpoints, MemLog},
};
use tree::{Command, CommandFlags, Millis, Op, OriginId, Owner, SessionId};

/// Remembers the xids it applied; its checkpoint is the list.
#[derive(Default)]
struct Recorder {
    seen: Arc<Mutex<Vec<i32>>>,
    own: Mutex<(OriginId, u64)>,
}

impl Recorder {
    fn seen(&self) -> Vec<i32> {
        self.seen.lock().unwrap().clone()
    }
}

impl Machine for Recorder {
    fn apply(&self, entries: &[Committed]) -> u64 {
        let mut seen = self.seen.lock().unwrap();
        let mut own = self.own.lock().unwrap();
        for entry in entries {
            let Payload::Commands(bytes) = &entry.payload else { continue };
            for batch in codec::decode(bytes).unwrap() {
                if batch.origin.incarnation > own.0.incarnation {
                    *own = (batch.origin, 0);
                }
                for (command, sequence) in batch.commands.iter().zip(batch.first_sequence..) {
                    if sequence == own.1 + 1 {
                        own.1 = sequence;
                        seen.push(command.xid);
                    }
                }
            }
        }
        own.1
    }

    fn begin_checkpoint(&self) -> Box<dyn CheckpointSource> {
        Box::new(Frozen { seen: self.seen(), own: *self.own.lock().unwrap() })
    }

    fn restore(&self, read: &mut ReadCheckpoint<'_>) -> Result<u64, CheckpointError> {
        let mut seen = self.seen.lock().unwrap();
        let mut own = self.own.lock().unwrap();
        read(&mut |key, value| {
            if key == OWN {
                let number = |at: usize| u64::from_be_bytes(value[at..at + 8].try_into().unwrap());
                *own = (OriginId { node: number(0), incarnation: number(8) }, number(16));
            } else {
                seen.push(i32::from_be_bytes(key.try_into().unwrap()));
            }
            Ok(())
        })?;
        Ok(own.1)
    }
}

/// The key of the last command of the origin that was heard last.
const OWN: &[u8] = b"own";

struct Frozen {
    seen: Vec<i32>,
    own: (OriginId, u64),
}

impl CheckpointSource for Frozen {
    fn next_chunk(&mut self, sink: &mut CheckpointSink<'_>) -> bool {
        for xid in &self.seen {
            sink(&xid.to_be_bytes(), Some(b""));
        }
        let (origin, sequence) = self.own;
        let own = [origin.node, origin.incarnation, sequence].map(u64::to_be_bytes).concat();
        sink(OWN, Some(&own));
        false
    }

    fn finish(self: Box<Self>, _: bool) {}
}

struct Disks {
    log: Arc<MemLog>,
    checkpoints: Arc<MemCheckpoints>,
}

impl Disks {
    fn new() -> Self {
        Self { log: Arc::default(), checkpoints: Arc::default() }
    }

    async fn start(&self, incarnation: u64, checkpoint_commands: u64) -> (RaftLog, Arc<Recorder>) {
        let machine = Arc::new(Recorder::default());
        let config = RaftLogConfig { checkpoint_commands, ..RaftLogConfig::new(7, incarnation) };
        let log: Arc<MemLog> = Arc::clone(&self.log);
        let checkpoints: Arc<MemCheckpoints> = Arc::clone(&self.checkpoints);
        let started = RaftLog::start(config, log, checkpoints, Arc::<Recorder>::clone(&machine));
        (started.await.unwrap(), machine)
    }
}

fn command(xid: i32) -> Command<'static> {
    Command {
        session: SessionId(1),
        owner: Owner(1),
        xid,
        flags: CommandFlags::default(),
        identities: Vec::new(),
        op: Op::CloseSession,
    }
}

async fn propose(log: &RaftLog, xids: std::ops::Range<i32>) {
    let proposer = log.proposer();
    for xid in xids {
        while proposer.propose(Millis(0), &command(xid), |_| {}).is_err() {
            proposer.ready().await;
        }
    }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..2000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what}: not within ten seconds");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_applied_once_in_order_and_again_after_a_restart() {
    let disks = Disks::new();
    let (log, machine) = disks.start(1, u64::MAX).await;
    propose(&log, 0..5000).await;
    until("all applied", || machine.seen().len() == 5000).await;
    assert_eq!(log.contact_age(), Some(Duration::ZERO), "a lone server is its own quorum");
    log.read_barrier().await.unwrap();
    log.shutdown().await;
    let (log, machine) = disks.start(2, u64::MAX).await;
    assert!(machine.seen().into_iter().eq(0..5000), "replayed before start returns");
    propose(&log, 5000..5010).await;
    until("new ones applied", || machine.seen().len() == 5010).await;
    assert!(machine.seen().into_iter().eq(0..5010), "old ones, then new ones");
    log.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_stands_for_the_log_before_it() {
    let disks = Disks::new();
    let (log, machine) = disks.start(1, 1000).await;
    for round in 0..10 {
        let next = (round + 1) * 1000;
        propose(&log, round * 1000..next).await;
        until("a round applied", || machine.seen().last() == Some(&(next - 1))).await;
    }
    until("the log purged", || disks.log.state().unwrap().purged.is_some()).await;
    log.shutdown().await;
    let (log, machine) = disks.start(2, 1000).await;
    let mut seen = machine.seen();
    seen.sort_unstable();
    assert!(seen.iter().copied().eq(0..10_000), "checkpoint and tail make the whole");
    log.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_waits_for_what_was_taken() {
    let disks = Disks::new();
    let (log, machine) = disks.start(1, u64::MAX).await;
    propose(&log, 0..10_000).await;
    log.shutdown().await;
    assert!(machine.seen().into_iter().eq(0..10_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_checkpoint_is_gone_is_refused() {
    let disks = Disks::new();
    let (log, _) = disks.start(1, 1000).await;
    propose(&log, 0..5000).await;
    until("the log purged", || disks.log.state().unwrap().purged.is_some()).await;
    log.shutdown().await;
    let (disk, none) = (Arc::clone(&disks.log), Arc::new(MemCheckpoints::default()));
    let started =
        RaftLog::start(RaftLogConfig::new(7, 2), disk, none, Arc::new(Recorder::default())).await;
    let error = started.map(drop).unwrap_err().to_string();
    assert!(error.contains("it stands for no entry, but the log begins behind"), "{error}");
}

/// A disk that fails for good after some writes.
struct FailingDisk {
    disk: MemLog,
    writes_left: AtomicU32,
}

impl LogDisk for FailingDisk {
    fn state(&self) -> io::Result<DiskState> {
        self.disk.state()
    }

    fn write(&self, group: &[LogOp], sync: bool) -> io::Result<()> {
        let appends = group.iter().any(|op| matches!(op, LogOp::Append(_)));
        if appends && self.writes_left.fetch_sub(1, Ordering::Relaxed) == 0 {
            return Err(io::Error::other("fsync: input/output error"));
        }
        self.disk.write(group, sync)
    }

    fn read(&self, start: u64, end: u64, bytes_max: usize) -> io::Result<Vec<StoredEntry>> {
        self.disk.read(start, end, bytes_max)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_error_is_reported_and_nothing_more_is_applied() {
    let disk = Arc::new(FailingDisk { disk: MemLog::default(), writes_left: AtomicU32::new(5) });
    let machine = Arc::new(Recorder::default());
    let config = RaftLogConfig::new(7, 1);
    let checkpoints = Arc::new(MemCheckpoints::default());
    let log = RaftLog::start(
        config,
        Arc::<FailingDisk>::clone(&disk),
        checkpoints,
        Arc::<Recorder>::clone(&machine),
    )
    .await
    .unwrap();
    let mut failed = log.failed();
    let proposing = log.proposer();
    let feeding = tokio::spawn(async move {
        for xid in 0.. {
            // Refused once nothing is written any more, which is what is waited for.
            let _ = proposing.propose(Millis(0), &command(xid), |_| {});
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    });
    let reason = tokio::time::timeout(Duration::from_secs(10), failed.wait_for(Option::is_some));
    let reason = reason.await.expect("the failure is reported").unwrap().clone().unwrap();
    assert!(reason.contains("input/output error"), "{reason}");
    feeding.abort();
    log.shutdown().await;
    let state = disk.state().unwrap();
    let stored = disk.read(0, state.last.unwrap().index + 1, usize::MAX).unwrap();
    let durable: usize = stored
        .iter()
        .filter(|entry| entry.kind == EntryKind::Commands)
        .flat_map(|entry| codec::decode(&entry.payload).unwrap())
        .map(|batch| batch.commands.len())
        .sum();
    assert!(machine.seen().len() <= durable, "nothing is applied that is not on disk");
}
