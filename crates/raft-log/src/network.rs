//! The way to the other members. A server that stands alone has none.

use std::{future::Future, io};

use openraft::{
    RaftNetworkFactory, RaftNetworkV2, alias,
    errors::{RPCError, ReplicationClosed, StreamingError, Unreachable},
    network::RPCOption,
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
    },
};

use crate::{
    machine::CheckpointHandle,
    types::{Member, Types, Vote},
};

/// The network of a server without peers: nobody is ever reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoPeers;

impl NoPeers {
    fn unreachable() -> Unreachable<Types> {
        Unreachable::new(&io::Error::other("this server has no peers"))
    }
}

impl RaftNetworkFactory<Types> for NoPeers {
    type Network = Self;

    async fn new_client(&mut self, _: u64, _: &Member) -> Self {
        *self
    }
}

impl RaftNetworkV2<Types> for NoPeers {
    type SnapshotData = CheckpointHandle;

    async fn append_entries(
        &mut self,
        _: AppendEntriesRequest<Types>,
        _: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        Err(RPCError::Unreachable(Self::unreachable()))
    }

    async fn vote(
        &mut self,
        _: VoteRequest<Types>,
        _: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        Err(RPCError::Unreachable(Self::unreachable()))
    }

    async fn pre_vote(
        &mut self,
        _: VoteRequest<Types>,
        _: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        Err(RPCError::Unreachable(Self::unreachable()))
    }

    async fn full_snapshot(
        &mut self,
        _: Vote,
        _: alias::SnapshotOf<Types, CheckpointHandle>,
        _: impl Future<Output = ReplicationClosed> + Send + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        Err(StreamingError::Unreachable(Self::unreachable()))
    }
}
