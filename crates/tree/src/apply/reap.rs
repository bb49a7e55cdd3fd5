//! Reap a container or a TTL znode that the leader found due. Time has passed since it
//! looked, so everything is checked again.

use super::{Changes, Request};
use crate::{
    State,
    nodes::Kind,
    outcome::{Reject, Reply},
    path,
};

impl State {
    pub(super) fn reap(
        &mut self,
        request: &Request<'_>,
        path: &str,
        changes: &mut Changes,
    ) -> Result<Reply, Reject> {
        path::parent_for_delete(path)?;
        let node = self.nodes.find(path).ok_or(Reject::NoNode)?;
        if !self.nodes.children(node).is_empty() {
            return Err(Reject::NotEmpty);
        }
        let slot = self.nodes.get(node);
        let due = match slot.kind {
            Kind::Container => true,
            Kind::Ttl => slot.ttl_deadline().is_some_and(|deadline| deadline < request.time.0),
            Kind::Persistent | Kind::Ephemeral => false,
        };
        if !due {
            return Err(Reject::BadVersion);
        }
        self.remove(request, node, path, changes);
        Ok(Reply::Done)
    }
}
