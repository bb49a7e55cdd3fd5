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
    newest: BTreeMap<SessionId, UnderWay>,
}

#[derive(Clone, Copy, Debug)]
struct UnderWay {
    by: Owner,
    /// Its command's number at this server.
    sequence: u64,
}

impl Attaching {
    /// An attachment to the connection `by` is proposed as this server's command `sequence`,
    /// behind all that were before; or the opening of a session, which may have been a local one
    /// that its client knows.
    pub fn begin(&mut self, session: SessionId, by: Owner, sequence: u64) {
        self.newest.insert(session, UnderWay { by, sequence });
    }

    /// That attachment is applied, or rejected.
    pub fn end(&mut self, session: SessionId, by: Owner) {
        if self.newest(session) == Some(by) {
            self.newest.remove(&session);
        }
    }

    /// The state is now one that has this server's commands up to `last`: those behind it are
    /// still on their way.
    pub fn applied_upto(&mut self, last: u64) {
        self.newest.retain(|_, under_way| under_way.sequence > last);
    }

    /// The connection whose attachment is under way, if one is. Ask before looking at the
    /// session's owner in the state: an attachment that ends in between is then in either.
    pub fn newest(&self, session: SessionId) -> Option<Owner> {
        self.newest.get(&session).map(|under_way| under_way.by)
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
        attaching.begin(SESSION, Owner(2), 1);
        assert_eq!(former(&attaching, Some(Owner(1))), Former::Owner(Owner(2)));
        attaching.begin(SESSION, Owner(3), 2);
        attaching.end(SESSION, Owner(2));
        assert_eq!(former(&attaching, Some(Owner(2))), Former::Owner(Owner(3)), "still under way");
        attaching.end(SESSION, Owner(3));
        assert_eq!(former(&attaching, Some(Owner(9))), Former::Owner(Owner(9)), "it was rejected");
    }

    /// Another server's state came: the attachment that is not in it was forgotten, and the
    /// client's next attempt refused for the sake of it.
    #[test]
    fn an_attachment_outlives_a_state_that_does_not_have_it() {
        let mut attaching = Attaching::default();
        attaching.begin(SESSION, Owner(4), 8);
        attaching.applied_upto(7);
        assert_eq!(attaching.newest(SESSION), Some(Owner(4)));
        attaching.applied_upto(8);
        assert_eq!(attaching.newest(SESSION), None);
    }
}
