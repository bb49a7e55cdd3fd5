//! The digest of the tree at certain transactions, so that servers can be compared.

use std::collections::VecDeque;

use crate::{State, ids::Zxid};

/// Compat(digest-points): ZooKeeper keeps this many, ...
const POINTS_MAX: usize = 1024;
/// ... one for each zxid that this divides.
const INTERVAL: i64 = 128;

/// The newest points. Not part of the replicated state: a restart begins anew.
#[derive(Debug, Default)]
pub(super) struct DigestPoints {
    points: VecDeque<(Zxid, u64)>,
}

impl State {
    /// ZooKeeper's digest of the tree (version 2), kept with every change.
    pub fn digest(&self) -> u64 {
        self.nodes.totals().digest
    }

    /// The digests at the last 1024 zxids divisible by 128, oldest first.
    pub fn digest_points(&self) -> impl Iterator<Item = (Zxid, u64)> {
        self.digests.points.iter().copied()
    }

    /// To be called when a transaction has been applied.
    pub(crate) fn note_digest(&mut self) {
        if self.zxid.0 % INTERVAL != 0 {
            return;
        }
        if self.digests.points.len() == POINTS_MAX {
            self.digests.points.pop_front();
        }
        self.digests.points.push_back((self.zxid, self.digest()));
    }
}
