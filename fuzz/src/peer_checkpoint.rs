//! A checkpoint that another server sends: an offer, and parts of files.
//!
//! Each piece of the input is the record of one frame, so that no checksum must be guessed.

use crate::{
    Seed,
    input::{Input, put_bytes},
    named, runtime,
};

/// Takes it as far as it comes.
pub fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let mut records = Vec::new();
    while !input.is_empty() {
        records.push(input.bytes());
    }
    runtime(raft_log::fuzzing::checkpoint(&records));
}

/// One that comes as a whole, and others that do not.
pub fn seeds() -> Vec<Seed> {
    let pieces = |records: Vec<Vec<u8>>| {
        let mut out = Vec::new();
        records.iter().for_each(|record| put_bytes(&mut out, record));
        out
    };
    let seeds = raft_log::fuzzing::checkpoints().into_iter();
    named(seeds.map(|(name, records)| (name, pieces(records))).collect())
}
