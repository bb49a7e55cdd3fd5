//! The core as the log sees it: something that applies entries and can be checkpointed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use raft_log::{
    CheckpointError, CheckpointSink, CheckpointSource, Committed, Machine, Payload, ReadCheckpoint,
    codec,
};
use tree::{Cut, LoadError, Loader};

use crate::{admin::metrics::Summary, core::Core, measured::milliseconds};

/// How much of a checkpoint is taken under one hold of the state's lock, in bytes.
/// About half a millisecond of encoding, which is what a write may wait behind it.
const CHUNK_BYTES: usize = 256 * 1024;

/// Hands committed entries to the [`Core`].
#[derive(Debug)]
pub(crate) struct CoreMachine {
    core: Arc<Core>,
    /// Until the log of earlier runs is applied.
    starting: AtomicBool,
    /// Commands applied while starting.
    replayed: AtomicU64,
}

impl CoreMachine {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core, starting: AtomicBool::new(true), replayed: AtomicU64::new(0) }
    }

    /// Everything that was on disk is in the state now; it took so long.
    pub(crate) fn note_started(&self, took: Duration) {
        self.starting.store(false, Ordering::Relaxed);
        let (metrics, took_ms) = (&self.core.metrics, milliseconds(took));
        let loading_ms = metrics.figures().summary(Summary::LoadCheckpoint).sum;
        metrics.observe(Summary::Load, took_ms);
        metrics.observe(Summary::Replay, took_ms.saturating_sub(loading_ms));
        metrics.observe(Summary::Replayed, self.replayed.load(Ordering::Relaxed));
    }

    fn count_replayed(&self, entries: &[Committed]) {
        let commands = entries.iter().map(|entry| match &entry.payload {
            Payload::Commands(payload) => codec::count_commands(payload),
            Payload::Blank | Payload::Membership(_) => 0,
        });
        self.replayed.fetch_add(commands.sum(), Ordering::Relaxed);
    }
}

impl Machine for CoreMachine {
    fn apply(&self, entries: &[Committed]) -> u64 {
        if self.starting.load(Ordering::Relaxed) {
            self.count_replayed(entries);
        }
        self.core.apply(entries)
    }

    fn begin_checkpoint(&self) -> Box<dyn CheckpointSource> {
        let cut = self.core.write().begin_cut();
        Box::new(CutSource { core: Arc::clone(&self.core), cut })
    }

    fn restore(&self, read: &mut ReadCheckpoint<'_>) -> Result<u64, CheckpointError> {
        let mut loader = Loader::new();
        let mut any = false;
        read(&mut |key, value| {
            any = true;
            loader.load(key, value).map_err(|error| damaged(&error))
        })?;
        // Without a checkpoint the state stays that of a fresh server.
        if !any {
            return Ok(self.core.applied_sequence());
        }
        let state = loader.finish().map_err(|error| damaged(&error))?;
        Ok(self.core.replace_state(state))
    }
}

fn damaged(error: &LoadError) -> CheckpointError {
    CheckpointError::Damaged(error.to_string())
}

/// A cut of the state, walked a chunk at a time while applying goes on.
struct CutSource {
    core: Arc<Core>,
    cut: Cut,
}

impl CheckpointSource for CutSource {
    fn next_chunk(&mut self, sink: &mut CheckpointSink<'_>) -> bool {
        !self.core.write().write_cut(&mut self.cut, CHUNK_BYTES, sink)
    }

    fn finish(self: Box<Self>, succeeded: bool) {
        let Self { core, cut } = *self;
        core.write().end_cut(cut, succeeded);
    }
}
