//! The digests of several servers at the same transactions, compared.
//!
//! A value that is told things and says what they mean; it sends nothing and knows no time.
//! Equal logs give equal digests, so that one who differs has lost or damaged something, or is
//! of a version with a mistake. Who is right is for a majority of the voters to say; where none
//! agrees, nobody is.

use std::collections::{BTreeMap, BTreeSet};

use tree::Zxid;

/// Transactions that are remembered: as many as each server remembers, and room for those that
/// are told between them while nothing is written.
const POINTS_MAX: usize = 2048;

/// Who can be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Comparable {
    /// The nodes of all members.
    pub(super) members: BTreeSet<u64>,
    /// Those of them that vote.
    pub(super) voters: BTreeSet<u64>,
}

/// Servers that have not the same state at a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// The newest such transaction of those just told.
    pub(super) zxid: Zxid,
    /// Every digest that was told of it, by node.
    pub(super) told: BTreeMap<u64, u64>,
    /// The digest that a majority of the voters has, if there is one.
    pub(super) right: Option<u64>,
    /// At how many of the transactions just told they differ.
    pub(super) count: u64,
}

impl Difference {
    /// Those who have not what the majority has, with what they have; nobody without one.
    pub(super) fn odd(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let told = self.told.iter().map(|(node, digest)| (*node, *digest));
        told.filter(|(_, digest)| self.right.is_some_and(|right| right != *digest))
    }
}

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    points: BTreeMap<Zxid, BTreeMap<u64, u64>>,
}

impl Comparison {
    /// A server tells its digests. Gives how it and the others differ, if they do; those who
    /// are found odd will have to tell again.
    pub(super) fn take(
        &mut self,
        node: u64,
        points: &[(Zxid, u64)],
        who: &Comparable,
    ) -> Option<Difference> {
        let newest = points.len().saturating_sub(POINTS_MAX);
        let mut found: Option<Difference> = None;
        for (zxid, digest) in points.iter().skip(newest) {
            let told = self.points.entry(*zxid).or_default();
            told.insert(node, *digest);
            told.retain(|node, _| who.members.contains(node));
            if told.values().all(|other| other == digest) {
                continue;
            }
            let count = found.map_or(0, |found| found.count) + 1;
            let (told, right) = (told.clone(), majority(told, &who.voters));
            found = Some(Difference { zxid: *zxid, told, right, count });
        }
        while self.points.len() > POINTS_MAX {
            self.points.pop_first();
        }
        let odd: Vec<u64> =
            found.iter().flat_map(|found| found.odd().map(|(node, _)| node)).collect();
        for told in self.points.values_mut() {
            told.retain(|node, _| !odd.contains(node));
        }
        found
    }
}

fn majority(told: &BTreeMap<u64, u64>, voters: &BTreeSet<u64>) -> Option<u64> {
    let agree = |digest: u64| {
        told.iter().filter(|(node, other)| **other == digest && voters.contains(node)).count()
    };
    told.values().copied().find(|digest| agree(*digest) > voters.len() / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(members: u64, voters: u64) -> Comparable {
        Comparable { members: (1..=members).collect(), voters: (1..=voters).collect() }
    }

    fn at(zxid: i64, digest: u64) -> [(Zxid, u64); 1] {
        [(Zxid(zxid), digest)]
    }

    #[test]
    fn servers_with_equal_digests_do_not_differ_and_other_transactions_are_not_compared() {
        let (mut comparison, who) = (Comparison::default(), who(3, 3));
        assert_eq!(comparison.take(1, &at(128, 7), &who), None);
        assert_eq!(comparison.take(2, &at(256, 8), &who), None);
        assert_eq!(comparison.take(3, &[(Zxid(128), 7), (Zxid(256), 8)], &who), None);
    }

    #[test]
    fn the_one_of_three_that_differs_is_odd_whoever_tells_last() {
        for last in 1..=3 {
            let (mut comparison, who) = (Comparison::default(), who(3, 3));
            let digest = |node: u64| if node == 2 { 6 } else { 7 };
            for node in (1..=3).filter(|node| *node != last) {
                comparison.take(node, &at(128, digest(node)), &who);
            }
            let found = comparison.take(last, &at(128, digest(last)), &who);
            // What the first two said may have been enough to see that they differ, but not who.
            let found = found.expect("they differ");
            assert_eq!((found.right, found.odd().collect()), (Some(7), vec![(2, 6)]));
        }
    }

    #[test]
    fn two_that_can_be_compared_differ_and_none_is_right() {
        for who in [who(2, 2), who(3, 3)] {
            let mut comparison = Comparison::default();
            comparison.take(1, &at(128, 7), &who);
            let found = comparison.take(2, &at(128, 6), &who).expect("they differ");
            assert_eq!((found.right, found.odd().count()), (None, 0));
        }
    }

    #[test]
    fn observers_are_compared_and_have_no_say() {
        let (mut comparison, who) = (Comparison::default(), who(5, 3));
        for (node, digest) in [(4, 6), (5, 6), (1, 7)] {
            comparison.take(node, &at(128, digest), &who);
        }
        let found = comparison.take(2, &at(128, 7), &who).expect("they differ");
        assert_eq!((found.right, found.odd().collect()), (Some(7), vec![(4, 6), (5, 6)]));
    }

    #[test]
    fn who_was_found_odd_or_has_left_is_not_found_again_by_what_it_told_before() {
        let (mut comparison, all) = (Comparison::default(), who(3, 3));
        for (node, digest) in [(1, 7), (2, 7)] {
            comparison.take(node, &at(128, digest), &all);
        }
        assert!(comparison.take(3, &at(128, 6), &all).is_some());
        assert_eq!(comparison.take(1, &at(128, 7), &all), None);
        assert!(comparison.take(3, &at(128, 6), &all).is_some(), "it says so again");

        let (mut comparison, two) = (Comparison::default(), who(2, 2));
        comparison.take(3, &at(256, 6), &all);
        assert_eq!(comparison.take(1, &at(256, 7), &two), None, "3 is no member any more");
    }

    #[test]
    fn it_counts_and_forgets_the_oldest() {
        let (mut comparison, who) = (Comparison::default(), who(2, 2));
        let points = |digest: u64| -> Vec<(Zxid, u64)> {
            (1..3000).map(|number| (Zxid(number * 128), digest)).collect()
        };
        comparison.take(1, &points(7), &who);
        assert_eq!(comparison.points.len(), POINTS_MAX);
        let found = comparison.take(2, &points(8), &who).expect("they differ");
        assert_eq!((found.zxid, found.count), (Zxid(2999 * 128), 2048));
        assert_eq!(comparison.points.len(), POINTS_MAX);
    }
}
