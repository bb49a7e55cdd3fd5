//! What the tasks of an ensemble share.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::Future;
use openraft::{
    Instant as _, Raft,
    async_runtime::WatchReceiver,
    raft::{AppendEntriesRequest, AppendEntriesResponse},
};
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use super::{
    Contact, FromPeer, Members, PeerMessage, PeerRef, Role, ServerSpec, Status,
    founding::is_stand_in, joining::Candidates,
};
use crate::{
    checkpoints::CheckpointStore,
    lead::Offers,
    log::Log,
    machine::Adapter,
    peer::{Identity, PeerError, VERSIONS, Wanted, link::Link, link::Links},
    proposer::Proposer,
    purging::Purging,
    types::{LogId, Member, StoredMembership, Types},
};

pub(crate) type ThisRaft = Raft<Types, Adapter>;

/// Messages that may wait for the server to take them; more are dropped, for each is
/// followed by another one soon.
pub(crate) const MESSAGES_MAX: usize = 256;

/// What the tasks of an ensemble share.
pub(crate) struct Shared {
    pub(crate) node: u64,
    pub(crate) server_id: i64,
    /// The servers of the configuration, with this one.
    pub(crate) servers: Vec<ServerSpec>,
    /// Whether it may found a cluster; not if it is empty because its data was damaged.
    pub(super) may_found: bool,
    pub(crate) links: Links,
    pub(crate) log: Log,
    pub(crate) checkpoints: Arc<dyn CheckpointStore>,
    /// What of the log must stay.
    pub(crate) purging: Arc<Purging>,
    pub(crate) contact: Contact,
    pub(crate) status: watch::Sender<Status>,
    /// This server's own commands.
    pub(crate) proposer: Proposer,
    /// What other servers want this one to append.
    pub(crate) offers: Offers,
    /// Servers that want to be members and are none.
    pub(crate) candidates: Candidates,
    /// Held while a checkpoint is received.
    pub(crate) receiving: tokio::sync::Mutex<()>,
    /// Held while what was promised for the founding of the cluster is changed.
    pub(super) founding: tokio::sync::Mutex<()>,
    /// Held while somebody's request for other members is carried out.
    pub(super) asked: tokio::sync::Mutex<()>,
    /// Held while the members are changed.
    pub(crate) changing: tokio::sync::Mutex<()>,
    pub(super) started: Instant,
    /// Whether it stops without handing over.
    pub(crate) ends_at_once: Mutex<bool>,
    pub(super) messages: mpsc::Sender<FromPeer>,
    /// The term whose leader a quorum has lost, and when that was found out.
    pub(super) gone: Mutex<Option<(u64, Instant)>>,
    /// Members that cannot be reached.
    out_of_reach: Mutex<BTreeSet<u64>>,
    /// The version of the protocol that each member was last spoken to in.
    spoken: Mutex<BTreeMap<u64, i32>>,
    raft: OnceLock<ThisRaft>,
    cluster: Arc<Mutex<u64>>,
}

/// How long it counts that a leader was lost.
const GONE_FOR: Duration = Duration::from_secs(2);

/// Who this server is, and in which cluster.
pub(crate) struct Own {
    pub(crate) node: u64,
    pub(crate) incarnation: u64,
    pub(crate) server_id: i64,
    pub(crate) servers: Vec<ServerSpec>,
    pub(crate) may_found: bool,
}

/// What this server keeps.
pub(crate) struct Kept {
    pub(crate) log: Log,
    pub(crate) checkpoints: Arc<dyn CheckpointStore>,
    pub(crate) purging: Arc<Purging>,
}

impl Shared {
    pub(crate) fn new(
        own: Own,
        transport: Arc<dyn crate::transport::Transport>,
        kept: Kept,
        status: watch::Sender<Status>,
        messages: mpsc::Sender<FromPeer>,
        proposer: Proposer,
    ) -> Self {
        let cluster = Arc::new(Mutex::new(0));
        let Own { node, incarnation, server_id, servers, may_found } = own;
        let Kept { log, checkpoints, purging } = kept;
        let known = Arc::clone(&cluster);
        let identity =
            move || Identity { cluster: *known.lock(), node, incarnation, server: server_id };
        Self {
            node,
            server_id,
            servers,
            may_found,
            links: Links::new(transport, Arc::new(identity)),
            log,
            checkpoints,
            purging,
            contact: Contact::default(),
            status,
            proposer,
            offers: Offers::default(),
            candidates: Candidates::default(),
            receiving: tokio::sync::Mutex::default(),
            founding: tokio::sync::Mutex::default(),
            asked: tokio::sync::Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            started: Instant::now(),
            ends_at_once: Mutex::default(),
            messages,
            gone: Mutex::default(),
            out_of_reach: Mutex::default(),
            spoken: Mutex::default(),
            raft: OnceLock::new(),
            cluster,
        }
    }

