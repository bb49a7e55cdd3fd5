//! What the server counts about itself.
//!
//! A handle that is passed around; there are no global metrics. Counting must not make
//! cores wait for each other: each thread has its own shard, touched about once a batch of
//! requests, and shards are added up when somebody asks. `mntr`, the admin server and
//! `/metrics` all read the same [`Figures`].

mod names;
mod process;
mod quorum;
mod recorder;
mod series;
mod sizes;

use std::{
    cell::Cell,
    sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
};

use parking_lot::Mutex;
use proto::EventType;
use session::ReplySizes;

pub use names::{Counter, Latency, Summary};
pub use process::ProcessFigures;
pub(super) use process::kib;
pub use quorum::{Duty, Proposal};
pub use recorder::{Observed, Summed, Timed};
pub use series::{Series, Value, series};
pub use sizes::Sizes;

use quorum::Quorum;
use recorder::Recorder;
use sizes::Replies;

/// Shards; threads beyond this number share one.
const SHARDS: usize = 16;

/// `gtmk` of a fresh ZooKeeper. Nothing looks at it; it only remembers what was set.
const TRACE_MASK: i64 = 306;

/// The server's figures since it started, or since `srst`.
#[derive(Debug)]
pub struct Metrics {
    shards: Vec<Shard>,
    summaries: Mutex<Vec<Recorder>>,
    quorum: Quorum,
    replies: Replies,
    /// What `stmk` set.
    pub trace_mask: AtomicI64,
}

/// How many watches one change fired.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fired {
    created: u64,
    deleted: u64,
    changed: u64,
    children: u64,
    bytes: u64,
}

impl Fired {
    /// An event goes to one who watches.
    pub fn note(&mut self, event: EventType, path: &str) {
        let kind = match event {
            EventType::NodeCreated => &mut self.created,
            EventType::NodeDeleted => &mut self.deleted,
            EventType::NodeDataChanged => &mut self.changed,
            EventType::NodeChildrenChanged => &mut self.children,
        };
        *kind += 1;
        self.bytes += EVENT_BYTES + path.len() as u64;
    }
}

/// An event without its path: the header, type and state, the path's length.
const EVENT_BYTES: u64 = 16 + 8 + 4;

/// Kept apart by 128 bytes, so that two threads never write the same cache line.
#[derive(Debug)]
#[repr(align(128))]
struct Shard {
    counters: Vec<AtomicU64>,
    latencies: Mutex<Vec<Recorder>>,
}

/// Everything that [`Metrics`] holds, at one moment.
#[derive(Clone, Debug)]
pub struct Figures {
    counters: Vec<u64>,
    summaries: Vec<Summed>,
    latencies: Vec<Timed>,
    /// All requests: `avg_latency` and its like.
    pub requests: Timed,
    /// Of the replies and events for clients; none before the first.
    pub reply_sizes: Option<Sizes>,
}

impl Figures {
    /// A counter's value.
    pub fn counter(&self, counter: Counter) -> u64 {
        self.counters[counter as usize]
    }

    /// What was observed of a summary.
    pub fn summary(&self, summary: Summary) -> Observed {
        self.summed(summary).observed
    }

    /// The same with its middle.
    pub fn summed(&self, summary: Summary) -> Summed {
        self.summaries[summary as usize]
    }

