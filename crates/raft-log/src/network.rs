//! The way to the other members, as openraft asks for it.

use std::{future::Future, io, sync::Arc};

use fault_points::{Point, reach_in_task};
use futures_util::{Stream, StreamExt};
use jute::Record;
use openraft::{
    OptionalSend, RaftNetworkFactory, RaftNetworkV2, alias,
    base::{BoxFuture, BoxStream},
    errors::{RPCError, ReplicationClosed, StreamingError, Unreachable},
    network::RPCOption,
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult,
        TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
    },
};

use tokio::{
    task::JoinHandle,
    time::{Duration, Instant, sleep, sleep_until},
};

use crate::{
    checkpoint_transfer,
    ensemble::Shared,
    generated::peer as wire,
    machine::CheckpointHandle,
    peer::{
        Kind, Lane, PeerError, Session, Wanted, appends,
        convert::{read_vote_reply, wire_transfer, wire_vote_request},
        dial,
        frame::Frame,
    },
    standstill,
    types::{Member, Types, Vote},
};

/// Between two attempts to make an append lane.
const REDIAL_PAUSE: Duration = Duration::from_millis(100);
/// Between two attempts to send a checkpoint: the member is away, or it cannot be frozen.
const CHECKPOINT_RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Makes the ways to the members.
#[derive(Clone)]
pub(crate) struct Network(pub(crate) Arc<Shared>);

impl RaftNetworkFactory<Types> for Network {
    type Network = Way;

    async fn new_client(&mut self, target: u64, member: &Member) -> Way {
        let shared = Arc::clone(&self.0);
        let member = member.clone();
        Way {
            shared,
            target,
            member,
            appends: None,
            dialling: None,
            not_before: None,
            checkpoint_lane: None,
        }
    }
}

/// The way to one member. Each has an append lane of its own, so that what openraft sends
/// by different ways, such as signs of life and entries, does not wait for each other.
pub(crate) struct Way {
    shared: Arc<Shared>,
    target: u64,
    member: Member,
    /// The append lane, while no stream uses it.
    appends: Option<Session>,
    /// The append lane, while it is made. openraft gives up on a sign of life sooner than a
    /// far server is dialled; the next one then finds the connection made.
    dialling: Option<JoinHandle<Result<Session, PeerError>>>,
    /// When it may be made again, after it could not be. openraft's own pause between attempts
    /// ends with whatever there is to replicate.
    not_before: Option<Instant>,
    /// A connection for a checkpoint, made while there was none to send.
    checkpoint_lane: Option<Session>,
}

impl Drop for Way {
    fn drop(&mut self) {
        if let Some(dialling) = &self.dialling {
            dialling.abort();
        }
    }
}

