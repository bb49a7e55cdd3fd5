//! Which crate may know which: the table of ARCHITECTURE.md as data.

use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::Problems;

/// Our crates, and those of ours that each may depend on outside its tests.
const EDGES: &[(&str, &[&str])] = &[
    ("base2histogram", &[]),
    ("fault-points", &[]),
    ("jute", &[]),
    ("jute-codegen", &[]),
    ("proto", &["jute"]),
    ("tree", &[]),
    ("session", &["proto", "tree", "jute"]),
    ("raft-log", &["jute", "tree", "fault-points"]),
    ("sim", &["proto", "tree", "session", "raft-log"]),
    ("store", &["jute", "tree", "raft-log", "fault-points"]),
    ("server", &["jute", "proto", "tree", "session", "raft-log", "store", "fault-points"]),
    ("crosscheck", &["proto"]),
    ("cli", &["server", "crosscheck", "proto", "jute", "fault-points"]),
    ("xtask", &["jute-codegen", "fault-points"]),
    ("compat-tests", &["jute", "proto", "fault-points"]),
    ("benches", &["jute", "proto", "tree", "session"]),
];

/// Crates from outside that only one of ours may use.
const PRIVATE: &[(&str, &str)] = &[("openraft", "raft-log"), ("rocksdb", "store")];

/// Compares the workspace with the tables.
pub(crate) fn check(root: &Path) -> Problems {
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec();
    let metadata = match metadata {
        Ok(metadata) => metadata,
        Err(error) => return vec![format!("cargo metadata: {error}")],
    };
    let mut problems = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let Some((_, allowed)) = EDGES.iter().find(|(known, _)| *known == name) else {
            problems.push(format!("{name}: not in the table of crates (xtask/src/edges.rs)"));
            continue;
        };
        let normal = package.dependencies.iter().filter(|to| to.kind == DependencyKind::Normal);
        for dependency in normal {
            let to = dependency.name.as_str();
            if EDGES.iter().any(|(ours, _)| *ours == to) && !allowed.contains(&to) {
                problems.push(format!("{name} must not depend on {to}"));
            }
            if let Some((_, owner)) = PRIVATE.iter().find(|(outside, _)| *outside == to)
                && *owner != name
            {
                problems.push(format!("{name} must not depend on {to}: that is {owner}'s"));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_has_no_cycle_and_no_stranger() {
        // Each crate may depend on those above it in the table, and on no other.
        let mut above = BTreeSet::new();
        for (name, allowed) in EDGES {
            for to in *allowed {
                assert!(above.contains(to), "{name} -> {to}");
            }
            above.insert(*name);
        }
        assert!(PRIVATE.iter().all(|(_, owner)| above.contains(owner)));
    }
}
