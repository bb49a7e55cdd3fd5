//! A connection between servers from its first byte: the handshake, both sides of it, and the
//! frames behind it. Checksums make most inputs end early; `peer_message` has none.

use crate::{Seed, named, runtime};

/// Hears it as the server that was dialled, and as the one that dialled.
pub fn check(input: &[u8]) {
    runtime(raft_log::fuzzing::stranger(input));
}

/// Greetings and answers.
pub fn seeds() -> Vec<Seed> {
    named(raft_log::fuzzing::handshakes())
}
