//! The options of `rookery bench`, and the checked plan that they become.
//!
//! `Args` is what was typed; `Plan` is what will be done: nothing is decided later.

use std::net::SocketAddr;
use std::time::Duration;

use super::BenchError;
use super::workload::Scenario;

/// Options of `rookery bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to do.
    #[arg(value_enum)]
    scenario: Scenario,
    /// Addresses of the servers, with commas: connections are spread over them in turn.
    #[arg(long, value_delimiter = ',', default_value = "127.0.0.1:2181")]
    server: Vec<SocketAddr>,
    /// Connections, each with a session of its own.
    #[arg(long, short = 'c', default_value_t = 64)]
    connections: usize,
    /// Requests that a connection keeps unanswered at most.
    #[arg(long, short = 'i', default_value_t = 1)]
    in_flight: usize,
    /// Threads of the generator.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Open loop: requests a second over all connections, sent when due whatever is unanswered.
    #[arg(long)]
    rate: Option<f64>,
    /// Seconds to measure.
    #[arg(long, short = 'd', default_value_t = 5.0)]
    duration: f64,
    /// Operations to measure, instead of a duration.
    #[arg(long, short = 'n')]
    operations: Option<u64>,
    /// Seconds of load before measuring.
    #[arg(long, short = 'w', default_value_t = 1.0)]
    warmup: f64,
    /// Bytes of data in a znode.
    #[arg(long, default_value_t = 100)]
    value_size: usize,
    /// Znodes that get, set and mixed choose from, and that fill creates.
    #[arg(long, default_value_t = 10_000)]
    keys: u64,
    /// Percentage of reads in mixed.
    #[arg(long, default_value_t = 90)]
    reads: u8,
    /// Seed of every random choice.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Znode below which everything happens.
    #[arg(long, default_value = "/bench")]
    root: String,
    /// Do not create the keys first: they are known to exist.
    #[arg(long)]
    no_setup: bool,
    /// Process ids of the servers, with commas, to report their CPU and memory together.
    #[arg(long, value_delimiter = ',')]
    server_pid: Vec<u32>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub(super) json: bool,
    /// Add the count and the worst latency of every 100 ms to the JSON.
    #[arg(long)]
    timeline: bool,
}

/// How the generator decides when to send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Load {
    /// A new request as soon as a slot is free.
    Closed,
    /// Requests a second over all connections, evenly spaced.
    Open(f64),
}

/// When the measurement ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// After this time.
    Time(Duration),
    /// After this many operations.
    Operations(u64),
}

/// A checked run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) scenario: Scenario,
    /// At least one.
    pub(super) servers: Vec<SocketAddr>,
    /// At least one a thread.
    pub(super) connections: usize,
    /// At least one.
    pub(super) in_flight: usize,
    pub(super) threads: usize,
    pub(super) load: Load,
    pub(super) length: Length,
    pub(super) warmup: Duration,
    pub(super) value_size: usize,
    pub(super) keys: u64,
    /// Percent of reads in `mixed`, 0–100.
    pub(super) reads: u8,
    pub(super) seed: u64,
    /// Absolute, without a slash at its end.
    pub(super) root: String,
    /// Whether keys are created before the load.
    pub(super) setup: bool,
    /// Those whose figures are taken, perhaps none.
    pub(super) server_pids: Vec<u32>,
    pub(super) timeline: bool,
}

/// Largest value that fits `ZooKeeper`'s default frame limit with room for its path.
const VALUE_BYTES_MAX: usize = 1_000_000;
/// Beyond an hour a run is a mistake.
const SECONDS_MAX: f64 = 3600.0;

impl Args {
    /// Checks the options as a whole.
    pub(super) fn plan(&self) -> Result<Plan, BenchError> {
        self.check()?;
        let length = match (self.scenario, self.operations) {
            // Filling is by nature a number of operations, and deleting needs to know how many
            // znodes to create first.
            (Scenario::Fill, _) => Length::Operations(self.keys),
            (Scenario::Delete, None) => {
                return Err(BenchError::Options("delete needs --operations"));
            }
            (_, Some(operations)) => Length::Operations(operations),
            (_, None) => Length::Time(Duration::from_secs_f64(self.duration)),
        };
        let warmup = match length {
            Length::Operations(_) => Duration::ZERO,
            Length::Time(_) => Duration::from_secs_f64(self.warmup),
        };
        Ok(Plan {
            scenario: self.scenario,
            servers: self.server.clone(),
            connections: self.connections,
            in_flight: self.in_flight,
            threads: self.threads.min(self.connections),
            load: self.rate.map_or(Load::Closed, Load::Open),
            length,
            warmup,
            value_size: self.value_size,
            keys: self.keys,
            reads: self.reads,
            seed: self.seed,
            root: self.root.clone(),
            setup: !self.no_setup,
            server_pids: self.server_pid.clone(),
            timeline: self.timeline,
        })
    }

    fn check(&self) -> Result<(), BenchError> {
        let rules = [
            (self.connections == 0 || self.connections > 10_000, "--connections: 1 to 10000"),
            (self.in_flight == 0 || self.in_flight > 100_000, "--in-flight: 1 to 100000"),
            (self.threads == 0 || self.threads > 256, "--threads: 1 to 256"),
            (self.keys == 0 || self.keys > 100_000_000, "--keys: 1 to 100000000"),
            (self.value_size > VALUE_BYTES_MAX, "--value-size: at most 1000000"),
            (self.reads > 100, "--reads: a percentage"),
            (!seconds_ok(self.duration), "--duration: seconds, at most 3600"),
            (!(self.warmup == 0.0 || seconds_ok(self.warmup)), "--warmup: at most 3600"),
            (!self.rate.is_none_or(|rate| (0.001..1e9).contains(&rate)), "--rate: 0.001 to 1e9"),
            (!self.root.starts_with('/') || self.root.ends_with('/'), "--root: like /bench"),
        ];
        match rules.iter().find(|(broken, _)| *broken) {
            Some((_, rule)) => Err(BenchError::Options(rule)),
            None => Ok(()),
        }
    }
}

fn seconds_ok(seconds: f64) -> bool {
    seconds > 0.0 && seconds <= SECONDS_MAX
}
