//! How the log is tuned, and openraft's switches.

use openraft::{Config, SnapshotPolicy};

use crate::ensemble::EnsembleConfig;

/// Entries that servers of an ensemble keep behind a checkpoint: what a follower missed that
/// was away for a moment. At full load a few seconds, at most some 2 GiB of disk.
pub const ENSEMBLE_KEEP_ENTRIES: u64 = 10_000;

/// What can be chosen about the log.
#[derive(Clone, Debug)]
pub struct RaftLogConfig {
    /// This server's Raft node id, drawn when its data directory was first used.
    pub node: u64,
    /// Counts this server's starts.
    pub incarnation: u64,
    /// The server's number in `zoo.cfg`.
    pub server_id: i64,
    /// A checkpoint is taken after this many bytes of log.
    pub checkpoint_bytes: u64,
    /// A checkpoint is taken after this many commands.
    pub checkpoint_commands: u64,
    /// Entries kept behind a checkpoint, for followers that were away for a moment.
    pub keep_entries: u64,
    /// Entries kept in memory, in bytes; older ones are read from disk.
    pub tail_bytes: usize,
    /// The other servers; none for a server that stands alone.
    pub ensemble: Option<EnsembleConfig>,
}

impl RaftLogConfig {
    /// The usual settings: 64 MiB or 100,000 commands to a checkpoint, 8 MiB in memory.
    pub fn new(node: u64, incarnation: u64) -> Self {
        Self {
            node,
            incarnation,
            server_id: 1,
            checkpoint_bytes: 64 << 20,
            checkpoint_commands: 100_000,
            keep_entries: 0,
            tail_bytes: 8 << 20,
            ensemble: None,
        }
    }

    /// With the other servers, and entries kept for those that are away for a moment.
    #[must_use]
    pub fn with_ensemble(self, ensemble: EnsembleConfig) -> Self {
        Self { keep_entries: ENSEMBLE_KEEP_ENTRIES, ensemble: Some(ensemble), ..self }
    }

    /// openraft's own configuration.
    pub(crate) fn raft(&self) -> Config {
        Config {
            cluster_name: "rookery".to_owned(),
            // Also how long the answer to one may take.
            heartbeat_interval: 250,
            // openraft waits for the leader's lease, which is the longer of the two, and then
            // for one between them: a leader that was cut off is replaced after 1.35 to
            // 1.8 s. One whose process ended is replaced at once: see `ensemble::lost_leader`.
            election_timeout_min: 450,
            election_timeout_max: 900,
            enable_pre_vote: Some(true),
            // The default loses safety with a log that is written asynchronously: a leader
            // that crashes with entries it replicated and did not sync would lead the same
            // term again and give their ids to others.
            enable_leader_restore: Some(false),
            quorum_loss_probe_interval: Some(2000),
            // Checkpoints are taken by bytes and commands, see `machine`.
            snapshot_policy: SnapshotPolicy::Never,
            // The log is purged by `purging`.
            max_in_snapshot_log_to_keep: u64::MAX,
            purge_batch_size: 1,
            install_snapshot_timeout: 600_000,
            max_payload_entries: 1024,
            ..Config::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_safety_switches_are_set() {
        let config = RaftLogConfig::new(1, 1).raft().validate().unwrap();
        assert_eq!(config.enable_leader_restore, Some(false), "or acknowledged writes are lost");
        assert_eq!(config.enable_pre_vote, Some(true));
        assert_eq!(config.snapshot_policy, SnapshotPolicy::Never);
    }
}
