//! The digests of its state that a server remembers, one for every 128th transaction: those of
//! the same transaction must be equal on all servers.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use crate::ensemble::Ensemble;
use crate::oracle::process::four_letter_word;
use crate::raw::{Session, Writer, put_create_flagged};

/// How long servers may take to come to the same transaction.
const WITHIN: Duration = Duration::from_secs(60);
const SESSION_MS: i32 = 30_000;
const CREATE: i32 = 1;
const SEQUENTIAL: i32 = 2;
/// Transactions from one digest to the next.
const APART: usize = 128;

/// The digests that a server remembers, by zxid.
///
/// # Panics
/// When the server does not answer.
pub fn remembered(ensemble: &Ensemble, index: usize) -> BTreeMap<u64, String> {
    let text = four_letter_word(ensemble.address(index), "hash").expect("an answer to `hash`");
    let pair = |line: &str| {
        let (zxid, digest) = line.split_once(": ")?;
        Some((u64::from_str_radix(zxid, 16).ok()?, digest.to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

/// Writes until all servers remember a digest of a transaction behind all that is there now,
/// and compares all digests that they have in common.
///
/// # Panics
/// When two of them differ, or they do not come that far in time.
pub fn until_equal(ensemble: &Ensemble) {
    let deadline = Instant::now() + WITHIN;
    let assert_in_time = |why: &dyn std::fmt::Debug| {
        let in_time = Instant::now() < deadline;
        assert!(in_time, "no digests in common: {why:?} {}", ensemble.outputs());
    };
    let mut begun = None;
    loop {
        match write(ensemble) {
            Ok(()) => begun = begun.or_else(|| ensemble.zxid(0)),
            // A server that has lost its leader sends its clients away.
            Err(error) => assert_in_time(&error),
        }
        let of: Vec<_> = (0..ensemble.len()).map(|index| remembered(ensemble, index)).collect();
        let is_common = |zxid: &&u64| of.iter().all(|one| one.contains_key(zxid));
        let common: Vec<u64> = of[0].keys().filter(is_common).copied().collect();
        for zxid in &common {
            for (index, one) in of.iter().enumerate() {
                assert_eq!(one[zxid], of[0][zxid], "server {} at {zxid:x}", index + 1);
            }
        }
        if begun.is_some_and(|begun| common.iter().any(|zxid| *zxid > begun)) {
            return;
        }
        assert_in_time(&common);
    }
}

/// As many transactions as one digest takes.
fn write(ensemble: &Ensemble) -> io::Result<()> {
    let mut session = Session::open(ensemble.address(0), SESSION_MS)?;
    let create = |_, out: &mut Writer| put_create_flagged(out, "/after-", b"", SEQUENTIAL);
    let answers = session.ask_all(APART, CREATE, create)?;
    match answers.iter().find(|answer| !answer.is_success()) {
        Some(other) => Err(io::Error::other(format!("creating a znode: {other:?}"))),
        None => Ok(()),
    }
}
