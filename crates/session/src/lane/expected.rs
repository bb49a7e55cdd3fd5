//! How long the answers to requests that wait may become, judged by what is asked.
//!
//! Rough on purpose: what a request will find is not known while writes stand before it. It
//! bounds what is answered before a write is applied, however slowly the client reads.

use proto::OpCode;

const MIB: usize = 1024 * 1024;

/// What waits may come to so much, in bytes, and a write is still taken behind it. Three
/// quarters of [`super::OUT_MAX`]: the rest is for events, and for answers longer than expected.
pub(super) const ANSWERS_MAX: usize = super::OUT_MAX / 4 * 3;

/// The answer to a deferred frame, in bytes: as much as such requests are answered with when
/// znodes have the size that `jute.maxbuffer` allows by default; a little for all that is short.
pub(super) fn answer_bytes(frame: &[u8]) -> usize {
    const SHORT: usize = 256;
    let Some(&op) = frame.get(4..).and_then(<[u8]>::first_chunk) else { return SHORT };
    let op = i32::from_be_bytes(op);
    let is = |codes: &[OpCode]| codes.iter().any(|code| code.code() == op);
    if is(&[OpCode::MultiRead]) {
        super::OUT_MAX
    } else if is(&[OpCode::GetChildren, OpCode::GetChildren2, OpCode::GetEphemerals]) {
        4 * MIB
    } else if is(&[OpCode::GetData, OpCode::SetWatches, OpCode::SetWatches2]) {
        MIB
    } else {
        SHORT
    }
}