/// An error that makes openraft pause before it tries again.
pub(crate) fn unreachable(error: &(impl std::error::Error + 'static)) -> Unreachable<Types> {
    Unreachable::new(error)
}

fn rpc_error(error: &(impl std::error::Error + 'static)) -> RPCError<Types> {
    RPCError::Unreachable(unreachable(error))
}

impl Way {
    /// Where the member is: it may have moved since this way was made.
    fn addresses(&self) -> Vec<String> {
        let now = self.shared.addresses_of(self.target);
        if now.is_empty() { self.member.addresses.clone() } else { now }
    }

    async fn call<'r>(
        &self,
        kind: Kind,
        record: &impl Record<'r>,
        option: &RPCOption,
    ) -> Result<Frame, RPCError<Types>> {
        let link = self.shared.links.to(Wanted::Node(self.target), &self.addresses());
        let answer = link.call(kind, record, option.soft_ttl()).await;
        answer.map_err(|error| rpc_error(&error))
    }

    async fn ask_for_vote(
        &self,
        kind: Kind,
        request: &VoteRequest<Types>,
        option: &RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        reach_in_task(Point::VoteSend).await.map_err(|error| rpc_error(&error))?;
        let leader_gone = self.shared.leader_is_gone(request.vote.leader_id.term);
        let record = wire_vote_request(request, leader_gone);
        let answer = self.call(kind, &record, option).await?;
        let reply = answer.record().and_then(|reply| read_vote_reply(&reply));
        reply.map_err(|error| rpc_error(&error))
    }

    async fn append_lane(&mut self) -> Result<Session, PeerError> {
        if let Some(session) = self.appends.take() {
            return Ok(session);
        }
        if let Some(at) = self.not_before {
            sleep_until(at).await;
        }
        let addresses = self.addresses();
        let dialling = self.dialling.get_or_insert_with(|| {
            let shared = Arc::clone(&self.shared);
            let wanted = Wanted::Node(self.target);
            standstill::spawn(async move {
                let links = &shared.links;
                dial(links.transport(), &addresses, links.own(), wanted, Lane::Append).await
            })
        });
        let dialled = dialling.await;
        self.dialling = None;
        let made = dialled.unwrap_or_else(|error| Err(PeerError::Unreachable(error.to_string())));
        self.not_before = made.is_err().then(|| Instant::now() + REDIAL_PAUSE);
        self.shared.note_reach(self.target, self.member.server_id, made.as_ref().err());
        if let Ok(session) = &made {
            self.shared.note_version(self.target, session.version);
        }
        made
    }

    async fn dial_checkpoint_lane(&self) -> Result<Session, PeerError> {
        let links = &self.shared.links;
        let wanted = Wanted::Node(self.target);
        dial(links.transport(), &self.addresses(), links.own(), wanted, Lane::Checkpoint).await
    }

    /// Sends a checkpoint to a member that is there. Where it is not, waits until it is and
    /// fails all the same: openraft has a newer one frozen for each attempt, and would do so
    /// each second for a member that is away for days. Fails, too, if it could not be frozen.
    async fn send_checkpoint(
        &mut self,
        vote: Vote,
        snapshot: alias::SnapshotOf<Types, CheckpointHandle>,
    ) -> Result<SnapshotResponse<Types>, PeerError> {
        let openraft::Snapshot { meta, snapshot: CheckpointHandle(frozen) } = snapshot;
        let Some(frozen) = frozen else {
            sleep(CHECKPOINT_RETRY_PAUSE).await;
            return Err(PeerError::Unreachable("there is no frozen checkpoint".to_owned()));
        };
        let last = meta.last_log_id.as_ref().map_or(0, |last| last.index);
        let sending = self.shared.purging.hold(self.target, last);
        let made = match self.checkpoint_lane.take() {
            Some(lane) => Ok(lane),
            None => self.dial_checkpoint_lane().await,
        };
        let lane = match made {
            Ok(lane) => lane,
            Err(error) => {
                // Neither its files nor the log behind it are kept for who is away.
                drop((frozen, sending));
                while self.checkpoint_lane.is_none() {
                    sleep(CHECKPOINT_RETRY_PAUSE).await;
                    self.checkpoint_lane = self.dial_checkpoint_lane().await.ok();
                }
                return Err(error);
            }
        };
        let sent = checkpoint_transfer::send(lane, vote, &meta, &frozen).await;
        sent.inspect(|_| sending.arrived()).inspect_err(|error| {
            tracing::warn!(
                server = self.member.server_id, %error,
                "sending the checkpoint broke off; it will go on from there"
            );
        })
    }
}

impl RaftNetworkV2<Types> for Way {
    type SnapshotData = CheckpointHandle;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        let requests = futures_util::stream::iter([request]);
        let mut answers = self.stream_append(requests, option).await?;
        match answers.next().await {
            Some(answer) => answer.map(AppendEntriesResponse::from),
            None => Err(rpc_error(&io::Error::other("it did not answer"))),
        }
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        _: RPCOption,
    ) -> BoxFuture<
        's,
        Result<BoxStream<'s, Result<StreamAppendResult<Types>, RPCError<Types>>>, RPCError<Types>>,
    >
    where
        S: Stream<Item = AppendEntriesRequest<Types>> + OptionalSend + Unpin + 'static,
    {
        Box::pin(async move {
            let session = self.append_lane().await.map_err(|error| rpc_error(&error))?;
            let shared = Arc::clone(&self.shared);
            let answers = appends::send(session, &mut self.appends, input, shared);
            let answers = answers.map(|answer| answer.map_err(|error| rpc_error(&error)));
            Ok(Box::pin(answers) as BoxStream<'s, _>)
        })
    }

    async fn vote(
        &mut self,
        request: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        self.ask_for_vote(Kind::Vote, &request, &option).await
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        self.ask_for_vote(Kind::PreVote, &request, &option).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: alias::SnapshotOf<Types, CheckpointHandle>,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        tokio::select! {
            biased;
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = self.send_checkpoint(vote, snapshot) => {
                sent.map_err(|error| StreamingError::Unreachable(unreachable(&error)))
            }
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Types>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RPCError<Types>> {
        reach_in_task(Point::TransferSend).await.map_err(|error| rpc_error(&error))?;
        let answer = self.call(Kind::Transfer, &wire_transfer(&request), &option).await?;
        let answer: wire::Answer<'_> = answer.record().map_err(|error| rpc_error(&error))?;
        if answer.yes {
            return Ok(Ok(()));
        }
        Err(rpc_error(&io::Error::other(answer.text.to_owned())))
    }
}
