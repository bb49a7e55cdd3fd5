//! Real clients do what they always did: kazoo, Apache's Java client with its shell, Curator,
//! and the C client, each with a suite of its own in `clients/`.
//!
//! Environment: `COMPAT_SERVER=zookeeper` runs the suites against Apache ZooKeeper, which
//! tests the suites; `ROOKERY_BIN` names another binary to test; `COMPAT_ONLY` runs only the
//! behaviours whose title contains it; `COMPAT_RECORD=dir` keeps what the clients sent, for
//! `oracle_recorded.rs`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use compat_tests::oracle::recorded::Tap;
use compat_tests::prerequisites;
use compat_tests::server::{Control, Server, client_settings};

/// A suite that takes longer hangs.
const SUITE_WITHIN: Duration = Duration::from_secs(240);

/// Runs a suite against a server of its own. The suite finds the server in `COMPAT_CONNECT`,
/// and in `COMPAT_CONTROL` what can break its connections.
fn run(name: &str, mut suite: Command) {
    let server = Arc::new(Mutex::new(Server::start(client_settings()).unwrap()));
    let address = server.lock().unwrap().address();
    let record = std::env::var_os("COMPAT_RECORD");
    let tap = record.as_ref().map(|_| Tap::start(address).unwrap());
    let address = tap.as_ref().map_or(address, Tap::address);
    let control = Control::start(&server).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().join("report");
    let out = File::create(&report).unwrap();
    suite
        .args(std::env::var_os("COMPAT_ONLY"))
        .env("COMPAT_CONNECT", address.to_string())
        .env("COMPAT_CONTROL", control.address().to_string())
        .stdin(Stdio::null())
        .stderr(out.try_clone().unwrap())
        .stdout(out);
    let mut child = suite.spawn().unwrap();
    let deadline = Instant::now() + SUITE_WITHIN;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let report = String::from_utf8_lossy(&std::fs::read(report).unwrap()).into_owned();
    let software = server.lock().unwrap().software();
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "-- {name} against {software:?}\n{report}").unwrap();
    let output = server.lock().unwrap().process().map(|process| process.output());
    let output = output.unwrap_or_default();
    let tail: Vec<&str> = output.lines().rev().take(30).collect();
    let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
    if let (Some(dir), Some(tap)) = (record, tap) {
        let file = Path::new(&dir).join(format!("{name}.txt"));
        std::fs::write(file, tap.recording().to_string()).unwrap();
    }
    assert!(
        status.is_some_and(|status| status.success()),
        "{name} against {software:?}: {status:?}; its report is above; the server said:\n{tail}"
    );
}

#[test]
fn kazoo() {
    let python = prerequisites::python_with_kazoo().unwrap();
    let mut suite = Command::new(python);
    suite.arg("-B").arg(prerequisites::package_dir().join("clients/python/suite.py"));
    run("kazoo", suite);
}

#[test]
fn java_shell_and_curator() {
    let classes = tempfile::tempdir().unwrap();
    let class_path = prerequisites::compile_java(classes.path()).unwrap();
    let mut suite = Command::new("java");
    suite.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]);
    suite.arg(class_path).arg("compat.Suite");
    run("java", suite);
}

#[test]
fn c() {
    let dir = tempfile::tempdir().unwrap();
    let program = prerequisites::compile_c(dir.path()).unwrap();
    run("c", Command::new(program));
}
