//! Rejections that are known when a command is proposed, by number.

use tree::Reject;

use super::CodecError;

/// Every rejection and its number in the log. Numbers are never given to another.
const NUMBERS: &[(Reject, i32)] = &[
    (Reject::NoNode, 1),
    (Reject::NoAuth, 2),
    (Reject::BadVersion, 3),
    (Reject::NoChildrenForEphemerals, 4),
    (Reject::NodeExists, 5),
    (Reject::NotEmpty, 6),
    (Reject::InvalidAcl, 7),
    (Reject::BadArguments, 8),
    (Reject::Marshalling, 9),
    (Reject::Unimplemented, 10),
    (Reject::QuotaExceeded, 11),
    (Reject::SessionExpired, 12),
    (Reject::SessionMoved, 13),
    (Reject::ReconfigDisabled, 14),
    (Reject::ReconfigInProgress, 15),
    (Reject::NewConfigNoQuorum, 16),
    (Reject::NoWatcher, 17),
    (Reject::OutOfSequence, 18),
    (Reject::EphemeralOnLocalSession, 19),
];

pub(super) fn number(reject: Reject) -> i32 {
    let found = NUMBERS.iter().find(|(known, _)| *known == reject);
    found.map(|(_, number)| *number).expect("every rejection is in the table")
}

pub(super) fn reject(number: i32) -> Result<Reject, CodecError> {
    let found = NUMBERS.iter().find(|(_, known)| *known == number);
    found.map(|(reject, _)| *reject).ok_or(CodecError::Unknown { what: "rejection", number })
}
