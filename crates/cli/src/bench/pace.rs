//! When to send: the window of a measurement, and the schedule of an open loop. No clock of its
//! own; every instant is an argument.

use std::time::{Duration, Instant};

/// The time in which operations are counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// First instant that counts; before it the load warms the server up.
    pub(super) from: Instant,
    /// First instant that counts no longer; `None`: as long as there are operations left.
    pub(super) until: Option<Instant>,
}

impl Window {
    /// Whether nothing more is to be sent.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now >= until)
    }

    /// Whether an operation due at `due` and answered at `now` is counted.
    ///
    /// A closed loop counts what completes in the window. An open loop counts what was due in it,
    /// however late the answer: that is its point. So does a run of a number of operations.
    pub(super) fn counts(&self, due: Instant, now: Instant, is_open_loop: bool) -> bool {
        if is_open_loop || self.until.is_none() {
            due >= self.from
        } else {
            now >= self.from && !self.is_over(now)
        }
    }
}

/// The instants at which an open loop sends, evenly spaced.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    start: Instant,
    interval: f64,
    sent: u64,
}

impl Schedule {
    /// `rate` a second, the first after `offset` of an interval (0–1), so that several threads
    /// do not send in step.
    pub(super) fn new(start: Instant, rate: f64, offset: f64) -> Self {
        let interval = 1.0 / rate;
        Self { start: start + Duration::from_secs_f64(interval * offset), interval, sent: 0 }
    }

    /// When the next request is due.
    pub(super) fn due(&self) -> Instant {
        // Multiplied, not added up, so that rounding does not accumulate.
        self.start + Duration::from_secs_f64(self.interval * self.sent as f64)
    }

    /// Moves on to the request after.
    pub(super) fn advance(&mut self) {
        self.sent += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_does_not_drift() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, 3.0, 0.5);
        for _ in 0..3_000 {
            schedule.advance();
        }
        let lag = schedule.due() - start;
        assert!((lag.as_secs_f64() - (1000.0 + 0.5 / 3.0)).abs() < 1e-6);
    }

    #[test]
    fn an_open_loop_counts_late_answers_and_a_closed_one_does_not() {
        let from = Instant::now();
        let second = Duration::from_secs(1);
        let window = Window { from, until: Some(from + second) };
        assert!(window.counts(from, from + 5 * second, true));
        assert!(!window.counts(from, from + 5 * second, false));
        assert!(window.counts(from - second, from + second / 2, false));
        assert!(!window.counts(from - second, from + second / 2, true));
    }
}
