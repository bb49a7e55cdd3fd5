//! The clocks of servers: each has its own idea of what time it is, and of how fast that goes.

use std::time::Duration;

use tokio::time::Instant;
use tree::Millis;

use crate::chance::Chance;

/// How much too fast or too slow a clock may go, in parts of a thousand. A real one is a
/// thousand times better.
const DRIFT_MAX: u64 = 30;
/// How far from the truth a wall clock may be, in milliseconds.
const OFFSET_MAX_MS: u64 = 600_000;

/// A server's clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Instant,
    /// Its milliseconds in a thousand true ones.
    rate: u64,
    /// What its wall clock shows at the beginning.
    offset_ms: u64,
}

impl Clock {
    /// A clock that is wrong in its own way.
    pub fn new(began: Instant, chance: &Chance) -> Self {
        let rate = 1000 - DRIFT_MAX + chance.below(2 * DRIFT_MAX + 1);
        Self { began, rate, offset_ms: chance.below(OFFSET_MAX_MS) }
    }

    /// Milliseconds that never go back.
    pub fn monotonic_ms(&self) -> u64 {
        let true_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        true_ms.saturating_mul(self.rate) / 1000
    }

    /// What it says the time is.
    pub fn wall(&self) -> Millis {
        Millis(i64::try_from(self.offset_ms + self.monotonic_ms()).unwrap_or(i64::MAX))
    }

    /// How long a span of this clock may be in truth, at the least.
    pub fn at_least(span: Duration) -> Duration {
        span.mul_f64(1000.0 / (1000 + DRIFT_MAX) as f64)
    }
}
