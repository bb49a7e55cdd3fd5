//! Which sessions have fallen silent, kept by every server, and judged by the one that leads:
//! by its clock alone, and by what it heard of the others' connections.
//!
//! Deadlines are rounded up to the next tick after `now + timeout`, as in ZooKeeper, so
//! that sessions end in bulk; a session never ends early and at most one tick late, plus
//! the time until the queue is polled. The queue reads no clock: `now` is always the
//! caller's monotonic time in milliseconds.
//!
//! Hearing from a session costs nothing here. Connections note when they heard their
//! client; only when a session's deadline comes up is that time asked for, and the
//! session moved to the deadline that it truly has.

use std::collections::BTreeSet;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use tree::SessionId;

/// The live sessions, ordered by when to look at them next.
#[derive(Debug)]
pub struct ExpiryQueue {
    /// Width of a bucket, in milliseconds; at least 1.
    tick_ms: u64,
    sessions: SessionMap<Tracked>,
    /// Whether this server judges.
    leads: bool,
    /// (look-at time, session), one for each in `sessions`. The time is a multiple of the
    /// tick and never later than the session's true deadline.
    buckets: BTreeSet<(u64, SessionId)>,
}

/// Never iterated: its order means nothing.
type SessionMap<T> = HashMap<SessionId, T, FixedState>;

#[derive(Clone, Copy, Debug)]
struct Tracked {
    timeout_ms: u64,
    /// Last known to be alive.
    heard_ms: u64,
    /// The bucket it lies in.
    bucket_ms: u64,
}

impl ExpiryQueue {
    /// An empty queue with buckets of one tick, of a server that does not lead.
    pub fn new(tick_ms: u64) -> Self {
        let sessions = SessionMap::with_hasher(FixedState::default());
        Self { tick_ms: tick_ms.max(1), sessions, leads: false, buckets: BTreeSet::new() }
    }

    /// How many sessions are tracked.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether no session is tracked.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Leadership begins: forgets what was known and gives every session a full timeout.
    pub fn restart(&mut self, now_ms: u64, sessions: impl IntoIterator<Item = (SessionId, i32)>) {
        self.leads = true;
        self.sessions.clear();
        self.buckets.clear();
        for (session, timeout_ms) in sessions {
            self.set_timeout(session, timeout_ms, now_ms);
        }
    }

    /// Leadership ends: nothing expires here until it begins again.
    pub fn step_down(&mut self) {
        self.leads = false;
    }

    /// A session was opened or attached: it has the full `timeout_ms` from `now_ms`.
    pub fn set_timeout(&mut self, session: SessionId, timeout_ms: i32, now_ms: u64) {
        self.remove(session);
        let timeout_ms = u64::try_from(timeout_ms).unwrap_or(0);
        let bucket_ms = self.deadline(now_ms, timeout_ms);
        let tracked = Tracked { timeout_ms, heard_ms: now_ms, bucket_ms };
        self.sessions.insert(session, tracked);
        self.buckets.insert((bucket_ms, session));
    }

    /// The session was heard at `now_ms`; false when it is not tracked. Cheap, but needs
    /// the queue: see the module for the way that does not.
    pub fn touch(&mut self, session: SessionId, now_ms: u64) -> bool {
        let Some(tracked) = self.sessions.get_mut(&session) else { return false };
        tracked.heard_ms = tracked.heard_ms.max(now_ms);
        true
    }

    /// The session ended; false when it was not tracked.
    pub fn remove(&mut self, session: SessionId) -> bool {
        let Some(tracked) = self.sessions.remove(&session) else { return false };
        self.buckets.remove(&(tracked.bucket_ms, session));
        true
    }

