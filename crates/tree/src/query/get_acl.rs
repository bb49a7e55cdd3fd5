//! The ACL, with digests hidden from those who may not change it.

use std::borrow::Cow;

use super::{Answer, Asker};
use crate::{
    State,
    command::{AclEntry, Permissions},
    outcome::Reject,
};

/// Either of them allows reading the ACL.
const READ_OR_ADMIN: Permissions = Permissions(Permissions::READ.0 | Permissions::ADMIN.0);

impl State {
    pub(super) fn get_acl(&self, path: &str, asker: Asker<'_>) -> Result<Answer<'_>, Reject> {
        let node = self.permitted(path, READ_OR_ADMIN, asker)?;
        let admin =
            self.check_access(node, Permissions::ADMIN, asker.identities, asker.flags).is_ok();
        let list = self.acls.list(self.nodes.get(node).fields.acl);
        let entries = list.iter();
        let entries = entries.map(|entry| (entry.perms, entry.scheme, masked(entry, admin)));
        let entries = entries.collect();
        Ok(Answer::Acl { entries, stat: self.nodes.stat(node) })
    }
}

fn masked(entry: AclEntry<'_>, admin: bool) -> Cow<'_, str> {
    match entry.id.split_once(':') {
        Some((user, _hash)) if entry.scheme == "digest" && !admin => {
            Cow::Owned(format!("{user}:x"))
        }
        Some(_) | None => Cow::Borrowed(entry.id),
    }
}
