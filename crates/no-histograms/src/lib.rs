//! Stands in for the crate of this name, so that openraft keeps no statistics.
//!
//! openraft counts every entry in histograms that it shows nobody unless it is asked to,
//! and their tables take 21 MiB: a third of what an empty server needs. `Cargo.toml` puts
//! this in their place (`[patch.crates-io]`). It has what openraft calls and does nothing;
//! Rookery's own figures are in `server`.

use std::{fmt, marker::PhantomData};

/// A histogram that is always empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram<T = ()>(PhantomData<T>);

impl<T> Histogram<T> {
    /// An empty histogram.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }

    /// Forgets a value.
    pub const fn record(&mut self, _value: u64) {}

    /// Forgets a value that came `_count` times.
    pub const fn record_n(&mut self, _value: u64, _count: u64) {}

    /// The percentiles of no values: zeros.
    pub fn percentile_stats(&self) -> PercentileStats {
        PercentileStats::default()
    }
}

/// Percentiles, all zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PercentileStats {
    /// How many values there were.
    pub samples: u64,
    /// Half of the values are at most this.
    pub p50: u64,
    /// Nine of ten values are at most this.
    pub p90: u64,
    /// 99 of 100 values are at most this.
    pub p99: u64,
    /// 999 of 1,000 values are at most this.
    pub p99_9: u64,
}

impl fmt::Display for PercentileStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not counted")
    }
}

/// A chart without anything in it.
#[derive(Clone, Debug, Default)]
pub struct AsciiChart;

impl AsciiChart {
    /// An empty chart.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }

    /// Leaves out a histogram.
    #[must_use]
    pub fn add<T>(self, _name: &str, _histogram: Histogram<T>) -> Self {
        self
    }
}

impl fmt::Display for AsciiChart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not counted")
    }
}
