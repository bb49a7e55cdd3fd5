//! What people and their tools ask a server.

use super::{
    Form::{Bool, Text},
    Key, honoured, ignored, meaningless, refused,
};

pub(super) const KEYS: &[Key] = &[
    honoured(
        "4lw.commands.whitelist",
        Text,
        "srvr",
        "four-letter words that are answered, separated by commas; `*`: all",
    ),
    honoured("admin.enableServer", Text, "true", "the admin server, over HTTP"),
    honoured("admin.serverAddress", Text, "0.0.0.0", "address of the admin server"),
    honoured("admin.serverPort", Text, "8080", "port of the admin server"),
    honoured("admin.commandURL", Text, "/commands", "path of the admin server's commands"),
    honoured(
        "admin.idleTimeout",
        Text,
        "30000",
        "milliseconds until a connection to the admin server on which nothing happens is closed; \
         0 or less: never",
    ),
    meaningless("admin.httpVersion", Text, "HTTP/1.1 is spoken"),
    refused(
        "admin.portUnification",
        Text,
        &["false"],
        "TLS for the admin server is not offered by this release",
    ),
    refused(
        "admin.forceHttps",
        Text,
        &["false"],
        "TLS for the admin server is not offered by this release",
    ),
    refused(
        "admin.needClientAuth",
        Text,
        &["false"],
        "TLS for the admin server is not offered by this release",
    ),
    honoured(
        "admin.rateLimiterIntervalInMS",
        Text,
        "300000",
        "how long after a snapshot no other is made; in microseconds, as in ZooKeeper",
    ),
    honoured(
        "admin.snapshot.enabled",
        Text,
        "true",
        "the snapshot command: the state as a snapshot file of ZooKeeper; writes wait meanwhile",
    ),
    ignored("admin.restore.enabled", Text, "restore is not offered"),
    honoured(
        "metricsProvider.className",
        Text,
        "none",
        "the Prometheus provider turns metrics over HTTP on; an unknown class is an error",
    ),
    honoured("metricsProvider.httpHost", Text, "0.0.0.0", "address of the metrics"),
    honoured(
        "metricsProvider.httpPort",
        Text,
        "7000",
        "port of the metrics; setting it turns them on as well",
    ),
    meaningless("metricsProvider.exportJvmInfo", Text, "there is no JVM"),
    meaningless("metricsProvider.*", Text, "tunes the original's provider"),
    ignored("metricsProvider.httpsPort", Text, "TLS for metrics is not offered by this release"),
    ignored("metricsProvider.ssl.*", Text, "TLS for metrics is not offered by this release"),
    honoured(
        "audit.enable",
        Text,
        "false",
        "an audit log: who changed which znode, and whether it was permitted",
    ),
    ignored("audit.impl.class", Text, "the audit log is a file, as Slf4jAuditLogger writes it"),
    honoured("auditlog.dir", Text, "dataDir", "directory of the audit log"),
    honoured(
        "auditlog.file",
        Text,
        "zookeeper_audit.log",
        "its file; put aside at 10 MB, ten of them are kept",
    ),
    honoured(
        "readonlymode.enabled",
        Text,
        "false",
        "a server of an ensemble without a majority serves those who only read; allows `isro`",
    ),
    meaningless("jvm.pause.monitor", Bool, "there is no JVM"),
];
