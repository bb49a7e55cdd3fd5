//! The only place that reads a clock.
//!
//! Everything below gets the time as an argument. Two clocks, never mixed: expiry and
//! latency use the monotonic one, znode times the wall clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tree::Millis;

/// Both clocks, started together with the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    /// A clock whose monotonic side starts at zero now.
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// Milliseconds since the server started; never goes back.
    pub(crate) fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Microseconds since the server started; never goes back.
    pub(crate) fn monotonic_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Milliseconds since 1970, as the operating system believes.
    pub(crate) fn wall(&self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