    /// The sessions whose deadline is at or before `now_ms`; none where another server leads,
    /// for that one knows who was heard elsewhere.
    ///
    /// `last_heard` says when a session was last heard, as far as connections know. An
    /// expired session stays tracked, and comes again after another full timeout, until it
    /// is removed or given a new timeout: the proposal to end it may get lost.
    pub fn poll_expired(
        &mut self,
        now_ms: u64,
        last_heard: &mut dyn FnMut(SessionId) -> Option<u64>,
    ) -> Vec<SessionId> {
        let mut expired = Vec::new();
        while let Some(&(bucket_ms, session)) = self.buckets.first()
            && bucket_ms <= now_ms
            && self.leads
        {
            let heard_ms = last_heard(session).unwrap_or(0);
            let mut tracked = self.tracked(session);
            tracked.heard_ms = tracked.heard_ms.max(heard_ms);
            let mut deadline_ms = self.deadline(tracked.heard_ms, tracked.timeout_ms);
            if deadline_ms <= now_ms {
                expired.push(session);
                deadline_ms = self.deadline(now_ms, tracked.timeout_ms);
            }
            tracked.bucket_ms = deadline_ms;
            self.buckets.pop_first();
            self.buckets.insert((deadline_ms, session));
            self.sessions.insert(session, tracked);
        }
        expired
    }

    /// When to poll next: no session expires before. None without sessions.
    pub fn next_deadline(&self) -> Option<u64> {
        self.buckets.first().map(|&(bucket_ms, _)| bucket_ms)
    }

    /// The buckets, for `dump`: deadline in monotonic milliseconds, and its sessions.
    ///
    /// A session that was heard since it was last looked at lies in an earlier bucket than
    /// ZooKeeper would show it in.
    pub fn buckets(&self) -> Vec<(u64, Vec<SessionId>)> {
        let mut buckets: Vec<(u64, Vec<SessionId>)> = Vec::new();
        for &(bucket_ms, session) in &self.buckets {
            match buckets.last_mut() {
                Some((last_ms, sessions)) if *last_ms == bucket_ms => sessions.push(session),
                Some(_) | None => buckets.push((bucket_ms, vec![session])),
            }
        }
        buckets
    }

    /// The first multiple of the tick after a timeout that begins at `heard_ms`.
    const fn deadline(&self, heard_ms: u64, timeout_ms: u64) -> u64 {
        (heard_ms.saturating_add(timeout_ms) / self.tick_ms + 1).saturating_mul(self.tick_ms)
    }

