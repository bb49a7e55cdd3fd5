//! One message between servers: the first byte says which kind, the rest is its record.

use crate::{Seed, named};

/// Reads it as those do who get it.
pub fn check(input: &[u8]) {
    raft_log::fuzzing::message(input);
}

/// One of every kind.
pub fn seeds() -> Vec<Seed> {
    named(raft_log::fuzzing::frames())
}
