//! A whole log in memory: what is proposed is applied, once, in order, and again after a
//! restart; a checkpoint stands for what came before it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use raft_log::{
    CheckpointError, CheckpointSink, CheckpointSource, Committed, LogDisk, Machine, Payload,
    RaftLog, RaftLogConfig, ReadCheckpoint, codec,
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
        Box::new(Frozen(self.seen()))
    }

    fn restore(&self, read: &mut ReadCheckpoint<'_>) -> Result<(), CheckpointError> {
        let mut seen = self.seen.lock().unwrap();
        read(&mut |key, _| {
            seen.push(i32::from_be_bytes(key.try_into().unwrap()));
            Ok(())
        })
    }
}

struct Frozen(Vec<i32>);

impl CheckpointSource for Frozen {
    fn next_chunk(&mut self, sink: &mut CheckpointSink<'_>) -> bool {
        for xid in &self.0 {
            sink(&xid.to_be_bytes(), Some(b""));
        }
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
    log.shutdown().await;
    let (log, machine) = disks.start(2, u64::MAX).await;
    assert_eq!(machine.seen(), (0..5000).collect::<Vec<_>>(), "replayed before start returns");
    propose(&log, 5000..5010).await;
    until("new ones applied", || machine.seen().len() == 5010).await;
    assert_eq!(machine.seen(), (0..5010).collect::<Vec<_>>());
    log.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_stands_for_the_log_before_it() {
    let disks = Disks::new();
    let (log, machine) = disks.start(1, 1000).await;
    for round in 0..10 {
        propose(&log, round * 1000..(round + 1) * 1000).await;
        let all = (round as usize + 1) * 1000;
        until("a round applied", || machine.seen().len() == all).await;
    }
    until("the log purged", || disks.log.state().unwrap().purged.is_some()).await;
    log.shutdown().await;
    let (log, machine) = disks.start(2, 1000).await;
    let mut seen = machine.seen();
    seen.sort_unstable();
    assert_eq!(seen, (0..10_000).collect::<Vec<_>>(), "checkpoint and tail make the whole");
    log.shutdown().await;
}
