//! Entries for servers of an older version, in the middle of a rolling upgrade.
//!
//! What such a server cannot read is said in the words that it knows, as its own version would
//! have said it. That is done before an entry is in the log, never to one that is.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use tree::{Batch, Command, CommandFlags, Former, Op};

use super::{begin_entry, decode, encode_command, end_entry, join_entries};

/// The version of the protocol between servers since which all that is written now is read.
const ALL_SINCE: i32 = 3;

/// The entry as it is for servers that speak `version`. What is no entry stays as it is.
pub(crate) fn readable_by(version: i32, entry: &Bytes) -> Cow<'_, Bytes> {
    if version >= ALL_SINCE {
        return Cow::Borrowed(entry);
    }
    match decode(entry) {
        Ok(batches) if batches.iter().any(is_newer) => Cow::Owned(rewrite(batches)),
        Ok(_) | Err(_) => Cow::Borrowed(entry),
    }
}

fn is_newer(batch: &Batch<'_>) -> bool {
    let is_newer = |command: &Command<'_>| {
        let judges = command.flags.contains(CommandFlags::JUDGE_LIMITS);
        judges
            || matches!(
                command.op,
                Op::AttachSession { former: Former::Owner(_) | Former::Unknown, .. }
            )
    };
    batch.commands.iter().any(is_newer)
}

fn rewrite(batches: Vec<Batch<'_>>) -> Bytes {
    let entry = |batch: Batch<'_>| {
        let mut out = BytesMut::new();
        begin_entry(&mut out, batch.origin, batch.first_sequence, batch.time);
        let mut commands = 0;
        for mut command in batch.commands {
            if let Op::AttachSession { former, .. } = &mut command.op {
                *former = Former::Anybody;
            }
            command.flags = command.flags.without(CommandFlags::JUDGE_LIMITS);
            encode_command(&command, &mut out);
            commands += 1;
        }
        end_entry(&mut out, commands);
        out.freeze()
    };
    let entries: Vec<Bytes> = batches.into_iter().map(entry).collect();
    join_entries(&entries)
}
