//! Reads: a query of the state, its answer on the wire, and the watch that it sets.

use bytes::BytesMut;
use proto::ErrorCode;
use tree::{Query, Reject};

use super::{After, Asker, Reader, refuse};
use crate::{
    action::{MultiRead, Read, ReadWatch, Refusal},
    to_wire,
    watch::WatchLimitReached,
};

/// Most bytes of the results of one multi of reads. A request of a few bytes can name the same
/// large znode again and again: without this, one frame would ask for gigabytes at once.
///
/// Compat(multi-read-size): ZooKeeper has no limit but its memory, which it runs out of.
pub(super) const MULTI_READ_BYTES_MAX: usize = 32 << 20;

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
    let (start, zxid) = (out.len(), reader.state.last_zxid());
    let is_too_long = |out: &BytesMut| out.len() - start > MULTI_READ_BYTES_MAX;
    to_wire::put_reply(out, xid, zxid, code, |out| {
        asker.identities.with(|identities| {
            for read in &multi.reads {
                to_wire::put_read_element(out, reader.query(&read.query, identities));
                if is_too_long(out) {
                    break;
                }
            }
        });
        to_wire::put_multi_end(out);
    });
    if !is_too_long(out) {
        return After::Continue;
    }
    // What was taken for it is given back as well.
    let answered = out.split_to(start);
    *out = BytesMut::from(&answered[..]);
    refuse(xid, &Refusal::MARSHALLING, zxid, out)
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
