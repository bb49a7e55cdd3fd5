//! `zoo.cfg`: as a properties file, as settings, as a configuration, and back.

use std::fs;

use crate::Seed;

/// Reads it as a server does when it starts, but for names of hosts and files.
pub fn check(input: &[u8]) {
    server::fuzzing::config(input);
}

/// Files of real deployments, and one of an ensemble.
///
/// # Panics
/// When they are not there.
pub fn seeds() -> Vec<Seed> {
    let top = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let files = [
        "deploy/zoo.cfg",
        "crates/server/testdata/config/bitnami_image.cfg",
        "crates/server/testdata/config/confluent_image.cfg",
        "crates/server/testdata/config/official_image.cfg",
    ];
    let file = |path: &&str| {
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        (name, fs::read(format!("{top}/{path}")).expect("the file is there"))
    };
    let mut seeds: Vec<Seed> = files.iter().map(file).collect();
    seeds.push(("ensemble.cfg".to_owned(), ENSEMBLE.as_bytes().to_vec()));
    seeds.push(("escapes.cfg".to_owned(), ESCAPES.as_bytes().to_vec()));
    seeds
}

const ENSEMBLE: &str = "\
tickTime=2000
initLimit=10
syncLimit=0x5
clientPort=2181
clientPortAddress=127.0.0.1
maxClientCnxns=-1
minSessionTimeout=4000
maxSessionTimeout=40000
standaloneEnabled=false
4lw.commands.whitelist=ruok, stat,*
admin.serverPort=0
metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider
metricsProvider.httpPort=7000
zookeeper.DigestAuthenticationProvider.digestAlg=SHA-256
localSessionsEnabled=true
server.1=10.0.0.1:2888:3888|[::1]:2889:3889:participant;2181
server.2=[2001:db8::7]:2888:3888:participant;0.0.0.0:2181
server.3=zoo3:2888:3888:observer
";

const ESCAPES: &str = "\
# one \\
! two
\tdata\\u0044ir : /var/\\\n    lib/zookeeper\r\\
snapCount 100000\\
\\\\
purge\\ Interval=1\\t\\f\\r\\n\\q
=
";
