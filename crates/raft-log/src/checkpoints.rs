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

    /// Freezes the newest checkpoint as files, to be sent to another server; `None` when
    /// there is none. Costs next to nothing, and later checkpoints do not change it.
    ///
    /// # Errors
    /// What the disk says.
    fn freeze(&self) -> Result<Option<Box<dyn FrozenCheckpoint>>, CheckpointError>;

    /// Begins to receive a checkpoint that consists of these files, or goes on with one
    /// that was begun before: what is there of files of these names is kept.
    ///
    /// # Errors
    /// What the disk says, or that names or sizes are impossible.
    fn receive(
        &self,
        files: &[CheckpointFile],
    ) -> Result<Box<dyn IncomingCheckpoint>, CheckpointError>;

    /// Reads all of the checkpoint that was received: whether it is whole and `expected`. A
    /// fault of the sender's disk must not become ours.
    ///
    /// # Errors
    /// When it is damaged or not what was expected.
    fn verify(&self, expected: &CheckpointMeta) -> Result<(), CheckpointError>;

    /// Puts the checkpoint that was received and verified in place of the present one.
    /// After a crash there is the one or the other.
    ///
    /// # Errors
    /// When it is not what was expected, or what the disk says; the present one stays.
    fn install(&self, expected: &CheckpointMeta) -> Result<(), CheckpointError>;
}

/// A file of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointFile {
    /// Its name: letters, digits, `-`, `_` and `.` within, at most 64 of them.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
}

impl CheckpointFile {
    /// Whether the name is one that a file of a checkpoint may have: it comes from another
    /// server and becomes a path.
    pub fn has_valid_name(&self) -> bool {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !self.name.is_empty()
            && self.name.len() <= 64
            && !self.name.starts_with('.')
            && self.name.bytes().all(allowed)
    }
}

/// A checkpoint that does not change while it is sent. What it holds on to is given back
/// when it is dropped.
pub trait FrozenCheckpoint: Send + Sync {
    /// What it stands for.
    fn meta(&self) -> &CheckpointMeta;

    /// What it consists of.
    fn files(&self) -> &[CheckpointFile];

    /// Reads from the file of that number, at `offset`, as much as there is room for.
    ///
    /// # Errors
    /// What the disk says.
    fn read(&self, file: usize, offset: u64, room: &mut [u8]) -> std::io::Result<usize>;
}

/// A checkpoint that is being received.
pub trait IncomingCheckpoint: Send {
    /// How many bytes of the file of that number are there from an earlier attempt; more
    /// than it should have if it was of another checkpoint.
    ///
    /// # Errors
    /// What the disk says.
    fn present(&mut self, file: usize) -> std::io::Result<u64>;

    /// Reads what is there, to see whether it is right.
    ///
    /// # Errors
    /// What the disk says.
    fn read(&mut self, file: usize, offset: u64, room: &mut [u8]) -> std::io::Result<usize>;

    /// Writes a part of the file of that number; what was behind `offset` is dropped.
    ///
    /// # Errors
    /// What the disk says.
    fn write(&mut self, file: usize, offset: u64, bytes: &[u8]) -> std::io::Result<()>;

    /// All files are there as a whole: makes them durable, ready to be installed.
    ///
    /// # Errors
    /// What the disk says, or that a file is not as long as it should be.
    fn complete(self: Box<Self>) -> Result<(), CheckpointError>;
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
