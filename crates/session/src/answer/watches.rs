//! Setting watches: those that stay, and those of an earlier connection.

use bytes::BytesMut;
use proto::ErrorCode;

use super::{After, Reader};
use crate::{
    action::SetWatches,
    to_wire,
    watch::{
        AddWatchMode,
        rearm::{Missed, RearmList, rearm},
    },
};

/// `addWatch`.
pub(super) fn add(
    xid: i32,
    path: &str,
    mode: AddWatchMode,
    reader: &mut Reader<'_>,
    out: &mut BytesMut,
) -> After {
    let added = reader.watches.table().add(path, reader.watcher, mode);
    if added.is_err() {
        return After::Close;
    }
    to_wire::put_add_watch_done(out, xid, reader.state.last_zxid());
    After::Continue
}

/// `setWatches` and `setWatches2`: what was missed is told before the reply, in the order
/// of the lists.
pub(super) fn set(
    xid: i32,
    lists: &SetWatches<'_>,
    reader: &mut Reader<'_>,
    out: &mut BytesMut,
) -> After {
    let table = reader.watches.table();
    for (list, paths) in [
        (RearmList::Data, &lists.data),
        (RearmList::Exist, &lists.exist),
        (RearmList::Child, &lists.child),
        (RearmList::Persistent, &lists.persistent),
        (RearmList::PersistentRecursive, &lists.recursive),
    ] {
        for path in paths {
            let stat = reader.state.stat_of(path);
            let missed = Missed { stat: stat.as_ref(), last_seen: lists.last_seen };
            match rearm(table, reader.watcher, list, path, missed) {
                Ok(Some(event)) => to_wire::put_missed_event(out, event, path),
                Ok(None) => {}
                Err(_) => return After::Close,
            }
        }
    }
    let code = if lists.fails_at_end { ErrorCode::MarshallingError } else { ErrorCode::Ok };
    to_wire::put_header(out, xid, reader.state.last_zxid(), code);
    After::Continue
}
