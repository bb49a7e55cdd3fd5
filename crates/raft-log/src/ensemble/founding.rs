//! How servers that all start with empty directories become exactly one cluster.
//!
//! They agree on the first membership by a vote of its own (single-decree Paxos among the
//! voters of the configuration): a server that has reached a quorum of them, all without
//! a cluster, proposes the members; those asked remember on disk what they promised and
//! accepted. What a quorum has accepted is never replaced: whoever proposes later, after
//! any crash, finds it and proposes it again. Servers of the configuration that were not
//! reached are members from the start, under a stand-in for their node id, so that a
//! quorum is always one of the whole configuration; they are replaced when they come.
//!
//! The members are then written as the first entry of the log, by openraft; two servers
//! that do so write the same.

use std::{collections::BTreeMap, io, mem, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream::FuturesUnordered};
use jute::Record as _;
use openraft::Membership;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::{ServerSpec, Shared, joining};
use crate::{
    codec,
    generated::peer as wire,
    peer::{
        Kind, PeerError, Wanted,
        frame::{Frame, invalid},
        link::Links,
    },
    types::Member,
};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long to wait between attempts.
const PAUSE: Duration = Duration::from_millis(250);
/// How often a member looks whether it still is one, and still where the others know it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long to wait for the servers that are missing once there is a quorum, and for those
/// with a lower number to go first.
const GRACE: Duration = Duration::from_secs(1);
/// Node ids below this stand for servers that have not come yet.
const STAND_INS: u64 = 1 << 16;

/// The node id that stands for a server that has not come yet.
pub(crate) fn stand_in(server_id: i64) -> u64 {
    1 + server_id.cast_unsigned() % (STAND_INS - 1)
}

pub(super) const fn is_stand_in(node: u64) -> bool {
    node < STAND_INS
}

/// What this server promised and accepted; on disk before anybody is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Acceptor {
    promised: (i64, i64),
    accepted: Option<((i64, i64), Bytes)>,
}

impl Acceptor {
    fn decode(bytes: &Bytes) -> io::Result<Self> {
        let record = wire::Promise::from_exact_bytes(bytes);
        let record = record.map_err(|error| invalid(&error.to_string()))?;
        Ok(Self {
            promised: ballot(&record.promised),
            accepted: record
                .accepted
                .first()
                .map(|founding| (ballot(&founding.ballot), bytes.slice_ref(founding.members))),
        })
    }

    fn to_record(&self, yes: bool) -> wire::Promise<'_> {
        wire::Promise {
            yes,
            promised: wire_ballot(self.promised),
            accepted: self
                .accepted
                .iter()
                .map(|(ballot, members)| wire::Founding { ballot: wire_ballot(*ballot), members })
                .collect(),
        }
    }
}

fn ballot(record: &wire::Ballot) -> (i64, i64) {
    (record.round, record.server)
}

fn wire_ballot((round, server): (i64, i64)) -> wire::Ballot {
    wire::Ballot { round, server }
}

fn acceptor(shared: &Shared) -> io::Result<Acceptor> {
    shared.log.founding().map_or_else(|| Ok(Acceptor::default()), |bytes| Acceptor::decode(&bytes))
}

/// Answers Prepare.
pub(super) async fn prepare(shared: &Shared, asked: wire::Ballot) -> io::Result<Bytes> {
    let asked = ballot(&asked);
    change(shared, |acceptor| {
        let yes = asked > acceptor.promised;
        if yes {
            acceptor.promised = asked;
        }
        yes
    })
    .await
}

/// Answers Accept.
pub(super) async fn accept(shared: &Shared, frame: &Frame) -> io::Result<Bytes> {
    let record: wire::Accept<'_> = frame.record()?;
    let (asked, members) =
        (ballot(&record.founding.ballot), frame.body.slice_ref(record.founding.members));
    // What is accepted may have to be the members of the cluster.
    codec::decode_membership(&members).map_err(|error| invalid(&error.to_string()))?;
    change(shared, |acceptor| {
        let yes = asked >= acceptor.promised;
        if yes {
            acceptor.promised = asked;
            acceptor.accepted = Some((asked, members));
        }
        yes
    })
    .await
}

