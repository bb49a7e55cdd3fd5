//! Observations summed up: exactly in count and sum, within a percent in quantiles.

use hdrhistogram::Histogram;

/// The longest time that quantiles tell apart, in microseconds: ten minutes.
const LONGEST_US: u64 = 600_000_000;

/// Count, sum, least and greatest of what was observed; all 0 before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// How often.
    pub count: u64,
    /// Of all values.
    pub sum: u64,
    /// The least.
    pub min: u64,
    /// The greatest.
    pub max: u64,
}

impl Observed {
    /// Takes one more in.
    pub fn observe(&mut self, value: u64) {
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
    }
}

/// What was observed, and its middle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summed {
    /// Count, sum, least and greatest.
    pub observed: Observed,
    /// Half of all values are not greater.
    pub median: u64,
}

/// What is known about a latency, in microseconds; all 0 before the first observation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timed {
    /// How many were timed.
    pub count: u64,
    /// Of all of them.
    pub sum_us: u64,
    /// The shortest.
    pub min_us: u64,
    /// The longest.
    pub max_us: u64,
    /// Half took no longer.
    pub p50_us: u64,
    /// 90 of a hundred took no longer.
    pub p90_us: u64,
    /// 95 of a hundred took no longer.
    pub p95_us: u64,
    /// 99 of a hundred took no longer.
    pub p99_us: u64,
    /// 999 of a thousand took no longer.
    pub p999_us: u64,
}

/// Takes observations in. About 25 KB once something was recorded.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    exact: Observed,
    histogram: Option<Histogram<u64>>,
}

impl Recorder {
    pub(super) fn record(&mut self, us: u64, count: u64) {
        self.exact.observe(us);
        self.exact.count += count - 1;
        self.exact.sum = self.exact.sum.saturating_add(us.saturating_mul(count - 1));
        self.histogram().saturating_record_n(us, count);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let Some(histogram) = &other.histogram else { return };
        if other.exact.count == 0 {
            return;
        }
        let first = self.exact.count == 0;
        let (own, more) = (&mut self.exact, &other.exact);
        own.min = if first { more.min } else { own.min.min(more.min) };
        own.max = own.max.max(more.max);
        own.count += more.count;
        own.sum = own.sum.saturating_add(more.sum);
        self.histogram().add(histogram).expect("all recorders have the same bounds");
    }

    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Not more than this was observed in that part of all cases.
    fn quantile(&self, part: f64) -> u64 {
        let found = self.histogram.as_ref().map(|all| all.value_at_quantile(part));
        // The bucket's upper end may lie beyond what was really observed.
        found.unwrap_or(0).min(self.exact.max)
    }

    pub(super) fn summed(&self) -> Summed {
        Summed { observed: self.exact, median: self.quantile(0.5) }
    }

    pub(super) fn timed(&self) -> Timed {
        let quantile = |part| self.quantile(part);
        Timed {
            count: self.exact.count,
            sum_us: self.exact.sum,
            min_us: self.exact.min,
            max_us: self.exact.max,
            p50_us: quantile(0.5),
            p90_us: quantile(0.9),
            p95_us: quantile(0.95),
            p99_us: quantile(0.99),
            p999_us: quantile(0.999),
        }
    }

    fn histogram(&mut self) -> &mut Histogram<u64> {
        self.histogram.get_or_insert_with(|| {
            Histogram::new_with_bounds(1, LONGEST_US, 2).expect("constant bounds are valid")
        })
    }
}
