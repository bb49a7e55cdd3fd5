//! What happened in a run, and what must be true of it.
//!
//! Checked as it happens: every server applies the same command at the same zxid and has the
//! same digest after it; no command is applied twice; no session's former connection writes
//! after the session has moved. Checked at the end: a write that began after another one was
//! acknowledged has a higher zxid, and everything acknowledged is there.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::checks::Check;
use parking_lot::Mutex;
use tree::{Command, Op, OriginId, Outcome, Owner, SessionId, Zxid};

/// A command at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its place.
    pub zxid: Zxid,
    /// Who proposed it.
    pub origin: OriginId,
    /// Which of its proposer's it is.
    pub sequence: u64,
    /// The digest of the state after it.
    pub digest: u64,
}

/// A write that was acknowledged.
#[derive(Clone, Copy, Debug)]
struct Acknowledged {
    began: Duration,
    ended: Duration,
    zxid: Zxid,
}

#[derive(Debug, Default)]
struct Inner {
    applied: BTreeMap<i64, Applied>,
    commands: BTreeSet<(OriginId, u64)>,
    owners: BTreeMap<i64, Owner>,
    acknowledged: Vec<Acknowledged>,
    restored: u64,
    broken: Vec<String>,
}

/// The history of a run.
#[derive(Debug, Default)]
pub struct History {
    inner: Mutex<Inner>,
}

impl History {
    /// A server has applied a command.
    pub fn applied(&self, server: i64, now: &Applied, command: &Command<'_>, outcome: &Outcome) {
        let mut inner = self.inner.lock();
        if let Some(known) = inner.applied.get(&now.zxid.0) {
            if known != now {
                let what = format!("server {server} applies {now:?}, another one {known:?}");
                inner.broken(Check::Digests, &what);
            }
            return;
        }
        inner.applied.insert(now.zxid.0, *now);
        if !inner.commands.insert((now.origin, now.sequence)) {
            inner.broken(Check::Once, &format!("applied twice: {now:?}"));
        }
        inner.note_owner(command, outcome);
    }

    /// A server has taken over a checkpoint.
    pub fn restored(&self, server: i64, zxid: Zxid, digest: u64) {
        let mut inner = self.inner.lock();
        inner.restored += 1;
        let known = inner.applied.range(..=zxid.0).next_back().map(|(_, known)| *known);
        if let Some(known) = known
            && known.digest != digest
        {
            let what = format!("server {server} restored {digest:x} at {zxid}, not {known:?}");
            inner.broken(Check::Digests, &what);
        }
    }

    /// A client was told that its write is done.
    pub fn acknowledged(&self, began: Duration, ended: Duration, zxid: Zxid) {
        self.inner.lock().acknowledged.push(Acknowledged { began, ended, zxid });
    }

    /// Something else is wrong.
    pub fn broken(&self, check: Check, what: &str) {
        self.inner.lock().broken(check, what);
    }

    /// The highest zxid that anybody was told of before now.
    pub fn highest_acknowledged(&self) -> Zxid {
        let inner = self.inner.lock();
        inner.acknowledged.iter().map(|one| one.zxid).max().unwrap_or(Zxid::ZERO)
    }

    /// Whether something is wrong already.
    pub fn is_broken(&self) -> bool {
        !self.inner.lock().broken.is_empty()
    }

    /// How many writes were acknowledged, applied, and how many checkpoints taken over.
    pub fn counts(&self) -> (usize, usize, u64) {
        let inner = self.inner.lock();
        (inner.acknowledged.len(), inner.applied.len(), inner.restored)
    }

    /// A number for all that was applied: that of a run that is repeated is the same.
    pub fn fingerprint(&self) -> u64 {
        let inner = self.inner.lock();
        let numbers = inner.applied.values().flat_map(|one| {
            [one.zxid.0.cast_unsigned(), one.origin.node, one.sequence, one.digest]
        });
        let times = inner
            .acknowledged
            .iter()
            .map(|one| u64::try_from(one.ended.as_nanos()).unwrap_or(u64::MAX));
        // FNV-1a, over numbers.
        numbers.chain(times).fold(0xcbf2_9ce4_8422_2325, |hash: u64, number| {
            (hash ^ number).wrapping_mul(0x0100_0000_01b3)
        })
    }

    /// What is wrong, when all is over and every server has `last`.
    pub fn violations(&self, last: Zxid) -> Vec<String> {
        let inner = self.inner.lock();
        let mut broken = inner.broken.clone();
        let lost = inner.acknowledged.iter().filter(|one| one.zxid > last).count();
        if lost > 0 {
            let what = format!("{lost} acknowledged writes are lost: all end at {last}");
            broken.push(format!("{} {what}", Check::Lost));
        }
        broken.extend(inner.out_of_order().map(|what| format!("{} {what}", Check::Order)));
        broken
    }
}

impl Inner {
    /// Only the connection that a session has now may write for it.
    fn note_owner(&mut self, command: &Command<'_>, outcome: &Outcome) {
        let session = command.session;
        if session == SessionId::NONE || outcome.result.is_err() {
            return;
        }
        if matches!(command.op, Op::OpenSession { .. } | Op::AttachSession { .. }) {
            self.owners.insert(session.0, command.owner);
        } else if self.owners.get(&session.0) != Some(&command.owner) {
            let what = format!("{session:?} wrote at {} after it moved", outcome.zxid);
            self.broken(Check::Owners, &what);
        }
    }

    fn broken(&mut self, check: Check, what: &str) {
        self.broken.push(format!("{check} {what}"));
    }

    /// A write that began when another one was known to be done, and comes before it.
    fn out_of_order(&self) -> Option<String> {
        let mut by_end: Vec<&Acknowledged> = self.acknowledged.iter().collect();
        by_end.sort_by_key(|one| one.ended);
        let mut by_begin = by_end.clone();
        by_begin.sort_by_key(|one| one.began);
        let mut done = by_end.into_iter().peekable();
        let mut highest: Option<&Acknowledged> = None;
        for one in by_begin {
            while let Some(before) = done.next_if(|before| before.ended < one.began) {
                if highest.is_none_or(|highest| highest.zxid < before.zxid) {
                    highest = Some(before);
                }
            }
            if let Some(highest) = highest.filter(|highest| highest.zxid > one.zxid) {
                return Some(format!("{one:?} began after {highest:?} was acknowledged"));
            }
        }
        None
    }
}
