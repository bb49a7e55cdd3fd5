//! Purges the log of what a checkpoint stands for, but for some entries behind it, and for what
//! a member needs that is being sent a checkpoint.
//!
//! A checkpoint takes its time to a member, and what is written meanwhile must follow it. If
//! that was purged by then, the member would need the next checkpoint, and so on without end
//! where checkpoints are made faster than they are sent. So the leader keeps the entries behind
//! a checkpoint that is on its way until the member has followed it to where the log would
//! begin; not for longer than [`HELD_FOR_MAX`], and not more than [`HELD_BYTES_MAX`], for a
//! member that does not come along must not fill the disk. A member that is away altogether is
//! waited for by nobody.
//!
//! openraft would purge by itself as soon as it knows of a checkpoint, and is told not to.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use openraft::async_runtime::WatchReceiver;
use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use crate::{
    ensemble::{Role, Shared, progress},
    machine::Due,
};

/// How long entries are kept for a member that is being sent a checkpoint: as long as that may
/// take to install.
const HELD_FOR_MAX: Duration = Duration::from_secs(600);
/// How many bytes of entries are kept for one: as much as a log of many large entries has
/// behind its checkpoint anyway.
const HELD_BYTES_MAX: u64 = 2 << 30;
/// How often one looks whether there is more to purge, while something is awaited.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What must not be purged yet.
#[derive(Default)]
pub(crate) struct Purging {
    holds: Mutex<Holds>,
    /// The last entry of the newest checkpoint that was written here.
    written: AtomicU64,
    /// Rung when there may be something to purge, or to wait for.
    bell: Notify,
}

#[derive(Default)]
struct Holds {
    next_id: u64,
    /// By node.
    of: BTreeMap<u64, Hold>,
}

/// How far the log is.
struct Log {
    now: Instant,
    /// All that it ever had since the start.
    bytes: u64,
}

/// Entries are kept for a member.
struct Hold {
    id: u64,
    /// The last entry of the checkpoint on its way.
    upto: u64,
    since: Instant,
    /// The log's bytes in all when this began.
    bytes: Option<u64>,
}

/// Ends a hold when the checkpoint does not arrive.
pub(crate) struct Sending {
    purging: Arc<Purging>,
    node: u64,
    id: u64,
    has_arrived: bool,
}

impl Sending {
    /// The checkpoint is installed: the entries are kept until the member has caught up.
    pub(crate) fn arrived(mut self) {
        self.has_arrived = true;
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if !self.has_arrived {
            self.purging.holds.lock().of.retain(|_, hold| hold.id != self.id);
            tracing::debug!(node = self.node, "entries behind a checkpoint are not kept any more");
            self.purging.bell.notify_one();
        }
    }
}

impl Purging {
    /// A checkpoint that ends with the entry `upto` is sent to a member: what is behind it is
    /// kept as long as what is returned lives, and then until the member has caught up.
    pub(crate) fn hold(self: &Arc<Self>, node: u64, upto: u64) -> Sending {
        let mut holds = self.holds.lock();
        holds.next_id += 1;
        let id = holds.next_id;
        holds.of.insert(node, Hold { id, upto, since: Instant::now(), bytes: None });
        drop(holds);
        self.bell.notify_one();
        Sending { purging: Arc::clone(self), node, id, has_arrived: false }
    }

    /// A checkpoint was written here; openraft will know in a moment.
    pub(crate) fn written(&self, upto: u64) {
        self.written.fetch_max(upto, Ordering::Relaxed);
        self.bell.notify_one();
    }

    /// The last entry that may be purged when those up to `wanted` would be. Ends the holds that
    /// have lasted long enough; `matched` says how far a member is, if it is one.
    fn limit(&self, wanted: u64, log: &Log, matched: impl Fn(u64) -> Option<u64>) -> u64 {
        let mut limit = wanted;
        self.holds.lock().of.retain(|node, hold| {
            let Some(matched) = matched(*node) else { return false };
            let held = log.bytes - *hold.bytes.get_or_insert(log.bytes);
            let held_for = log.now.saturating_duration_since(hold.since);
            let is_over = held_for > HELD_FOR_MAX || held > HELD_BYTES_MAX;
            if is_over {
                tracing::warn!(
                    node = format!("{node:016x}"),
                    "a member did not follow its checkpoint in time: the log is kept no longer"
                );
            }
            if is_over || matched >= wanted.max(hold.upto) {
                return false;
            }
            limit = limit.min(hold.upto.max(matched));
            true
        });
        limit
    }

