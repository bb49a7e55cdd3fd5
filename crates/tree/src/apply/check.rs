//! Check a version, the guard of a multi.

use super::{Request, check_version};
use crate::{
    State,
    command::Permissions,
    outcome::{Reject, Reply},
    path,
};

impl State {
    pub(super) fn check(
        &self,
        request: &Request<'_>,
        path: Option<&str>,
        version: i32,
    ) -> Result<Reply, Reject> {
        self.check_session(request)?;
        let path = path.ok_or(Reject::BadArguments)?;
        path::validate(path)?;
        let node = self.nodes.find(path).ok_or(Reject::NoNode)?;
        self.check_acl(request, node, Permissions::READ)?;
        check_version(version, self.nodes.get(node).fields.version)?;
        Ok(Reply::Done)
    }
}
