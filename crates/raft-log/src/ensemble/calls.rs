//! Answers what other servers ask on their control lane.

use std::{io, sync::Arc};

use super::{FromPeer, PeerMessage, Role, Shared, change, founding, lost_leader, report};
use crate::{
    generated::peer as wire,
    peer::{
        Identity, Kind,
        convert::{read_transfer, read_vote_request, wire_vote_reply},
        frame::{Frame, invalid},
        link::Reply,
    },
};
use fault_points::{Point, reach_in_task};
use openraft::ReadPolicy;

/// Answers one request; a message has no answer.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    from: Identity,
    frame: &Frame,
) -> io::Result<Option<Reply>> {
    Ok(Some(match frame.kind {
        Kind::Vote | Kind::PreVote => vote(shared, frame).await?,
        Kind::Transfer => {
            let request = read_transfer(&frame.record()?)?;
            reach_in_task(Point::TransferTake).await?;
            let done = shared.raft().handle_transfer_leader(request).await;
            let text = match done {
                Ok(Ok(())) => String::new(),
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            Reply::new(frame.kind, &wire::Answer { yes: text.is_empty(), text: &text })
        }
        Kind::LeaderLost => {
            Reply::new(frame.kind, &lost_leader::is_lost(shared, from, frame).await)
        }
        Kind::ReadIndex => Reply::new(frame.kind, &read_index(shared).await),
        Kind::Probe => Reply::new(frame.kind, &probe(shared)),
        Kind::Standings => Reply::new(frame.kind, &report::standings(shared)),
        Kind::Prepare => {
            let asked: wire::Prepare = frame.record()?;
            Reply(frame.kind, founding::prepare(shared, asked.ballot).await?)
        }
        Kind::Accept => Reply(frame.kind, founding::accept(shared, frame).await?),
        Kind::Join | Kind::ChangeMembers | Kind::HandOver => {
            change::answer(shared, from.node, frame).await
        }
        Kind::SessionsHeard | Kind::Digests | Kind::StateDiffers => {
            let (node, server_id) = (from.node, from.server);
            shared.told(FromPeer { node, server_id, message: PeerMessage::read(frame)? });
            return Ok(None);
        }
        Kind::Hello
        | Kind::Welcome
        | Kind::Refusal
        | Kind::Append
        | Kind::AppendReply
        | Kind::Call
        | Kind::Reply
        | Kind::Forward
        | Kind::NotLeader
        | Kind::Offer
        | Kind::Wanted
        | Kind::Chunk
        | Kind::Installed => return Err(invalid("a frame that belongs on another lane")),
    }))
}

async fn vote(shared: &Shared, frame: &Frame) -> io::Result<Reply> {
    let request = read_vote_request(&frame.record()?)?;
    let response = if frame.kind == Kind::Vote {
        shared.raft().vote(request).await
    } else {
        shared.raft().pre_vote(request).await
    };
    let response = response.map_err(io::Error::other)?;
    reach_in_task(Point::VoteReply).await?;
    Ok(Reply::new(frame.kind, &wire_vote_reply(&response)))
}

async fn read_index(shared: &Shared) -> wire::ReadIndexReply {
    match leader_read_index(shared).await {
        Some(index) => wire::ReadIndexReply { known: true, index: index.cast_signed() },
        None => wire::ReadIndexReply { known: false, index: 0 },
    }
}

/// Up to where a server must have applied to be up to date; none when this one does not
/// lead.
pub(super) async fn leader_read_index(shared: &Shared) -> Option<u64> {
    if shared.status.borrow().role != Role::Leading {
        return None;
    }
    let linearizer = shared.raft().get_read_linearizer(ReadPolicy::ReadIndex).await.ok()?;
    Some(linearizer.read_log_id().index())
}

fn probe(shared: &Shared) -> wire::ProbeReply {
    wire::ProbeReply {
        cluster: shared.cluster().cast_signed(),
        node: shared.node.cast_signed(),
        leader: shared.status.borrow().leader.map_or(-1, |leader| leader.server_id),
    }
}
