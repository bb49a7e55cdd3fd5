//! How long ago this server was last in touch with a quorum.
//!
//! The leader knows when a quorum last answered it, and says so with everything it sends.
//! So a follower whose leader has itself been cut off knows that, too.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// When this server was last in touch with a quorum through its leader.
#[derive(Debug, Default)]
pub(crate) struct Contact(Mutex<Option<Instant>>);

impl Contact {
    /// The leader was heard; a quorum had answered it this long ago.
    pub(crate) fn heard(&self, quorum_age: Duration) {
        let now = Instant::now();
        let at = now.checked_sub(quorum_age).unwrap_or(now);
        let mut last = self.0.lock();
        *last = (*last).max(Some(at));
    }

    /// How long ago that was; none if never.
    pub(crate) fn age(&self) -> Option<Duration> {
        self.0.lock().map(|at| at.elapsed())
    }
}
