//! Answering what needs no log: reads, watches, pings, and errors that are known at once.
//!
//! Each answer is written in one pass, from the state to the outgoing bytes, while the
//! state is held: a read copies its data once and allocates nothing. The watch that a read
//! sets is set in the same step, so that no change falls between the two.

mod read;
#[cfg(test)]
mod tests;
mod watches;

use std::fmt;

use bytes::BytesMut;
use proto::ErrorCode;
use tree::{Answer, CommandFlags, Identity, Query, Reject, SessionId, State, Zxid};

pub(crate) use crate::action::After;
use crate::{
    action::{Action, Local, Refusal, Settings, StatPart},
    auth::{Identities, user_name},
    from_wire, to_wire,
    watch::{WatchTable, WatcherId},
};

/// What an answer is made from.
pub struct Reader<'a> {
    /// The state, which does not change while this is held.
    pub state: &'a State,
    /// The watch table, asked for only when a watch is set or looked for.
    pub watches: &'a mut dyn WatchAccess,
    /// The connection, as the watch table knows it.
    pub watcher: WatcherId,
    /// The settings of this server that change what may be read: `skipACL`.
    pub flags: CommandFlags,
}

impl<'a> Reader<'a> {
    fn query(&self, query: &Query<'_>, identities: &[Identity<'_>]) -> Result<Answer<'a>, Reject> {
        self.state.query(query, identities, self.flags)
    }
}

/// A way to the watch table. Reads far outnumber watches: one that locks the table at the
/// first use keeps plain reads from waiting for each other.
pub trait WatchAccess {
    /// The table.
    fn table(&mut self) -> &mut WatchTable;
}

impl WatchAccess for WatchTable {
    fn table(&mut self) -> &mut WatchTable {
        self
    }
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("watcher", &self.watcher).finish_non_exhaustive()
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The session of the connection.
    pub session: SessionId,
    /// The identities that the connection had when the request was read.
    pub identities: &'a Identities,
}

/// Answers a frame that was found to need no log when it was read.
pub fn answer_frame(
    frame: &[u8],
    asker: &Asker<'_>,
    reader: &mut Reader<'_>,
    out: &mut BytesMut,
) -> After {
    // The settings decide about writes only, and this is none.
    let parsed = from_wire::parse(frame, &Settings::default());
    match parsed.action {
        Action::Local(local) => answer_local(parsed.xid, &local, asker, reader, out),
        Action::Close => After::Close,
        Action::Write { .. } | Action::Reconfig(_) | Action::Auth { .. } => {
            unreachable!("writes and auth packets are not answered from the state")
        }
    }
}

/// Answers one request, behind what is in `out`.
pub fn answer_local(
    xid: i32,
    local: &Local<'_>,
    asker: &Asker<'_>,
    reader: &mut Reader<'_>,
    out: &mut BytesMut,
) -> After {
    let zxid = reader.state.last_zxid();
    match local {
        Local::Read(read) => return read::answer(xid, read, asker, reader, out),
        Local::Ephemerals { prefix } => {
            let query = Query::Ephemerals { session: asker.session, prefix: *prefix };
            let result = asker.identities.with(|identities| reader.query(&query, identities));
            to_wire::put_answer(out, xid, zxid, result, StatPart::Sent);
        }
        Local::MultiRead(multi) => return read::answer_multi(xid, multi, asker, reader, out),
        Local::Sync { path } => to_wire::put_sync(out, xid, zxid, *path),
        // Compat(ping-xid): whatever number the client gave it.
        Local::Ping => to_wire::put_header(out, proto::xid::PING, zxid, ErrorCode::Ok),
        Local::WhoAmI => {
            let users = asker.identities.iter().map(|id| (id.scheme, user_name(&id)));
            to_wire::put_who_am_i(out, xid, zxid, users);
        }
        Local::SetWatches(lists) => return watches::set(xid, lists, reader, out),
        Local::AddWatch { path, mode } => return watches::add(xid, path, *mode, reader, out),
        Local::RemoveWatches { path, kind } => {
            let found = reader.watches.table().remove(path, reader.watcher, *kind);
            put_found(out, xid, zxid, found);
        }
        Local::CheckWatches { path, kind } => {
            let found = reader.watches.table().contains(path, reader.watcher, *kind);
            put_found(out, xid, zxid, found);
        }
        Local::Sasl => to_wire::put_sasl_unconfigured(out, xid),
        Local::Refuse(refusal) => return refuse(xid, refusal, zxid, out),
    }
    After::Continue
}

/// Writes an error that needs no state but the last zxid applied here.
pub fn refuse(xid: i32, refusal: &Refusal, last_applied: Zxid, out: &mut BytesMut) -> After {
    to_wire::put_refusal(out, xid, refusal, last_applied);
    refusal.then
}

fn put_found(out: &mut BytesMut, xid: i32, zxid: Zxid, found: bool) {
    let code = if found { ErrorCode::Ok } else { ErrorCode::NoWatcher };
    to_wire::put_header(out, xid, zxid, code);
}
