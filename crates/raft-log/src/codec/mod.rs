//! Commands as the bytes of log entries, and back.
//!
//! The records are those of `jute-schemas/command.jute`. A command is encoded once,
//! straight into its batch; it is decoded where it is applied, borrowing from the entry.
//! `docs/formats.md` has the rules for changing any of this.

mod command;
mod membership;
mod older;
mod reject;
#[cfg(test)]
mod tests;

use bytes::{Bytes, BytesMut};
use jute::{DecodeError, Record};
use thiserror::Error;
use tree::{Batch, Millis, OriginId};

use crate::generated::command as wire;

pub(crate) use command::encode_command;
pub(crate) use membership::{
    decode_membership, decode_stored_membership, encode_membership, encode_stored_membership,
};
pub(crate) use older::readable_by;

/// The version of the format that is written.
const FORMAT: i32 = 1;

/// Where the number of commands of an entry stands: behind the format.
const COMMANDS_AT: usize = 4;
/// Where the number of batches of an entry stands.
const BATCHES_AT: usize = COMMANDS_AT + 4;
/// Where the batches of an entry begin.
const FIRST_BATCH_AT: usize = BATCHES_AT + 4;
/// Where the time of the first batch stands: behind three longs.
const TIME_AT: usize = FIRST_BATCH_AT + 3 * 8;
/// Where the number of commands of the first batch stands.
const BATCH_COMMANDS_AT: usize = TIME_AT + 8;

/// An entry that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CodecError {
    /// It is of a version that this program does not know.
    #[error("log entry of format {0}; this version reads format {FORMAT}")]
    Format(i32),
    /// It is not what the schema says.
    #[error("log entry: {0}")]
    Decode(#[from] DecodeError),
    /// An operation or a reason of a number that this program does not know.
    #[error("log entry: unknown {what} {number}")]
    Unknown {
        /// What kind of number.
        what: &'static str,
        /// The number.
        number: i32,
    },
    /// A multi within a multi.
    #[error("log entry: a multi within a multi")]
    Nested,
    /// Its commands are not as many as it says.
    #[error("log entry: {found} commands where it says {said}")]
    Count {
        /// As many as it has.
        found: usize,
        /// As many as it says.
        said: i32,
    },
}

/// Begins an entry of one batch; commands are appended with `encode_command`.
pub(crate) fn begin_entry(out: &mut BytesMut, origin: OriginId, first: u64, time: Millis) {
    begin(out, 0, 1);
    jute::put_long(out, origin.node.cast_signed());
    jute::put_long(out, origin.incarnation.cast_signed());
    jute::put_long(out, first.cast_signed());
    jute::put_long(out, time.0);
    jute::put_int(out, 0);
}

fn begin(out: &mut BytesMut, commands: i32, batches: i32) {
    jute::put_int(out, FORMAT);
    jute::put_int(out, commands);
    jute::put_int(out, batches);
}

/// Fills in how many commands were appended.
pub(crate) fn end_entry(out: &mut BytesMut, commands: u32) {
    let commands = commands.to_be_bytes();
    out[COMMANDS_AT..BATCHES_AT].copy_from_slice(&commands);
    out[BATCH_COMMANDS_AT..BATCH_COMMANDS_AT + 4].copy_from_slice(&commands);
}

/// One entry of what several have, in their order. Those must be well-formed; a single one
/// is given back as it is.
pub(crate) fn join_entries(entries: &[Bytes]) -> Bytes {
    if let [only] = entries {
        return only.clone();
    }
    let bytes = entries.iter().map(Bytes::len).sum();
    let mut out = BytesMut::with_capacity(bytes);
    let total = |at| entries.iter().map(|entry| int_at(entry, at).unwrap_or(0)).sum();
    begin(&mut out, total(COMMANDS_AT), total(BATCHES_AT));
    for entry in entries {
        out.extend_from_slice(entry.get(FIRST_BATCH_AT..).unwrap_or_default());
    }
    out.freeze()
}

fn int_at(payload: &[u8], at: usize) -> Option<i32> {
    payload.get(at..)?.first_chunk::<4>().map(|bytes| i32::from_be_bytes(*bytes))
}

fn long_at(payload: &[u8], at: usize) -> Option<i64> {
    payload.get(at..)?.first_chunk::<8>().map(|bytes| i64::from_be_bytes(*bytes))
}

/// How many commands an entry has; 0 for what is no entry.
pub fn count_commands(payload: &[u8]) -> u64 {
    let count = int_at(payload, COMMANDS_AT);
    count.map_or(0, |count| u64::try_from(count).unwrap_or(0))
}

/// When the first batch of an entry was made, by the clock of the server that it came from;
/// 0 for what is no entry.
pub fn time_made(payload: &[u8]) -> Millis {
    Millis(long_at(payload, TIME_AT).unwrap_or(0))
}

/// Whose commands an entry of one batch has; none if it is no such entry of this format.
pub(crate) fn origin(payload: &[u8]) -> Option<OriginId> {
    let one_batch = int_at(payload, 0)? == FORMAT && int_at(payload, BATCHES_AT)? == 1;
    let node = long_at(payload, FIRST_BATCH_AT)?.cast_unsigned();
    let incarnation = long_at(payload, FIRST_BATCH_AT + 8)?.cast_unsigned();
    one_batch.then_some(OriginId { node, incarnation })
}

/// Reads the batches of an entry.
///
/// # Errors
/// [`CodecError`] when it is of another format, or damaged.
pub fn decode(payload: &[u8]) -> Result<Vec<Batch<'_>>, CodecError> {
    let (_, format) = jute::finish(jute::int("format", payload))?;
    if format != FORMAT {
        return Err(CodecError::Format(format));
    }
    let entry = wire::Entry::from_exact_bytes(payload)?;
    let found = entry.batches.iter().map(|batch| batch.commands.len()).sum();
    if usize::try_from(entry.commands) != Ok(found) {
        return Err(CodecError::Count { found, said: entry.commands });
    }
    entry.batches.into_iter().map(batch).collect()
}

fn batch(record: wire::Batch<'_>) -> Result<Batch<'_>, CodecError> {
    Ok(Batch {
        origin: OriginId {
            node: record.node.cast_unsigned(),
            incarnation: record.incarnation.cast_unsigned(),
        },
        first_sequence: record.first_sequence.cast_unsigned(),
        time: Millis(record.time),
        commands: record.commands.into_iter().map(command::command).collect::<Result<_, _>>()?,
    })
}
