//! What is counted of a write on its way through several servers. A server that stands alone
//! counts none of it.
//!
//! ZooKeeper tells a leader's figures from those of its followers, so the same step counts
//! under another name when the duty changes. Times between servers compare their clocks, as
//! in ZooKeeper.

use std::{
    sync::atomic::{AtomicU8, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tree::Millis;

use super::{Counter, Latency, Metrics, Sizes};

/// What a server does among others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// There are no others.
    Alone,
    /// Orders the writes.
    Leads,
    /// Follows and votes, or looks for a leader.
    Follows,
    /// Follows without a vote.
    Observes,
}

const DUTIES: [Duty; 4] = [Duty::Alone, Duty::Leads, Duty::Follows, Duty::Observes];

/// One entry of the log: what ZooKeeper calls a proposal, with more than one write in it.
#[derive(Clone, Copy, Debug)]
pub struct Proposal {
    /// Its number.
    pub index: u64,
    /// Its writes.
    pub commands: u64,
    /// Its length.
    pub bytes: u64,
    /// When the server that it came from made it, by that server's clock.
    pub made: Millis,
}

/// The figures that need more than a counter.
#[derive(Debug, Default)]
pub(super) struct Quorum {
    duty: AtomicU8,
    sizes: Mutex<Option<Sizes>>,
    /// A proposal that a quorum is waited for, and since when: one at a time is timed.
    timed: Mutex<Option<(u64, Instant)>>,
}

impl Metrics {
    /// What this server does among others.
    pub fn duty(&self) -> Duty {
        DUTIES[usize::from(self.quorum.duty.load(Ordering::Relaxed)) % DUTIES.len()]
    }

    /// The duty has changed. A new leader's proposals are measured anew.
    pub fn set_duty(&self, duty: Duty) {
        if duty == Duty::Leads && self.duty() != duty {
            self.reset_proposal_sizes();
        }
        self.quorum.duty.store(duty as u8, Ordering::Relaxed);
    }

    /// Lengths of the proposals that this server made since it leads, or since `srst`.
    pub fn proposal_sizes(&self) -> Option<Sizes> {
        *self.quorum.sizes.lock()
    }

    pub(super) fn reset_proposal_sizes(&self) {
        *self.quorum.sizes.lock() = None;
        *self.quorum.timed.lock() = None;
    }

    /// A proposal is about to be written to this server's disk.
    pub fn proposed(&self, proposal: &Proposal, now: Millis) {
        match self.duty() {
            Duty::Alone => {}
            Duty::Leads => {
                self.count(Counter::Proposals, proposal.commands);
                self.note_size(proposal.bytes);
                self.quorum.timed.lock().get_or_insert((proposal.index, Instant::now()));
            }
            Duty::Follows => {
                self.count(Counter::ProposalsReceived, proposal.commands);
                self.timed(Latency::Proposal, proposal.commands, since_us(proposal.made, now));
            }
            // Compat(observer-proposals): an observer is told of commits only, in ZooKeeper.
            Duty::Observes => {}
        }
    }

    /// A proposal is on this server's disk.
    pub fn logged(&self, proposal: &Proposal, now: Millis) {
        match self.duty() {
            Duty::Alone | Duty::Observes => {}
            Duty::Leads | Duty::Follows => {
                let us = since_us(proposal.made, now);
                self.timed(Latency::AckCreation, proposal.commands, us);
            }
        }
    }

    /// A proposal was decided and is about to be applied.
    pub fn committed(&self, proposal: &Proposal, now: Millis) {
        let us = since_us(proposal.made, now);
        let counter = match self.duty() {
            Duty::Alone => return,
            Duty::Leads => {
                self.time_quorum(proposal);
                Counter::Commits
            }
            Duty::Follows | Duty::Observes => {
                self.timed(Latency::CommitPropagation, proposal.commands, us);
                Counter::CommitsReceived
            }
        };
        self.count(counter, proposal.commands);
        self.count(Counter::CommitsQueued, proposal.commands);
        self.timed(Latency::Propagation, proposal.commands, us);
    }

    fn note_size(&self, bytes: u64) {
        let mut sizes = self.quorum.sizes.lock();
        let known = sizes.unwrap_or(Sizes { last: bytes, min: bytes, max: bytes });
        *sizes = Some(Sizes { last: bytes, min: known.min.min(bytes), max: known.max.max(bytes) });
    }

    fn time_quorum(&self, proposal: &Proposal) {
        let mut timed = self.quorum.timed.lock();
        let Some((index, since)) = *timed else { return };
        if proposal.index >= index {
            *timed = None;
            self.timed(Latency::QuorumAck, proposal.commands, microseconds(since.elapsed()));
        }
    }
}

/// Microseconds from one reading of a wall clock to another; 0 when the clocks disagree.
fn since_us(made: Millis, now: Millis) -> u64 {
    u64::try_from(now.0.saturating_sub(made.0)).unwrap_or(0).saturating_mul(1000)
}

fn microseconds(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn proposal(index: u64, bytes: u64) -> Proposal {
        Proposal { index, commands: 2, bytes, made: Millis(1000) }
    }

    fn pass(metrics: &Metrics, index: u64, bytes: u64) {
        metrics.proposed(&proposal(index, bytes), Millis(1002));
        metrics.logged(&proposal(index, bytes), Millis(1003));
        metrics.committed(&proposal(index, bytes), Millis(1004));
    }

    #[test]
    fn a_server_that_stands_alone_counts_none_of_it() {
        let metrics = Metrics::new();
        pass(&metrics, 1, 10);
        let figures = metrics.figures();
        for counter in [Counter::Proposals, Counter::Commits, Counter::CommitsQueued] {
            assert_eq!(figures.counter(counter), 0, "{counter:?}");
        }
        assert_eq!(metrics.proposal_sizes(), None);
    }

    #[test]
    fn each_duty_counts_under_its_own_names() {
        let metrics = Metrics::new();
        metrics.set_duty(Duty::Leads);
        pass(&metrics, 1, 10);
        pass(&metrics, 2, 4);
        assert_eq!(metrics.proposal_sizes(), Some(Sizes { last: 4, min: 4, max: 10 }));
        metrics.set_duty(Duty::Follows);
        pass(&metrics, 3, 7);
        metrics.set_duty(Duty::Observes);
        pass(&metrics, 4, 7);
        let figures = metrics.figures();
        assert_eq!(figures.counter(Counter::Proposals), 4);
        assert_eq!(figures.counter(Counter::Commits), 4);
        assert_eq!(figures.counter(Counter::ProposalsReceived), 2);
        assert_eq!(figures.counter(Counter::CommitsReceived), 4);
        assert_eq!(figures.counter(Counter::CommitsQueued), 8);
        assert_eq!(figures.latency(Latency::QuorumAck).count, 4);
        assert_eq!(figures.latency(Latency::Proposal).max_us, 2000);
        assert_eq!(figures.latency(Latency::AckCreation).count, 6);
        assert_eq!(figures.latency(Latency::CommitPropagation).count, 4);
        assert_eq!(figures.requests.count, 0, "these are no requests of clients");
        metrics.set_duty(Duty::Leads);
        assert_eq!(metrics.proposal_sizes(), None, "a new leader measures anew");
    }

    #[test]
    fn clocks_that_disagree_are_no_time_at_all() {
        assert_eq!(since_us(Millis(5), Millis(3)), 0);
    }
}
