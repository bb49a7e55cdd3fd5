//! Which zxid of Rookery stands for which of `ZooKeeper`.
//!
//! Each write has a pair. Other zxids are *old*, from before the comparison began, or
//! *foreign*: of a change that no client made through this proxy.

use std::collections::{BTreeMap, BTreeSet};

/// Pairs that are remembered; the oldest go first. A znode that was changed longer ago is
/// compared without its zxids.
const PAIRS_MAX: usize = 1 << 20;

/// The pairs.
#[derive(Debug, Default)]
pub(crate) struct Zxids {
    forth: BTreeMap<i64, Pair>,
    back: BTreeMap<i64, i64>,
    /// Writes through the proxy that have no pair: not yet, or because Rookery refused them.
    unpaired: BTreeSet<i64>,
    /// Up to here, zxids of `ZooKeeper` are older than the comparison, or forgotten.
    old: i64,
    /// The same for Rookery.
    old_rookery: i64,
}

#[derive(Clone, Copy, Debug)]
struct Pair {
    rookery: i64,
    /// When the change was made, by either clock.
    times: Option<(i64, i64)>,
}

/// What a zxid of `ZooKeeper` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Its counterpart.
    Pair(i64),
    /// From before.
    Old,
    /// Nobody's, or its counterpart is not known yet.
    Foreign,
}

impl Zxids {
    /// All up to here is old.
    pub(crate) fn set_old(&mut self, zookeeper: i64, rookery: i64) {
        self.old = self.old.max(zookeeper);
        self.old_rookery = self.old_rookery.max(rookery);
    }

    /// A write through the proxy; its pair is not known yet, and may never be.
    pub(crate) fn begin(&mut self, zookeeper: i64) {
        self.unpaired.insert(zookeeper);
        if self.unpaired.len() > PAIRS_MAX {
            self.unpaired.pop_first();
        }
    }

    /// It was repeated, with success.
    pub(crate) fn pair(&mut self, zookeeper: i64, rookery: i64) {
        self.unpaired.remove(&zookeeper);
        self.forth.insert(zookeeper, Pair { rookery, times: None });
        self.back.insert(rookery, zookeeper);
        if self.forth.len() > PAIRS_MAX
            && let Some((zookeeper, pair)) = self.forth.pop_first()
        {
            self.back.remove(&pair.rookery);
            self.set_old(zookeeper, pair.rookery);
        }
    }

    /// Whether a change with this zxid was made through the proxy.
    pub(crate) fn is_ours(&self, zookeeper: i64) -> bool {
        self.unpaired.contains(&zookeeper) || self.forth.contains_key(&zookeeper)
    }

    /// Whether it is from before the comparison.
    pub(crate) const fn is_old(&self, zookeeper: i64) -> bool {
        zookeeper <= self.old
    }

    /// What a zxid of `ZooKeeper` is.
    pub(crate) fn known(&self, zookeeper: i64) -> Known {
        match self.forth.get(&zookeeper) {
            Some(pair) => Known::Pair(pair.rookery),
            None if zookeeper <= self.old => Known::Old,
            None => Known::Foreign,
        }
    }

    /// Whether a zxid of Rookery is from before.
    pub(crate) const fn is_old_rookery(&self, rookery: i64) -> bool {
        rookery <= self.old_rookery
    }

    /// The zxid of `ZooKeeper` that one of Rookery stands for.
    pub(crate) fn back(&self, rookery: i64) -> Option<i64> {
        self.back.get(&rookery).copied()
    }

    /// The zxid of Rookery by which all was done that was done up to this one: for a client
    /// that tells what it has seen. `None` if that is older than the comparison.
    pub(crate) fn floor(&self, zookeeper: i64) -> Option<i64> {
        if let Some((_, pair)) = self.forth.range(..=zookeeper).next_back() {
            return Some(pair.rookery);
        }
        (zookeeper >= self.old).then_some(self.old_rookery)
    }

    /// Whether two times of one change are the ones that were seen before.
    pub(crate) fn agree_on_times(&mut self, zookeeper: i64, times: (i64, i64)) -> bool {
        let Some(pair) = self.forth.get_mut(&zookeeper) else { return true };
        *pair.times.get_or_insert(times) == times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zxids_are_pairs_old_or_foreign() {
        let mut zxids = Zxids::default();
        zxids.set_old(10, 100);
        zxids.begin(12);
        assert!(zxids.is_ours(12));
        assert_eq!(zxids.known(12), Known::Foreign);
        zxids.pair(12, 101);
        zxids.pair(15, 105);
        zxids.begin(16);
        assert_eq!(
            [5, 11, 12, 16].map(|zxid| zxids.known(zxid)),
            [Known::Old, Known::Foreign, Known::Pair(101), Known::Foreign]
        );
        assert_eq!(
            [9, 10, 11, 13, 99].map(|zxid| zxids.floor(zxid)),
            [None, Some(100), Some(100), Some(101), Some(105)]
        );
        assert!(zxids.is_ours(16) && !zxids.is_ours(11));
        assert_eq!((zxids.back(105), zxids.back(100)), (Some(15), None));
    }

    #[test]
    fn one_change_has_one_time_on_each_server() {
        let mut zxids = Zxids::default();
        zxids.pair(1, 2);
        assert!(zxids.agree_on_times(1, (50, 60)));
        assert!(zxids.agree_on_times(1, (50, 60)));
        assert!(!zxids.agree_on_times(1, (50, 61)));
        assert!(zxids.agree_on_times(7, (1, 1)));
    }
}
