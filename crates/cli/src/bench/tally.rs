//! What a thread counts while the load runs, and how the counts of several threads add up.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Length of a slot of the timeline.
pub(super) const SLOT: Duration = Duration::from_millis(100);
/// Longest latency told apart, in nanoseconds: a minute.
const LATENCY_NS_MAX: u64 = 60_000_000_000;
/// Slots kept at most: an hour, the longest run.
const SLOTS_MAX: usize = 36_000;

/// What happened in one slot of the timeline.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot {
    /// Operations completed.
    pub(super) count: u64,
    /// Their worst latency, in nanoseconds.
    pub(super) max_ns: u64,
}

/// Counts of one thread, or of all.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    /// Latencies of reads, in nanoseconds.
    pub(super) reads: Histogram<u64>,
    /// Latencies of everything else, in nanoseconds.
    pub(super) writes: Histogram<u64>,
    /// Operations answered with an error, by its code; they count in no histogram.
    pub(super) errors: BTreeMap<i32, u64>,
    /// Replies that were not what the request asked for.
    pub(super) malformed: u64,
    /// Operations sent and never answered.
    pub(super) unanswered: u64,
    /// Connections that broke.
    pub(super) lost_connections: u64,
    /// From the start of the measurement on.
    pub(super) timeline: Vec<Slot>,
    /// When the last counted operation completed.
    pub(super) last: Option<Instant>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            reads: latencies(),
            writes: latencies(),
            errors: BTreeMap::new(),
            malformed: 0,
            unanswered: 0,
            lost_connections: 0,
            timeline: Vec::new(),
            last: None,
        }
    }

    /// Counts a success; `since_start` is its completion on the timeline.
    pub(super) fn success(&mut self, is_read: bool, latency: Duration, since_start: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(LATENCY_NS_MAX);
        let histogram = if is_read { &mut self.reads } else { &mut self.writes };
        histogram.saturating_record(nanos);
        let slot = usize::try_from(since_start.as_nanos() / SLOT.as_nanos()).unwrap_or(SLOTS_MAX);
        if slot >= SLOTS_MAX {
            return;
        }
        if slot >= self.timeline.len() {
            self.timeline.resize(slot + 1, Slot::default());
        }
        let slot = &mut self.timeline[slot];
        slot.count += 1;
        slot.max_ns = slot.max_ns.max(nanos);
    }

    /// Counts an operation that was answered with an error.
    pub(super) fn error(&mut self, code: i32) {
        *self.errors.entry(code).or_default() += 1;
    }

    /// Operations answered, with success or not.
    pub(super) fn answered(&self) -> u64 {
        self.successes() + self.errors.values().sum::<u64>() + self.malformed
    }

    /// Operations answered with success.
    pub(super) fn successes(&self) -> u64 {
        self.reads.len() + self.writes.len()
    }

    /// Adds what another thread counted.
    pub(super) fn merge(&mut self, other: &Self) {
        // Both histograms have the same bounds, so adding cannot fail.
        let _ = self.reads.add(&other.reads);
        let _ = self.writes.add(&other.writes);
        for (code, count) in &other.errors {
            *self.errors.entry(*code).or_default() += count;
        }
        self.malformed += other.malformed;
        self.unanswered += other.unanswered;
        self.lost_connections += other.lost_connections;
        let slots = self.timeline.len().max(other.timeline.len());
        self.timeline.resize(slots, Slot::default());
        for (mine, theirs) in self.timeline.iter_mut().zip(&other.timeline) {
            mine.count += theirs.count;
            mine.max_ns = mine.max_ns.max(theirs.max_ns);
        }
        self.last = self.last.max(other.last);
    }
}

fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).expect("the bounds are constants in range")
}
