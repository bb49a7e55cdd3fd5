//! Where a server's commands go: to the leader of the day, which may be itself
//! ([`crate::lead`]).
//!
//! Batches are sent in order and not answered: a server sees from its own apply what has
//! become of its commands. When the leader changes, a connection breaks or a batch is
//! refused, all that was not seen applied is sent again, in order; the state takes nothing
//! twice and nothing after a gap.

use std::{io, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use fault_points::{Point, reach_in_task};
use futures_util::{StreamExt, stream::FuturesOrdered};
use jute::Record as _;
use tokio::{
    sync::{oneshot, watch},
    time::{MissedTickBehavior, interval, sleep},
};
use tree::OriginId;

use crate::{
    codec,
    ensemble::{PeerRef, Shared, Status},
    generated::peer as wire,
    lead::lead,
    peer::{
        Identity, Kind, Lane, Session, Wanted, dial,
        frame::{Frame, FrameReader, invalid, put_frame},
    },
    proposer::{Batch, Proposer},
};

/// How long to wait before a leader is dialled again.
const REDIAL_PAUSE: Duration = Duration::from_millis(50);
/// Batches of one server that are in the leader's hands at once.
const IN_HAND_MAX: usize = 64;
/// If nothing was applied for this long, all is sent again: something was lost that no
/// broken connection told of.
const STUCK_AFTER: Duration = Duration::from_secs(2);

/// Why batches are not sent any more the way they were.
pub(crate) enum Ended {
    /// The leader changed, or a connection broke: all is sent again.
    Again,
    /// openraft has stopped.
    Stopped,
}

/// Feeds what the proposer takes to the leader of the day, until openraft stops.
pub(crate) async fn feed(shared: &Arc<Shared>) {
    let mut status = shared.status.subscribe();
    loop {
        let day = Day::of(&status.borrow_and_update());
        let ended = match day.leader {
            // The sender lives as long as `shared`.
            None => status.changed().await.map_or(Ended::Stopped, |()| Ended::Again),
            Some(leader) if leader.node == shared.node => tokio::select! {
                biased;
                ended = lead(shared) => ended,
                () = day.over(&mut status) => Ended::Again,
            },
            Some(leader) => follow(shared, &mut status, day, leader).await,
        };
        // This server may have led, or have been taken for the leader.
        shared.offers.refuse();
        match ended {
            Ended::Again => {}
            Ended::Stopped => return,
        }
    }
}

/// Who leads, in which term.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Day {
    leader: Option<PeerRef>,
    term: u64,
}

impl Day {
    fn of(status: &Status) -> Self {
        Self { leader: status.leader, term: status.term }
    }

    /// Returns when another leads, or in another term.
    async fn over(self, status: &mut watch::Receiver<Status>) {
        // The sender lives as long as the tasks that wait here.
        let _ = status.wait_for(|status| Self::of(status) != self).await;
    }
}

/// Sends this server's batches to the leader as long as it leads.
async fn follow(
    shared: &Shared,
    status: &mut watch::Receiver<Status>,
    day: Day,
    leader: PeerRef,
) -> Ended {
    let sent = async {
        let addresses = shared.addresses_of(leader.node);
        let (links, wanted) = (&shared.links, Wanted::Node(leader.node));
        let lane = dial(links.transport(), &addresses, links.own(), wanted, Lane::Forward).await;
        match lane {
            Ok(session) => send_all(session, &shared.proposer).await,
            Err(error) => io::Error::other(error),
        }
    };
    let sent = async {
        let error = sent.await;
        tracing::debug!(leader = leader.server_id, %error, "commands go out again");
        sleep(REDIAL_PAUSE).await;
    };
    tokio::select! {
        biased;
        () = sent => {}
        () = day.over(status) => {}
    }
    Ended::Again
}

/// Sends what is not applied, and then what comes, until the connection is of no more use.
async fn send_all(session: Session, proposer: &Proposer) -> io::Error {
    let Session { mut reader, mut writer, version, .. } = session;
    let mut out = BytesMut::new();
    let mut batches = proposer.unapplied();
    let mut watch = interval(STUCK_AFTER);
    watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut oldest = None;
    loop {
        batches.extend(std::iter::from_fn(|| proposer.take()));
        for Batch { payload, .. } in batches.drain(..) {
            let entry = &codec::readable_by(version, &payload);
            put_frame(&mut out, Kind::Forward, |out| wire::Forward { entry }.encode(out));
        }
        if !out.is_empty() {
            let sent = match reach_in_task(Point::ForwardSend).await {
                Ok(()) => writer.write(&out.split()).await,
                failed => failed,
            };
            if let Err(error) = sent {
                return error;
            }
        }
        tokio::select! {
            biased;
            error = refusal(&mut reader) => return error,
            _ = watch.tick() => {
                let now = proposer.oldest();
                if now.is_some() && now == oldest {
                    return io::Error::other("nothing was applied for some seconds");
                }
                oldest = now;
            }
            // Last: there may always be more.
            () = proposer.work() => {}
        }
    }
}

