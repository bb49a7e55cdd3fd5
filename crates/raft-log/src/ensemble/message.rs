//! What servers tell each other besides the log: nothing comes back, and it may be lost.

use std::io;

use tree::{SessionId, Zxid};

use crate::{
    generated::peer as wire,
    peer::{
        Kind,
        frame::{Frame, invalid},
        link::Link,
    },
};

/// What one server tells another besides the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerMessage {
    /// To the leader: these sessions were heard from since the last such message.
    SessionsHeard(Vec<SessionId>),
    /// To the leader: the digests of this server's state at these transactions.
    Digests(Vec<(Zxid, u64)>),
    /// From the leader: the state of who is told this is not what a majority has.
    StateDiffers {
        /// At this transaction.
        zxid: Zxid,
        /// The digest that it told.
        yours: u64,
        /// The digest of the majority.
        theirs: u64,
    },
}

/// A message, and which server sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromPeer {
    /// The Raft node id of the server that sent it; this one's own, when it told itself.
    pub node: u64,
    /// Its number.
    pub server_id: i64,
    /// What it said.
    pub message: PeerMessage,
}

impl PeerMessage {
    /// Out of a frame.
    pub(super) fn read(frame: &Frame) -> io::Result<Self> {
        if frame.kind == Kind::SessionsHeard {
            let record: wire::SessionsHeard = frame.record()?;
            return Ok(Self::SessionsHeard(record.sessions.into_iter().map(SessionId).collect()));
        }
        if frame.kind == Kind::Digests {
            let record: wire::Digests = frame.record()?;
            let point = |point: wire::DigestPoint| (Zxid(point.zxid), point.digest.cast_unsigned());
            return Ok(Self::Digests(record.points.into_iter().map(point).collect()));
        }
        if frame.kind != Kind::StateDiffers {
            return Err(invalid("a frame that is no message"));
        }
        let record: wire::StateDiffers = frame.record()?;
        let (yours, theirs) = (record.yours.cast_unsigned(), record.theirs.cast_unsigned());
        Ok(Self::StateDiffers { zxid: Zxid(record.zxid), yours, theirs })
    }

    /// Over a link; false if there is no room for it.
    pub(super) fn send(&self, link: &Link) -> bool {
        match self {
            Self::SessionsHeard(sessions) => {
                let sessions = sessions.iter().map(|session| session.0).collect();
                link.tell(Kind::SessionsHeard, &wire::SessionsHeard { sessions })
            }
            Self::Digests(points) => {
                let point = |(zxid, digest): &(Zxid, u64)| wire::DigestPoint {
                    zxid: zxid.0,
                    digest: digest.cast_signed(),
                };
                let points = points.iter().map(point).collect();
                link.tell(Kind::Digests, &wire::Digests { points })
            }
            Self::StateDiffers { zxid, yours, theirs } => {
                let (yours, theirs) = (yours.cast_signed(), theirs.cast_signed());
                link.tell(Kind::StateDiffers, &wire::StateDiffers { zxid: zxid.0, yours, theirs })
            }
        }
    }
}
