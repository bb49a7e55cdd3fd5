//! Whole configurations: files as they are found in the field, what they come to, and
//! what is said about them.

use std::{collections::BTreeSet, fs, path::PathBuf};

use expect_test::{Expect, expect};

use super::*;

/// A `zoo.cfg` in a directory of its own.
struct File {
    directory: tempfile::TempDir,
}

impl File {
    fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("zoo.cfg"), text).unwrap();
        Self { directory }
    }

    fn load(&self, overrides: &Overrides) -> Result<Loaded, ConfigError> {
        load(Some(&self.directory.path().join("zoo.cfg")), overrides)
    }

    /// What would be printed, without the name of the directory.
    fn printed(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.directory.path().display()), "")
    }
}

fn loaded(text: &str) -> Loaded {
    File::new(text).load(&Overrides::default()).unwrap()
}

fn config(text: &str) -> Config {
    loaded(text).config
}

fn error(text: &str) -> String {
    let file = File::new(text);
    file.printed(&file.load(&Overrides::default()).unwrap_err().to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
fn check_warnings(text: &str, expect: Expect) {
    let file = File::new(text);
    let warnings = file.load(&Overrides::default()).unwrap().warnings;
    expect.assert_eq(&warnings.iter().map(|line| file.printed(line) + "\n").collect::<String>());
}

const LEAST: &str = "dataDir=/data\nclientPort=2181\n";

fn with(line: &str) -> String {
    format!("{LEAST}{line}\n")
}

fn testdata(file: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/config")).join(file)
}

#[test]
fn every_key_of_zookeeper_is_in_the_table() {
    let names = fs::read_to_string(testdata("zookeeper_keys.txt")).unwrap();
    let missing: Vec<&str> = names.lines().filter(|name| keys::find(name).is_none()).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn the_table_names_each_key_once_and_aliases_lead_somewhere() {
    let mut seen = BTreeSet::new();
    for key in keys::SECTIONS.iter().flat_map(|section| section.keys) {
        assert!(seen.insert(key.name), "{} is there twice", key.name);
        if let keys::Standing::Alias(of) = key.standing {
            let target = keys::find(of).unwrap();
            assert!(!matches!(target.standing, keys::Standing::Alias(_)), "{}", key.name);
        }
    }
}

#[test]
fn the_document_is_printed_from_the_table() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    expect_test::expect_file![file].assert_eq(&document());
}

#[test]
fn the_least_file_has_the_defaults_of_zookeeper() {
    let Loaded { config, warnings } = loaded(LEAST);
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(config.client_address, ([0, 0, 0, 0], 2181).into());
    assert_eq!(config.tick_ms, 3000);
    assert_eq!((config.session_timeouts.min_ms, config.session_timeouts.max_ms), (6000, 60_000));
    assert_eq!(config.max_connections_per_address, 60);
    assert_eq!(config.max_connections, 0);
    assert_eq!(config.frame_bytes_max, 1_048_575);
    assert_eq!(config.outstanding_max, 1000);
    assert_eq!(config.data_log_dir, config.data_dir);
    assert_eq!(config.admin.unwrap().address, ([0, 0, 0, 0], 8080).into());
    assert_eq!(config.metrics_address, None);
    assert_eq!(config.four_letter, Whitelist::Only(vec!["srvr".into()]));
}

#[test]
fn without_a_file_there_is_a_server_to_try_things_with() {
    let Loaded { config, warnings } = load(None, &Overrides::default()).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(config.client_address.port(), 2181);
    assert!(config.data_dir.is_absolute() && config.data_dir.ends_with("rookery-data"));
    assert_eq!(config.tick_ms, 2000);
    assert_eq!(config.admin, None);
    let overrides = Overrides::default().with("clientPort", "0").with("admin.enableServer", "true");
    let config = load(None, &overrides).unwrap().config;
    assert_eq!(config.client_address.port(), 0);
    assert!(config.admin.is_some());
}

#[test]
fn files_of_known_images_are_taken_without_a_word() {
    for name in ["official_image.cfg", "bitnami_image.cfg", "confluent_image.cfg"] {
        let Loaded { config, warnings } =
            load(Some(&testdata(name)), &Overrides::default()).unwrap();
        assert_eq!(warnings, Vec::<String>::new(), "{name}");
        assert_eq!(config.client_address, ([0, 0, 0, 0], 2181).into(), "{name}");
    }
}

#[test]
fn what_is_said_about_settings_without_effect() {
    check_warnings(
        &with(
            "forceSync=no\nmyOwnKey=1\nsnapCount=many\nzookeeper.oraclePath=/x\nnio.numWorkerThreads=9",
        ),
        expect![[r#"
            zoo.cfg:3: forceSync: ignored: a write is acknowledged once it is on the disk, whatever this says
            zoo.cfg:4: myOwnKey: unknown key, ignored
            zoo.cfg:6: oraclePath: ignored: a majority decides
            zoo.cfg:5: snapCount: expected a number of writes, found "many"; the default holds
        "#]],
    );
}

#[test]
fn what_a_server_does_not_start_with() {
    let lines = [
        "reconfigEnabled=yes",
        "tickTime=two",
        "tickTime=0",
        "clientPort=70000",
        "minSessionTimeout=50\nmaxSessionTimeout=40",
        "client.portUnification=true",
        "electionAlg=1",
        "group.1=1:2:3",
        "weight.1=1\nweight.2=3",
        "sslQuorum=true",
        "quorum.auth.serverRequireSasl=true",
        "sessionRequireClientSASLAuth=true",
        "enforce.auth.enabled=true",
        "enforce.auth.enabled=true\nenforce.auth.schemes=digest, x509",
        "metricsProvider.className=com.example.Mine",
        "DigestAuthenticationProvider.digestAlg=CRC",
        "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2",
        "server.1=a:1:2:observer",
        "server.1=a:1:1",
        "server.x1=a:1:2\nserver.1=a",
        "server.1=a:1:2;9999",
        "b=\\u12x",
    ];
    let all: String = lines.iter().map(|line| error(&with(line)) + "\n").collect();
    expect![[r#"
        zoo.cfg:3: reconfigEnabled: expected true or false, found "yes"
        zoo.cfg:3: tickTime: expected a whole number of 32 bits, found "two"
        zoo.cfg:3: tickTime: expected milliseconds, more than 0, found "0"
        zoo.cfg:3: clientPort: expected a port, found "70000"
        minSessionTimeout (50 ms) must not be larger than maxSessionTimeout (40 ms)
        zoo.cfg:3: client.portUnification: TLS is not offered by this release
        zoo.cfg:3: electionAlg: ZooKeeper has no other election than 3, either
        zoo.cfg:3: group.1: every participant has one vote, and a majority of them decides
        zoo.cfg:4: weight.2: every participant has one vote, and a majority of them decides
        zoo.cfg:3: sslQuorum: servers talk to each other in the clear in this release: keep their ports private
        zoo.cfg:3: quorum.auth.serverRequireSasl: servers do not authenticate each other in this release: keep their ports private
        authentication with the scheme sasl is enforced, but not available
        enforce.auth.schemes is not set: enforce.auth.enabled is true
        authentication with the scheme x509 is enforced, but not available
        zoo.cfg:3: metricsProvider.className: expected a metrics provider of ZooKeeper, found "com.example.Mine"
        zoo.cfg:3: DigestAuthenticationProvider.digestAlg: expected a hash algorithm of Java, found "CRC"
        /data/myid is missing: which of the servers is this?
        observers cannot be without a participant
        zoo.cfg:3: server.1: peer port and election port must differ
        zoo.cfg:4: server.1: expected host:peerPort:electionPort[:participant|observer]
        clientPort is 2181, but the server's own line says 9999
        zoo.cfg: malformed \uXXXX escape on line 3
    "#]]
    .assert_eq(&all);
    assert_eq!(error("clientPort=2181"), "dataDir is not set");
    assert_eq!(error("dataDir=/data"), "clientPort is not set: no client could connect");
    assert_eq!(
        error("dataDir=/data\nclientPortAddress=127.0.0.1"),
        "zoo.cfg:2: clientPortAddress: clientPort is not set"
    );
}

#[test]
fn a_missing_file_is_named() {
    let error = load(Some(Path::new("/no/such/zoo.cfg")), &Overrides::default()).unwrap_err();
    assert!(error.to_string().starts_with("/no/such/zoo.cfg: cannot be read: "), "{error}");
}

#[test]
fn jvm_flags_count_less_than_the_file_and_the_file_less_than_the_command_line() {
    let file = File::new(&with("maxClientCnxns=7\nznode.container.maxPerMinute=3"));
    let flags = "-Xmx1g -Dzookeeper.maxCnxns=5 -DmaxClientCnxns=6 -Djute.maxbuffer=0x200000 \
                 -Dzookeeper.4lw.commands.whitelist=\"ruok,mntr\" -Dmy.own=1";
    let overrides = Overrides { jvm_flags: vec![flags.into()], settings: Vec::new() };
    let Loaded { config, warnings } = file.load(&overrides).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(config.max_connections, 5);
    assert_eq!(config.max_connections_per_address, 7);
    assert_eq!(config.frame_bytes_max, 2 * 1024 * 1024);
    assert_eq!(config.containers.max_per_minute, 3);
    assert!(config.four_letter.allows("ruok") && !config.four_letter.allows("conf"));
    let config = file.load(&overrides.with("maxClientCnxns", "8")).unwrap().config;
    assert_eq!(config.max_connections_per_address, 8);
}

#[test]
fn settings_reach_the_parts_that_honour_them() {
    let config = config(&with(
        "tickTime=500\nminSessionTimeout=100\nskipACL=yes\nenforceQuota=true\n\
         extendedTypesEnabled=true\nreadonlymode.enabled=true\nenforceQuota=TRUE\n\
         maxClientCnxns=-1\nDigestAuthenticationProvider.superDigest=super:abc\n\
         metricsProvider.httpPort=7001\nmetricsProvider.httpHost=127.0.0.1\n\
         admin.serverAddress=127.0.0.1\nadmin.commandURL=/zk/\nadmin.idleTimeout=500\nsnapSizeLimitInKb=0\nsnapCount=1",
    ));
    assert_eq!((config.session_timeouts.min_ms, config.session_timeouts.max_ms), (100, 10_000));
    let flags = config.settings.command_flags;
    assert!(flags.contains(tree::CommandFlags::SKIP_ACL));
    assert!(flags.contains(tree::CommandFlags::ENFORCE_QUOTA));
    assert!(flags.contains(tree::CommandFlags::JUDGE_LIMITS));
    assert!(config.settings.extended_types);
    assert!(config.four_letter.allows("isro"));
    assert_eq!(config.max_connections_per_address, 0);
    assert_eq!(config.auth.super_digest.as_deref(), Some("super:abc"));
    assert_eq!(config.metrics_address, Some(([127, 0, 0, 1], 7001).into()));
    let admin = config.admin.unwrap();
    assert_eq!((admin.address, &*admin.command_url), (([127, 0, 0, 1], 8080).into(), "/zk"));
    assert_eq!(admin.idle, std::time::Duration::from_millis(500));
    let keep_entries = 10_000;
    assert_eq!(config.checkpoints, Checkpoints { commands: 2, log_bytes: None, keep_entries });
}

#[test]
fn providers_of_metrics() {
    let class = |name: &str| {
        let line = format!("metricsProvider.className=org.apache.zookeeper.metrics.{name}");
        config(&with(&line)).metrics_address
    };
    assert_eq!(class("prometheus.PrometheusMetricsProvider"), Some(([0, 0, 0, 0], 7000).into()));
    assert_eq!(class("impl.NullMetricsProvider"), None);
    assert_eq!(class("impl.DefaultMetricsProvider"), None);
}

#[test]
fn providers_of_authentication() {
    check_warnings(
        &with(
            "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider\n\
             authProvider.2=org.apache.zookeeper.server.auth.DigestAuthenticationProvider\n\
             authProvider.3=com.example.Mine",
        ),
        expect![[r#"
            zoo.cfg:3: authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider: its scheme is valid in ACLs, but authentication with it is not offered by this release
            zoo.cfg:5: authProvider.3=com.example.Mine: no such authentication provider, skipped
        "#]],
    );
}

#[test]
fn server_lines() {
    let member = |value: &str| config(&with(&format!("server.7={value}"))).members.remove(0);
    assert_eq!(
        member("zk:2888:3888"),
        Member {
            id: 7,
            addresses: vec![PeerAddress {
                host: "zk".into(),
                peer_port: 2888,
                election_port: 3888
            }],
            role: Role::Participant,
            client: None,
        }
    );
    let both = member("[::1]:1:2:participant|10.0.0.1:3:4:PARTICIPANT;127.0.0.1:2181");
    assert_eq!(both.addresses.len(), 2);
    assert_eq!(both.addresses[0].host, "::1");
    assert_eq!(both.client, Some(ClientAddress { host: "127.0.0.1".into(), port: 2181 }));
}

#[test]
fn an_ensemble_refuses_requests_that_it_could_not_pass_on() {
    let file = File::new("");
    let folder = file.directory.path();
    fs::write(folder.join("myid"), "1\n").unwrap();
    let start = |limit: &str| {
        let text = format!(
            "dataDir={}\nclientPort=2181\nserver.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n\
             jute.maxbuffer={limit}\n",
            folder.display()
        );
        fs::write(folder.join("zoo.cfg"), text).unwrap();
        file.load(&Overrides::default())
    };
    for taken in ["33554432", "0x2000000"] {
        assert!(start(taken).unwrap().config.ensemble.is_some());
    }
    for refused in ["33554433", "0x2000001", "#8000000"] {
        let error = start(refused).unwrap_err().to_string();
        assert!(error.contains("jute.maxbuffer: servers of an ensemble pass on 32 MiB"), "{error}");
    }
}

#[test]
fn an_ensemble_has_its_own_settings_of_sessions() {
    let file = File::new("");
    let folder = file.directory.path();
    fs::write(folder.join("myid"), "1\n").unwrap();
    let check = |settings: &str, read_only_mode, local_sessions| {
        let text = format!(
            "dataDir={}\nclientPort=2181\nserver.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n\
             {settings}",
            folder.display()
        );
        fs::write(folder.join("zoo.cfg"), text).unwrap();
        let ensemble = file.load(&Overrides::default()).unwrap().config.ensemble.unwrap();
        let found = (ensemble.read_only_mode, ensemble.local_sessions);
        assert_eq!(found, (read_only_mode, local_sessions), "{settings}");
    };
    check("", false, LocalSessionsMode::Off);
    check("readonlymode.enabled=true\nlocalSessionsEnabled=true", true, LocalSessionsMode::On);
    check("localSessionsUpgradingEnabled=true", false, LocalSessionsMode::Off);
    let both = "localSessionsEnabled=TRUE\nlocalSessionsUpgradingEnabled=true";
    check(both, false, LocalSessionsMode::Upgrading);
}

#[test]
fn the_members_may_be_in_a_file_of_their_own() {
    let file = File::new("");
    let dynamic = file.directory.path().join("zoo.cfg.dynamic");
    fs::write(&dynamic, "server.1=localhost:2888:3888:participant;127.0.0.1:2200\n").unwrap();
    let data = file.directory.path().display();
    let text = format!("dataDir={data}\ndynamicConfigFile={}\n", dynamic.display());
    fs::write(file.directory.path().join("zoo.cfg"), &text).unwrap();
    let config = file.load(&Overrides::default()).unwrap().config;
    assert_eq!(config.client_address, ([127, 0, 0, 1], 2200).into());
    assert_eq!(config.file_text, text);

    fs::write(file.directory.path().join("myid"), "2\n").unwrap();
    let error = file.load(&Overrides::default()).unwrap_err().to_string();
    assert!(error.ends_with("server.1: the only member, but myid is 2"), "{error}");

    fs::write(file.directory.path().join("zoo.cfg"), format!("{text}server.1=a:1:2\n")).unwrap();
    let error = file.load(&Overrides::default()).unwrap_err().to_string();
    assert!(error.contains("server.1: members are in the file"), "{error}");
}
