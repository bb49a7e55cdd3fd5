//! What frames there are, by number. Numbers are never given to another.

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Hello,
    Welcome,
    Refusal,
    Append,
    AppendReply,
    /// A request, or its answer, on the control lane: an id, and a frame's kind and record.
    Call,
    Reply,
    Vote,
    PreVote,
    Transfer,
    LeaderLost,
    ReadIndex,
    Probe,
    Prepare,
    Accept,
    Join,
    ChangeMembers,
    HandOver,
    SessionsHeard,
    Forward,
    NotLeader,
    Offer,
    Wanted,
    Chunk,
    Installed,
    Standings,
    Digests,
    StateDiffers,
}

/// Every kind and its number.
const NUMBERS: &[(Kind, i32)] = &[
    (Kind::Hello, 1),
    (Kind::Welcome, 2),
    (Kind::Refusal, 3),
    (Kind::Append, 4),
    (Kind::AppendReply, 5),
    (Kind::Call, 6),
    (Kind::Reply, 7),
    (Kind::Vote, 8),
    (Kind::PreVote, 9),
    (Kind::Transfer, 10),
    (Kind::LeaderLost, 11),
    (Kind::ReadIndex, 12),
    (Kind::Probe, 13),
    (Kind::Prepare, 14),
    (Kind::Accept, 15),
    (Kind::Join, 16),
    (Kind::ChangeMembers, 17),
    (Kind::HandOver, 18),
    (Kind::SessionsHeard, 19),
    (Kind::Forward, 20),
    (Kind::NotLeader, 21),
    (Kind::Offer, 22),
    (Kind::Wanted, 23),
    (Kind::Chunk, 24),
    (Kind::Installed, 25),
    (Kind::Standings, 26),
    (Kind::Digests, 27),
    (Kind::StateDiffers, 28),
];

impl Kind {
    pub(crate) fn number(self) -> i32 {
        let found = NUMBERS.iter().find(|(kind, _)| *kind == self);
        found.map(|(_, number)| *number).expect("every kind is in the table")
    }

    /// The version of the protocol that it came with: one who speaks an older one is not sent it.
    pub(crate) fn since(self) -> i32 {
        if matches!(self, Self::Digests | Self::StateDiffers) { 2 } else { 1 }
    }

    pub(crate) fn from_number(number: i32) -> Option<Self> {
        NUMBERS.iter().find(|(_, known)| *known == number).map(|(kind, _)| *kind)
    }
}
