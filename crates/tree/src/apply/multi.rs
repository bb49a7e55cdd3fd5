//! Several operations, all or nothing. Each sees what those before it did; what they
//! did is undone when one is rejected.

use super::{Changes, Request, create::NewZnode};
use crate::{
    State,
    command::Op,
    outcome::{MultiOutcome, Reject, Reply},
};

impl State {
    pub(super) fn multi(
        &mut self,
        request: &Request<'_>,
        ops: &[Op<'_>],
        changes: &mut Changes,
    ) -> Result<Reply, Reject> {
        if !ops.iter().all(may_be_element) {
            return Err(Reject::Marshalling);
        }
        self.begin_undoable();
        let mut replies = Vec::with_capacity(ops.len());
        for (index, op) in ops.iter().enumerate() {
            match self.element(request, op, changes) {
                Ok(reply) => replies.push(reply),
                Err(reject) => {
                    self.undo_changes();
                    changes.clear();
                    // Compat(quota-unreadable): it is a fault of the multi as a whole.
                    if reject == Reject::Marshalling {
                        return Err(reject);
                    }
                    return failed(index, ops.len(), reject);
                }
            }
        }
        self.keep_changes();
        Ok(Reply::Multi(MultiOutcome::Applied(replies)))
    }

    fn element(
        &mut self,
        request: &Request<'_>,
        op: &Op<'_>,
        changes: &mut Changes,
    ) -> Result<Reply, Reject> {
        match op {
            Op::Create { path, data, acl, mode } => {
                let new = NewZnode { path, data: *data, acl: acl.as_deref(), mode: *mode };
                self.create(request, &new, changes)
            }
            Op::Delete { path, version } => self.delete(request, path, *version, changes),
            Op::SetData { path, data, version } => {
                self.set_data(request, *path, *data, *version, changes)
            }
            Op::Check { path, version } => self.check(request, *path, *version),
            Op::Reject(reject) => Err(*reject),
            Op::SetAcl { .. }
            | Op::Multi(_)
            | Op::OpenSession { .. }
            | Op::AttachSession { .. }
            | Op::CloseSession
            | Op::ExpireSession { .. }
            | Op::Reconfig { .. }
            | Op::Reap { .. } => Err(Reject::Marshalling),
        }
    }
}

/// Compat(multi-elements): anything else fails the request as a whole, without a reply per element.
fn may_be_element(op: &Op<'_>) -> bool {
    match op {
        Op::Create { .. }
        | Op::Delete { .. }
        | Op::SetData { .. }
        | Op::Check { .. }
        | Op::Reject(_) => true,
        Op::SetAcl { .. }
        | Op::Multi(_)
        | Op::OpenSession { .. }
        | Op::AttachSession { .. }
        | Op::CloseSession
        | Op::ExpireSession { .. }
        | Op::Reconfig { .. }
        | Op::Reap { .. } => false,
    }
}

/// A moved session ends the connection; every other rejection is the multi's reply.
fn failed(index: usize, len: usize, reject: Reject) -> Result<Reply, Reject> {
    if reject == Reject::SessionMoved {
        return Err(reject);
    }
    Ok(Reply::Multi(MultiOutcome::Failed { index, len, reject }))
}
