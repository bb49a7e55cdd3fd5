//! kazoo and Apache's Java client as processes that work while servers come and go: each has one
//! session, creates numbered znodes, counts, watches the counter, and in the end finds exactly
//! what was acknowledged. What they do is in `clients/`.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::ensemble::Ensemble;
use crate::prerequisites;

/// How long anything may take.
const WITHIN: Duration = Duration::from_secs(60);

/// A client's process. It says how many writes were acknowledged, a line each, and takes stock
/// when its input ends.
#[derive(Debug)]
pub struct AtWork {
    process: Child,
    input: Option<ChildStdin>,
    acknowledged: Arc<AtomicU64>,
    /// Its program, if it was compiled for it.
    _compiled: Option<TempDir>,
}

impl AtWork {
    /// kazoo, once its first write was acknowledged.
    ///
    /// # Panics
    /// When what it needs is missing, or it does not begin.
    pub fn kazoo(ensemble: &Ensemble) -> Self {
        let python = prerequisites::python_with_kazoo().expect("kazoo");
        let mut command = Command::new(python);
        command.arg("-B").arg(prerequisites::package_dir().join("clients/python/ensemble.py"));
        Self::start(command, ensemble, None)
    }

    /// Apache's Java client, once its first write was acknowledged.
    ///
    /// # Panics
    /// When what it needs is missing, or it does not begin.
    pub fn java(ensemble: &Ensemble) -> Self {
        let classes = TempDir::with_prefix("classes-").expect("a directory");
        let class_path = prerequisites::compile_java(classes.path()).expect("the Java client");
        let mut command = prerequisites::jdk("java");
        command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]);
        command.arg(class_path).arg("compat.AtWork");
        Self::start(command, ensemble, Some(classes))
    }

    fn start(mut command: Command, ensemble: &Ensemble, compiled: Option<TempDir>) -> Self {
        let command = command.env("COMPAT_CONNECT", ensemble.connect_string());
        // The class that finds the server is shared with suites that also break connections.
        let command = command.env("COMPAT_CONTROL", "127.0.0.1:0");
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the client starts");
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().expect("it is a pipe"));
        let acknowledged = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&acknowledged);
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                counter.store(line.parse().expect("a number"), Ordering::Relaxed);
            }
        });
        let mut working = Self { process, input, acknowledged, _compiled: compiled };
        // Before that a lost connection is an error to it.
        working.wait_for(1, ensemble);
        working
    }

    /// How many writes were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until `count` more writes were acknowledged.
    ///
    /// # Panics
    /// When that takes too long, or the client failed.
    pub fn wait_for(&mut self, count: u64, ensemble: &Ensemble) {
        let target = self.acknowledged.load(Ordering::Relaxed) + count;
        let deadline = Instant::now() + WITHIN;
        while self.acknowledged.load(Ordering::Relaxed) < target {
            assert!(self.process.try_wait().expect("its state").is_none(), "the client failed");
            assert!(Instant::now() < deadline, "no writes: {}", ensemble.outputs());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Tells it to end and to compare what is there with what it was told.
    ///
    /// # Panics
    /// When that takes too long, or something is not as it should be.
    pub fn take_stock(mut self, ensemble: &Ensemble) {
        drop(self.input.take());
        let deadline = Instant::now() + WITHIN;
        let status = loop {
            if let Some(status) = self.process.try_wait().expect("its state") {
                break status;
            }
            assert!(Instant::now() < deadline, "the client does not end: {}", ensemble.outputs());
            thread::sleep(Duration::from_millis(20));
        };
        assert!(status.success(), "{status}; the client says why above");
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        // It has ended if all is well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