    /// What was observed of a latency.
    pub fn latency(&self, latency: Latency) -> Timed {
        self.latencies[latency as usize]
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::new()).collect(),
            summaries: Mutex::new(Summary::ALL.iter().map(|_| Recorder::default()).collect()),
            quorum: Quorum::default(),
            replies: Replies::default(),
            trace_mask: AtomicI64::new(TRACE_MASK),
        }
    }

    /// Adds to a counter.
    pub fn count(&self, counter: Counter, add: u64) {
        self.shard().counters[counter as usize].fetch_add(add, Ordering::Relaxed);
    }

    /// Notes one observation of something that is rare: this takes a lock of the server.
    pub fn observe(&self, summary: Summary, value: u64) {
        self.summaries.lock()[summary as usize].record(value, 1);
    }

    /// Notes that `count` requests took `each_us` microseconds each.
    pub fn timed(&self, latency: Latency, count: u64, each_us: u64) {
        if count > 0 {
            self.shard().latencies.lock()[latency as usize].record(each_us, count);
        }
    }

    /// A read of a socket brought so many bytes.
    pub fn bytes_received(&self, bytes: usize) {
        self.count(Counter::BytesReceived, bytes as u64);
    }

    /// So many bytes were sent to a client.
    pub fn bytes_sent(&self, bytes: usize) {
        self.count(Counter::ResponseBytes, bytes as u64);
    }

    /// So many requests were taken and so many replies and events sent. Once a batch.
    pub fn packets(&self, received: u64, sent: u64) {
        let counters = &self.shard().counters;
        counters[Counter::PacketsReceived as usize].fetch_add(received, Ordering::Relaxed);
        counters[Counter::PacketsSent as usize].fetch_add(sent, Ordering::Relaxed);
    }

    /// Replies and events of these lengths were sent. Once a batch.
    pub fn replied(&self, sizes: ReplySizes) {
        self.replies.note(sizes);
    }

    /// A connect request was read.
    pub fn connection_requested(&self) {
        self.count(Counter::ConnectionRequests, 1);
    }

    /// A connect request asked for a session that there is, or was.
    pub fn session_revalidated(&self) {
        self.count(Counter::Revalidations, 1);
    }

    /// A connection was closed at once, because of a limit.
    pub fn connection_rejected(&self) {
        self.count(Counter::ConnectionsRejected, 1);
    }

    /// A connection was ended from the client's side.
    pub fn connection_dropped(&self) {
        self.count(Counter::ConnectionsDropped, 1);
    }

    /// A connection did not ask for a session in time.
    pub fn sessionless_expired(&self) {
        self.count(Counter::SessionlessExpired, 1);
    }

    /// A session was silent for too long.
    pub fn session_expired(&self) {
        self.count(Counter::SessionsExpired, 1);
    }

    /// A client tried to prove who it is.
    pub fn authenticated(&self, succeeded: bool) {
        self.count(Counter::AuthFailed, u64::from(!succeeded));
    }

    /// A write was applied, so long after it was proposed.
    pub fn update_done(&self, us: u64) {
        self.timed(Latency::Update, 1, us);
    }

    /// `count` reads were answered, each so long after it was read.
    pub fn reads_done(&self, count: u64, each_us: u64) {
        self.timed(Latency::Read, count, each_us);
    }

    /// What one change told those who watch.
    pub fn watches_fired(&self, fired: &Fired) {
        if fired.bytes == 0 {
            return;
        }
        self.count(Counter::WatchBytes, fired.bytes);
        for (summary, count) in [
            (Summary::WatchesCreated, fired.created),
            (Summary::WatchesDeleted, fired.deleted),
            (Summary::WatchesChanged, fired.changed),
            (Summary::WatchesChildren, fired.children),
        ] {
            if count > 0 {
                self.observe(summary, count);
            }
        }
    }

    /// Starts anew: `srst`.
    pub fn reset(&self) {
        for shard in &self.shards {
            for counter in &shard.counters {
                counter.store(0, Ordering::Relaxed);
            }
            shard.latencies.lock().iter_mut().for_each(Recorder::reset);
        }
        self.summaries.lock().iter_mut().for_each(Recorder::reset);
        self.reset_proposal_sizes();
        self.replies.reset();
    }

    /// Adds the shards up.
    pub fn figures(&self) -> Figures {
        let sum = |counter: &Counter| {
            let each = self.shards.iter().map(|shard| &shard.counters[*counter as usize]);
            each.map(|value| value.load(Ordering::Relaxed)).sum()
        };
        let mut merged: Vec<Recorder> = Latency::ALL.iter().map(|_| Recorder::default()).collect();
        for shard in &self.shards {
            for (into, from) in merged.iter_mut().zip(shard.latencies.lock().iter()) {
                into.merge(from);
            }
        }
        let mut requests = Recorder::default();
        for latency in [Latency::Read, Latency::Update] {
            requests.merge(&merged[latency as usize]);
        }
        Figures {
            counters: Counter::ALL.iter().map(sum).collect(),
            summaries: self.summaries.lock().iter().map(Recorder::summed).collect(),
            latencies: merged.iter().map(Recorder::timed).collect(),
            requests: requests.timed(),
            reply_sizes: self.replies.sizes(),
        }
    }

    fn shard(&self) -> &Shard {
        &self.shards[shard_of_thread() % SHARDS]
    }
}

impl Shard {
    fn new() -> Self {
        Self {
            counters: Counter::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            latencies: Mutex::new(Latency::ALL.iter().map(|_| Recorder::default()).collect()),
        }
    }
}

/// A number for the calling thread: which shard it counts in. It is the process's, not a
/// server's, for threads are, too.
fn shard_of_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed));
    }
    MINE.with(Cell::get)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn threads_count_apart_and_add_up() {
        let metrics = Arc::new(Metrics::new());
        let threads: Vec<_> = (0..2 * SHARDS as u64)
            .map(|number| {
                let metrics = Arc::clone(&metrics);
                std::thread::spawn(move || {
                    metrics.bytes_received(10);
                    metrics.packets(2, 1);
                    metrics.update_done(1000 * (number + 1));
                    metrics.reads_done(3, 500);
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let figures = metrics.figures();
        assert_eq!(figures.counter(Counter::BytesReceived), 320);
        assert_eq!(figures.counter(Counter::PacketsReceived), 64);
        assert_eq!(figures.latency(Latency::Update).count, 32);
        assert_eq!(figures.latency(Latency::Update).max_us, 32_000);
        assert_eq!(figures.requests.count, 32 * 4);
        assert_eq!(figures.requests.min_us, 500);
        let median = figures.latency(Latency::Update).p50_us;
        assert!((16_000..16_200).contains(&median), "{median}");
    }

    #[test]
    fn a_reset_forgets_everything() {
        let metrics = Metrics::new();
        metrics.session_expired();
        metrics.observe(Summary::Sync, 4);
        metrics.update_done(7);
        let mut sizes = ReplySizes::default();
        sizes.note_frames(&[0, 0, 0, 1, 7, 0, 0, 0, 0]);
        metrics.replied(sizes);
        assert_eq!(metrics.figures().reply_sizes, Some(Sizes { last: 0, min: 0, max: 1 }));
        metrics.reset();
        let figures = metrics.figures();
        assert_eq!(figures.counter(Counter::SessionsExpired), 0);
        assert_eq!(figures.summed(Summary::Sync), Summed::default());
        assert_eq!(figures.requests, Timed::default());
        assert_eq!(figures.reply_sizes, None);
    }
}
