//! Sessions that are being attached to connections of this server.
//!
//! An attachment says whose the session must be until then ([`Former`]). Where the client comes
//! again before its last attempt here is applied, that is the connection of that attempt, which
//! precedes it in the log: else the newer connection would be refused, and the dead one served.

use std::collections::BTreeMap;

use tree::{Former, Owner, SessionId};

/// Attachments that this server has proposed and has not seen applied. There are at most as many
/// as commands that wait for the log.
#[derive(Debug, Default)]
pub struct Attaching {
    newest: BTreeMap<SessionId, Owner>,
}

impl Attaching {
    /// An attachment to the connection `by` is proposed, behind all that were before; or the
    /// opening of a session, which may have been a local one that its client knows.
    pub fn begin(&mut self, session: SessionId, by: Owner) {
        self.newest.insert(session, by);
    }

    /// That attachment is applied, or rejected.
    pub fn end(&mut self, session: SessionId, by: Owner) {
        if self.newest.get(&session) == Some(&by) {
            self.newest.remove(&session);
        }
    }

    /// What became of all attachments is not known here any more.
    pub fn clear(&mut self) {
        self.newest.clear();
    }

    /// The connection whose attachment is under way, if one is. Ask before looking at the
    /// session's owner in the state: an attachment that ends in between is then in either.
    pub fn newest(&self, session: SessionId) -> Option<Owner> {
        self.newest.get(&session).copied()
    }
}

/// Whose a session must be that is attached now: that of the attachment under way here, or else
/// its owner in the state.
pub fn former_owner(under_way: Option<Owner>, in_state: Option<Owner>) -> Former {
    under_way.or(in_state).map_or(Former::Unknown, Former::Owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: SessionId = SessionId(7);

    #[test]
    fn a_client_that_comes_again_follows_its_last_attempt() {
        let mut attaching = Attaching::default();
        let former =
            |attaching: &Attaching, in_state| former_owner(attaching.newest(SESSION), in_state);
        assert_eq!(former(&attaching, None), Former::Unknown);
        assert_eq!(former(&attaching, Some(Owner(1))), Former::Owner(Owner(1)));
        attaching.begin(SESSION, Owner(2));
        assert_eq!(former(&attaching, Some(Owner(1))), Former::Owner(Owner(2)));
        attaching.begin(SESSION, Owner(3));
        attaching.end(SESSION, Owner(2));
        assert_eq!(former(&attaching, Some(Owner(2))), Former::Owner(Owner(3)), "still under way");
        attaching.end(SESSION, Owner(3));
        assert_eq!(former(&attaching, Some(Owner(9))), Former::Owner(Owner(9)), "it was rejected");
        attaching.begin(SESSION, Owner(4));
        attaching.clear();
        assert_eq!(former(&attaching, Some(Owner(9))), Former::Owner(Owner(9)));
    }
}
