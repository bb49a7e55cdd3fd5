//! What the next operation is: scenario, key and path. No sockets, no clock.

use std::fmt::Write;

use clap::ValueEnum;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// The kinds of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Scenario {
    /// Read the data of random keys.
    Get,
    /// Replace the data of random keys.
    Set,
    /// Create persistent znodes with new names.
    Create,
    /// Delete znodes that were created before the measurement.
    Delete,
    /// Reads and replacements of random keys, see `--reads`.
    Mixed,
    /// Connect, open a session, close it, disconnect.
    Session,
    /// Create `--keys` znodes, as fast as the server takes them.
    Fill,
    /// Change a znode that every connection watches; one operation is one event delivered.
    Watch,
}

impl Scenario {
    /// The name on the command line and in reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Mixed => "mixed",
            Self::Session => "session",
            Self::Fill => "fill",
            Self::Watch => "watch",
        }
    }
}

/// The kinds of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Get,
    Set,
    Create,
    Delete,
    /// Registers a persistent watch.
    Watch,
    /// Waits until the connection's server has caught up.
    Sync,
}

impl Kind {
    pub(super) fn is_read(self) -> bool {
        match self {
            Self::Get => true,
            Self::Set | Self::Create | Self::Delete | Self::Watch | Self::Sync => false,
        }
    }
}

/// A family of znodes: `prefix/PPPPPP/NNNNNNNN`, spread over `parents` parents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Space {
    prefix: String,
    parents: u64,
}

impl Space {
    /// Children of a parent in a family of known size: few enough to list in one reply.
    const CHILDREN_TARGET: u64 = 1000;

    /// The family for `keys` znodes below `root`.
    pub(super) fn sized(root: &str, name: &str, keys: u64) -> Self {
        let parents = keys.div_ceil(Self::CHILDREN_TARGET);
        Self { prefix: format!("{root}/{name}"), parents }
    }

    /// Every znode that must exist before the family's own, parents first.
    pub(super) fn ancestors(&self) -> impl Iterator<Item = String> + '_ {
        let mut prefixes = Vec::new();
        for (at, _) in self.prefix.match_indices('/').skip(1) {
            prefixes.push(self.prefix[..at].to_owned());
        }
        prefixes.push(self.prefix.clone());
        let parents = (0..self.parents).map(|parent| format!("{}/{parent:06}", self.prefix));
        prefixes.into_iter().chain(parents)
    }

    /// Writes the path of znode `key` into `path`, replacing what was there.
    pub(super) fn path(&self, key: u64, path: &mut String) {
        path.clear();
        path.push_str(&self.prefix);
        let parent = key % self.parents;
        // Writing to a string cannot fail.
        let _ = write!(path, "/{parent:06}/{key:08}");
    }
}

/// How a workload picks its next key.
#[derive(Clone, Debug)]
enum Keys {
    /// Any of the first `n`, equally likely.
    Random(u64),
    /// Each once: `next`, `next + step`, … below `end`.
    Each { next: u64, step: u64, end: u64 },
}

/// The stream of operations of one thread.
#[derive(Debug)]
pub(super) struct Workload {
    space: Space,
    keys: Keys,
    /// Percent of reads; the rest is `write`.
    reads: u8,
    write: Kind,
    rng: StdRng,
}

impl Workload {
    /// Reads (in percent) and replacements of random keys.
    pub(super) fn random(space: Space, keys: u64, reads: u8, seed: u64) -> Self {
        let rng = StdRng::seed_from_u64(seed);
        Self { space, keys: Keys::Random(keys), reads, write: Kind::Set, rng }
    }

    /// `kind` once for each key below `end` that falls to `thread` of `threads`.
    pub(super) fn each(space: Space, kind: Kind, end: u64, thread: u64, threads: u64) -> Self {
        let keys = Keys::Each { next: thread, step: threads, end };
        Self { space, keys, reads: 0, write: kind, rng: StdRng::seed_from_u64(0) }
    }

    /// The next operation, its path in `path`; `None` when all are done.
    pub(super) fn next(&mut self, path: &mut String) -> Option<Kind> {
        let key = match &mut self.keys {
            Keys::Random(keys) => self.rng.random_range(0..*keys),
            Keys::Each { next, step, end } => {
                let key = *next;
                if key >= *end {
                    return None;
                }
                *next += *step;
                key
            }
        };
        self.space.path(key, path);
        Some(self.kind())
    }

    fn kind(&mut self) -> Kind {
        match self.reads {
            0 => self.write,
            100 => Kind::Get,
            reads if self.rng.random_range(0..100) < reads => Kind::Get,
            _ => self.write,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ancestors_come_parents_first() {
        let space = Space::sized("/a/b", "keys", 2001);
        let all: Vec<_> = space.ancestors().collect();
        let parents = ["/a/b/keys/000000", "/a/b/keys/000001", "/a/b/keys/000002"];
        assert_eq!(all[..3], ["/a", "/a/b", "/a/b/keys"]);
        assert_eq!(all[3..], parents);
    }

    #[test]
    fn threads_share_the_keys_without_overlap() {
        let mut seen = Vec::new();
        for thread in 0..3 {
            let space = Space::sized("/b", "k", 10);
            let mut workload = Workload::each(space, Kind::Create, 10, thread, 3);
            let mut path = String::new();
            while workload.next(&mut path).is_some() {
                seen.push(path.clone());
            }
        }
        seen.sort();
        let expected: Vec<_> = (0..10).map(|key| format!("/b/k/000000/{key:08}")).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn one_seed_gives_one_stream() {
        let stream = |seed| {
            let mut workload = Workload::random(Space::sized("/b", "k", 99), 99, 50, seed);
            let mut path = String::new();
            let mut all = String::new();
            for _ in 0..100 {
                let kind = workload.next(&mut path);
                let _ = writeln!(all, "{kind:?} {path}");
            }
            all
        };
        assert_eq!(stream(7), stream(7));
        assert_ne!(stream(7), stream(8));
    }
}
