//! Names of the children.

use super::{Answer, Asker};
use crate::{State, command::Permissions, outcome::Reject};

impl State {
    pub(super) fn get_children(&self, path: &str, asker: Asker<'_>) -> Result<Answer<'_>, Reject> {
        let node = self.permitted(path, Permissions::READ, asker)?;
        let children = self.nodes.children(node).iter();
        let names = children.map(|child| self.nodes.get(*child).body.name()).collect();
        Ok(Answer::Children { names, stat: self.nodes.stat(node) })
    }
}