/// The leader says nothing but that it does not take any more.
async fn refusal(reader: &mut FrameReader) -> io::Error {
    match reader.next().await {
        Ok(Frame { kind: Kind::NotLeader, .. }) => io::Error::other("it takes no commands now"),
        Ok(_) => invalid("it answers commands"),
        Err(error) => error,
    }
}

/// The leader's side: takes what another server sends, until something is refused.
pub(crate) async fn serve(session: Session, shared: &Arc<Shared>) -> io::Error {
    let Session { mut reader, mut writer, peer, .. } = session;
    let mut answers: FuturesOrdered<oneshot::Receiver<()>> = FuturesOrdered::new();
    loop {
        tokio::select! {
            biased;
            Some(answer) = answers.next(), if !answers.is_empty() => {
                if answer.is_ok() {
                    continue;
                }
                if let Err(error) = reach_in_task(Point::ForwardRefuse).await {
                    return error;
                }
                let told = writer.record(Kind::NotLeader, &wire::Ask { reserved: 0 }).await;
                return told.err().unwrap_or_else(|| io::Error::other("a batch was refused"));
            }
            frame = reader.next(), if answers.len() < IN_HAND_MAX => {
                let batch = match frame.and_then(|frame| batch_in(frame, &peer)) {
                    Ok(batch) => batch,
                    Err(error) => return error,
                };
                if let Err(error) = reach_in_task(Point::ForwardTake).await {
                    return error;
                }
                answers.push_back(shared.offers.offer(batch));
            }
        }
    }
}

/// The batch that a peer sends. What is in the log is applied everywhere, so it must be this
/// peer's own, and readable, before it gets there.
pub(crate) fn batch_in(frame: Frame, peer: &Identity) -> io::Result<Bytes> {
    let frame = frame.expect(Kind::Forward)?;
    let record: wire::Forward<'_> = frame.record()?;
    let entry = frame.body.slice_ref(record.entry);
    let own = |origin: OriginId| origin.node == peer.node && origin.incarnation == peer.incarnation;
    if !codec::origin(&entry).is_some_and(own) {
        return Err(invalid("commands of another server"));
    }
    if codec::decode(&entry).is_err() {
        return Err(invalid("commands that cannot be read"));
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use tree::{Command, CommandFlags, Millis, Op, Owner, SessionId};

    use super::*;

    const PEER: Identity = Identity { cluster: 9, node: 100, incarnation: 3, server: 1 };

    fn entry() -> BytesMut {
        let origin = OriginId { node: PEER.node, incarnation: PEER.incarnation };
        let command = Command {
            session: SessionId::NONE,
            owner: Owner(0),
            xid: 0,
            flags: CommandFlags::default(),
            identities: Vec::new(),
            op: Op::Delete { path: "/gone", version: -1 },
        };
        let mut entry = BytesMut::new();
        codec::begin_entry(&mut entry, origin, 1, Millis(5));
        codec::encode_command(&command, &mut entry);
        codec::end_entry(&mut entry, 1);
        entry
    }

    fn outcome(entry: &[u8], peer: &Identity) -> Result<Bytes, String> {
        let mut body = BytesMut::new();
        wire::Forward { entry }.encode(&mut body);
        let frame = Frame { kind: Kind::Forward, body: body.freeze() };
        batch_in(frame, peer).map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_peer_sends_is_its_own_and_can_be_read() {
        let entry = entry();
        assert_eq!(outcome(&entry, &PEER).unwrap(), entry);
        for other in [Identity { node: 101, ..PEER }, Identity { incarnation: 2, ..PEER }] {
            assert_eq!(outcome(&entry, &other).unwrap_err(), "commands of another server");
        }
        assert!(outcome(b"", &PEER).is_err());
        // The beginning, which says whose it is, is whole; the rest is not.
        let unreadable = |entry: &[u8]| outcome(entry, &PEER).unwrap_err();
        assert_eq!(unreadable(&entry[..entry.len() - 1]), "commands that cannot be read");
        assert_eq!(unreadable(&[&entry[..], b"more"].concat()), "commands that cannot be read");
    }
}
