//! The replies of reads, from what the state answered.

use bytes::BytesMut;
use jute::Record;
use proto::{
    Acl, ClientInfo, ErrorCode, ErrorResponse, ExistsResponse, GetAclResponse,
    GetAllChildrenNumberResponse, GetChildren2Response, GetChildrenResponse, GetDataResponse,
    GetEphemeralsResponse, Id, WhoAmIResponse,
};
use tree::{Answer, Reject, Zxid};

use super::{put_header, put_reply, wire_stat};
use crate::{
    action::StatPart,
    wire_error::{WireError, wire_error},
};

/// Writes the reply of a read.
pub(crate) fn put_answer(
    out: &mut BytesMut,
    xid: i32,
    zxid: Zxid,
    result: Result<Answer<'_>, Reject>,
    stat_part: StatPart,
) {
    match result {
        Ok(answer) => {
            put_reply(out, xid, zxid, ErrorCode::Ok, |out| put_body(out, answer, stat_part));
        }
        Err(reject) => match wire_error(reject) {
            WireError::Code(code) => put_header(out, xid, zxid, code),
            WireError::CloseSilently => unreachable!("{reject:?} rejects commands, not queries"),
        },
    }
}

fn put_body(out: &mut BytesMut, answer: Answer<'_>, stat_part: StatPart) {
    match answer {
        Answer::Stat(stat) => ExistsResponse { stat: wire_stat(&stat) }.encode(out),
        Answer::Data { data, stat } => {
            GetDataResponse { data, stat: wire_stat(&stat) }.encode(out);
        }
        Answer::Children { names: children, stat } => match stat_part {
            StatPart::Sent => {
                GetChildren2Response { children, stat: wire_stat(&stat) }.encode(out);
            }
            StatPart::Left => GetChildrenResponse { children }.encode(out),
        },
        Answer::Acl { entries, stat } => {
            let acl = entries.iter().map(|(perms, scheme, id)| Acl {
                perms: perms.0,
                id: Id { scheme: Some(scheme), id: Some(id) },
            });
            GetAclResponse { acl: acl.collect(), stat: wire_stat(&stat) }.encode(out);
        }
        Answer::Count(total_number) => GetAllChildrenNumberResponse { total_number }.encode(out),
        Answer::Paths(paths) => {
            let ephemerals = paths.iter().map(String::as_str).collect();
            GetEphemeralsResponse { ephemerals }.encode(out);
        }
    }
}

/// Writes the reply of `addWatch`. Compat(add-watch-body): it is the one that has a body which says
/// nothing; clients wait for those four bytes.
pub(crate) fn put_add_watch_done(out: &mut BytesMut, xid: i32, zxid: Zxid) {
    put_reply(out, xid, zxid, ErrorCode::Ok, |out| ErrorResponse { err: 0 }.encode(out));
}

/// Writes the reply of `whoAmI`: pairs of scheme and user.
pub(crate) fn put_who_am_i<'a>(
    out: &mut BytesMut,
    xid: i32,
    zxid: Zxid,
    users: impl Iterator<Item = (&'a str, &'a str)>,
) {
    let client_info = users.map(|(auth_scheme, user)| ClientInfo { auth_scheme, user }).collect();
    put_reply(out, xid, zxid, ErrorCode::Ok, |out| WhoAmIResponse { client_info }.encode(out));
}
