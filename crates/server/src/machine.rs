//! The core as the log sees it: something that applies entries and can be checkpointed.

use std::sync::Arc;

use raft_log::{
    CheckpointError, CheckpointSink, CheckpointSource, Committed, Machine, ReadCheckpoint,
};
use tree::{Cut, LoadError, Loader};

use crate::core::Core;

/// How much of a checkpoint is taken under one hold of the state's lock, in bytes.
/// About half a millisecond of encoding, which is what a write may wait behind it.
const CHUNK_BYTES: usize = 256 * 1024;

/// Hands committed entries to the [`Core`].
#[derive(Debug)]
pub(crate) struct CoreMachine(pub(crate) Arc<Core>);

impl Machine for CoreMachine {
    fn apply(&self, entries: &[Committed]) -> u64 {
        self.0.apply(entries)
    }

    fn begin_checkpoint(&self) -> Box<dyn CheckpointSource> {
        let cut = self.0.write().begin_cut();
        Box::new(CutSource { core: Arc::clone(&self.0), cut })
    }

    fn restore(&self, read: &mut ReadCheckpoint<'_>) -> Result<u64, CheckpointError> {
        let mut loader = Loader::new();
        let mut any = false;
        read(&mut |key, value| {
            any = true;
            loader.load(key, value).map_err(|error| damaged(&error))
        })?;
        // Without a checkpoint the state stays that of a fresh server.
        if any {
            *self.0.write() = loader.finish().map_err(|error| damaged(&error))?;
        }
        // Commands of this run are in no checkpoint yet: a server that stands alone
        // restores its state once, at its start.
        Ok(0)
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