    /// Called once, when openraft runs.
    pub(crate) fn set_raft(&self, raft: ThisRaft) {
        assert!(self.raft.set(raft).is_ok(), "openraft is started once");
    }

    /// openraft.
    ///
    /// # Panics
    /// Before it runs; nobody is listened to before.
    pub(crate) fn raft(&self) -> &ThisRaft {
        self.raft.get().expect("openraft runs before peers are listened to")
    }

    /// Says once that a member cannot be reached, and once that it can again.
    pub(crate) fn note_reach(&self, node: u64, server: i64, error: Option<&PeerError>) {
        let mut out_of_reach = self.out_of_reach.lock();
        match error {
            Some(error) if out_of_reach.insert(node) => {
                tracing::warn!(server, %error, "a member cannot be reached");
            }
            None if out_of_reach.remove(&node) => {
                tracing::info!(server, "a member can be reached again");
            }
            Some(_) | None => {}
        }
    }

    /// Notes the version of the protocol that a member speaks; it may be another one than
    /// before, for it was upgraded.
    pub(crate) fn note_version(&self, node: u64, version: i32) {
        if self.membership().membership().get_node(&node).is_some() {
            self.spoken.lock().insert(node, version);
        }
    }

    /// The newest version that every other member is known to speak, for what all of them must
    /// read: of one that was not met since this server started the oldest is assumed.
    pub(crate) fn members_speak(&self) -> i32 {
        let membership = self.membership();
        let spoken = self.spoken.lock();
        let others = membership
            .membership()
            .nodes()
            .map(|(node, _)| *node)
            .filter(|node| *node != self.node);
        let come = others.filter(|node| !is_stand_in(*node));
        let versions = come.map(|node| spoken.get(&node).copied().unwrap_or(*VERSIONS.start()));
        versions.min().unwrap_or(*VERSIONS.end())
    }

    /// This server, for the other side of a connection.
    pub(crate) fn identity(&self) -> Identity {
        self.links.own()
    }

    /// The cluster; 0 while there is none.
    pub(crate) fn cluster(&self) -> u64 {
        *self.cluster.lock()
    }

    /// Passes entries of the leader on; a success is a sign of its life.
    pub(crate) fn append(
        self: &Arc<Self>,
        request: AppendEntriesRequest<Types>,
        quorum_age_ms: u64,
    ) -> impl Future<Output = io::Result<AppendEntriesResponse<Types>>> + use<> {
        let shared = Arc::clone(self);
        async move {
            let response = shared.raft().append_entries(request).await.map_err(io::Error::other)?;
            match &response {
                AppendEntriesResponse::Success
                | AppendEntriesResponse::PartialSuccess(_)
                | AppendEntriesResponse::Conflict => {
                    shared.contact.heard(Duration::from_millis(quorum_age_ms));
                }
                AppendEntriesResponse::HigherVote(_) => {}
            }
            Ok(response)
        }
    }

    /// Whether an entry will be appended behind the one at `last`, which is the newest, as
    /// soon as that is applied: batches wait for it.
    pub(crate) fn entry_follows(&self, last: Option<&LogId>) -> bool {
        (!self.offers.is_empty() || self.proposer.has_waiting()) && self.log.last().as_ref() == last
    }

    /// How long ago a quorum answered this leader, in milliseconds. One that was not answered
    /// yet, and may never be, was in touch with a quorum when a former leader was.
    pub(crate) fn quorum_age_ms(&self) -> u64 {
        let age = self.quorum_age().or_else(|| self.contact.age());
        let age = age.unwrap_or_else(|| self.started.elapsed());
        u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
    }

    /// How long ago a quorum answered this leader; none when it does not lead or was not
    /// answered yet.
    pub(crate) fn quorum_age(&self) -> Option<Duration> {
        let metrics = self.raft.get()?.metrics();
        let metrics = metrics.borrow_watched();
        let mut voters = metrics.membership_config.membership().voter_ids();
        if voters.next() == Some(self.node) && voters.next().is_none() {
            // It is the quorum.
            return Some(Duration::ZERO);
        }
        metrics.last_quorum_acked.map(|acked| acked.elapsed())
    }

