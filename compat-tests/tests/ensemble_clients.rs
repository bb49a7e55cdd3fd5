//! kazoo and Apache's Java client at work while servers of an ensemble are killed, restarted and
//! wiped: each keeps its one session, and finds afterwards exactly what was acknowledged.
//!
//! Environment: `COMPAT_SERVER=zookeeper` runs the tests against Apache ZooKeeper.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use compat_tests::ensemble::Ensemble;
use compat_tests::oracle::process::Software;
use compat_tests::prerequisites;

const WITHIN: Duration = Duration::from_secs(60);

/// A client's process. It says how many writes were acknowledged, a line each, and takes stock
/// when its input ends.
struct Client {
    process: Child,
    input: Option<ChildStdin>,
    acknowledged: Arc<AtomicU64>,
}

impl Client {
    fn start(mut command: Command, ensemble: &Ensemble) -> Self {
        let command = command.env("COMPAT_CONNECT", ensemble.connect_string());
        // The class that finds the server is shared with suites that also break connections.
        let command = command.env("COMPAT_CONTROL", "127.0.0.1:0");
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().unwrap());
        let acknowledged = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&acknowledged);
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                counter.store(line.parse().unwrap(), Ordering::Relaxed);
            }
        });
        Self { process, input, acknowledged }
    }

    /// Waits until `count` more writes were acknowledged.
    fn wait_for(&mut self, count: u64, ensemble: &Ensemble) {
        let target = self.acknowledged.load(Ordering::Relaxed) + count;
        let deadline = Instant::now() + WITHIN;
        while self.acknowledged.load(Ordering::Relaxed) < target {
            assert!(self.process.try_wait().unwrap().is_none(), "the client failed");
            assert!(Instant::now() < deadline, "no writes: {}", ensemble.outputs());
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn take_stock(mut self, ensemble: &Ensemble) {
        drop(self.input.take());
        let deadline = Instant::now() + WITHIN;
        let status = loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the client does not end: {}", ensemble.outputs());
            thread::sleep(Duration::from_millis(20));
        };
        assert!(status.success(), "{status}; the client says why above");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It has ended if all is well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// All that may happen to servers, one at a time, while the client works.
fn survives(command: Command) {
    let settings = [("tickTime".to_owned(), "1000".to_owned())];
    let mut ensemble = Ensemble::start(Software::from_env(), 3, &settings).unwrap();
    let mut client = Client::start(command, &ensemble);
    client.wait_for(20, &ensemble);
    for round in 0..4 {
        // kill -9, of the leader every other time.
        let leader = ensemble.wait_for_leader(WITHIN);
        let victim = if round % 2 == 0 { leader } else { (leader + 1) % 3 };
        ensemble.kill(victim);
        client.wait_for(20, &ensemble);
        ensemble.start_again(victim).unwrap();
        client.wait_for(20, &ensemble);
    }
    for index in 0..3 {
        // A rolling restart.
        ensemble.stop(index, Duration::from_secs(10));
        client.wait_for(20, &ensemble);
        ensemble.start_again(index).unwrap();
        client.wait_for(20, &ensemble);
    }
    let leader = ensemble.wait_for_leader(WITHIN);
    let victim = (leader + 1) % 3;
    ensemble.kill(victim);
    ensemble.wipe(victim);
    client.wait_for(20, &ensemble);
    ensemble.start_again(victim).unwrap();
    client.wait_for(20, &ensemble);
    client.take_stock(&ensemble);
}

#[test]
fn kazoo_keeps_its_session_and_its_writes() {
    let mut command = Command::new(prerequisites::python_with_kazoo().unwrap());
    command.arg("-B").arg(prerequisites::package_dir().join("clients/python/ensemble.py"));
    survives(command);
}

#[test]
fn the_java_client_keeps_its_session_and_its_writes() {
    let classes = tempfile::tempdir().unwrap();
    let class_path = prerequisites::compile_java(classes.path()).unwrap();
    let mut command = Command::new("java");
    command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]);
    command.arg(class_path).arg("compat.AtWork");
    survives(command);
}
