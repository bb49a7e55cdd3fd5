//! Data and Stat.

use super::{Answer, Asker};
use crate::{State, command::Permissions, outcome::Reject};

impl State {
    pub(super) fn get_data(&self, path: &str, asker: Asker<'_>) -> Result<Answer<'_>, Reject> {
        let node = self.permitted(path, Permissions::READ, asker)?;
        Ok(Answer::Data { data: self.nodes.get(node).body.data(), stat: self.nodes.stat(node) })
    }
}
