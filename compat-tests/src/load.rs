//! Writers on several servers at once, going on until they are told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::writer::{Writer, verify_all};

/// How long progress may take.
const WITHIN: Duration = Duration::from_secs(60);
/// Between two attempts to begin.
const PAUSE: Duration = Duration::from_millis(100);

/// Writers that write.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    /// Acknowledged writes, for each writer.
    progress: Vec<Arc<AtomicU64>>,
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
        let mut progress = Vec::new();
        let start = |(number, servers): (usize, Vec<SocketAddr>)| {
            let writer = with(begin(&servers, number, session_ms));
            let (stop, own) = (Arc::clone(&stop), Arc::<AtomicU64>::default());
            progress.push(Arc::clone(&own));
            thread::spawn(move || writer.run(&stop, &own))
        };
        let writers = servers.into_iter().enumerate().map(start).collect();
        Self { stop, progress, writers }
    }

    /// Waits until `count` more writes were acknowledged.
    ///
    /// # Panics
    /// When that takes too long, or a writer failed.
    pub fn wait_for(&self, count: u64) {
        let target = self.acknowledged() + count;
        let deadline = Instant::now() + WITHIN;
        while self.acknowledged() < target {
            assert!(Instant::now() < deadline, "too few writes were acknowledged");
            assert!(!self.has_failed(), "a writer failed");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// How many writes were acknowledged to each writer.
    pub fn acknowledged_each(&self) -> Vec<u64> {
        self.progress.iter().map(|one| one.load(Ordering::Relaxed)).collect()
    }

    /// How many writes were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged_each().iter().sum()
    }

    /// Whether a writer found a promise broken.
    pub fn has_failed(&self) -> bool {
        self.writers.iter().any(JoinHandle::is_finished)
    }

    /// Stops, and gives the writers for what they know.
    ///
    /// # Panics
    /// When one of them failed.
    pub fn stop(mut self) -> Vec<Writer> {
        self.stop.store(true, Ordering::Relaxed);
        let join = |writer: JoinHandle<Writer>| writer.join().expect("a writer failed");
        std::mem::take(&mut self.writers).into_iter().map(join).collect()
    }

    /// Stops, and lets the writers compare what is there with what they were told.
    ///
    /// # Panics
    /// When one of them failed, or does not find what it was told.
    pub fn stop_and_verify(self) -> Vec<Writer> {
        let mut writers = self.stop();
        verify_all(&mut writers);
        writers
    }
}

/// A writer; a server that loses its leader just then sends it away.
fn begin(servers: &[SocketAddr], number: usize, session_ms: i32) -> Writer {
    let deadline = Instant::now() + WITHIN;
    loop {
        match Writer::start(servers.to_vec(), number, session_ms) {
            Ok(writer) => return writer,
            Err(error) => assert!(Instant::now() < deadline, "no session: {error}"),
        }
        thread::sleep(PAUSE);
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
