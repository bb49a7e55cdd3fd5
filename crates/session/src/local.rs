//! Local sessions: those that exist on one server only, the one they are connected to.
//!
//! Opening and closing them costs no write. Nobody else knows them, so that this server alone
//! decides when they end, and they end with it. They can own no ephemerals; one that wants to
//! becomes a global session first, which is the caller's affair. Time is an argument, in
//! milliseconds of a monotonic clock.
//!
//! Like a global session, a local one has an owner: the connection whose requests are taken.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use tree::{Owner, SessionId};

use crate::ExpiryQueue;

/// What is known of a local session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalSession {
    /// Negotiated timeout, in milliseconds. Replaced when the session is attached again.
    pub timeout_ms: i32,
    /// The connection whose requests are taken.
    pub owner: Owner,
    /// The number of its last write at this server, as the log counts them; 0 before the first.
    pub last_write: u64,
}

/// The local sessions of one server.
#[derive(Debug)]
pub struct LocalSessions {
    /// Never iterated: its order means nothing.
    sessions: HashMap<SessionId, LocalSession, FixedState>,
    expiry: ExpiryQueue,
}

impl LocalSessions {
    /// None yet; they end on multiples of a tick.
    pub fn new(tick_ms: u64) -> Self {
        let sessions = HashMap::with_hasher(FixedState::default());
        let mut expiry = ExpiryQueue::new(tick_ms);
        // Nobody else knows them, so that this server judges alone, whoever leads.
        expiry.restart(0, []);
        Self { sessions, expiry }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// What is known of a session; nothing if it is not a local one of this server.
    pub fn get(&self, session: SessionId) -> Option<&LocalSession> {
        self.sessions.get(&session)
    }

    /// Opens a session, or gives one that is open to another connection: from `now_ms` it has
    /// its full timeout.
    pub fn attach(&mut self, session: SessionId, owner: Owner, timeout_ms: i32, now_ms: u64) {
        let last_write = self.get(session).map_or(0, |known| known.last_write);
        self.sessions.insert(session, LocalSession { timeout_ms, owner, last_write });
        self.expiry.set_timeout(session, timeout_ms, now_ms);
    }

    /// The session if `owner` may still speak for it.
    pub fn owned(&mut self, session: SessionId, owner: Owner) -> Option<&mut LocalSession> {
        self.sessions.get_mut(&session).filter(|known| known.owner == owner)
    }

    /// The session ended, or is a global one from now on; false if it was not a local one.
    pub fn remove(&mut self, session: SessionId) -> bool {
        self.expiry.remove(session);
        self.sessions.remove(&session).is_some()
    }

    /// Ends the sessions that were silent for their whole timeout, and says which.
    ///
    /// `last_heard` says when a session was last heard, as far as connections know.
    pub fn poll_expired(
        &mut self,
        now_ms: u64,
        last_heard: &mut dyn FnMut(SessionId) -> Option<u64>,
    ) -> Vec<SessionId> {
        let expired = self.expiry.poll_expired(now_ms, last_heard);
        for session in &expired {
            self.remove(*session);
        }
        expired
    }

    /// Gives every session a full timeout from `now_ms`, for nobody could be heard.
    pub fn begin_anew(&mut self, now_ms: u64) {
        for (_, sessions) in self.buckets() {
            for session in sessions {
                self.expiry.touch(session, now_ms);
            }
        }
    }

    /// Ends all of them, and says which they were.
    pub fn clear(&mut self) -> Vec<SessionId> {
        let all = self.buckets().into_iter().flat_map(|(_, sessions)| sessions).collect();
        self.sessions.clear();
        self.expiry.restart(0, []);
        all
    }

    /// By when they end unless they are heard of, for `dump`: see [`ExpiryQueue::buckets`].
    pub fn buckets(&self) -> Vec<(u64, Vec<SessionId>)> {
        self.expiry.buckets()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: SessionId = SessionId(1);
    const TWO: SessionId = SessionId(2);

    fn sessions() -> LocalSessions {
        let mut sessions = LocalSessions::new(1000);
        sessions.attach(ONE, Owner(10), 4000, 0);
        sessions.attach(TWO, Owner(20), 6000, 0);
        sessions
    }

    #[test]
    fn only_the_last_connection_speaks_for_a_session() {
        let mut sessions = sessions();
        assert!(sessions.owned(ONE, Owner(10)).is_some());
        assert!(sessions.owned(ONE, Owner(20)).is_none());
        sessions.owned(ONE, Owner(10)).unwrap().last_write = 7;
        sessions.attach(ONE, Owner(30), 9000, 100);
        assert!(sessions.owned(ONE, Owner(10)).is_none());
        let moved = LocalSession { timeout_ms: 9000, owner: Owner(30), last_write: 7 };
        assert_eq!(sessions.get(ONE), Some(&moved));
    }

    #[test]
    fn the_silent_end_and_the_heard_stay() {
        let mut sessions = sessions();
        assert_eq!(sessions.poll_expired(4999, &mut |_| None), []);
        let mut heard = |session| (session == TWO).then_some(5000);
        assert_eq!(sessions.poll_expired(7000, &mut heard), [ONE]);
        assert_eq!((sessions.get(ONE), sessions.len()), (None, 1));
        assert_eq!(sessions.poll_expired(7000, &mut heard), []);
        assert_eq!(sessions.buckets(), [(12_000, vec![TWO])]);
    }

    #[test]
    fn where_nobody_could_be_heard_all_have_a_full_timeout() {
        let mut sessions = sessions();
        sessions.begin_anew(50_000);
        assert_eq!(sessions.poll_expired(54_999, &mut |_| None), []);
        assert_eq!(sessions.poll_expired(55_000, &mut |_| None), [ONE]);
    }

    #[test]
    fn what_is_removed_does_not_expire() {
        let mut sessions = sessions();
        assert!(sessions.remove(ONE));
        assert!(!sessions.remove(ONE));
        assert_eq!(sessions.clear(), [TWO]);
        assert!(sessions.is_empty());
        assert_eq!(sessions.poll_expired(u64::MAX / 2, &mut |_| None), []);
    }
}
