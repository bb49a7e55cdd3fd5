//! Set the ACL. Fires no watch and moves no zxid of the znode.

use super::{Request, check_version};
use crate::{
    State, acl,
    command::{AclEntry, Permissions},
    outcome::{Reject, Reply},
    path,
};

impl State {
    pub(super) fn set_acl(
        &mut self,
        request: &Request<'_>,
        path: Option<&str>,
        acl: Option<&[AclEntry<'_>]>,
        version: i32,
    ) -> Result<Reply, Reject> {
        self.check_session(request)?;
        let path = path.ok_or(Reject::BadArguments)?;
        path::validate(path)?;
        let acl = acl::fix_up(acl, request.identities, request.flags)?;
        let node = self.nodes.find(path).ok_or(Reject::NoNode)?;
        self.check_acl(request, node, Permissions::ADMIN)?;
        let former = self.nodes.get(node).fields;
        check_version(version, former.aversion)?;

        let acl = self.acls.intern(&acl);
        self.nodes.change(node, |fields| {
            fields.acl = acl;
            fields.aversion = fields.aversion.wrapping_add(1);
        });
        self.acls.release(former.acl);
        Ok(Reply::Stat(self.nodes.stat(node)))
    }
}
