//! Entries for servers of an older version, in the middle of a rolling upgrade.
//!
//! What such a server cannot read is said in the words that it knows, as its own version would
//! have said it. That is done before an entry is in the log, never to one that is.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use tree::{Batch, Command, CommandFlags, Former, Op};

use super::{begin_entry, decode, encode_command, end_entry, join_entries};

/// The versions of the protocol between servers since which something is read: attachments
/// that say whose the session must be, and the flag about limits;
const MOVES_SINCE: i32 = 3;
/// and the end of a session in one term only. All that is written now is read since then.
const TERMS_SINCE: i32 = 4;

/// The entry as it is for servers that speak `version`. What is no entry stays as it is.
pub(crate) fn readable_by(version: i32, entry: &Bytes) -> Cow<'_, Bytes> {
    if version >= TERMS_SINCE {
        return Cow::Borrowed(entry);
    }
    let Ok(mut batches) = decode(entry) else {
        return Cow::Borrowed(entry);
    };
    let mut is_newer = false;
    for command in batches.iter_mut().flat_map(|batch| &mut batch.commands) {
        is_newer |= say_in_older_words(version, command);
    }
    if is_newer { Cow::Owned(encode(batches)) } else { Cow::Borrowed(entry) }
}

/// Whether the command had to be changed for that.
fn say_in_older_words(version: i32, command: &mut Command<'_>) -> bool {
    let mut is_newer = false;
    if let Op::ExpireSession { term, .. } = &mut command.op {
        is_newer |= version < TERMS_SINCE && term.take().is_some();
    }
    if version < MOVES_SINCE {
        if let Op::AttachSession { former, .. } = &mut command.op {
            is_newer |= *former != Former::Anybody;
            *former = Former::Anybody;
        }
        is_newer |= command.flags.contains(CommandFlags::JUDGE_LIMITS);
        command.flags = command.flags.without(CommandFlags::JUDGE_LIMITS);
    }
    is_newer
}

fn encode(batches: Vec<Batch<'_>>) -> Bytes {
    let entry = |batch: Batch<'_>| {
        let mut out = BytesMut::new();
        begin_entry(&mut out, batch.origin, batch.first_sequence, batch.time);
        let mut commands = 0;
        for command in &batch.commands {
            encode_command(command, &mut out);
            commands += 1;
        }
        end_entry(&mut out, commands);
        out.freeze()
    };
    let entries: Vec<Bytes> = batches.into_iter().map(entry).collect();
    join_entries(&entries)
}
