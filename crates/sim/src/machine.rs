//! The state of one server, and who waits for what becomes of their commands.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use raft_log::{
    CheckpointError, CheckpointSource, Committed, Machine, Payload, ReadCheckpoint, codec, mem,
};
use tokio::sync::oneshot;
use tree::{OriginId, Outcome, State, Zxid};

use crate::history::{Applied, History};

/// A tree that tells the history what is applied.
pub struct Tree {
    server: i64,
    origin: OriginId,
    state: Mutex<State>,
    own: AtomicU64,
    waiting: Mutex<BTreeMap<u64, oneshot::Sender<Outcome>>>,
    history: Arc<History>,
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Tree {
    /// An empty one.
    pub fn new(server: i64, origin: OriginId, history: Arc<History>) -> Self {
        Self {
            server,
            origin,
            state: Mutex::new(State::new()),
            own: AtomicU64::new(0),
            waiting: Mutex::default(),
            history,
        }
    }

    /// Waits for the outcome of a command of this server.
    pub fn await_outcome(&self, sequence: u64, waiter: oneshot::Sender<Outcome>) {
        self.waiting.lock().insert(sequence, waiter);
    }

    /// Nobody learns any more what becomes of anything.
    pub fn forget_waiting(&self) {
        self.waiting.lock().clear();
    }

    /// The last zxid and the digest of the state.
    pub fn digest(&self) -> (Zxid, u64) {
        let state = self.state.lock();
        (state.last_zxid(), state.digest())
    }

    /// Looks at the state.
    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock())
    }

    fn apply_batch(&self, state: &mut State, bytes: &[u8]) {
        let batches = codec::decode(bytes).expect("what was proposed can be read");
        for batch in batches {
            for (command, sequence) in batch.commands.iter().zip(batch.first_sequence..) {
                if !state.admit(batch.origin, sequence) {
                    continue;
                }
                let outcome = state.apply(batch.time, command);
                self.history.applied(
                    self.server,
                    &Applied {
                        zxid: outcome.zxid,
                        origin: batch.origin,
                        sequence,
                        digest: state.digest(),
                    },
                    command,
                    &outcome,
                );
                if batch.origin == self.origin {
                    self.own.store(sequence, Ordering::Relaxed);
                    if let Some(waiter) = self.waiting.lock().remove(&sequence) {
                        // A client that has gone away does not want to know.
                        let _ = waiter.send(outcome);
                    }
                }
            }
        }
    }
}

impl Machine for Tree {
    fn apply(&self, entries: &[Committed]) -> u64 {
        let mut state = self.state.lock();
        for entry in entries {
            state.enter_term(entry.position.term);
            match &entry.payload {
                Payload::Blank | Payload::Membership(_) => {}
                Payload::Commands(bytes) => self.apply_batch(&mut state, bytes),
            }
        }
        self.own.load(Ordering::Relaxed)
    }

    fn begin_checkpoint(&self) -> Box<dyn CheckpointSource> {
        mem::begin_checkpoint(&mut self.state.lock())
    }

    fn restore(&self, read: &mut ReadCheckpoint<'_>) -> Result<u64, CheckpointError> {
        if let Some(loaded) = mem::restore(read)? {
            self.history.restored(self.server, loaded.last_zxid(), loaded.digest());
            let own = loaded.last_sequence(self.origin.node);
            let own = own.filter(|(origin, _)| *origin == self.origin);
            let own = own.map_or(0, |(_, sequence)| sequence);
            self.own.store(own, Ordering::Relaxed);
            // What became of these is not known here.
            let mut waiting = self.waiting.lock();
            let behind = waiting.split_off(&(own + 1));
            *waiting = behind;
            drop(waiting);
            *self.state.lock() = loaded;
        }
        Ok(self.own.load(Ordering::Relaxed))
    }
}
