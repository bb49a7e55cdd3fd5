//! The replies of multis: a header before each element's result, and one to end.

use bytes::BytesMut;
use jute::Record;
use proto::{
    CreateResponse, ErrorCode, ErrorResponse, GetChildrenResponse, GetDataResponse, MultiHeader,
    OpCode, SetDataResponse,
};
use tree::{Answer, MultiOutcome, Reject, Reply};

use super::{outcomes::put_created, wire_stat};
use crate::{
    action::ElementShape,
    wire_error::{WireError, wire_error},
};

/// The type of an element that is an error, and of the end.
const NO_OPERATION: i32 = -1;

/// Writes the elements of a multi of writes, and the end.
pub(super) fn put_result(out: &mut BytesMut, result: &MultiOutcome, shapes: &[ElementShape]) {
    match result {
        MultiOutcome::Applied(replies) => {
            assert_eq!(replies.len(), shapes.len(), "an applied multi has a reply per element");
            for (reply, shape) in replies.iter().zip(shapes) {
                put_element(out, reply, *shape);
            }
        }
        MultiOutcome::Failed { index, len, reject } => {
            for element in 0..*len {
                // Compat(multi-error): nothing was applied, yet the elements before the failing one
                // carry "ok", and those behind it "inconsistent".
                put_error_element(
                    out,
                    match element.cmp(index) {
                        std::cmp::Ordering::Less => ErrorCode::Ok,
                        std::cmp::Ordering::Equal => element_code(*reject),
                        std::cmp::Ordering::Greater => ErrorCode::RuntimeInconsistency,
                    },
                );
            }
        }
    }
    put_multi_end(out);
}

/// Writes one element of a multi of reads; each succeeds or fails by itself.
pub(crate) fn put_read_element(out: &mut BytesMut, result: Result<Answer<'_>, Reject>) {
    match result {
        Err(reject) => put_error_element(out, element_code(reject)),
        Ok(Answer::Data { data, stat }) => {
            put_element_header(out, OpCode::GetData);
            GetDataResponse { data, stat: wire_stat(&stat) }.encode(out);
        }
        Ok(Answer::Children { names, .. }) => {
            put_element_header(out, OpCode::GetChildren);
            GetChildrenResponse { children: names }.encode(out);
        }
        Ok(Answer::Stat(_) | Answer::Acl { .. } | Answer::Count(_) | Answer::Paths(_)) => {
            unreachable!("a multi of reads holds getData and getChildren only")
        }
    }
}

/// Writes what ends every multi.
pub(crate) fn put_multi_end(out: &mut BytesMut) {
    MultiHeader { op: NO_OPERATION, done: true, err: -1 }.encode(out);
}

fn put_element(out: &mut BytesMut, reply: &Reply, shape: ElementShape) {
    match (shape, reply) {
        (ElementShape::Create, Reply::Created { path, .. }) => {
            put_element_header(out, OpCode::Create);
            CreateResponse { path }.encode(out);
        }
        (ElementShape::Create2, Reply::Created { path, stat }) => {
            put_element_header(out, OpCode::Create2);
            put_created(out, path, stat);
        }
        (ElementShape::Delete, _) => put_element_header(out, OpCode::Delete),
        (ElementShape::Check, _) => put_element_header(out, OpCode::Check),
        (ElementShape::SetData, Reply::Stat(stat)) => {
            put_element_header(out, OpCode::SetData);
            SetDataResponse { stat: wire_stat(stat) }.encode(out);
        }
        (
            ElementShape::Create | ElementShape::Create2 | ElementShape::SetData,
            Reply::Created { .. }
            | Reply::Done
            | Reply::Stat(_)
            | Reply::Config { .. }
            | Reply::Multi(_)
            | Reply::Attached { .. }
            | Reply::Closed(_),
        ) => unreachable!("an element of the shape {shape:?} cannot be {reply:?}"),
    }
}

fn put_element_header(out: &mut BytesMut, op: OpCode) {
    MultiHeader { op: op.code(), done: false, err: 0 }.encode(out);
}

fn put_error_element(out: &mut BytesMut, code: ErrorCode) {
    let err = code.code();
    MultiHeader { op: NO_OPERATION, done: false, err }.encode(out);
    ErrorResponse { err }.encode(out);
}

/// The code of a failed element.
fn element_code(reject: Reject) -> ErrorCode {
    match wire_error(reject) {
        WireError::Code(code) => code,
        WireError::CloseSilently => unreachable!("{reject:?} rejects whole requests only"),
    }
}
