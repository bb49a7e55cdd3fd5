//! Exists.

use super::{Answer, Asker};
use crate::{State, command::Permissions, outcome::Reject};

impl State {
    /// Compat(exists-path): the only read that judges a path, and only by NUL.
    pub(super) fn exists(&self, path: &str, asker: Asker<'_>) -> Result<Answer<'_>, Reject> {
        if path.contains('\0') {
            return Err(Reject::BadArguments);
        }
        let node = self.permitted(path, Permissions::READ, asker)?;
        Ok(Answer::Stat(self.nodes.stat(node)))
    }
}