/// Changes what is remembered, and gives the answer; a member of a cluster says no, and so
/// does a server that was one.
async fn change(shared: &Shared, change: impl FnOnce(&mut Acceptor) -> bool) -> io::Result<Bytes> {
    // One at a time: reading and writing what was promised is one step.
    let _answering = shared.founding.lock().await;
    let mut acceptor = acceptor(shared)?;
    let before = acceptor.clone();
    let yes = shared.cluster() == 0 && shared.may_found && change(&mut acceptor);
    if acceptor != before {
        let mut bytes = BytesMut::new();
        acceptor.to_record(true).encode(&mut bytes);
        shared.log.save_founding(bytes.freeze()).await?;
    }
    let mut bytes = BytesMut::new();
    acceptor.to_record(yes).encode(&mut bytes);
    Ok(bytes.freeze())
}

/// What another server says of itself.
pub(super) struct Seen {
    server_id: i64,
    /// 0 while it belongs to none.
    pub(super) cluster: u64,
    node: u64,
    /// The number of the leader's server; negative while it knows none.
    pub(super) leader: i64,
}

/// Runs for as long as the server does: whenever it is no member, or no leader reaches it, it
/// looks for a cluster to join, or founds one with the others.
pub(crate) async fn found_or_join(shared: Arc<Shared>) {
    let mut since = None;
    let mut said = String::new();
    let mut is_news = true;
    loop {
        let is_member = joining::is_member(&shared);
        if is_member && !joining::is_lost(&shared) {
            since = None;
            said.clear();
            sleep(LOOK_EVERY).await;
            continue;
        }
        let seen = probe(&shared).await;
        // One that is a member, as far as it knows, has nothing to ask while nobody leads.
        let may_tell = |seen: &&Seen| seen.cluster != 0 && (seen.leader >= 0 || !is_member);
        if let Some(member) = seen.iter().find(may_tell) {
            // The leader takes new members, and who follows knows who that is.
            let leader = seen.iter().find(|seen| seen.server_id == member.leader);
            let leader = leader.map_or(member.server_id, |leader| leader.server_id);
            joining::ask(&shared, leader, &mut said).await;
        } else if shared.cluster() == 0 && !shared.may_found {
            if mem::take(&mut is_news) {
                tracing::warn!(
                    "this server's data was set aside as damaged: waiting for a server of its \
                     cluster, which it will not found anew"
                );
            }
        } else if shared.cluster() == 0 {
            found_if_quorum(&shared, &seen, &mut since, &mut said).await;
        }
        sleep(PAUSE).await;
    }
}

async fn probe(shared: &Shared) -> Vec<Seen> {
    let others = shared.servers.iter().filter(|server| server.server_id != shared.server_id);
    let asked: FuturesUnordered<_> =
        others.map(|server| probe_one(&shared.links, server)).collect();
    let answers: Vec<_> = asked.collect().await;
    answers.into_iter().flatten().collect()
}

/// What a server says of itself.
pub(super) async fn probe_one(links: &Links, server: &ServerSpec) -> Result<Seen, PeerError> {
    let link = links.to(Wanted::Server(server.server_id), &server.addresses);
    let answer = link.call(Kind::Probe, &wire::Ask { reserved: 0 }, PATIENCE).await?;
    let reply: wire::ProbeReply = answer.record()?;
    Ok(Seen {
        server_id: server.server_id,
        cluster: reply.cluster.cast_unsigned(),
        node: reply.node.cast_unsigned(),
        leader: reply.leader,
    })
}

/// Proposes the first members, if a quorum was reached and nobody else is to go first.
async fn found_if_quorum(
    shared: &Arc<Shared>,
    seen: &[Seen],
    since: &mut Option<Instant>,
    said: &mut String,
) {
    let voters: Vec<i64> = shared
        .servers
        .iter()
        .filter(|server| server.votes)
        .map(|server| server.server_id)
        .collect();
    let mut reached: Vec<i64> = seen
        .iter()
        .map(|seen| seen.server_id)
        .chain([shared.server_id])
        .filter(|server| voters.contains(server))
        .collect();
    reached.sort_unstable();
    let missing: Vec<String> = voters
        .iter()
        .filter(|voter| !reached.contains(voter))
        .map(|voter| format!("server.{voter}"))
        .collect();
    let text = format!(
        "{} of {} voters reached, missing: {}",
        reached.len(),
        voters.len(),
        missing.join(", ")
    );
    if *said != text && !missing.is_empty() {
        tracing::info!("waiting for peers: {text}");
        *said = text;
    }
    if reached.len() <= voters.len() / 2 {
        *since = None;
        return;
    }
    let Some(rank) = reached.iter().position(|server| *server == shared.server_id) else { return };
    let since = *since.get_or_insert_with(Instant::now);
    let turn = u32::try_from(rank + usize::from(!missing.is_empty())).unwrap_or(u32::MAX);
    if since.elapsed() < GRACE * turn {
        return;
    }
    match found(shared, seen, &voters).await {
        Ok(true) => tracing::info!("founded the cluster"),
        Ok(false) => tracing::debug!("another server founds the cluster"),
        Err(error) => tracing::warn!(%error, "the cluster could not be founded yet"),
    }
}

