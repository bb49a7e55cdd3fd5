//! Rebuilding a quorum from a survivor: what `rookery recover` does to a data directory.
//!
//! Offline: the directory is held as by a server, so that none runs on it meanwhile. First a
//! look ([`Survivor::open`], which changes nothing but the count of starts), then, if the
//! operator wants it, the step that cannot be taken back ([`Survivor::recover`]).

use std::{
    io,
    net::{TcpStream, ToSocketAddrs},
    path::{Path, PathBuf},
    time::Duration,
};

use raft_log::{CheckpointStore, EntryKind, LogDisk, LogPosition, Recovered, codec};
use store::{DataDir, RocksCheckpoints, RocksLog};
use tree::{Loader, State, Zxid};

/// Bytes of log that are read at once.
const READ_BYTES: usize = 4 << 20;
/// How long another server may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why a survivor cannot go on alone.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// No server ever ran on the directory.
    #[error("{}: no server ever ran on this data directory", .0.display())]
    NoServer(PathBuf),
    /// The data directory cannot be used, or is in use.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// Its log or its checkpoint do not allow it.
    #[error(transparent)]
    Log(#[from] raft_log::RecoverError),
    /// The checkpoint is damaged.
    #[error(transparent)]
    Checkpoint(#[from] raft_log::CheckpointError),
    /// An entry of the log cannot be understood.
    #[error(transparent)]
    Entry(#[from] codec::CodecError),
    /// The log cannot be read.
    #[error("log: {0}")]
    Io(#[from] io::Error),
    /// It was never one of several.
    #[error("this server stands alone: there is no majority to be lost. Just start it")]
    Alone,
    /// Another server runs.
    #[error(
        "server.{server} answers at {address}: this is for when the others are lost for good. \
         Stop every server first; if a majority of them still has its data, start those \
         instead, and nothing is lost"
    )]
    Answers {
        /// Its number.
        server: i64,
        /// Where it answers.
        address: String,
    },
}

/// A data directory whose server may be the last that is left.
#[derive(Debug)]
pub struct Survivor {
    node: u64,
    disk: RocksLog,
    checkpoints: RocksCheckpoints,
    found: Found,
}

/// What a survivor would go on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The members and the place in the log.
    pub recovered: Recovered,
    /// The last write in the log, whether it was ever acknowledged or not.
    pub zxid: Zxid,
    /// The last write that is known to have been acknowledged by a majority: those behind it
    /// may have been, too.
    pub committed_zxid: Zxid,
    /// Znodes, the root included.
    pub znodes: u64,
    /// Open sessions.
    pub sessions: u64,
    /// What its own log has lost, in words; none if that is whole.
    pub lacks: Option<String>,
}

impl Survivor {
    /// Opens a data directory, reads all of it, and holds it.
    ///
    /// # Errors
    /// [`RecoveryError`]: in use, damaged, empty, or not of a server of an ensemble.
    pub fn open(data_dir: &Path, log_dir: &Path) -> Result<Self, RecoveryError> {
        if !DataDir::is_used(data_dir) {
            return Err(RecoveryError::NoServer(data_dir.to_owned()));
        }
        let dir = DataDir::open(data_dir, log_dir, rand::random)?;
        let node = dir.identity().node;
        let (disk, below) = RocksLog::open_as_it_is(&dir)?;
        let checkpoints = RocksCheckpoints::open(&dir)?;
        let recovered = raft_log::survey(&disk, &checkpoints, node)?;
        if recovered.servers.iter().all(|server| server.spec.is_empty()) {
            return Err(RecoveryError::Alone);
        }
        let mut found = replay(&disk, &checkpoints, recovered)?;
        found.lacks = below.map(|below| below.to_string());
        Ok(Self { node, disk, checkpoints, found })
    }

    /// What it would go on with.
    pub const fn found(&self) -> &Found {
        &self.found
    }

    /// Makes this server the only one whose vote counts, in a cluster of a new id.
    ///
    /// # Errors
    /// [`RecoveryError::Answers`] when another member runs; else what the disk says. Nothing
    /// is changed then.
    pub fn recover(self) -> Result<(), RecoveryError> {
        self.refuse_if_others_answer()?;
        raft_log::recover(&self.disk, &self.checkpoints, self.node, rand::random())?;
        Ok(())
    }

    fn refuse_if_others_answer(&self) -> Result<(), RecoveryError> {
        let recovered = &self.found.recovered;
        let others =
            recovered.servers.iter().filter(|server| server.server_id != recovered.server_id);
        for other in others {
            if let Some(address) = other.addresses.iter().find(|address| answers(address)) {
                let (server, address) = (other.server_id, address.clone());
                return Err(RecoveryError::Answers { server, address });
            }
        }
        Ok(())
    }
}

fn answers(address: &str) -> bool {
    // A name that does not resolve is a machine that is gone.
    let Ok(resolved) = address.to_socket_addrs() else { return false };
    resolved.into_iter().any(|address| TcpStream::connect_timeout(&address, PATIENCE).is_ok())
}

/// Builds the state from the checkpoint and all of the log, as the server will when it starts.
fn replay(
    disk: &dyn LogDisk,
    checkpoints: &dyn CheckpointStore,
    recovered: Recovered,
) -> Result<Found, RecoveryError> {
    let mut loader = Loader::new();
    let mut any = false;
    let checkpoint = checkpoints.read(&mut |key, value| {
        any = true;
        loader.load(key, value).map_err(|error| damaged(&error))
    })?;
    let mut state =
        if any { loader.finish().map_err(|error| damaged(&error))? } else { State::new() };
    let applied = checkpoint.and_then(|checkpoint| checkpoint.applied);
    let committed = recovered.committed;
    let mut committed_zxid = state.last_zxid();
    let mut next = applied.map_or(0, |applied| applied.index + 1);
    let end = recovered.last.index + 1;
    while next < end {
        let entries = disk.read(next, end, READ_BYTES)?;
        let Some(last) = entries.last() else { break };
        next = last.position.index + 1;
        for entry in &entries {
            apply(&mut state, entry.position, entry.kind, &entry.payload)?;
            if Some(entry.position) <= committed {
                committed_zxid = state.last_zxid();
            }
        }
    }
    let (zxid, znodes) = (state.last_zxid(), state.node_count());
    let sessions = state.session_count() as u64;
    Ok(Found { recovered, zxid, committed_zxid, znodes, sessions, lacks: None })
}

fn apply(
    state: &mut State,
    position: LogPosition,
    kind: EntryKind,
    payload: &[u8],
) -> Result<(), RecoveryError> {
    state.enter_term(position.term);
    match kind {
        EntryKind::Blank | EntryKind::Membership => {}
        EntryKind::Commands => {
            for batch in codec::decode(payload)? {
                for (command, sequence) in batch.commands.iter().zip(batch.first_sequence..) {
                    if state.admit(batch.origin, sequence) {
                        state.apply(batch.time, command);
                    }
                }
            }
        }
    }
    Ok(())
}

fn damaged(error: &tree::LoadError) -> raft_log::CheckpointError {
    raft_log::CheckpointError::Damaged(error.to_string())
}
