//! Set data.

use super::{Changes, Request, check_version};
use crate::{
    ChangeKind, State,
    command::{CommandFlags, Permissions},
    outcome::{Reject, Reply},
    path,
};

impl State {
    pub(super) fn set_data(
        &mut self,
        request: &Request<'_>,
        path: Option<&str>,
        data: Option<&[u8]>,
        version: i32,
        changes: &mut Changes,
    ) -> Result<Reply, Reject> {
        self.check_session(request)?;
        let path = path.ok_or(Reject::BadArguments)?;
        path::validate(path)?;
        let node = self.nodes.find(path).ok_or(Reject::NoNode)?;
        self.check_acl(request, node, Permissions::WRITE)?;
        let slot = self.nodes.get(node);
        let (len, former_len) = (data.map_or(0, <[u8]>::len), slot.body.data_or_empty().len());
        if request.flags.contains(CommandFlags::ENFORCE_QUOTA) {
            let signed = |len: usize| i64::try_from(len).unwrap_or(i64::MAX);
            let more = signed(len) - signed(former_len);
            self.check_quota(request.flags, path, more, 0)?;
        }
        check_version(version, slot.fields.version)?;

        let (zxid, time) = (request.zxid, request.time);
        self.replace_data(node, data, |fields| {
            fields.mzxid = zxid;
            fields.mtime = time;
            fields.version = fields.version.wrapping_add(1);
        });
        let stat = self.nodes.stat(node);
        changes.push(self.describe(ChangeKind::DataChanged, node, path));
        self.quota_after_set(path, len, former_len);
        Ok(Reply::Stat(stat))
    }
}
