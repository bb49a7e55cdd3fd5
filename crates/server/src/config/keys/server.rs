//! Ports, directories, limits and znodes: what makes one server.

use super::{
    Form::{Int, Text},
    Key, honoured, ignored, meaningless,
};

pub(super) const BASIC: &[Key] = &[
    honoured("clientPort", Int, "", "port of the clients"),
    honoured("clientPortAddress", Text, "all", "address to bind; an error without clientPort"),
    ignored(
        "secureClientPort",
        Int,
        "no port is opened: TLS for clients is not offered by this release",
    ),
    ignored("secureClientPortAddress", Text, "TLS for clients is not offered by this release"),
    honoured("dataDir", Text, "", "where the state is kept, and `myid`; required in a file"),
    honoured("dataLogDir", Text, "dataDir", "where the log is kept"),
    honoured("tickTime", Int, "3000", "unit of session timeouts and of expiry, in ms; not 0"),
    honoured(
        "minSessionTimeout",
        Int,
        "2 ticks",
        "shortest session timeout that a client gets, in ms; -1 is the default",
    ),
    honoured(
        "maxSessionTimeout",
        Int,
        "20 ticks",
        "longest session timeout that a client gets, in ms; -1 is the default",
    ),
    honoured("maxClientCnxns", Int, "60", "connections from one address; 0: no limit"),
    honoured("maxCnxns", Text, "0", "connections altogether; 0: no limit"),
    honoured("clientPortListenBacklog", Int, "4096", "connections waiting to be accepted"),
    honoured("clientTcpKeepAlive", Text, "false", "TCP keep-alive on the connections of clients"),
    honoured(
        "nio.sessionlessCnxnTimeout",
        Text,
        "10000",
        "how long a connection may take to ask for a session, in ms",
    ),
];

pub(super) const STORAGE: &[Key] = &[
    honoured("snapCount", Text, "100000", "writes between two checkpoints; at least 2"),
    honoured(
        "snapSizeLimitInKb",
        Text,
        "4194304",
        "log written between two checkpoints, in KiB; 0 or less: no such limit",
    ),
    honoured(
        "fsync.warningthresholdms",
        Text,
        "1000",
        "a sync of the log that takes longer, in ms, is counted and logged as a warning",
    ),
    ignored(
        "forceSync",
        Text,
        "a write is acknowledged once it is on the disk, whatever this says",
    ),
    ignored("txnLogSizeLimitInKb", Text, "the log rolls by itself"),
    meaningless("preAllocSize", Text, "the log is not preallocated"),
    meaningless("flushDelay", Text, "writes are grouped without timers"),
    meaningless("maxWriteQueuePollTime", Text, "writes are grouped without timers"),
    meaningless("maxBatchSize", Text, "groups are bounded by themselves"),
    meaningless("autopurge.snapRetainCount", Int, "there is one checkpoint, kept current"),
    meaningless("autopurge.purgeInterval", Int, "the log is purged behind each checkpoint"),
    meaningless("snapshot.compression.method", Text, "checkpoints are not snapshot files"),
    meaningless("snapshot.trust.empty", Text, "concerns ZooKeeper's own data files"),
    meaningless("serializeLastProcessedZxid.enabled", Text, "a field of snapshot files"),
    meaningless("digest.enabled", Text, "the digest of the state is always kept"),
    meaningless("closeSessionTxn.enabled", Text, "a detail of ZooKeeper's log"),
    meaningless("datadir.autocreate", Text, "the data directory is made when it is missing"),
    meaningless(
        "db.autocreate",
        Text,
        "concerns ZooKeeper's own data files: a member with an empty disk joins anew",
    ),
    meaningless("forceSnapshotSync", Text, "concerns ZooKeeper's own protocol between servers"),
    honoured(
        "commitLogCount",
        Text,
        "10000",
        "in an ensemble, entries of the log that are kept behind a checkpoint, so that a server \
         that was away for a moment gets these; one entry holds up to hundreds of writes",
    ),
    meaningless("snapshotSizeFactor", Text, "concerns ZooKeeper's own protocol between servers"),
];

pub(super) const LIMITS: &[Key] = &[
    honoured(
        "globalOutstandingLimit",
        Text,
        "1000",
        "writes on their way; beyond it, no more is read from clients that wait for one",
    ),
    honoured(
        "jute.maxbuffer",
        Text,
        "1048575",
        "longest request, in bytes; in an ensemble at most 33554432, or the server does not start",
    ),
    meaningless("jute.maxbuffer.extrasize", Text, "what a request grows by in the log is taken"),
    ignored("largeRequestMaxBytes", Text, "a request is bounded by jute.maxbuffer alone"),
    ignored("largeRequestThreshold", Text, "a request is bounded by jute.maxbuffer alone"),
];

pub(super) const ZNODES: &[Key] = &[
    honoured("extendedTypesEnabled", Text, "false", "TTL znodes"),
    ignored("emulate353TTLNodes", Text, "TTL znodes made by 3.5.3 are not understood"),
    honoured("enforceQuota", Text, "false", "hard quotas are enforced"),
    honoured(
        "znode.container.checkIntervalMs",
        Text,
        "60000",
        "how often emptied containers and outlived TTL znodes are looked for, in ms",
    ),
    honoured("znode.container.maxPerMinute", Text, "10000", "how many of them go in a minute"),
    honoured(
        "znode.container.maxNeverUsedIntervalMs",
        Text,
        "0",
        "how long a container without any child ever is kept, in ms; 0: for ever",
    ),
];
