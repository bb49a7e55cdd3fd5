//! A session's own ephemerals.

use super::Answer;
use crate::{State, ids::SessionId};

impl State {
    /// Compat(ephemerals-prefix): a prefix is text, not a path: `/a` finds `/ab` too.
    pub(super) fn ephemerals(&self, session: SessionId, prefix: Option<&str>) -> Answer<'_> {
        let mut paths = self.ephemerals_of(session);
        if let Some(prefix) = prefix.filter(|prefix| !matches!(prefix.trim(), "" | "/")) {
            paths.retain(|path| path.starts_with(prefix));
        }
        Answer::Paths(paths)
    }
}
