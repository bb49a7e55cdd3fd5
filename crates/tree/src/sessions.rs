//! The table of sessions: replicated facts. Who was heard from when is not known here.

use std::collections::BTreeMap;

use crate::{
    checkpoint::{self, SetMarks},
    ids::{Owner, SessionId},
};

/// What the state knows of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Negotiated timeout. Replaced when the session is attached again.
    pub timeout_ms: i32,
    /// The connection whose commands are accepted.
    pub owner: Owner,
}

/// Every session, by id.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    table: BTreeMap<SessionId, Session>,
    pub(crate) marks: SetMarks<SessionId>,
}

impl Sessions {
    pub(crate) fn get(&self, id: SessionId) -> Option<&Session> {
        self.table.get(&id)
    }

    pub(crate) fn put(&mut self, id: SessionId, session: Session) {
        self.touch(id);
        self.table.insert(id, session);
    }

    pub(crate) fn remove(&mut self, id: SessionId) {
        self.touch(id);
        self.table.remove(&id);
    }

    /// In order of ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.table.iter().map(|(id, session)| (*id, session))
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    // The checkpoint's part.

    /// Puts a session back while loading; false if it is there already.
    pub(crate) fn restore(&mut self, id: SessionId, session: Session) -> bool {
        self.table.insert(id, session).is_none()
    }

    pub(crate) fn touch_all(&mut self) {
        let ids: Vec<_> = self.table.keys().copied().collect();
        for id in ids {
            self.touch(id);
        }
    }

    /// One session of the cut with its value.
    pub(crate) fn write(&mut self) -> Option<(SessionId, Option<Box<[u8]>>)> {
        let table = &self.table;
        self.marks.write(|id| encode(table, id))
    }

    fn touch(&mut self, id: SessionId) {
        let table = &self.table;
        self.marks.touch(id, || encode(table, id));
    }
}

fn encode(table: &BTreeMap<SessionId, Session>, id: SessionId) -> Option<Box<[u8]>> {
    table.get(&id).map(|session| checkpoint::encode_session(id, session))
}
