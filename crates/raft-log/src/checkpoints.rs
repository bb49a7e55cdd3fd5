//! Checkpoints of the state: where they come from and where they are kept.

use bytes::Bytes;
use thiserror::Error;

use crate::disk::LogPosition;

/// What a checkpoint stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckpointMeta {
    /// The last entry whose effects are in it; `None` before any.
    pub applied: Option<LogPosition>,
    /// Who the members were, and where that was decided; opaque to the store.
    pub membership: Bytes,
}

/// A frozen state that is walked while the live one goes on.
///
/// It gives what changed since the checkpoint before: a value to put, or `None` for a key
/// to delete.
pub trait CheckpointSource: Send {
    /// Gives the next keys to `sink`; false when there are no more.
    fn next_chunk(&mut self, sink: &mut CheckpointSink<'_>) -> bool;

    /// Says whether what was given is durable now. If not, it is given again next time.
    fn finish(self: Box<Self>, succeeded: bool);
}

/// Takes the changes of a checkpoint.
pub type CheckpointSink<'s> = dyn FnMut(&[u8], Option<&[u8]>) + 's;

/// Takes the keys and values of a checkpoint, or refuses them.
pub type CheckpointLoad<'l> = dyn FnMut(&[u8], &[u8]) -> Result<(), CheckpointError> + 'l;

/// Keeps the newest checkpoint.
pub trait CheckpointStore: Send + Sync + 'static {
    /// Adds the changes of `source`: all of them, with `meta`, or none. Durable on return.
    ///
    /// # Errors
    /// [`CheckpointError::Io`]; the checkpoint before is still there.
    fn write(
        &self,
        meta: &CheckpointMeta,
        source: &mut dyn CheckpointSource,
    ) -> Result<(), CheckpointError>;

    /// Gives every key and value to `load`, and returns what they stand for; `None` when
    /// there is no checkpoint.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or `load` refuses.
    fn read(
        &self,
        load: &mut CheckpointLoad<'_>,
    ) -> Result<Option<CheckpointMeta>, CheckpointError>;
}

/// Why a checkpoint cannot be written or read.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The disk failed.
    #[error("checkpoint: {0}")]
    Io(#[from] std::io::Error),
    /// What was read is not what was written.
    #[error("checkpoint is damaged: {0}")]
    Damaged(String),
}