/// One round; whether its members were accepted by a quorum.
async fn found(shared: &Arc<Shared>, seen: &[Seen], voters: &[i64]) -> io::Result<bool> {
    let own = acceptor(shared)?;
    let ballot = (own.promised.0 + 1, shared.server_id);
    let promises = ask_all(shared, voters, Kind::Prepare, |out| {
        wire::Prepare { ballot: wire_ballot(ballot) }.encode(out);
    })
    .await?;
    if promises.len() <= voters.len() / 2 {
        return Ok(false);
    }
    let accepted = promises.into_iter().filter_map(|promise| promise.accepted).max();
    let members = accepted.map_or_else(|| first_members(shared, seen), |(_, members)| members);
    let accepted = ask_all(shared, voters, Kind::Accept, |out| {
        let founding = wire::Founding { ballot: wire_ballot(ballot), members: &members };
        wire::Accept { founding }.encode(out);
    })
    .await?;
    if accepted.len() <= voters.len() / 2 {
        return Ok(false);
    }
    let members =
        codec::decode_membership(&members).map_err(|error| invalid(&error.to_string()))?;
    let nodes: BTreeMap<u64, Member> =
        members.nodes().map(|(node, member)| (*node, member.clone())).collect();
    if nodes.contains_key(&shared.node) {
        shared.raft().initialize(nodes).await.map_err(io::Error::other)?;
    }
    Ok(true)
}

/// All voters of the configuration, with stand-ins for those that were not reached.
fn first_members(shared: &Shared, seen: &[Seen]) -> Bytes {
    let mut nodes = BTreeMap::new();
    for server in shared.servers.iter().filter(|server| server.votes) {
        let reached = seen.iter().find(|seen| seen.server_id == server.server_id);
        let node = if server.server_id == shared.server_id {
            shared.node
        } else {
            reached.map_or_else(|| stand_in(server.server_id), |seen| seen.node)
        };
        // A cluster has the name of the node that proposed it: that is drawn and never reused.
        nodes.insert(node, server.to_member(shared.node));
    }
    let voters = nodes.keys().copied().collect();
    let membership = Membership::new(vec![voters], nodes).expect("every voter has its node");
    codec::encode_membership(&membership)
}

/// Asks every voter, this server too, and gives the answers of those that say yes.
async fn ask_all(
    shared: &Arc<Shared>,
    voters: &[i64],
    kind: Kind,
    encode: impl FnOnce(&mut BytesMut),
) -> io::Result<Vec<Acceptor>> {
    let mut body = BytesMut::new();
    encode(&mut body);
    let body = body.freeze();
    let agreed = Mutex::new(Vec::new());
    let (body, into) = (&body, &agreed);
    let asked: FuturesUnordered<_> = shared
        .servers
        .iter()
        .filter(|server| voters.contains(&server.server_id))
        .map(|server| async move {
            let answer = if server.server_id == shared.server_id {
                answer_self(shared, kind, body).await
            } else {
                let link = shared.links.to(Wanted::Server(server.server_id), &server.addresses);
                let answer = link.call_raw(kind, body.clone(), PATIENCE).await;
                answer.map(|frame| frame.body).map_err(io::Error::other)
            };
            let Ok(answer) = answer else { return };
            let yes = wire::Promise::from_exact_bytes(&answer).is_ok_and(|promise| promise.yes);
            if let (true, Ok(acceptor)) = (yes, Acceptor::decode(&answer)) {
                into.lock().push(acceptor);
            }
        })
        .collect();
    asked.collect::<()>().await;
    Ok(agreed.into_inner())
}

async fn answer_self(shared: &Shared, kind: Kind, body: &Bytes) -> io::Result<Bytes> {
    let frame = Frame { kind, body: body.clone() };
    if kind == Kind::Prepare {
        let asked: wire::Prepare = frame.record()?;
        return prepare(shared, asked.ballot).await;
    }
    accept(shared, &frame).await
}
