//! Tells the director what passes, without ever making a client wait.
//!
//! What waits for the director is bounded in bytes. When there is no room, the connection is
//! told of no more: its bytes go on to their destination, only nobody compares them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedSender;

use crate::input::{ConnId, Input};

/// What a message takes beside its bytes, roughly.
const MESSAGE_BYTES: usize = 128;

/// How much is held for the comparison, of all connections together.
#[derive(Debug)]
pub(crate) struct Budget {
    /// Told, and not looked at yet.
    queued: AtomicUsize,
    /// Looked at, and not compared yet.
    held: AtomicUsize,
    max: usize,
    /// Whether nothing is compared any more.
    is_over: AtomicBool,
}

impl Budget {
    /// At most `max` bytes.
    pub(crate) const fn new(max: usize) -> Self {
        Self {
            queued: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            max,
            is_over: AtomicBool::new(false),
        }
    }

    fn take(&self, bytes: usize) -> bool {
        let held = self.held.load(Ordering::Relaxed);
        let queued = self.queued.fetch_add(bytes, Ordering::Relaxed);
        let fits = queued.saturating_add(held).saturating_add(bytes) <= self.max;
        if !fits {
            self.queued.fetch_sub(bytes, Ordering::Relaxed);
        }
        fits
    }

    /// A chunk of this length was looked at.
    pub(crate) fn give_back(&self, bytes: usize) {
        self.queued.fetch_sub(bytes + MESSAGE_BYTES, Ordering::Relaxed);
    }

    /// What the director holds now.
    pub(crate) fn set_held(&self, bytes: usize) {
        self.held.store(bytes, Ordering::Relaxed);
    }

    /// Nothing is compared any more.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// The tap on one connection, for both of its directions.
#[derive(Debug)]
pub(crate) struct Tap {
    conn: ConnId,
    budget: Arc<Budget>,
    to: UnboundedSender<Input>,
    is_lost: AtomicBool,
}

impl Tap {
    /// Tells of the connection, from its beginning.
    pub(crate) fn open(conn: ConnId, budget: Arc<Budget>, to: UnboundedSender<Input>) -> Self {
        let tap = Self { conn, budget, to, is_lost: AtomicBool::new(false) };
        tap.tell(Input::Opened(conn));
        tap
    }

    /// A client's bytes; to be called before they are forwarded.
    pub(crate) fn client(&self, bytes: &[u8]) {
        self.chunk(bytes, Input::FromClient);
    }

    /// `ZooKeeper`'s bytes.
    pub(crate) fn zookeeper(&self, bytes: &[u8]) {
        self.chunk(bytes, Input::FromZooKeeper);
    }

    fn chunk(&self, bytes: &[u8], as_input: impl FnOnce(ConnId, Bytes) -> Input) {
        if self.is_lost.load(Ordering::Relaxed) || self.budget.is_over.load(Ordering::Relaxed) {
            return;
        }
        if self.budget.take(bytes.len() + MESSAGE_BYTES) {
            self.tell(as_input(self.conn, Bytes::copy_from_slice(bytes)));
        } else if !self.is_lost.swap(true, Ordering::Relaxed) {
            self.tell(Input::Lost(self.conn));
        }
    }

    fn tell(&self, input: Input) {
        // The director ends only with the program.
        let _ = self.to.send(input);
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.tell(Input::Ended(self.conn));
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[test]
    fn what_does_not_fit_ends_the_tap_and_nothing_else() {
        let (to, mut inputs) = unbounded_channel();
        let budget = Arc::new(Budget::new(1000));
        let tap = Tap::open(ConnId(7), Arc::clone(&budget), to);
        tap.client(&[1; 500]);
        tap.zookeeper(&[2; 500]);
        budget.give_back(500);
        tap.client(&[3; 10]);
        drop(tap);
        let mut told = Vec::new();
        while let Ok(input) = inputs.try_recv() {
            told.push(format!("{input:?}").split('(').next().unwrap().to_owned());
        }
        assert_eq!(told, ["Opened", "FromClient", "Lost", "Ended"]);
    }
}
