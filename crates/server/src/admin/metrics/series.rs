//! Every metric by name, in the order of `mntr`: gauges, counters, summaries.
//!
//! The one list behind `mntr`, `/commands/monitor` and `/metrics`, so that the three never
//! differ in what they show.

use super::{
    Counter, Figures, Latency, Observed, ProcessFigures, Summary, Summed, Timed,
    names::{
        EMPTY_LATENCIES, EMPTY_SUMMARIES, REQUEST_COUNTERS, UPDATE_LATENCIES, ZERO_COUNTERS,
        ZERO_GAUGES,
    },
};
use crate::admin::{
    metrics::Sizes,
    observed::{EnsembleOverview, Overview},
};

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Series {
    /// ZooKeeper's name, without a prefix.
    pub name: &'static str,
    /// What it is now.
    pub value: Value,
}

/// The kinds of metrics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// Goes up and down.
    Gauge(i64),
    /// The same, with a fraction.
    Fraction(f64),
    /// Only grows.
    Counter(u64),
    /// Count, sum, least, greatest, and the middle.
    Summary(Summed),
    /// The same with more quantiles.
    Latency(Timed),
}

/// Compat(gauges): four of them are gauges in ZooKeeper, and one only the admin server shows.
const NOT_COUNTERS: [Counter; 4] =
    [Counter::PacketsReceived, Counter::PacketsSent, Counter::AuthFailed, Counter::SlowSyncs];

/// All metrics.
pub fn series(overview: &Overview, figures: &Figures, process: &ProcessFigures) -> Vec<Series> {
    let mut all = gauges(overview, figures, process);
    all.extend(overview.ensemble.iter().flat_map(ensemble_gauges));
    let mut add = |name, value| all.push(Series { name, value });
    for name in ZERO_GAUGES {
        add(name, Value::Gauge(0));
    }
    for counter in Counter::ALL.iter().filter(|counter| !NOT_COUNTERS.contains(counter)) {
        add(counter.name(), Value::Counter(figures.counter(*counter)));
    }
    // Compat(fsync-exceeded): `mntr` of ZooKeeper 3.9 has lost it, but OpenTelemetry asks for it.
    add(Counter::SlowSyncs.name(), Value::Counter(figures.counter(Counter::SlowSyncs)));
    for name in REQUEST_COUNTERS {
        add(name, Value::Counter(figures.requests.count));
    }
    for name in ZERO_COUNTERS {
        add(name, Value::Counter(0));
    }
    for summary in Summary::ALL {
        add(summary.name(), Value::Summary(figures.summed(*summary)));
    }
    for name in EMPTY_SUMMARIES {
        add(name, Value::Summary(Summed::default()));
    }
    for latency in Latency::ALL {
        // Alone, a write has propagated when its client knows.
        let alone = *latency == Latency::Propagation && overview.ensemble.is_none();
        let shown = if alone { Latency::Update } else { *latency };
        add(latency.name(), Value::Latency(figures.latency(shown)));
    }
    for name in UPDATE_LATENCIES {
        add(name, Value::Latency(figures.latency(Latency::Update)));
    }
    for name in EMPTY_LATENCIES {
        add(name, Value::Latency(Timed::default()));
    }
    all
}

fn gauges(overview: &Overview, figures: &Figures, process: &ProcessFigures) -> Vec<Series> {
    let ms = |us: u64| integer(us / 1000);
    let requests = &figures.requests;
    let gauge = |name, value| Series { name, value: Value::Gauge(value) };
    vec![
        Series { name: "avg_latency", value: Value::Fraction(requests.average_ms()) },
        gauge("max_latency", ms(requests.max_us)),
        gauge("min_latency", ms(requests.min_us)),
        gauge("packets_received", integer(figures.counter(Counter::PacketsReceived))),
        gauge("packets_sent", integer(figures.counter(Counter::PacketsSent))),
        gauge("num_alive_connections", integer(overview.connections)),
        gauge("outstanding_requests", integer(overview.outstanding)),
        gauge("uptime", integer(overview.uptime_ms)),
        gauge("znode_count", integer(overview.znodes)),
        gauge("watch_count", integer(overview.watches)),
        gauge("ephemerals_count", integer(overview.ephemerals)),
        gauge("approximate_data_size", overview.data_bytes),
        gauge("global_sessions", integer(overview.sessions)),
        gauge("local_sessions", integer(overview.local_sessions)),
        gauge("open_file_descriptor_count", integer(process.open_descriptors)),
        gauge("max_file_descriptor_count", integer(process.max_descriptors)),
        gauge("auth_failed_count", integer(figures.counter(Counter::AuthFailed))),
        gauge("last_client_response_size", size(figures.reply_sizes, |sizes| sizes.last)),
        gauge("max_client_response_size", size(figures.reply_sizes, |sizes| sizes.max)),
        gauge("min_client_response_size", size(figures.reply_sizes, |sizes| sizes.min)),
    ]
}

/// A length; what ZooKeeper shows before the first one is -1.
fn size(sizes: Option<Sizes>, of: fn(Sizes) -> u64) -> i64 {
    sizes.map_or(-1, |sizes| integer(of(sizes)))
}

/// Compat(followers): `followers` was one of them until ZooKeeper 3.5, and checks still ask for it.
fn ensemble_gauges(ensemble: &EnsembleOverview) -> Vec<Series> {
    let gauge = |name, value| Series { name, value: Value::Gauge(value) };
    let mut all = vec![gauge("quorum_size", integer(ensemble.voters))];
    if let Some(master) = ensemble.observer_master {
        all.push(gauge("observer_master_id", master));
    }
    let Some(leading) = &ensemble.leading else { return all };
    let size = |of| size(leading.proposal_sizes, of);
    all.extend([
        gauge("learners", integer(leading.learners)),
        gauge("followers", integer(leading.learners)),
        gauge("synced_followers", integer(leading.synced_followers)),
        gauge("synced_non_voting_followers", integer(leading.synced_non_voting_followers)),
        gauge("synced_observers", integer(leading.synced_observers)),
        gauge("pending_syncs", integer(leading.pending_syncs)),
        gauge("leader_uptime", integer(leading.uptime_ms)),
        gauge("last_proposal_size", size(|sizes| sizes.last)),
        gauge("min_proposal_size", size(|sizes| sizes.min)),
        gauge("max_proposal_size", size(|sizes| sizes.max)),
    ]);
    all
}

/// Java has no unsigned numbers; what does not fit has no meaning there.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Timed {
    /// The average in milliseconds, to four decimals, as ZooKeeper rounds it.
    pub fn average_ms(&self) -> f64 {
        average(self.sum_us, self.count.saturating_mul(1000))
    }
}

impl Observed {
    /// The average to four decimals, as ZooKeeper rounds it.
    pub fn average(&self) -> f64 {
        average(self.sum, self.count)
    }
}

#[expect(clippy::cast_precision_loss, reason = "four decimals are shown")]
fn average(sum: u64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { (sum as f64 / count as f64 * 1e4).round() / 1e4 }
}
