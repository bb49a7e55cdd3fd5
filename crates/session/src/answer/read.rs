//! Reads: a query of the state, its answer on the wire, and the watch that it sets.

use bytes::BytesMut;
use proto::ErrorCode;
use tree::{Query, Reject};

use super::{After, Asker, Reader};
use crate::{
    action::{MultiRead, Read, ReadWatch},
    to_wire,
    watch::WatchLimitReached,
};

/// Answers one read.
pub(super) fn answer(
    xid: i32,
    read: &Read<'_>,
    asker: &Asker<'_>,
    reader: &mut Reader<'_>,
    out: &mut BytesMut,
) -> After {
    let zxid = reader.state.last_zxid();
    let result = asker.identities.with(|identities| {
        let result = reader.query(&read.query, identities);
        let refused = result.as_ref().err().copied();
        to_wire::put_answer(out, xid, zxid, result, read.stat);
        refused
    });
    match set_watch(read, result, reader) {
        Ok(()) => After::Continue,
        Err(WatchLimitReached) => After::Close,
    }
}

/// Answers a multi of reads. Compat(multi-read-watch): the watch flags of the elements count for
/// nothing.
pub(super) fn answer_multi(
    xid: i32,
    multi: &MultiRead<'_>,
    asker: &Asker<'_>,
    reader: &mut Reader<'_>,
    out: &mut BytesMut,
) -> After {
    let code = if multi.fails_at_end { ErrorCode::MarshallingError } else { ErrorCode::Ok };
    to_wire::put_reply(out, xid, reader.state.last_zxid(), code, |out| {
        asker.identities.with(|identities| {
            for read in &multi.reads {
                to_wire::put_read_element(out, reader.query(&read.query, identities));
            }
        });
        to_wire::put_multi_end(out);
    });
    After::Continue
}

fn set_watch(
    read: &Read<'_>,
    refused: Option<Reject>,
    reader: &mut Reader<'_>,
) -> Result<(), WatchLimitReached> {
    let (path, watcher) = (path_of(&read.query), reader.watcher);
    match (read.watch, refused) {
        (ReadWatch::DataIfRead | ReadWatch::DataIfReadOrMissing, None)
        | (ReadWatch::DataIfReadOrMissing, Some(Reject::NoNode)) => {
            reader.watches.table().add_standard_data(path, watcher)
        }
        (ReadWatch::ChildIfRead, None) => reader.watches.table().add_standard_child(path, watcher),
        (ReadWatch::None, _)
        | (
            ReadWatch::DataIfRead | ReadWatch::DataIfReadOrMissing | ReadWatch::ChildIfRead,
            Some(_),
        ) => Ok(()),
    }
}

const fn path_of<'a>(query: &Query<'a>) -> &'a str {
    match query {
        Query::Exists { path }
        | Query::GetData { path }
        | Query::GetChildren { path }
        | Query::GetAcl { path }
        | Query::CountDescendants { path } => path,
        Query::Ephemerals { prefix, .. } => match prefix {
            Some(prefix) => prefix,
            None => "",
        },
    }
}
