//! Commands as the bytes of log entries, and back.
//!
//! The records are those of `jute-schemas/command.jute`. A command is encoded once,
//! straight into its batch; it is decoded where it is applied, borrowing from the entry.
//! `docs/formats.md` has the rules for changing any of this.

mod command;
mod membership;
mod reject;
#[cfg(test)]
mod tests;

use bytes::BytesMut;
use jute::{DecodeError, Record};
use thiserror::Error;
use tree::{Batch, Millis, OriginId};

use crate::generated::command as wire;

pub(crate) use command::encode_command;
pub(crate) use membership::{
    decode_membership, decode_stored_membership, encode_membership, encode_stored_membership,
};

/// The version of the format that is written.
const FORMAT: i32 = 1;

/// Where the number of commands stands in an entry of one batch: behind the format, the
/// number of batches, and the four longs that begin a batch.
const COMMANDS_AT: usize = 4 + 4 + 4 * 8;

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
}

/// Begins an entry of one batch; commands are appended with `encode_command`.
pub(crate) fn begin_entry(out: &mut BytesMut, origin: OriginId, first: u64, time: Millis) {
    jute::put_int(out, FORMAT);
    jute::put_int(out, 1);
    jute::put_long(out, origin.node.cast_signed());
    jute::put_long(out, origin.incarnation.cast_signed());
    jute::put_long(out, first.cast_signed());
    jute::put_long(out, time.0);
    jute::put_int(out, 0);
}

/// Fills in how many commands were appended.
pub(crate) fn end_entry(out: &mut BytesMut, commands: u32) {
    out[COMMANDS_AT..COMMANDS_AT + 4].copy_from_slice(&commands.to_be_bytes());
}

/// How many commands an entry of one batch has; 0 for what is no such entry.
pub fn count_commands(payload: &[u8]) -> u64 {
    let count = payload.get(COMMANDS_AT..).and_then(|rest| rest.first_chunk::<4>());
    // A negative count reads as an empty list.
    count.map_or(0, |count| u64::try_from(i32::from_be_bytes(*count)).unwrap_or(0))
}

/// When an entry of one batch was made, by the clock of the server that it came from; 0 for
/// what is no such entry.
pub fn time_made(payload: &[u8]) -> Millis {
    let time = payload.get(COMMANDS_AT - 8..).and_then(|rest| rest.first_chunk::<8>());
    Millis(time.map_or(0, |time| i64::from_be_bytes(*time)))
}

/// Whose commands an entry of one batch has; none if it is no such entry of this format.
pub(crate) fn origin(payload: &[u8]) -> Option<OriginId> {
    let (head, rest) = payload.split_first_chunk::<8>()?;
    let (node, rest) = rest.split_first_chunk::<8>()?;
    let incarnation = rest.first_chunk::<8>()?;
    let one_batch = u64::from(FORMAT.cast_unsigned()) << 32 | 1;
    (u64::from_be_bytes(*head) == one_batch).then(|| OriginId {
        node: u64::from_be_bytes(*node),
        incarnation: u64::from_be_bytes(*incarnation),
    })
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
