//! Ensembles: who the members are, and much that ZooKeeper's own protocol between servers
//! needs and Rookery's does not.
//!
//! What only tunes never stops a server. What asks for another quorum, or for a peer that
//! proves who it is, does: a server that starts without it would be less safe than asked.

use super::{
    Form::{Bool, Int, Long, Text},
    Key, honoured, ignored, meaningless, refused,
};

const PEERS: &str = "concerns ZooKeeper's own protocol between servers";
const QUORUM_SASL: &str =
    "servers do not authenticate each other in this release: keep their ports private";
const QUORUMS: &str = "every participant has one vote, and a majority of them decides";

pub(super) const KEYS: &[Key] = &[
    honoured(
        "server.*",
        Text,
        "",
        "members; `myid` in the data directory says which of them this is; with one participant the server runs alone, with its client address",
    ),
    refused("group.*", Text, &[], QUORUMS),
    refused("weight.*", Text, &["1"], QUORUMS),
    honoured(
        "dynamicConfigFile",
        Text,
        "",
        "where the `server.N` lines are, if not in the file; read at the start, never written",
    ),
    honoured(
        "reconfigEnabled",
        Bool,
        "false",
        "the reconfig operation, and the port for clients follows it",
    ),
    honoured(
        "standaloneEnabled",
        Bool,
        "true",
        "with false, one participant is an ensemble of one",
    ),
    meaningless("initLimit", Int, PEERS),
    meaningless("syncLimit", Int, PEERS),
    meaningless("connectToLearnerMasterLimit", Int, PEERS),
    refused("electionAlg", Int, &["3"], "ZooKeeper has no other election than 3, either"),
    meaningless("leaderServes", Text, PEERS),
    meaningless(
        "peerType",
        Text,
        "the `server.N` line says whether the server votes; a value that says otherwise is warned about",
    ),
    meaningless("observerMasterPort", Int, PEERS),
    meaningless("syncEnabled", Bool, PEERS),
    meaningless("observer.syncEnabled", Text, PEERS),
    honoured("quorumListenOnAllIPs", Bool, "false", "peers may connect on every address"),
    honoured(
        "electionPortBindRetry",
        Text,
        "3",
        "how often the port for peers is tried at the start, a second apart; 0: until it can be had",
    ),
    meaningless("cnxTimeout", Text, PEERS),
    meaningless("quorumCnxnTimeoutMs", Text, PEERS),
    meaningless("tcpKeepAlive", Text, PEERS),
    meaningless("fastleader.minNotificationInterval", Text, PEERS),
    meaningless("fastleader.maxNotificationInterval", Text, PEERS),
    meaningless("leader.maxTimeToWaitForEpoch", Text, PEERS),
    meaningless("leader.maxConcurrentSnapSyncs", Text, PEERS),
    meaningless("leader.maxConcurrentDiffSyncs", Text, PEERS),
    meaningless("leader.nodelay", Text, PEERS),
    meaningless("follower.nodelay", Text, PEERS),
    meaningless("leader.closeSocketAsync", Text, PEERS),
    meaningless("learner.closeSocketAsync", Text, PEERS),
    meaningless("learner.asyncSending", Text, PEERS),
    meaningless("leader.ackLoggingFrequency", Text, PEERS),
    meaningless("follower.skipLearnerRequestToNextProcessor", Text, PEERS),
    meaningless("observerMaster.sizeLimit", Text, PEERS),
    meaningless("forward_learner_requests_to_commit_processor_disabled", Text, PEERS),
    meaningless("observer.reconnectDelayMs", Text, PEERS),
    meaningless("observer.election.DelayMs", Text, PEERS),
    meaningless("leaderConnectDelayDuringRetryMs", Text, PEERS),
    meaningless("multiAddress.enabled", Bool, "addresses separated by `|` are understood"),
    meaningless("multiAddress.reachabilityCheckEnabled", Bool, PEERS),
    meaningless("multiAddress.reachabilityCheckTimeoutMs", Int, PEERS),
    honoured(
        "localSessionsEnabled",
        Bool,
        "false",
        "new sessions are known to their own server only and cost no writes; ensembles only",
    ),
    honoured(
        "localSessionsUpgradingEnabled",
        Bool,
        "false",
        "a local session that creates an ephemeral becomes a global one; without it, it is refused",
    ),
    ignored("oraclePath", Text, "a majority decides"),
    ignored("quorum.auth.enableSasl", Bool, QUORUM_SASL),
    refused("quorum.auth.learnerRequireSasl", Bool, &["false"], QUORUM_SASL),
    refused("quorum.auth.serverRequireSasl", Bool, &["false"], QUORUM_SASL),
    ignored("quorum.auth.kerberos.servicePrincipal", Text, QUORUM_SASL),
    ignored("quorum.auth.learner.saslLoginContext", Text, QUORUM_SASL),
    ignored("quorum.auth.server.saslLoginContext", Text, QUORUM_SASL),
    meaningless("quorum.cnxn.threads.size", Int, PEERS),
    meaningless("jvm.pause.warn-threshold.ms", Long, "there is no JVM"),
    meaningless("jvm.pause.info-threshold.ms", Long, "there is no JVM"),
    meaningless("jvm.pause.sleep.time.ms", Long, "there is no JVM"),
];
