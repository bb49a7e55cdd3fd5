//! Writers on several servers at once, going on until they are told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::writer::Writer;

/// How long progress may take.
const WITHIN: Duration = Duration::from_secs(60);

/// Writers that write.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    progress: Arc<AtomicU64>,
    writers: Vec<JoinHandle<Writer>>,
}

impl Load {
    /// One writer for each list of servers; it begins with the first of the list.
    ///
    /// # Panics
    /// When a writer gets no session.
    pub fn start(servers: impl IntoIterator<Item = Vec<SocketAddr>>, session_ms: i32) -> Self {
        Self::start_with(servers, session_ms, |writer| writer)
    }

    /// The same, with writers made different by `with`.
    ///
    /// # Panics
    /// When a writer gets no session.
    pub fn start_with(
        servers: impl IntoIterator<Item = Vec<SocketAddr>>,
        session_ms: i32,
        with: impl Fn(Writer) -> Writer,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let progress = Arc::new(AtomicU64::new(0));
        let start = |(number, servers)| {
            let writer = with(Writer::start(servers, number, session_ms).expect("a session"));
            let (stop, progress) = (Arc::clone(&stop), Arc::clone(&progress));
            thread::spawn(move || writer.run(&stop, &progress))
        };
        let writers = servers.into_iter().enumerate().map(start).collect();
        Self { stop, progress, writers }
    }

    /// Waits until `count` more writes were acknowledged.
    ///
    /// # Panics
    /// When that takes too long, or a writer failed.
    pub fn wait_for(&self, count: u64) {
        let target = self.progress.load(Ordering::Relaxed) + count;
        let deadline = Instant::now() + WITHIN;
        while self.progress.load(Ordering::Relaxed) < target {
            assert!(Instant::now() < deadline, "too few writes were acknowledged");
            assert!(!self.writers.iter().any(JoinHandle::is_finished), "a writer failed");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// How many writes were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    /// Whether a writer found a promise broken.
    pub fn has_failed(&self) -> bool {
        self.writers.iter().any(JoinHandle::is_finished)
    }

    /// Stops, and gives the writers for what they know.
    ///
    /// # Panics
    /// When one of them failed.
    pub fn stop(self) -> Vec<Writer> {
        self.stop.store(true, Ordering::Relaxed);
        let join = |writer: JoinHandle<Writer>| writer.join().expect("a writer failed");
        self.writers.into_iter().map(join).collect()
    }
}