    /// How long ago this server was in touch with a quorum.
    pub(crate) fn contact_age(&self) -> Option<Duration> {
        let leads = self.status.borrow().role == Role::Leading;
        if let Some(age) = self.quorum_age().filter(|_| leads) {
            // A leader that gives way goes on from there: who serves asks all the time.
            self.contact.heard(age);
            return Some(age);
        }
        self.contact.age()
    }

    /// Whether a quorum has lost the leader of the term before this one.
    pub(crate) fn leader_is_gone(&self, term: u64) -> bool {
        let gone = *self.gone.lock();
        gone.is_some_and(|(lost, since)| lost < term && since.elapsed() < GONE_FOR)
    }

    /// The members as openraft has them now.
    pub(crate) fn membership(&self) -> Arc<StoredMembership> {
        Arc::clone(&self.raft().metrics().borrow_watched().membership_config)
    }

    /// Takes over what openraft says about leader and members.
    pub(crate) fn refresh_status(&self) {
        let metrics = self.raft().metrics();
        let (status, membership) = {
            let metrics = metrics.borrow_watched();
            let membership = Arc::clone(&metrics.membership_config);
            let members = Members::of(&membership);
            let leader = metrics.current_leader.and_then(|node| {
                let member = membership.membership().get_node(&node)?;
                Some(PeerRef { node, server_id: member.server_id })
            });
            let votes = membership.membership().voter_ids().any(|voter| voter == self.node);
            let role = match leader {
                _ if members.members.is_empty() => Role::Joining,
                None => Role::Looking,
                Some(leader) if leader.node == self.node => Role::Leading,
                Some(_) if votes => Role::Following,
                Some(_) => Role::Observing,
            };
            (Status { role, term: metrics.current_term, leader, members }, membership)
        };
        let nodes: BTreeMap<u64, &Member> =
            membership.membership().nodes().map(|(node, member)| (*node, member)).collect();
        if let Some(member) = nodes.values().next() {
            let mut cluster = self.cluster.lock();
            if *cluster != member.cluster {
                *cluster = member.cluster;
                drop(cluster);
                // What was dialled before did not say to which cluster this server belongs.
                self.links.clear();
            }
        }
        self.links.retain(|wanted| match wanted {
            Wanted::Node(node) => nodes.contains_key(&node),
            Wanted::Server(_) => !nodes.contains_key(&self.node),
        });
        self.status.send_if_modified(|known| {
            let changed = *known != status;
            *known = status;
            changed
        });
    }

    /// The link to the leader, if there is one and it is another server.
    pub(crate) fn link_to_leader(&self) -> Option<Link> {
        let leader = self.status.borrow().leader?;
        if leader.node == self.node {
            return None;
        }
        self.link_to(leader.node)
    }

    /// Where a member is now.
    pub(crate) fn addresses_of(&self, node: u64) -> Vec<String> {
        let membership = self.membership();
        let member = membership.membership().get_node(&node);
        member.map(|member| member.addresses.clone()).unwrap_or_default()
    }

    /// The link to a member.
    pub(crate) fn link_to(&self, node: u64) -> Option<Link> {
        let membership = self.membership();
        let member = membership.membership().get_node(&node)?;
        Some(self.links.to(Wanted::Node(node), &member.addresses))
    }

    /// Tells the leader, be it another server or this one; false if there is none, or no
    /// room for the message.
    pub(crate) fn tell_leader(&self, message: &PeerMessage) -> bool {
        let leader = self.status.borrow().leader;
        leader.is_some_and(|leader| self.tell(leader.node, message))
    }

    /// Tells a member, be it another server or this one; false if it is none, or there is no
    /// room for the message.
    pub(crate) fn tell(&self, node: u64, message: &PeerMessage) -> bool {
        if node == self.node {
            let (server_id, message) = (self.server_id, message.clone());
            return self.messages.try_send(FromPeer { node, server_id, message }).is_ok();
        }
        self.link_to(node).is_some_and(|link| message.send(&link))
    }

    /// A message came from another server.
    pub(super) fn told(&self, message: FromPeer) {
        let server = message.server_id;
        if self.messages.try_send(message).is_err() {
            tracing::warn!(server, "a message of another server found no room");
        }
    }
}
