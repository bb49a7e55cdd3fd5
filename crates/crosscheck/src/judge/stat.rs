//! Two Stats of one znode.

use proto::Stat;

use super::Judge;
use super::baselines::Offsets;
use super::zxids::Known;
use crate::report::{Found, Reason};

impl Judge {
    /// Compares the Stats of a znode; `is_late` when Rookery's is of a later state.
    pub(super) fn stat(
        &mut self,
        path: &str,
        zookeeper: &Stat,
        rookery: &Stat,
        is_late: bool,
        found: &mut Vec<Found>,
    ) {
        let zxids = [
            ("czxid", zookeeper.czxid, rookery.czxid),
            ("mzxid", zookeeper.mzxid, rookery.mzxid),
            ("pzxid", zookeeper.pzxid, rookery.pzxid),
        ];
        for (field, left, right) in zxids {
            self.zxid(path, field, (left, right), found);
        }
        let times = [
            ("ctime", zookeeper.czxid, zookeeper.ctime, rookery.ctime),
            ("mtime", zookeeper.mzxid, zookeeper.mtime, rookery.mtime),
        ];
        for (field, zxid, left, right) in times {
            let is_pair = matches!(self.zxids.known(zxid), Known::Pair(_));
            let is_set = (left > 0) == (right > 0);
            if is_pair && !(is_set && self.zxids.agree_on_times(zxid, (left, right))) {
                found.push(Found::new(path, field, left, right));
            }
        }
        self.versions(path, zookeeper, rookery, is_late, found);
        self.owner(path, zookeeper.ephemeral_owner, rookery.ephemeral_owner, found);
        let numbers = [
            ("dataLength", zookeeper.data_length, rookery.data_length),
            ("numChildren", zookeeper.num_children, rookery.num_children),
        ];
        for (field, left, right) in numbers {
            if left != right {
                found.push(Found::new(path, field, left, right));
            }
        }
    }

    fn zxid(
        &mut self,
        path: &str,
        field: &'static str,
        (zookeeper, rookery): (i64, i64),
        found: &mut Vec<Found>,
    ) {
        let expected = match self.zxids.known(zookeeper) {
            Known::Pair(expected) if expected == rookery => return,
            Known::Pair(expected) => format!("{zookeeper:#x} ({expected:#x} on Rookery)"),
            Known::Old if self.zxids.is_old_rookery(rookery) => return,
            Known::Old => format!("{zookeeper:#x} (from before)"),
            Known::Foreign if field == "pzxid" => {
                self.marks.mark_children(path, Reason::Foreign);
                return;
            }
            Known::Foreign => {
                self.marks.mark(path, Reason::Foreign);
                return;
            }
        };
        let stands_for = match self.zxids.back(rookery) {
            Some(zookeeper) => format!("{rookery:#x} ({zookeeper:#x} on ZooKeeper)"),
            None if self.zxids.is_old_rookery(rookery) => format!("{rookery:#x} (from before)"),
            None => format!("{rookery:#x} (not made by this comparison)"),
        };
        found.push(Found::new(path, field, expected, stands_for));
    }

    fn versions(
        &mut self,
        path: &str,
        zookeeper: &Stat,
        rookery: &Stat,
        is_late: bool,
        found: &mut Vec<Found>,
    ) {
        let offsets = if self.zxids.is_old(zookeeper.czxid) {
            self.baselines.get(path)
        } else {
            Some(Offsets::default())
        };
        let Some(offsets) = offsets else {
            if !is_late && self.marks.whole(path).is_none() {
                self.baselines.learn(path, Offsets::between(zookeeper, rookery));
            }
            return;
        };
        let versions = [
            ("version", zookeeper.version, offsets.version, rookery.version),
            ("cversion", zookeeper.cversion, offsets.cversion, rookery.cversion),
            ("aversion", zookeeper.aversion, offsets.aversion, rookery.aversion),
        ];
        for (field, left, offset, right) in versions {
            if left.wrapping_add(offset) == right {
                continue;
            }
            let expected = match offset {
                0 => left.to_string(),
                _ => format!("{left} ({} on Rookery)", left.wrapping_add(offset)),
            };
            found.push(Found::new(path, field, expected, right));
        }
    }

    fn owner(&mut self, path: &str, zookeeper: i64, rookery: i64, found: &mut Vec<Found>) {
        let expected = match (zookeeper, self.sessions.get(&zookeeper)) {
            (0, _) => 0,
            (_, Some(expected)) => *expected,
            (_, None) => {
                self.marks.mark_existence(path, Reason::Before);
                return;
            }
        };
        if expected != rookery {
            let expected = format!("{zookeeper:#x} ({expected:#x} on Rookery)");
            found.push(Found::new(path, "ephemeralOwner", expected, format!("{rookery:#x}")));
        }
    }
}
