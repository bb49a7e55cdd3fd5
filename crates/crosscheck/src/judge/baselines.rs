//! How far the versions of a znode on Rookery are from those on `ZooKeeper`.
//!
//! A znode that was created through the proxy has the same versions on both. One that was
//! there before need not: what counts from then on is that both move alike.

use std::collections::HashMap;

use proto::Stat;

/// Znodes that are remembered.
const OFFSETS_MAX: usize = 1 << 20;

/// Rookery's versions less `ZooKeeper`'s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offsets {
    /// Of the data.
    pub(crate) version: i32,
    /// Of the children.
    pub(crate) cversion: i32,
    /// Of the ACL.
    pub(crate) aversion: i32,
}

impl Offsets {
    /// Between two Stats of one znode.
    pub(crate) const fn between(zookeeper: &Stat, rookery: &Stat) -> Self {
        Self {
            version: rookery.version.wrapping_sub(zookeeper.version),
            cversion: rookery.cversion.wrapping_sub(zookeeper.cversion),
            aversion: rookery.aversion.wrapping_sub(zookeeper.aversion),
        }
    }
}

/// The offsets that are known.
#[derive(Debug, Default)]
pub(crate) struct Baselines {
    offsets: HashMap<String, Offsets>,
    /// Whether znodes without an entry are alike: they were copied.
    is_copied: bool,
}

impl Baselines {
    /// After a copy: what is not in `offsets` has the same versions.
    pub(crate) const fn copied(offsets: HashMap<String, Offsets>) -> Self {
        Self { offsets, is_copied: true }
    }

    /// The offsets of a znode from before; `None` when they are not known.
    pub(crate) fn get(&self, path: &str) -> Option<Offsets> {
        let known = self.offsets.get(path).copied();
        known.or_else(|| self.is_copied.then(Offsets::default))
    }

    /// Takes the first look at a znode from before as the measure of all later ones.
    pub(crate) fn learn(&mut self, path: &str, offsets: Offsets) {
        if self.offsets.len() < OFFSETS_MAX {
            self.offsets.insert(path.to_owned(), offsets);
        }
    }

    /// A znode was created through the proxy.
    pub(crate) fn created(&mut self, path: &str) {
        if self.is_copied {
            self.offsets.remove(path);
        } else {
            self.learn(path, Offsets::default());
        }
    }

    /// A znode was deleted.
    pub(crate) fn deleted(&mut self, path: &str) {
        self.offsets.remove(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_copied_is_alike_unless_it_is_known_not_to_be() {
        let off = Offsets { version: -3, ..Offsets::default() };
        let mut copied = Baselines::copied(HashMap::from([("/a".to_owned(), off)]));
        assert_eq!((copied.get("/a"), copied.get("/b")), (Some(off), Some(Offsets::default())));
        copied.created("/a");
        assert_eq!(copied.get("/a"), Some(Offsets::default()));

        let mut unknown = Baselines::default();
        assert_eq!(unknown.get("/a"), None);
        unknown.created("/a");
        assert_eq!(unknown.get("/a"), Some(Offsets::default()));
        unknown.deleted("/a");
        assert_eq!(unknown.get("/a"), None);
    }
}
