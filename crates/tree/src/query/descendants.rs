//! How many znodes are below one.

use super::{Answer, Asker};
use crate::{State, command::Permissions, outcome::Reject};

impl State {
    pub(super) fn count_descendants(
        &self,
        path: &str,
        asker: Asker<'_>,
    ) -> Result<Answer<'_>, Reject> {
        let node = self.permitted(path, Permissions::READ, asker)?;
        let below = match path {
            "/" => self.nodes.totals().nodes - 1,
            // Compat(two-roots): under its other name the root counts itself.
            "" => self.nodes.totals().nodes,
            _ => {
                let mut visited = 0;
                self.nodes.walk(node, |_| visited += 1);
                visited - 1
            }
        };
        Ok(Answer::Count(i32::try_from(below).unwrap_or(i32::MAX)))
    }
}
