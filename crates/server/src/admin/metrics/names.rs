//! The names of ZooKeeper's metrics: those that are counted here, and those that stay zero.

/// Declares a closed set of metrics, each with ZooKeeper's name.
macro_rules! named {
    ($(#[$doc:meta])* $set:ident { $($(#[$each:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $set { $($(#[$each])* $variant,)* }

        impl $set {
            /// All of them, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// ZooKeeper's name, without a prefix.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

named! {
    /// What only grows.
    Counter {
        /// Bytes read from clients.
        BytesReceived = "bytes_received_count",
        /// Bytes of replies and events sent to clients.
        ResponseBytes = "response_bytes",
        /// Requests read, four-letter words included. A gauge in ZooKeeper.
        PacketsReceived = "packets_received",
        /// Replies and events sent. A gauge in ZooKeeper.
        PacketsSent = "packets_sent",
        /// Connect requests.
        ConnectionRequests = "connection_request_count",
        /// Connect requests that ask for a session that exists already.
        Revalidations = "connection_revalidate_count",
        /// Connections closed at once, because of a limit.
        ConnectionsRejected = "connection_rejected",
        /// Connections that the client's side ended.
        ConnectionsDropped = "connection_drop_count",
        /// Connections that did not ask for a session in time.
        SessionlessExpired = "sessionless_connections_expired",
        /// Sessions that were silent for too long.
        SessionsExpired = "stale_sessions_expired",
        /// Authentication that failed. A gauge in ZooKeeper.
        AuthFailed = "auth_failed_count",
        /// Requests that were longer than allowed.
        LargeRequestsRejected = "large_requests_rejected",
        /// Checkpoints that failed.
        CheckpointErrors = "snapshot_error_count",
        /// Snapshots that were asked for too soon after another.
        SnapshotsRateLimited = "snapshot_rate_limited_count",
        /// Errors that end the server.
        UnrecoverableErrors = "unrecoverable_error_count",
        /// Syncs of the log that took longer than `fsync.warningthresholdms`.
        SlowSyncs = "fsync_threshold_exceed_count",
        /// Bytes of watch events, without the length before each.
        WatchBytes = "watch_bytes",
        /// Writes that this server proposed to the others as their leader.
        Proposals = "proposal_count",
        /// Writes that were decided while this server led.
        Commits = "commit_count",
        /// Writes that a leader proposed to this server.
        ProposalsReceived = "learner_proposal_received_count",
        /// Writes that were decided while this server followed.
        CommitsReceived = "learner_commit_received_count",
        /// Writes that were decided while this server was one of several.
        CommitsQueued = "request_commit_queued",
        /// How often this server was without a leader.
        Looking = "looking_count",
        /// Servers that this one, as their leader, brought up to date with its log.
        LogsSent = "diff_count",
        /// Servers that were so far behind that this one sent them its checkpoint.
        CheckpointsSent = "snap_count",
        /// Transactions at which servers had another state, as their leader found, or as this
        /// server was told about itself.
        DigestMismatches = "digest_mismatches_count",
    }
}

named! {
    /// What is observed now and then: count, sum, least, greatest.
    Summary {
        /// Time of a sync of the log, in ms.
        Sync = "fsynctime",
        /// Commands that share one sync.
        SyncBatch = "sync_processor_batch_size",
        /// Time of a checkpoint, in ms.
        Checkpoint = "snapshottime",
        /// Time to load the state at start, in ms.
        Load = "dbinittime",
        /// Time to load the checkpoint at start, in ms.
        LoadCheckpoint = "startup_snap_load_time",
        /// Time to replay the log at start, in ms.
        Replay = "startup_txns_load_time",
        /// Commands replayed at start.
        Replayed = "startup_txns_loaded",
        /// Watches fired by one create.
        WatchesCreated = "node_created_watch_count",
        /// Watches fired by one delete.
        WatchesDeleted = "node_deleted_watch_count",
        /// Watches fired by one change of data.
        WatchesChanged = "node_changed_watch_count",
        /// Watches fired by one change of the children.
        WatchesChildren = "node_children_watch_count",
        /// Time without a leader, of servers that vote, in ms.
        Election = "election_time",
        /// Time from losing the last leader to leading, in ms.
        LeaderUnavailable = "leader_unavailable_time",
        /// Time in which no clients were served, in ms.
        Unavailable = "unavailable_time",
        /// Time of a follower to catch up with a new leader, in ms.
        FollowerSync = "follower_sync_time",
        /// Time of an observer to catch up with a new leader, in ms.
        ObserverSync = "observer_sync_time",
    }
}

named! {
    /// Times with quantiles.
    Latency {
        /// From reading a read to answering it.
        Read = "readlatency",
        /// From proposing a write to applying it.
        Update = "updatelatency",
        /// From making a proposal, on whichever server, to applying it on this one.
        Propagation = "propagation_latency",
        /// From making a proposal to its arrival at a follower.
        Proposal = "proposal_latency",
        /// From making a proposal to having it on this server's disk.
        AckCreation = "proposal_ack_creation_latency",
        /// From making a proposal to hearing that it is decided.
        CommitPropagation = "commit_propagation_latency",
        /// From writing a proposal on the leader to its decision.
        QuorumAck = "quorum_ack_latency",
    }
}

/// Counters of machinery that does not exist here. They are shown, and stay zero, so that
/// dashboards made for ZooKeeper have no gaps.
pub(super) const ZERO_COUNTERS: &[&str] = &[
    "add_dead_watcher_stall_time",
    "cnxn_closed_without_zk_server_running",
    "dead_watchers_cleared",
    "dead_watchers_queued",
    "ensemble_auth_fail",
    "ensemble_auth_skip",
    "ensemble_auth_success",
    "insecure_admin_count",
    "outstanding_changes_queued",
    "outstanding_changes_removed",
    "quit_leading_due_to_disloyal_voter",
    "request_throttle_wait_count",
    "requests_not_forwarded_to_commit_processor",
    "response_packet_cache_hits",
    "response_packet_cache_misses",
    "response_packet_get_children_cache_hits",
    "response_packet_get_children_cache_misses",
    "restore_error_count",
    "restore_rate_limited_count",
    "revalidate_count",
    "skip_learner_request_to_next_processor_count",
    "stale_replies",
    "stale_requests",
    "stale_requests_dropped",
    "throttled_ops",
    "tls_handshake_exceeded",
    "unsuccessful_handshake",
];

/// Counters of what goes through ZooKeeper's stages, which is every request of a session.
pub(super) const REQUEST_COUNTERS: &[&str] =
    &["prep_processor_request_queued", "sync_processor_request_queued"];

/// Times of a write that end, or all but end, where [`Latency::Update`] does.
pub(super) const UPDATE_LATENCIES: &[&str] = &["sync_processor_queue_and_flush_time_ms"];

/// Gauges that say that nothing of the kind happens here.
pub(super) const ZERO_GAUGES: &[&str] = &[
    "connection_drop_probability",
    "non_mtls_local_conn_count",
    "non_mtls_remote_conn_count",
    "outstanding_tls_handshake",
];

/// Summaries of machinery that does not exist here: never observed.
pub(super) const EMPTY_SUMMARIES: &[&str] = &[
    "commit_commit_proc_req_queued",
    "commit_process_time",
    "concurrent_request_processing_in_commit_processor",
    "connection_token_deficit",
    "inflight_diff_count",
    "inflight_snap_count",
    "learner_request_processor_queue_size",
    "netty_queued_buffer_capacity",
    "pending_session_queue_size",
    "prep_process_time",
    "prep_processor_queue_size",
    "proposal_process_time",
    "read_commit_proc_issued",
    "read_commit_proc_req_queued",
    "reads_after_write_in_session_queue",
    "reads_issued_from_session_queue",
    "requests_in_session_queue",
    "restore_time",
    "session_queues_drained",
    "socket_closing_time",
    "sync_process_time",
    "sync_processor_queue_size",
    "time_waiting_empty_pool_in_commit_processor_read_ms",
    "write_batch_time_in_commit_processor",
    "write_commit_proc_issued",
    "write_commit_proc_req_queued",
];

/// The same, with quantiles.
pub(super) const EMPTY_LATENCIES: &[&str] = &[
    "close_session_prep_time",
    "dead_watchers_cleaner_latency",
    "jvm_pause_time_ms",
    "local_write_committed_time_ms",
    "om_commit_process_time_ms",
    "om_proposal_process_time_ms",
    "prep_processor_queue_time_ms",
    "read_commitproc_time_ms",
    "read_final_proc_time_ms",
    "request_throttle_queue_time_ms",
    "server_write_committed_time_ms",
    "sync_processor_queue_flush_time_ms",
    "sync_processor_queue_time_ms",
    "write_commitproc_time_ms",
    "write_final_proc_time_ms",
];