    fn is_holding(&self) -> bool {
        !self.holds.lock().of.is_empty()
    }
}

/// Purges for as long as the log runs; `keep` entries behind a checkpoint stay.
pub(crate) async fn purge(shared: &Shared, due: &Due, keep: u64) {
    let purging = &shared.purging;
    let mut purged = 0;
    loop {
        let checkpoint = checkpoint_index(shared);
        if let Some(wanted) = checkpoint.and_then(|last| last.checked_sub(keep)) {
            let leads = shared.status.borrow().role == Role::Leading;
            let matched = |node| if leads { matched(shared, node) } else { None };
            let log = Log { now: Instant::now(), bytes: due.bytes_in_all() };
            let upto = purging.limit(wanted, &log, matched);
            if upto > purged {
                purged = upto;
                if let Err(error) = shared.raft().trigger().purge_log(upto).await {
                    tracing::debug!(%error, "the log is not purged any more");
                    return std::future::pending().await;
                }
            }
        }
        let is_awaited = checkpoint.unwrap_or(0) < purging.written.load(Ordering::Relaxed);
        if is_awaited || purging.is_holding() {
            let _ = timeout(LOOK_EVERY, purging.bell.notified()).await;
        } else {
            purging.bell.notified().await;
        }
    }
}

/// The last entry of the newest checkpoint that openraft knows of.
fn checkpoint_index(shared: &Shared) -> Option<u64> {
    let metrics = shared.raft().metrics();
    metrics.borrow_watched().snapshot.as_ref().map(|last| last.index)
}

/// The last entry that a member is known to have; none if it is no member.
fn matched(shared: &Shared, node: u64) -> Option<u64> {
    let is_member = shared.membership().membership().get_node(&node).is_some();
    is_member.then(|| progress(shared, node).map_or(0, |(matched, _)| matched))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: u64 = 7;

    #[test]
    fn entries_are_kept_until_the_member_has_followed_its_checkpoint() {
        let purging = Arc::<Purging>::default();
        let log = Log { now: Instant::now(), bytes: 0 };
        let limit = |wanted, matched| purging.limit(wanted, &log, |_| matched);
        let sending = purging.hold(NODE, 100);
        assert_eq!(limit(90, Some(0)), 90, "the checkpoint stands for these");
        assert_eq!(limit(300, Some(0)), 100, "it is on its way");
        sending.arrived();
        assert_eq!(limit(300, Some(100)), 100, "it is there, and what is behind it is not");
        assert_eq!(limit(300, Some(250)), 250);
        assert_eq!(limit(300, Some(300)), 300, "it has caught up");
        assert!(!purging.is_holding());
    }

    #[test]
    fn nothing_is_kept_for_one_that_does_not_come_along() {
        let purging = Arc::<Purging>::default();
        let began = Instant::now();
        let limit = |bytes, seconds, matched| {
            let now = began + Duration::from_secs(seconds);
            purging.limit(300, &Log { now, bytes }, |_| matched)
        };
        drop(purging.hold(NODE, 100));
        assert_eq!(limit(0, 0, Some(0)), 300, "the checkpoint did not arrive");
        let second = purging.hold(NODE, 110);
        let third = purging.hold(NODE, 120);
        drop(second);
        assert_eq!(limit(0, 0, Some(0)), 120, "an older attempt ends only itself");
        third.arrived();
        assert_eq!(limit(0, 0, None), 300, "it is no member any more");
        purging.hold(NODE, 100).arrived();
        assert_eq!(limit(5, 0, Some(0)), 100);
        assert_eq!(limit(5 + HELD_BYTES_MAX, 0, Some(0)), 100);
        assert_eq!(limit(6 + HELD_BYTES_MAX, 0, Some(0)), 300, "the disk must not fill up");
        purging.hold(NODE, 100).arrived();
        let seconds = HELD_FOR_MAX.as_secs();
        assert_eq!(limit(0, seconds, Some(0)), 100);
        assert_eq!(limit(0, seconds + 60, Some(0)), 300, "nor for ever");
        assert!(!purging.is_holding());
    }
}
