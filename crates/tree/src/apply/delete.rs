//! Delete, and the removal that the end of a session and the reaper share with it.

use super::{Changes, Request, check_version};
use crate::{
    ChangeKind, State,
    command::Permissions,
    nodes::NodeRef,
    outcome::{Reject, Reply},
    path,
};

impl State {
    pub(super) fn delete(
        &mut self,
        request: &Request<'_>,
        path: &str,
        version: i32,
        changes: &mut Changes,
    ) -> Result<Reply, Reject> {
        self.check_session(request)?;
        let parent_path = path::parent_for_delete(path)?;
        let parent = self.nodes.find(parent_path).ok_or(Reject::NoNode)?;
        // The parent's ACL decides, and before it is known whether the znode exists.
        self.check_acl(request, parent, Permissions::DELETE)?;
        let node = self.nodes.child(parent, path::name_of(path)).ok_or(Reject::NoNode)?;
        check_version(version, self.nodes.get(node).fields.version)?;
        if !self.nodes.children(node).is_empty() {
            return Err(Reject::NotEmpty);
        }
        self.remove(request, node, path, changes);
        Ok(Reply::Done)
    }

    /// Takes a childless znode, which lies at `path`, out of the tree.
    pub(super) fn remove(
        &mut self,
        request: &Request<'_>,
        node: NodeRef,
        path: &str,
        changes: &mut Changes,
    ) {
        changes.push(self.describe(ChangeKind::Deleted, node, path));
        let slot = self.nodes.get(node);
        let (parent, data_len) = (slot.parent, slot.body.data_or_empty().len());
        let zxid = request.zxid;
        self.change_fields(parent, |fields| fields.pzxid = fields.pzxid.max(zxid));
        self.remove_node(node, path);
        self.quota_after_delete(path, data_len);
    }
}
