//! A log entry: commands, or the members of the ensemble.

use crate::{Seed, named};

/// Reads it in every way that an entry can be read.
pub fn check(input: &[u8]) {
    raft_log::fuzzing::entry(input);
    raft_log::fuzzing::members(input);
}

/// Commands of every kind, and members.
pub fn seeds() -> Vec<Seed> {
    named(raft_log::fuzzing::entries())
}
