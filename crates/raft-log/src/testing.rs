//! openraft's own tests of a log, for every disk that one may lie on.

use std::{
    io,
    sync::{Arc, atomic::AtomicU64},
};

use openraft::{
    StorageError,
    errors::ErrorSource,
    impls,
    testing::log::{StoreBuilder, Suite},
};
use tokio::sync::watch;
use tree::OriginId;

use crate::{
    checkpoints::{CheckpointError, CheckpointSink, CheckpointSource},
    disk::LogDisk,
    log::Log,
    log_thread::{self, CommittedHint},
    machine::{Adapter, Committed, Due, Machine, ReadCheckpoint},
    mem::MemCheckpoints,
    proposer::Proposer,
    types::Types,
};

/// Runs openraft's suite over the log and its thread on disks that `make` gives. With
/// each disk comes what must outlive it, such as its folder.
///
/// # Errors
/// The first failure that is not a panic.
pub async fn check_log_disk<G: Send + Sync>(
    make: impl Fn() -> (Arc<dyn LogDisk>, G) + Send + Sync,
) -> Result<(), String> {
    Suite::test_all(Builder(make)).await.map_err(|error| error.to_string())
}

struct Builder<M>(M);

/// A log with small limits, so that the suite reaches the disk.
const TAIL_BYTES: usize = 200;

impl<G, M> StoreBuilder<Types, Log, Adapter, G> for Builder<M>
where
    G: Send + Sync,
    M: Fn() -> (Arc<dyn LogDisk>, G) + Send + Sync,
{
    async fn build(&self) -> Result<(G, Log, Adapter), StorageError<Types>> {
        let failed =
            |error: io::Error| StorageError::read(impls::BoxedErrorSource::from_error(&error));
        let (disk, guard) = (self.0)();
        let found = disk.state().map_err(failed)?;
        let written = Arc::new(AtomicU64::new(found.last.map_or(0, |last| last.index + 1)));
        let (failures, _) = watch::channel(None);
        let hint = Arc::<CommittedHint>::default();
        let (thread_written, thread_hint) = (Arc::clone(&written), Arc::clone(&hint));
        let (sender, _) =
            log_thread::start(Arc::clone(&disk), failures, thread_written, thread_hint)
                .map_err(failed)?;
        let log = Log::new(disk, &found, sender, TAIL_BYTES, written, hint);
        let adapter = Adapter::open(
            Arc::new(Nothing),
            Arc::<MemCheckpoints>::default(),
            Proposer::new(OriginId::default()),
            Arc::new(Due::new(u64::MAX, u64::MAX)),
            Arc::default(),
            Arc::default(),
        );
        let adapter = adapter.map_err(|error| failed(io::Error::other(error)))?;
        Ok((guard, log, adapter))
    }
}

/// A machine without a state.
struct Nothing;

impl Machine for Nothing {
    fn apply(&self, _: &[Committed]) -> u64 {
        0
    }

    fn begin_checkpoint(&self) -> Box<dyn CheckpointSource> {
        Box::new(Self)
    }

    fn restore(&self, read: &mut ReadCheckpoint<'_>) -> Result<u64, CheckpointError> {
        read(&mut |_, _| Ok(())).map(|()| 0)
    }
}

impl CheckpointSource for Nothing {
    fn next_chunk(&mut self, _: &mut CheckpointSink<'_>) -> bool {
        false
    }

    fn finish(self: Box<Self>, _: bool) {}
}

#[cfg(test)]
mod tests {
    use crate::mem::MemLog;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_log_in_memory_passes_openrafts_suite() {
        super::check_log_disk(|| (std::sync::Arc::new(MemLog::default()), ())).await.unwrap();
    }
}
