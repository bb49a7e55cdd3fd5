//! Every znode in turn, whole, for those who write the tree down in a form of their own.

use crate::{
    State,
    ids::{Millis, Zxid},
    nodes::NodeRef,
    outcome::AclView,
};

/// One znode as it is stored, not as clients see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Znode<'s> {
    /// Full path; the root's is empty.
    pub path: &'s str,
    /// Null is kept apart from empty.
    pub data: Option<&'s [u8]>,
    /// Equal for equal lists, 0 for `world:anyone` with all permissions.
    pub acl_id: u32,
    /// The list itself.
    pub acl: AclView,
    /// Zxid of the creation.
    pub czxid: Zxid,
    /// Zxid of the creation or the last setData.
    pub mzxid: Zxid,
    /// Zxid of the last change of the set of children.
    pub pzxid: Zxid,
    /// When it was created.
    pub ctime: Millis,
    /// When its data was last set.
    pub mtime: Millis,
    /// Data version.
    pub version: i32,
    /// Children ever created: what ZooKeeper stores as the cversion.
    pub children_created: i32,
    /// ACL version.
    pub aversion: i32,
    /// The session of an ephemeral; for containers and TTL znodes, ZooKeeper's encoding of
    /// what they are; 0 for others.
    pub owner: i64,
}

impl State {
    /// Visits every znode, parents before their children.
    pub fn visit_znodes(&self, visit: &mut dyn FnMut(&Znode<'_>)) {
        let mut path = String::new();
        // With each, how much of the path is its parent's.
        let mut pending = vec![(NodeRef::ROOT, 0)];
        while let Some((node, parent_bytes)) = pending.pop() {
            let slot = self.nodes.get(node);
            path.truncate(parent_bytes);
            if node != NodeRef::ROOT {
                path.push('/');
                path.push_str(slot.body.name());
            }
            let children = self.nodes.children(node);
            pending.extend(children.iter().map(|child| (*child, path.len())));
            let fields = &slot.fields;
            visit(&Znode {
                path: &path,
                data: slot.body.data(),
                acl_id: fields.acl,
                acl: self.acls.view(fields.acl),
                czxid: fields.czxid,
                mzxid: fields.mzxid,
                pzxid: fields.pzxid,
                ctime: fields.ctime,
                mtime: fields.mtime,
                version: fields.version,
                children_created: fields.children_created,
                aversion: fields.aversion,
                owner: slot.encoded_owner(),
            });
        }
    }
}