    fn tracked(&self, session: SessionId) -> Tracked {
        *self.sessions.get(&session).expect("what lies in a bucket is tracked")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const TICK: u64 = 2000;

    /// An empty queue of a server that leads.
    fn leading(tick_ms: u64) -> ExpiryQueue {
        let mut queue = ExpiryQueue::new(tick_ms);
        queue.restart(0, []);
        queue
    }

    #[test]
    fn nothing_expires_where_another_server_leads() {
        let mut queue = ExpiryQueue::new(TICK);
        queue.set_timeout(SessionId(1), 4000, 0);
        assert_eq!(poll(&mut queue, 100_000), [] as [i64; 0]);
        queue.restart(100_000, [(SessionId(1), 4000)]);
        queue.step_down();
        assert_eq!(poll(&mut queue, 200_000), [] as [i64; 0]);
    }

    fn poll(queue: &mut ExpiryQueue, now_ms: u64) -> Vec<i64> {
        queue.poll_expired(now_ms, &mut |_| None).iter().map(|session| session.0).collect()
    }

    #[test]
    fn deadlines_are_zookeepers() {
        let mut queue = leading(TICK);
        // floor((now + timeout) / tick) + 1, in ticks: a deadline on a tick moves on.
        for (session, now, timeout) in [(1, 0, 3999), (2, 0, 4000), (3, 1, 4000), (4, 0, 6001)] {
            queue.set_timeout(SessionId(session), timeout, now);
        }
        let ids = |ids: &[i64]| ids.iter().map(|&id| SessionId(id)).collect::<Vec<_>>();
        let expected = vec![(4000, ids(&[1])), (6000, ids(&[2, 3])), (8000, ids(&[4]))];
        assert_eq!(queue.buckets(), expected);
        assert_eq!(queue.next_deadline(), Some(4000));
    }

    #[test]
    fn a_session_that_was_heard_moves_to_its_true_bucket_when_its_own_comes_up() {
        let mut queue = leading(TICK);
        queue.set_timeout(SessionId(1), 4000, 0);
        assert_eq!(queue.poll_expired(6000, &mut |_| Some(5500)), []);
        assert_eq!(queue.next_deadline(), Some(10_000));
        assert_eq!(queue.poll_expired(9_999, &mut |_| Some(5500)), []);
        assert_eq!(queue.poll_expired(10_000, &mut |_| Some(5500)), [SessionId(1)]);
    }

    #[test]
    fn a_touch_counts_like_a_connection_that_heard() {
        let mut queue = leading(TICK);
        queue.set_timeout(SessionId(1), 4000, 0);
        assert!(queue.touch(SessionId(1), 5500));
        assert!(!queue.touch(SessionId(2), 5500));
        assert_eq!(poll(&mut queue, 9_999), [] as [i64; 0]);
        assert_eq!(poll(&mut queue, 10_000), [1]);
    }

    #[test]
    fn an_expired_session_comes_again_until_it_is_removed() {
        let mut queue = leading(TICK);
        queue.set_timeout(SessionId(1), 4000, 0);
        assert_eq!(poll(&mut queue, 6000), [1]);
        assert_eq!(poll(&mut queue, 6000), [] as [i64; 0]);
        assert_eq!(poll(&mut queue, 12_000), [1]);
        assert!(queue.remove(SessionId(1)));
        assert_eq!((queue.next_deadline(), queue.len()), (None, 0));
    }

    #[test]
    fn a_new_leader_gives_everybody_a_full_timeout() {
        let mut queue = leading(TICK);
        queue.set_timeout(SessionId(1), 4000, 0);
        queue.restart(100_000, [(SessionId(2), 4000)]);
        assert_eq!(poll(&mut queue, 103_999), [] as [i64; 0]);
        assert_eq!(poll(&mut queue, 106_000), [2]);
    }

    #[test]
    fn a_shorter_timeout_counts_at_once() {
        let mut queue = leading(TICK);
        queue.set_timeout(SessionId(1), 40_000, 0);
        queue.set_timeout(SessionId(1), 4000, 1000);
        assert_eq!(poll(&mut queue, 6000), [1]);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Open(i64, i32),
        Hear(i64),
        Remove(i64),
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..5i64, 1..5000i32).prop_map(|(id, timeout)| Step::Open(id, timeout)),
            (0..5i64).prop_map(Step::Hear),
            (0..5i64).prop_map(Step::Remove),
            (1..3000u64).prop_map(Step::Wait),
        ]
    }

    proptest! {
        /// Never early, and at most one tick late when polled at every `next_deadline`.
        #[test]
        fn expiry_is_never_early_and_at_most_a_tick_late(
            tick in 1..500u64,
            steps in prop::collection::vec(step(), 1..200),
        ) {
            let mut queue = leading(tick);
            let mut now = 0;
            // What is true: session to (timeout, last heard).
            let mut alive: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Open(id, timeout) => {
                        queue.set_timeout(SessionId(id), timeout, now);
                        alive.insert(id, (timeout.unsigned_abs().into(), now));
                    }
                    Step::Hear(id) => {
                        if let Some((_, heard)) = alive.get_mut(&id) {
                            *heard = now;
                        }
                    }
                    Step::Remove(id) => {
                        prop_assert_eq!(queue.remove(SessionId(id)), alive.remove(&id).is_some());
                    }
                    Step::Wait(ms) => {
                        let until = now + ms;
                        while let Some(at) = queue.next_deadline().filter(|&at| at <= until) {
                            now = at;
                            let heard = |id: SessionId| alive.get(&id.0).map(|&(_, heard)| heard);
                            let expired = queue.poll_expired(now, &mut { heard });
                            for id in expired {
                                let (timeout, heard) = alive.remove(&id.0).expect("expires once");
                                prop_assert!(now > heard + timeout, "early");
                                queue.remove(id);
                            }
                            prop_assert!(queue.next_deadline().is_none_or(|next| next > now));
                        }
                        now = until;
                        for (timeout, heard) in alive.values() {
                            prop_assert!(now < heard + timeout + tick + 1, "late");
                        }
                    }
                }
            }
        }
    }
}
