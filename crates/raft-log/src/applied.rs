//! How far the machine is, for those who wait for a place in the log.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::disk::LogPosition;

/// The last entry that is in the machine.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    term: AtomicU64,
    /// The number of the entry after it; 0 for none.
    next: AtomicU64,
    waiting: AtomicUsize,
    bell: Notify,
}

impl Applied {
    pub(crate) fn set(&self, at: LogPosition) {
        self.term.store(at.term, Ordering::Relaxed);
        self.next.store(at.index + 1, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.bell.notify_waiters();
        }
    }

    pub(crate) fn get(&self) -> Option<LogPosition> {
        let next = self.next.load(Ordering::SeqCst);
        let term = self.term.load(Ordering::Relaxed);
        next.checked_sub(1).map(|index| LogPosition { term, index })
    }

    /// Returns when the entry of that number is in the machine.
    pub(crate) async fn reach(&self, index: u64) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _leave = Leave(&self.waiting);
        loop {
            let rung = self.bell.notified();
            if self.next.load(Ordering::SeqCst) > index {
                return;
            }
            rung.await;
        }
    }
}

struct Leave<'w>(&'w AtomicUsize);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
